"""The services about people on a real database and a running timeline; several workers may share the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from homeserver.clock import FakeClock
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import Person, Requester
from homeserver.protocol.signing import SigningKey
from homeserver.services.accounts.accounts import Accounts
from homeserver.services.accounts.passwords import Passwords
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.accounts.userdirectory import UserDirectory
from homeserver.services.accounts.uservisibility import UserVisibility
from homeserver.services.auth.jwt_login import Issuer, JwtLogin
from homeserver.services.auth.sessions import Sessions, Tokens
from homeserver.services.auth.token_format import TokenKey
from homeserver.settings.models import (
    AccountSettings,
    RateLimitSettings,
    TokenSettings,
    UserDirectorySettings,
)
from homeserver.storage.db import Database
from tests.timeline.conftest import SERVER, Writing, running

PASSWORD = "correct horse battery"
SECRET = b"access token secret of the tests, long enough"


def account_settings(**changes: object) -> AccountSettings:
    """Quick hashes, and registration open."""
    cheap = {"argon2_time_cost": 1, "argon2_memory_kib": 8192, "argon2_parallelism": 1}
    return AccountSettings(**{"registration": True, **cheap, **changes})  # type: ignore[arg-type]  # from literals


@dataclass
class People:
    """One worker's services."""

    db: Database
    clock: FakeClock
    writing: Writing
    limits: RateLimits
    passwords: Passwords
    accounts: Accounts
    sessions: Sessions
    profiles: Profiles
    directory: UserDirectory
    key: TokenKey

    async def register(self, name: str, **more: str) -> Person:
        wanted = {"email": f"{name.lower()}@example.org", "password": PASSWORD, "display_name": name}
        return await self.accounts.register(**{**wanted, **more})

    async def log_in(self, name: str) -> Tokens:
        return await self.sessions.start(await self.register(name))

    async def requester(self, name: str) -> Requester:
        return await self.sessions.authenticate((await self.log_in(name)).access_token)

    def hosts(self, *issuers: Issuer) -> JwtLogin:
        made = JwtLogin(
            db=self.db,
            profiles=self.profiles,
            issuers=issuers,
            clock=self.clock,
            server_name=SERVER,
            cache_entries=100,
        )
        self.writing.live.listen(made.note)
        return made

    async def hear(self) -> None:
        """Learn what other workers wrote into the log."""
        await self.writing.live.follow()


@asynccontextmanager
async def working(
    db: Database,
    clock: FakeClock,
    *,
    accounts: AccountSettings | None = None,
    limits: RateLimitSettings | None = None,
) -> AsyncIterator[People]:
    """One worker."""
    settings = accounts or account_settings()
    async with running(db, clock, SigningKey.generate("test")) as writing:
        rate_limits = RateLimits(limits or RateLimitSettings(enabled=False), clock)
        passwords = Passwords(settings)
        key = TokenKey(SECRET, SERVER)
        timeline = writing.timeline
        sessions = Sessions(
            db=db, timeline=timeline, key=key, clock=clock, settings=TokenSettings(), limits=rate_limits
        )
        visibility = UserVisibility(db=db, settings=UserDirectorySettings())
        profiles = Profiles(db=db, timeline=timeline, cached_people=100, visibility=visibility)
        directory = UserDirectory(
            db=db, visibility=visibility, limits=rate_limits, server=SERVER, shows_all=False
        )
        made = Accounts(
            db=db,
            timeline=timeline,
            clock=clock,
            settings=settings,
            passwords=passwords,
            limits=rate_limits,
            server_name=SERVER,
        )
        writing.live.listen(sessions.note)
        writing.live.listen(profiles.note)
        yield People(db, clock, writing, rate_limits, passwords, made, sessions, profiles, directory, key)
        passwords.close()
