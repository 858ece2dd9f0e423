"""Log-in tokens: a logged-in user logs another device in without a password.

Client-server API, "Token-based login". A token is short-lived and works once; only its hash is stored.
"""

import hashlib
import secrets

from homeserver.clock import Clock
from homeserver.errors import Forbidden
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import Person, Requester
from homeserver.services.accounts.profiles import Profiles
from homeserver.storage import logintokens as stored
from homeserver.storage.db import Database


class LoginTokens:
    """Issues and redeems log-in tokens."""

    def __init__(
        self, *, db: Database, profiles: Profiles, clock: Clock, limits: RateLimits, ttl_s: int
    ) -> None:
        self._db = db
        self._profiles = profiles
        self._clock = clock
        self._limits = limits
        self.ttl_s = ttl_s

    async def create(self, requester: Requester) -> str:
        """Issue a token for another device of the requester, who has just passed UIA. Raises RateLimited."""
        self._limits.check("login_tokens", requester.user_id)
        token, now_ms = secrets.token_urlsafe(32), self._clock.now_ms()
        async with self._db.write() as conn:
            await stored.purge_login_tokens(conn, now_ms)
            await stored.add_login_token(conn, _hash(token), requester.user_id, now_ms + self.ttl_s * 1000)
        return token

    async def take(self, token: str, address: str = "") -> Person:
        """Redeem a token and return its owner. Raises Forbidden("bad_credentials"), RateLimited."""
        self._limits.check_address("login", address)
        async with self._db.write() as conn:
            user_id = await stored.take_login_token(conn, _hash(token), self._clock.now_ms())
        person = None if user_id is None else (await self._profiles.people([user_id])).get(user_id)
        if person is None:
            raise Forbidden("unknown, used or expired login token", code="bad_credentials")
        self._limits.give_back_address("login", address)
        return person


def _hash(token: str) -> str:
    """The hash that is stored. The token is random enough to need no slow hash."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
