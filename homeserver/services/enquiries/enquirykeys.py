"""The unique key by which an enquiry's room is found or created. Pure functions."""

import orjson

from homeserver.model import Link
from homeserver.protocol.ids import UserId


def enquiry_key(link: Link, enquirer: UserId) -> str:
    """The key of the one room for each object and enquirer."""
    return orjson.dumps(["enquiry", link.service, link.service_id, enquirer]).decode()
