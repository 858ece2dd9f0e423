"""OpenID tokens: they prove a user's id to another service and grant nothing else (client-server API, "OpenID").

A token is signed and not stored, so any worker can check it. The account status is looked up at each use.
"""

import base64
import hmac

from homeserver.clock import Clock
from homeserver.errors import Unauthenticated
from homeserver.kit.ratelimit import RateLimits
from homeserver.protocol.ids import UserId
from homeserver.services.auth.token_format import unknown_token
from homeserver.storage import accounts as stored
from homeserver.storage.db import Database

TTL_S = 3600
_MAX_CHARS = 1000
_PREFIX = "oid"


class OpenIds:
    """Issues and checks OpenID tokens. `secret`: at least 32 bytes."""

    def __init__(self, *, db: Database, clock: Clock, limits: RateLimits, secret: bytes) -> None:
        self._db = db
        self._clock = clock
        self._limits = limits
        self._key = hmac.digest(secret, b"openid tokens", "sha256")

    def make(self, user_id: UserId) -> str:
        """Issue a token for this user, valid for an hour. Raises RateLimited."""
        self._limits.check("openid", user_id)
        said = f"{self._clock.now_ms() + TTL_S * 1000} {user_id}"
        text = base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")
        return f"{_PREFIX}.{text}.{self._mark(text)}"

    async def person(self, token: str) -> UserId:
        """The token's owner. Raises Unauthenticated if it is expired or not ours, or the account is deactivated."""
        prefix, _, rest = token.partition(".")
        text, _, mark = rest.partition(".")
        is_ours = prefix == _PREFIX and len(token) <= _MAX_CHARS and token.isascii()
        if not is_ours or not hmac.compare_digest(self._mark(text), mark):
            raise unknown_token()
        ends_ms, _, user_id = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(" ")
        if self._clock.now_ms() >= int(ends_ms):
            raise unknown_token()
        named = UserId(user_id)
        async with self._db.read() as conn:
            account = (await stored.accounts_of(conn, [named])).get(named)
        if account is None or account.deactivated or account.locked:
            raise Unauthenticated("this account is deactivated", code="unknown_token")
        return named

    def _mark(self, text: str) -> str:
        made = hmac.digest(self._key, text.encode(), "sha256")
        return base64.urlsafe_b64encode(made).decode().rstrip("=")
