"""Guest accounts of the Matrix API (client-server API, "Guest Access"): no password, deactivated when idle.

A guest has one session, whose token lasts as long as the account. The Matrix id cannot be registered, so it never
comes to mean another user.
"""

import secrets
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Forbidden
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import MATRIX_GUESTS, Person
from homeserver.protocol.ids import UserId, make_user_id
from homeserver.publicids import LOCAL
from homeserver.services.accounts import identifiers
from homeserver.services.accounts.accounts import Accounts
from homeserver.services.accounts.deactivation import AccountStatusChange, change_standings
from homeserver.services.accounts.status import guests_refused
from homeserver.settings.models import GuestAccountSettings
from homeserver.storage import accounts as stored_accounts
from homeserver.storage import guestaccounts as stored
from homeserver.storage.accounts import Account
from homeserver.storage.db import Database
from homeserver.storage.retry import write_with_retry
from homeserver.timeline.entries import Appends, profile_changed, session_ended
from homeserver.timeline.submission import SideWrite


class GuestAccounts:
    """Creates guest accounts, if the settings allow it, makes them full accounts, and deactivates idle ones."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Appends,
        clock: Clock,
        settings: GuestAccountSettings,
        limits: RateLimits,
        accounts: Accounts,
        server_name: str,
    ) -> None:
        self._accounts = accounts
        self._db = db
        self._timeline = timeline
        self._clock = clock
        self._settings = settings
        self._limits = limits
        self._server_name = server_name

    async def register(self, address: str = "") -> Person:
        """Create a guest. Raises Forbidden("guests_refused") where guests are disabled, RateLimited."""
        if not self._settings.enabled:
            raise guests_refused()
        self._limits.check_address("guest_accounts", address)
        return await write_with_retry(self._db, self._add)

    async def upgrade(self, user_id: UserId, *, password: str, address: str = "") -> Person:
        """Make a guest a full account with the same Matrix id, rooms and profile; the caller has checked who asks.

        The guest's session ends. Raises Forbidden("no_guest") for an account that is no guest (any more), Invalid for
        the password, RateLimited.
        """
        self._limits.check_address("registration", address)
        password_hash = await self._accounts.hash_new(password)
        person = await write_with_retry(self._db, lambda conn: self._upgrade(conn, user_id, password_hash))
        change = AccountStatusChange(user_id, {}, True, self._clock.now_ms())
        await self._timeline.append(
            [session_ended(user_id, None, "upgraded"), profile_changed(user_id)],
            also=[SideWrite(change_standings, change)],
        )
        return person

    async def sweep(self) -> int:
        """Deactivate the accounts of idle guests, batch by batch; returns how many."""
        now_ms = self._clock.now_ms()
        before_ms, most = now_ms - self._settings.idle_s * 1000, self._settings.sweep_batch
        closed = 0
        while True:
            async with self._db.read() as conn:
                idle = await stored.idle_guests(conn, before_ms=before_ms, limit=most)
            if idle:
                news = [session_ended(one, None, "deactivated") for one in idle]
                news += [profile_changed(one) for one in idle]
                changes = [AccountStatusChange(one, {"deactivated": True}, True, now_ms) for one in idle]
                await self._timeline.append(news, also=[SideWrite(change_standings, one) for one in changes])
            closed += len(idle)
            if len(idle) < most:
                return closed

    async def _upgrade(self, conn: AsyncConnection, user_id: UserId, password_hash: str) -> Person:
        await stored_accounts.lock_users(conn, [user_id])
        guest = (await stored_accounts.accounts_of(conn, [user_id]))[user_id].person
        wished = identifiers.candidates(identifiers.tag_from(user_id[1:].partition(":")[0]))
        taken = await stored_accounts.taken_tags(conn, wished)
        person = replace(
            guest,
            number=await stored_accounts.take_numbers(conn, LOCAL),
            tag=identifiers.first_free(wished, lambda name: name not in taken),
        )
        if not await stored.upgrade_guest(conn, person, password_hash=password_hash):
            raise no_guest()
        return person

    async def _add(self, conn: AsyncConnection) -> Person:
        local = await stored_accounts.take_numbers(conn, MATRIX_GUESTS)
        person = Person(
            user_id=make_user_id(f"{identifiers.GUEST}{secrets.token_hex(16)}", self._server_name),
            number=(MATRIX_GUESTS << 32) + local,
            display_name="",
            created_ms=self._clock.now_ms(),
        )
        await stored_accounts.add_accounts(conn, [(Account(person), "")])
        return person


def no_guest() -> Forbidden:
    """The error for a token that does not prove the guest account that is to become a full one."""
    return Forbidden("guest_access_token must be a token of the guest account `username`", code="no_guest")
