"""The way in for the own servers of host applications: a service key, and the person whom they act for."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from homeserver.errors import Invalid, Unauthenticated
from homeserver.http.requestlog import SERVICE_KEY_ID
from homeserver.http.routes import Admit
from homeserver.model import Requester

KEY_HEADER = "X-Service-Key"
PERSON_HEADER = "X-Act-For"
MAX_NUMBER_CHARS = 16  # 2^53 has as many


class CheckKey(Protocol):
    """The id of a key that is good for a scope. Raises Unauthenticated, RateLimited."""

    def __call__(self, secret: str, scope: str, address: str) -> Awaitable[str]: ...


class Vouch(Protocol):
    """The person with a number at a host application ("": with an account here). Raises NotFound."""

    def __call__(self, issuer: str, number: int, address: str) -> Awaitable[Requester]: ...


class ServiceKeyAuth:
    """One API's door for the servers of a host.

    `scope`: what a key must be good for. `issuer`: the host whose people it acts for; "" for people with an account
    here, None for nobody. A WebSocket takes no key: it would outlive the key's end.
    """

    def __init__(
        self,
        *,
        check: CheckKey,
        vouch: Vouch,
        address: Callable[[web.Request], str],
        scope: str,
        issuer: str | None,
    ) -> None:
        self._check = check
        self._vouch = vouch
        self._address = address
        self._scope = scope
        self._issuer = issuer

    async def check(self, request: web.Request) -> None:
        """Raise Unauthenticated("bad_service_key") unless a server of the host asks; RateLimited after many tries."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            raise Unauthenticated("a WebSocket needs the person's own token", code="bad_service_key")
        secret = request.headers.get(KEY_HEADER, "")
        request[SERVICE_KEY_ID] = await self._check(secret, self._scope, self._address(request))

    async def person(self, request: web.Request, named: str) -> Requester:
        """The person of the host whom a server that was checked means. Raises NotFound("user_not_found"), Invalid."""
        if not (named.isascii() and named.isdecimal() and len(named) <= MAX_NUMBER_CHARS):
            raise Invalid("a person is named by an integer", code="invalid_param")
        if self._issuer is None:
            raise Unauthenticated("keys of this API act for nobody", code="bad_service_key")
        return await self._vouch(self._issuer, int(named), self._address(request))

    def beside(self, authenticator: Admit) -> Admit:
        """For an API whose calls name nobody: by key and X-Act-For where one is sent, else by `authenticator`."""

        async def admit(request: web.Request) -> Requester:
            if KEY_HEADER not in request.headers and PERSON_HEADER not in request.headers:
                return await authenticator(request)
            await self.check(request)
            return await self.person(request, request.headers.get(PERSON_HEADER, ""))

        return admit
