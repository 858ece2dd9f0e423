"""Pushers (client-server API, "Push Notifications"): the push gateways of users' devices, set and deleted by the
users."""

import hashlib
from collections.abc import Sequence
from typing import Final

import orjson

from homeserver.clock import Clock
from homeserver.errors import Invalid
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import Content, Pusher, Requester
from homeserver.protocol.ids import UserId
from homeserver.services.push.addresses import check_endpoint
from homeserver.settings.models import PushSettings
from homeserver.storage import pushers as stored
from homeserver.storage.db import Database

PATH: Final = "/_matrix/push/v1/notify"
MAX_DATA_BYTES: Final = 8192
_MAX_TEXT_CHARS: Final = 300


class Pushers:
    """A user's pushers. The requester is the first argument of each method."""

    def __init__(self, *, db: Database, clock: Clock, settings: PushSettings, limits: RateLimits) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._limits = limits

    async def all(self, requester: Requester) -> Sequence[Pusher]:
        """The pushers of the requester's active sessions, oldest first."""
        async with self._db.read() as conn:
            return await stored.pushers_of(conn, requester.user_id)

    async def set(self, requester: Requester, wanted: Content, *, append: bool) -> None:
        """Create or replace a pusher. Unless `append`, other users' pushers with its app id and pushkey are deleted.

        Raises Invalid("missing_param", "bad_pusher", "bad_endpoint"), RateLimited.
        """
        one = self._read(requester, wanted)
        self._limits.check("push", requester.user_id)
        async with self._db.write() as conn:
            await stored.set_pusher(conn, one)
            await stored.keep_newest(conn, requester.user_id, self._settings.max_per_person)
            if not append:
                await stored.drop_others(conn, one)

    async def drop(self, requester: Requester, app_id: str, pushkey: str) -> None:
        """Delete a pusher; does nothing if there is none."""
        async with self._db.write() as conn:
            await stored.drop_pushers(conn, [_id(requester.user_id, app_id, pushkey)])

    def _read(self, requester: Requester, wanted: Content) -> Pusher:
        app_id, pushkey = wanted["app_id"], wanted["pushkey"]
        named = ("app_display_name", "device_display_name", "lang")
        lacking = [name for name in (*named, "data") if wanted.get(name) is None]
        if lacking:
            raise Invalid(f"Missing parameters: {', '.join(lacking)}", code="missing_param")
        if wanted["kind"] != "http":
            raise _bad("kind must be http")
        if len(app_id) > 64 or len(pushkey.encode()) > 512:
            raise _bad("app_id must have at most 64 characters, pushkey at most 512 bytes")
        if any(len(wanted[name]) > _MAX_TEXT_CHARS for name in named):
            raise _bad(f"names must have at most {_MAX_TEXT_CHARS} characters")
        return Pusher(
            pusher_id=_id(requester.user_id, app_id, pushkey),
            user_id=requester.user_id,
            session_id=requester.session_id,
            app_id=app_id,
            pushkey=pushkey,
            app_name=wanted["app_display_name"],
            device_name=wanted["device_display_name"],
            profile_tag=wanted.get("profile_tag") or "",
            lang=wanted["lang"],
            data=self._checked(wanted["data"]),
            created_ms=self._clock.now_ms(),
        )

    def _checked(self, data: Content) -> Content:
        """The pusher's `data`, with a URL that this server may call. Raises Invalid."""
        url = data.get("url")
        if not isinstance(url, str):
            raise Invalid("data.url is required", code="missing_param")
        check_endpoint(url, allow_private=self._settings.allow_private)
        if "?" in url or url.partition("://")[2].partition("/")[2] != PATH[1:]:
            raise _bad(f"the path of data.url must be {PATH}")
        if len(orjson.dumps(data)) > MAX_DATA_BYTES:
            raise _bad(f"data must have at most {MAX_DATA_BYTES} bytes")
        return data


def _id(user_id: UserId, app_id: str, pushkey: str) -> str:
    """An id of fixed length, as the pushkey may be long."""
    return hashlib.sha256(orjson.dumps([user_id, app_id, pushkey])).hexdigest()


def _bad(message: str) -> Invalid:
    return Invalid(message, code="bad_pusher")
