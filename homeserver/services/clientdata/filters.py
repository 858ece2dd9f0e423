"""Stored filters (client-server API, "Filtering"). A filter's id is a hash of its content."""

import base64
import hashlib
from typing import Final

import orjson

from homeserver.errors import Invalid, NotFound, TooLarge
from homeserver.kit.cache import BoundedCache
from homeserver.model import Content, Requester
from homeserver.protocol.errors import BadFilter
from homeserver.protocol.filters import Filter, read_filter
from homeserver.protocol.ids import UserId
from homeserver.storage import accountdata as stored
from homeserver.storage.accounts import lock_users
from homeserver.storage.db import Database

_MAX_BYTES: Final = 65_536
_CACHED: Final = 1000  # parsed filters in memory


class Filters:
    """Stores and parses filters."""

    def __init__(self, *, db: Database, max_filters: int) -> None:
        self._db = db
        self._max_filters = max_filters
        self._read: BoundedCache[tuple[UserId, str], Filter] = BoundedCache(_CACHED)

    async def add(self, requester: Requester, content: Content) -> str:
        """Store a filter; returns its id. Raises Invalid("invalid_param"), TooLarge."""
        body = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        if len(body) > _MAX_BYTES:
            raise TooLarge(f"a filter must have at most {_MAX_BYTES} bytes", code="filter_too_large")
        parse(content)
        filter_id = base64.urlsafe_b64encode(hashlib.sha256(body).digest()[:15]).decode()
        async with self._db.read() as conn:
            if await stored.find_filter(conn, requester.user_id, filter_id) is not None:
                return filter_id
        async with self._db.write() as conn:
            await lock_users(conn, [requester.user_id])
            if await stored.count_filters(conn, requester.user_id) >= self._max_filters:
                raise TooLarge(f"at most {self._max_filters} filters", code="too_many_filters")
            await stored.add_filter(conn, requester.user_id, filter_id, body)
        return filter_id

    async def get(self, requester: Requester, filter_id: str) -> Content:
        """A filter's JSON as it was uploaded. Raises NotFound("filter_not_found")."""
        async with self._db.read() as conn:
            body = await stored.find_filter(conn, requester.user_id, filter_id)
        if body is None:
            raise NotFound("no such filter", code="filter_not_found")
        content: Content = orjson.loads(body)
        return content

    async def stored(self, requester: Requester, filter_id: str) -> Filter:
        """A parsed filter. Raises NotFound("filter_not_found")."""
        key = requester.user_id, filter_id
        found = self._read.get(key)
        if found is None:
            found = parse(await self.get(requester, filter_id))
            self._read.put(key, found)
        return found


def parse(content: object) -> Filter:
    """A filter from JSON. Raises Invalid("invalid_param")."""
    try:
        return read_filter(content)
    except BadFilter as error:
        raise Invalid(str(error), code="invalid_param") from error
