"""The name under which an enquiry's room is got or created. Pure."""

import orjson

from homeserver.model import Link
from homeserver.protocol.ids import UserId


def enquiry_key(link: Link, enquirer: UserId) -> str:
    """One room for each object and person who asks about it."""
    return orjson.dumps(["enquiry", link.service, link.service_id, enquirer]).decode()
