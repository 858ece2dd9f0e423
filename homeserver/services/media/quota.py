"""Upload quotas per user: total size and files, and per day."""

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import HomeserverError, RateLimited, TooLarge
from homeserver.protocol.ids import UserId
from homeserver.settings.models import MediaSettings
from homeserver.storage import accounts as stored_accounts
from homeserver.storage import media as stored
from homeserver.storage.db import Database
from homeserver.storage.media import StoredTotals

_DAY_MS = 86_400_000


class Quota:
    """Checks quotas before an upload, while it is received, and again when its row is inserted."""

    def __init__(self, settings: MediaSettings, db: Database, clock: Clock) -> None:
        self._settings = settings
        self._db = db
        self._clock = clock

    async def kept(self, user_id: UserId) -> StoredTotals:
        """A user's totals. Raises TooLarge("quota_exceeded"), RateLimited("quota_of_day") if a quota is used up."""
        async with self._db.read() as conn:
            kept = await self._kept(conn, user_id)
        self.check(kept, 0)
        return kept

    def check(self, kept: StoredTotals, size: int) -> None:
        """Raise unless one more file of this size fits."""
        one = self._settings
        if _is_over(kept.size + size, one.quota_bytes) or _is_over(kept.files + 1, one.quota_files):
            raise TooLarge("your storage quota is used up", code="quota_exceeded")
        if _is_over(kept.late_size + size, one.daily_bytes) or _is_over(kept.late_files + 1, one.daily_files):
            raise self._of_day(kept)

    async def check_listed(self, conn: AsyncConnection, user_id: UserId, size: int) -> None:
        """Raise as `check` does, in the transaction that inserts the row: it serialises a user's concurrent uploads, so
        that together they stay within the quotas."""
        await stored_accounts.lock_users(conn, [user_id])
        self.check(await self._kept(conn, user_id), size)

    async def _kept(self, conn: AsyncConnection, user_id: UserId) -> StoredTotals:
        return (await stored.kept_by(conn, [user_id], late_ms=self._clock.now_ms() - _DAY_MS))[user_id]

    def _of_day(self, kept: StoredTotals) -> HomeserverError:
        now_ms = self._clock.now_ms()
        retry_ms = max(1, (kept.since_ms or now_ms) + _DAY_MS - now_ms)
        return RateLimited("your daily upload quota is used up", retry_ms=retry_ms, code="quota_of_day")


def _is_over(value: int, limit: int) -> bool:
    return 0 < limit < value
