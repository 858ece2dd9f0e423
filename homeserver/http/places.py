"""Requests in progress: how many one user and one address may have, so that nobody takes the server's places."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from aiohttp import web

from homeserver.http.connections import Connection
from homeserver.kit.ratelimit import address_key
from homeserver.kit.shares import Shares
from homeserver.model import Requester
from homeserver.settings.models import ListenSettings

_REQUESTS = "requests"


class Places:
    """Counts requests in progress. `address`: the client's address, "" if it has none."""

    def __init__(self, settings: ListenSettings, address: Callable[[web.Request], str]) -> None:
        self._address = address
        self.max_public_body_bytes = settings.max_public_body_bytes
        self._by_address = Shares(settings.max_requests_per_address, _REQUESTS)
        self._by_user = Shares(settings.max_requests_per_user, _REQUESTS)

    def of_address(self, request: web.Request) -> AbstractContextManager[None]:
        """A context for a request of its address. Both raise RateLimited."""
        key = address_key(self._address(request))
        _carry(request, key)
        return self._by_address.take(key)

    def of_user(self, request: web.Request, caller: Requester | None) -> AbstractContextManager[None]:
        """A context for a request of an authenticated user. Both raise RateLimited."""
        if caller is None:
            return self._by_user.take("")
        user_id = str(caller.user_id)
        _carry(request, user_id, address_key(self._address(request)))
        return self._by_user.take(user_id)


def _carry(request: web.Request, *owners: str) -> None:
    """Note whose answer the connection will carry. Raises RateLimited if too much of theirs waits to be read."""
    if isinstance(request.protocol, Connection):
        request.protocol.carries(*owners)
