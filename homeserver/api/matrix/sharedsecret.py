"""Registration with a shared secret, as tools for other homeservers use it.

`/_synapse/admin/v1/register`: the client gets a nonce first; the MAC is HMAC-SHA1 over nonce, user name, password and
"admin" or "notadmin" (and the user type if one is given, which is ignored otherwise), separated by NUL. A nonce
can be used once. Each client address has nonces of its own, so that nobody can push out those of others.
"""

import hmac
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from aiohttp import web

from homeserver.api.matrix import schemas
from homeserver.api.matrix.logins import Logins
from homeserver.api.matrix.schemas import SharedRegistration
from homeserver.clock import Clock
from homeserver.errors import Forbidden, Invalid
from homeserver.http.routes import Call, Route
from homeserver.kit.ratelimit import address_key
from homeserver.services.accounts.accounts import Accounts
from homeserver.settings.models import MatrixSettings


class Nonces:
    """The valid nonces. An address that asks for more than its share loses its own oldest one."""

    def __init__(self, settings: MatrixSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._ends_ms: OrderedDict[str, tuple[str, int]] = (
            OrderedDict()
        )  # nonce -> address, and when it expires
        self._held: dict[str, deque[str]] = {}  # by address, the oldest first

    def make(self, address: str) -> str:
        """A new nonce for a client. If there is no room for it, the address with most nonces loses its oldest one."""
        now_ms = self._clock.now_ms()
        while self._ends_ms and next(iter(self._ends_ms.values()))[1] <= now_ms:
            self.take(next(iter(self._ends_ms)))
        key = address_key(address)
        own = self._held.get(key)
        if own is not None and len(own) >= self._settings.max_address_nonces:
            self.take(own[0])
        elif len(self._ends_ms) >= self._settings.max_nonces:
            self.take(max(self._held.values(), key=len)[0])
        nonce = secrets.token_hex(32)
        self._ends_ms[nonce] = key, now_ms + self._settings.nonce_ttl_s * 1000
        self._held.setdefault(key, deque()).append(nonce)
        return nonce

    def take(self, nonce: str) -> bool:
        """Use a nonce up; False if it is unknown, used or expired."""
        if nonce not in self._ends_ms:
            return False
        key, ends_ms = self._ends_ms.pop(nonce)
        own = self._held[key]
        own.remove(nonce)
        if not own:
            del self._held[key]
        return self._clock.now_ms() < ends_ms


class SharedSecret:
    """The two handlers. `secret` is not empty; `address`: the client's."""

    def __init__(
        self,
        accounts: Accounts,
        *,
        logins: Logins,
        clock: Clock,
        secret: str,
        settings: MatrixSettings,
        address: Callable[[web.Request], str],
    ) -> None:
        self._accounts = accounts
        self._logins = logins
        self._secret = secret.encode()
        self._address = address
        self._nonces = Nonces(settings, clock)

    def routes(self) -> Sequence[Route]:
        """The routes."""
        return (
            Route(
                "GET",
                "/register",
                self.nonce,
                "Get a nonce for a registration",
                answer=schemas.Nonce,
                public=True,
            ),
            Route(
                "POST",
                "/register",
                self.register,
                "Register an account with the shared secret",
                body=SharedRegistration,
                answer=schemas.LoggedIn,
                public=True,
            ),
        )

    async def nonce(self, call: Call[None, None]) -> schemas.Nonce:
        """`GET /_synapse/admin/v1/register`: get a nonce; it can be used once and expires soon."""
        return {"nonce": self._nonces.make(self._address(call.request))}

    async def register(self, call: Call[SharedRegistration, None]) -> schemas.LoggedIn:
        """`POST /_synapse/admin/v1/register`: register an account, even where registration is closed.

        Errors: M_UNKNOWN (unknown or used nonce), M_FORBIDDEN (wrong MAC), M_USER_IN_USE, M_INVALID_USERNAME,
          M_WEAK_PASSWORD.
        """
        body = call.body
        if not self._nonces.take(body.nonce):
            raise Invalid("unknown or used nonce", code="bad_nonce")
        if not hmac.compare_digest(self._mac(body), body.mac.lower().encode(errors="replace")):
            raise Forbidden("the MAC is wrong", code="bad_mac")
        person = await self._accounts.create(
            display_name=body.displayname or body.username, password=body.password, localpart=body.username
        )
        if body.admin:
            await self._accounts.set_admin(person.user_id, admin=True)
        return await self._logins.open(person, body, call.request)

    def _mac(self, body: SharedRegistration) -> bytes:
        role = b"admin" if body.admin else b"notadmin"
        parts = [body.nonce.encode(), body.username.encode(), body.password.encode(), role]
        if body.user_type is not None:
            parts.append(body.user_type.encode())
        return hmac.new(self._secret, b"\0".join(parts), "sha1").hexdigest().encode()
