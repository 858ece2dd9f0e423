"""Sync."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from homeserver.http.body import Query, QueryInt, parse_json
from homeserver.http.routes import Call, Route
from homeserver.kit.cache import BoundedCache
from homeserver.model import Requester
from homeserver.protocol.filters import Filter
from homeserver.services.clientdata import filters
from homeserver.services.clientdata.filters import Filters
from homeserver.services.sync.request import SyncRequest
from homeserver.services.sync.tokens import SyncToken
from homeserver.services.sync.v3 import Syncs

# Parsed filters of queries kept in memory: a client sends the same one every time.
_CACHED: Final = 500
_CACHED_LENGTH: Final = 2000

Flag = Annotated[bool, Field()]


class SyncQuery(Query):
    """`filter`: an id, or a filter as JSON. `timeout` in milliseconds."""

    filter: str | None = Field(default=None, max_length=65_536)
    since: str | None = Field(default=None, max_length=200)
    full_state: Flag = False
    set_presence: Literal["offline", "online", "unavailable"] = "online"
    timeout: QueryInt = Field(default=0, ge=0)
    use_state_after: Flag = False
    unstable_state_after: Flag = Field(default=False, alias="org.matrix.msc4222.use_state_after")


class SyncCalls:
    """The handler of sync."""

    def __init__(self, syncs: Syncs, filters: Filters) -> None:
        self._syncs = syncs
        self._filters = filters
        self._read: BoundedCache[str, Filter] = BoundedCache(_CACHED)

    def routes(self) -> Sequence[Route]:
        """The routes."""
        path = "/client/v3/sync"
        return (Route("GET", path, self.sync, "Sync", query=SyncQuery, answer=dict[str, Any], guests=True),)

    async def sync(self, call: Call[None, SyncQuery]) -> dict[str, Any]:
        """`GET /_matrix/client/v3/sync`: without `since`, the full state of the user's rooms; with it,
        changes since that token.

        If nothing changed, waits for up to `timeout` milliseconds.

        Spec: client-server API, "Room participation".
        Errors: M_INVALID_PARAM (not a token), M_BAD_JSON (malformed filter), M_NOT_FOUND (unknown filter id).
        """
        query, requester = call.query, call.requester
        state_after = "state_after" if query.use_state_after else None
        if query.unstable_state_after:
            state_after = "org.matrix.msc4222.state_after"
        request = SyncRequest(
            since=None if query.since is None else SyncToken.parse(query.since),
            filter=await self._filter(requester, query.filter),
            full_state=query.full_state,
            timeout_s=query.timeout / 1000,
            state_after=state_after,
            presence=query.set_presence,
        )
        return await self._syncs.sync(requester, request)

    async def _filter(self, requester: Requester, text: str | None) -> Filter:
        if not text:
            return Filter()
        if not text.startswith("{"):
            return await self._filters.stored(requester, text)
        found = self._read.get(text)
        if found is None:
            found = filters.parse(parse_json(text))
            if len(text) <= _CACHED_LENGTH:
                self._read.put(text, found)
        return found
