"""Registration with a shared secret, as tools for other homeservers use it.

`/_synapse/admin/v1/register`: the client gets a nonce first; the MAC is HMAC-SHA1 over nonce, user name, password and
"admin" or "notadmin" (and the user type if one is given, which is ignored otherwise), separated by NUL. A nonce
can be used once.
"""

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Sequence

from homeserver.api.matrix import schemas
from homeserver.api.matrix.logins import Logins
from homeserver.api.matrix.schemas import SharedRegistration
from homeserver.clock import Clock
from homeserver.errors import Forbidden, Invalid
from homeserver.http.routes import Call, Route
from homeserver.services.accounts.accounts import Accounts
from homeserver.settings.models import MatrixSettings


class SharedSecret:
    """The two handlers. `secret` is not empty."""

    def __init__(
        self, accounts: Accounts, *, logins: Logins, clock: Clock, secret: str, settings: MatrixSettings
    ) -> None:
        self._accounts = accounts
        self._logins = logins
        self._clock = clock
        self._secret = secret.encode()
        self._settings = settings
        self._nonces: OrderedDict[str, int] = OrderedDict()  # nonce -> when it expires, in ms

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

    async def nonce(self, _: Call[None, None]) -> schemas.Nonce:
        """`GET /_synapse/admin/v1/register`: get a nonce; it can be used once and expires soon."""
        nonce = secrets.token_hex(32)
        self._nonces[nonce] = self._clock.now_ms() + self._settings.nonce_ttl_s * 1000
        if len(self._nonces) > self._settings.max_nonces:
            self._nonces.popitem(last=False)
        return {"nonce": nonce}

    async def register(self, call: Call[SharedRegistration, None]) -> schemas.LoggedIn:
        """`POST /_synapse/admin/v1/register`: register an account, even where registration is closed.

        Errors: M_UNKNOWN (unknown or used nonce), M_FORBIDDEN (wrong MAC), M_USER_IN_USE, M_INVALID_USERNAME,
          M_WEAK_PASSWORD.
        """
        body = call.body
        ends_ms = self._nonces.pop(body.nonce, 0)
        if self._clock.now_ms() >= ends_ms:
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
