"""Sends due pushes to browsers."""

import logging
from collections.abc import Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.outbox.worker import Outcome, Prepared, Sending, SendResult, Tried
from homeserver.services.push.addresses import origin_of
from homeserver.services.push.client import Answer, PushClient
from homeserver.services.push.web.decide import Attendance
from homeserver.services.push.web.encryption import Sealer
from homeserver.services.push.web.prepare import Packer, PushJob
from homeserver.settings.models import PushSettings
from homeserver.storage import push as stored
from homeserver.storage.db import Database
from homeserver.storage.outbox import Claim, Key

logger = logging.getLogger(__name__)


class BrowserPushes(Sending[PushJob]):
    """Prepares, sends and settles pushes to browsers' push services."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        packer: Packer,
        sealer: Sealer,
        attendance: Attendance,
        push_client: PushClient,
        settings: PushSettings,
    ) -> None:
        self._db = db
        self._clock = clock
        self._packer = packer
        self._sealer = sealer
        self._attendance = attendance
        self._push_client = push_client
        self._settings = settings

    async def obsolete(self) -> Collection[Key]:
        """Untried pushes of users who have the room open in this worker."""
        async with self._db.read() as conn:
            untried = await stored.untried(conn, self._settings.page)
        return [one.key for one in untried if self._attendance.has(one.user_id, one.number, one.room_id)]

    async def prepare(self, claims: Sequence[Claim]) -> Prepared[PushJob]:
        """The pushes that are still wanted, with their current payloads."""
        of_keys = {one.key: one for one in claims}
        jobs, later = await self._packer.pack(list(of_keys))
        return Prepared([(of_keys[one.target.key], one) for one in jobs], later)

    async def send(self, job: PushJob) -> Tried:
        """Encrypt a push and send it to the push service."""
        subscription = job.target.subscription
        ttl_s = max(1, (job.until_ms - self._clock.now_ms()) // 1000)
        try:
            sealed = self._sealer.seal(subscription, job.payload)
        except Exception:  # invalid keys of a browser: a retry would fail as well
            logger.exception("a push could not be made")
            return Tried(SendResult.DROPPED)
        answer = await self._push_client.post(subscription.endpoint, sealed, ttl_s=ttl_s, topic=job.topic)
        return _judged(job, answer)

    async def settled(self, conn: AsyncConnection, outcomes: Sequence[Outcome[PushJob]]) -> None:
        """Delete subscriptions that no longer exist at the push service."""
        gone = [one.job.target.subscription for one in outcomes if one.result is SendResult.GONE]
        if gone:
            await stored.drop_subscriptions(conn, [(one.endpoint_hash, one.user_id) for one in gone])


def _judged(job: PushJob, answer: Answer) -> Tried:
    if answer.is_taken:
        return Tried(SendResult.SENT)
    if answer.is_gone:
        return Tried(SendResult.GONE)
    if not answer.may_be_repeated:
        origin = origin_of(job.target.subscription.endpoint)
        logger.warning("the push service %s refused a push with status %d", origin, answer.status)
        return Tried(SendResult.DROPPED)
    return Tried(SendResult.AGAIN, wait_ms=answer.retry_ms, until_ms=job.until_ms)
