"""Custom profile fields: everything in a profile but display name and avatar.

Client-server API, "Profiles". A whole profile is at most 64 KiB, as the specification has it.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from homeserver.errors import Invalid
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import Requester
from homeserver.protocol.ids import UserId
from homeserver.services.accounts.status import check_may_act, guests_refused, is_matrix_guest
from homeserver.storage import accounts
from homeserver.storage import profilefields as stored
from homeserver.storage.db import Database

MAX_NAME_BYTES: Final = 255
MAX_BYTES: Final = 60 * 1024  # all fields together; with name and avatar a profile stays below 64 KiB
NAME: Final = "displayname"
PICTURE: Final = "avatar_url"
TIME_ZONE: Final = "m.tz"
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)+")


class ProfileFields:
    """Reads and changes custom profile fields."""

    def __init__(self, *, db: Database, limits: RateLimits) -> None:
        self._db = db
        self._limits = limits

    async def of(self, user_id: UserId) -> Mapping[str, Any]:
        """A user's fields, by name."""
        async with self._db.read() as conn:
            found = await stored.fields_of(conn, user_id)
        return {name: orjson.loads(value) for name, value in found.items()}

    def check(self, requester: Requester, name: str) -> None:
        """Raise unless the requester may change this profile field now: guests may only set a display name."""
        check_may_act(requester)
        if name != NAME and is_matrix_guest(requester.number):
            raise guests_refused()
        self._limits.check("profile", requester.user_id)

    async def set(self, requester: Requester, name: str, value: object) -> None:
        """Set one of the requester's fields.

        Raises Invalid("bad_field", "key_too_large", "profile_too_large"), RateLimited.
        """
        check_field_name(name)
        self.check(requester, name)
        body = _checked(name, value)
        async with self._db.write() as conn:
            await accounts.lock_users(conn, [requester.user_id])
            others = await stored.size_of_others(conn, requester.user_id, name)
            if others + len(name) + len(body) > MAX_BYTES:
                raise Invalid("the profile would be too large", code="profile_too_large")
            await stored.set_field(conn, requester.user_id, name, body)

    async def drop(self, requester: Requester, name: str) -> None:
        """Delete one of the requester's fields, if it is there."""
        check_field_name(name)
        self.check(requester, name)
        async with self._db.write() as conn:
            await stored.drop_field(conn, requester.user_id, name)


def check_field_name(name: str) -> None:
    """Raise Invalid("bad_field", "key_too_large") for a name that no field can have."""
    if len(name.encode()) > MAX_NAME_BYTES:
        raise Invalid(f"a field name must have at most {MAX_NAME_BYTES} bytes", code="key_too_large")
    if _NAME.fullmatch(name) is None:
        raise Invalid("a field name must be like org.example.job_title", code="bad_field")


def _checked(name: str, value: object) -> bytes:
    if name == TIME_ZONE and not (isinstance(value, str) and _ZONE.fullmatch(value)):
        raise Invalid("m.tz must be the name of a time zone, e.g. Europe/Berlin", code="bad_field")
    return orjson.dumps(value)
