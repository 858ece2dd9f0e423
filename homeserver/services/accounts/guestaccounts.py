"""Guest accounts of the Matrix API (client-server API, "Guest Access"): no password, deactivated when idle.

A guest has one session, whose token lasts as long as the account. The Matrix id cannot be registered, so it never
comes to mean another user.
"""

import secrets

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import MATRIX_GUESTS, Person
from homeserver.protocol.ids import make_user_id
from homeserver.services.accounts import identifiers
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
    """Creates guest accounts, if the settings allow it, and deactivates idle ones."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Appends,
        clock: Clock,
        settings: GuestAccountSettings,
        limits: RateLimits,
        server_name: str,
    ) -> None:
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
