"""UIA stages of registration, and registration tokens (client-server API, "Account registration")."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Conflict, Forbidden, Invalid, NotFound
from homeserver.kit.ratelimit import RateLimits
from homeserver.services.auth.uia import DUMMY, TERMS, TOKEN, Stage, UiaOperation
from homeserver.settings.models import MatrixSettings
from homeserver.storage import uia as stored
from homeserver.storage.db import Database
from homeserver.storage.retry import write_with_retry
from homeserver.storage.uia import RegistrationToken

MAX_LISTED = 10_000
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{1,64}")


class RegistrationTokens:
    """Creates, lists, revokes and uses registration tokens.

    Wrong ones count against the log-in rate limit as wrong passwords do: operators may choose short tokens.
    """

    def __init__(self, *, db: Database, clock: Clock, limits: RateLimits) -> None:
        self._db = db
        self._clock = clock
        self._limits = limits

    async def create(
        self, *, token: str | None = None, uses: int | None = None, ttl_s: int | None = None
    ) -> RegistrationToken:
        """Create a token; without `token` its text is random. Raises Invalid("bad_token"), Conflict("token_in_use")."""
        text = (
            token if token is not None else secrets.token_urlsafe(12).replace("-", "_")
        )  # no option of a command line
        if not _TOKEN.fullmatch(text):
            raise Invalid("a token must have 1 to 64 letters, digits, and any of . _ ~ -", code="bad_token")
        now_ms = self._clock.now_ms()
        new = RegistrationToken(text, uses, 0, None if ttl_s is None else now_ms + ttl_s * 1000, now_ms)

        async def work(conn: AsyncConnection) -> None:
            if await stored.registration_token(conn, text) is not None:
                raise Conflict("this token exists already", code="token_in_use")
            await stored.add_registration_token(conn, new)

        await write_with_retry(self._db, work)
        return new

    async def listing(self) -> list[RegistrationToken]:
        """All registration tokens, the oldest first."""
        async with self._db.read() as conn:
            return await stored.list_registration_tokens(conn, MAX_LISTED)

    async def revoke(self, token: str) -> None:
        """Delete a token. Raises NotFound."""
        async with self._db.write() as conn:
            if not await stored.drop_registration_token(conn, token):
                raise NotFound("no such token")

    async def is_good(self, token: str, *, address: str) -> bool:
        """True if an account can be registered with the token now. Raises RateLimited."""
        self._limits.check_address("login", address)
        async with self._db.read() as conn:
            found = await stored.registration_token(conn, token)
        if found is None or (found.expires_ms is not None and found.expires_ms <= self._clock.now_ms()):
            return False
        self._limits.give_back_address("login", address)
        return found.uses_allowed is None or found.uses < found.uses_allowed

    async def use(self, token: str, *, address: str) -> None:
        """Count one use of a token. Raises Forbidden("bad_registration_token"), RateLimited."""
        self._limits.check_address("login", address)
        async with self._db.write() as conn:
            if not await stored.use_registration_token(conn, token, self._clock.now_ms()):
                raise Forbidden("this registration token is not valid", code="bad_registration_token")
        self._limits.give_back_address("login", address)


class Registering:
    """The UIA flow of registration: a token and the terms if the settings ask for them, else only m.login.dummy."""

    def __init__(self, tokens: RegistrationTokens, settings: MatrixSettings) -> None:
        self._tokens = tokens
        self._needs_token = settings.registration_needs_token
        self._params = {TERMS: {"policies": _policies(settings)}} if settings.policies else {}

    def wanted(self, address: str) -> UiaOperation:
        """The stages for a client at this address."""

        async def use(auth: Mapping[str, Any]) -> None:
            token = auth.get("token")
            if not isinstance(token, str):
                code = "missing_param" if token is None else "invalid_param"
                raise Invalid("token: must be a string", code=code)
            await self._tokens.use(token, address=address)

        stages: dict[str, Stage] = {TOKEN: use} if self._needs_token else {}
        if self._params:
            stages[TERMS] = _agreed
        if not stages:
            stages[DUMMY] = _agreed
        return UiaOperation("POST register", [list(stages)], stages, self._params, address=address)


async def _agreed(_: Mapping[str, Any]) -> None:
    """Check of a stage that is passed by naming it (m.login.dummy, m.login.terms)."""


def _policies(settings: MatrixSettings) -> Mapping[str, Any]:
    return {
        policy.id: {
            "version": policy.version,
            **{one.language: {"name": policy.name, "url": one.url} for one in policy.addresses},
        }
        for policy in settings.policies
    }
