"""Sends the pushes that are due, so many at a time, and tries again what failed."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import aiohttp

from homeserver.clock import Clock
from homeserver.metrics import Metrics
from homeserver.services.push.addresses import origin_of
from homeserver.services.push.decide import Attendance
from homeserver.services.push.encryption import Sealer
from homeserver.services.push.line import Line, Taken, nothing_until
from homeserver.services.push.post import Answer, Courier
from homeserver.services.push.prepare import Packer, Parcel
from homeserver.settings.models import PushSettings
from homeserver.storage import push as stored
from homeserver.storage.db import Database
from homeserver.storage.push import PushKey

logger = logging.getLogger(__name__)
_CLAIM_DEADLINES = 3  # a push that was taken is another's after so many deadlines: its taker is dead


class Fate(StrEnum):
    """What became of a try."""

    SENT = "sent"
    GONE = "gone"  # the browser does not want pushes any more
    AGAIN = "again"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A try of a push. `due_ms`: when to try again."""

    parcel: Parcel
    fate: Fate
    due_ms: int = 0


class Sender:
    """Works off the table of waiting pushes. Several workers may: a push is taken by one at a time."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        packer: Packer,
        sealer: Sealer,
        attendance: Attendance,
        settings: PushSettings,
        metrics: Metrics,
    ) -> None:
        self._db = db
        self._clock = clock
        self._packer = packer
        self._sealer = sealer
        self._attendance = attendance
        self._settings = settings
        self._metrics = metrics
        self._courier = Courier(settings, clock)
        self._line = Line(
            take=self._take,
            settle=self._settle,
            concurrency=settings.concurrency,
            poll_interval_s=settings.poll_interval_s,
        )

    async def run(self) -> None:
        """Send until cancelled; what is under way then gets a moment to finish."""
        async with self._courier.session() as session:
            await self._line.run(partial(self._send, session))

    def wake(self) -> None:
        """New pushes were committed."""
        self._line.wake()

    async def _take(self, most: int) -> Taken[Parcel]:
        """Pushes that are due, ready to go. Those that nobody shall get any more are dropped on the way."""
        async with self._db.read() as conn:
            next_ms = await stored.next_due_ms(conn)
            untried = await stored.untried(conn, self._settings.page) if next_ms is not None else []
        here = [one.key for one in untried if self._attendance.has(one.user_id, one.number, one.room_id)]
        await self._drop(here)
        now_ms = self._clock.now_ms()
        if most == 0 or next_ms is None or next_ms > now_ms:
            return nothing_until(next_ms, now_ms)
        until_ms = now_ms + round(_CLAIM_DEADLINES * self._settings.timeout_s * 1000)
        async with self._db.write() as conn:
            keys = await stored.claim_due(conn, now_ms=now_ms, until_ms=until_ms, limit=most)
        if not keys:
            return nothing_until(next_ms, now_ms)
        parcels, later = await self._packer.pack(keys)
        await self._drop(set(keys) - {one.target.key for one in parcels} - set(later))
        return Taken(parcels, pause_s=0)

    async def _drop(self, keys: Collection[PushKey]) -> None:
        if keys:
            async with self._db.write() as conn:
                await stored.drop_pushes(conn, keys)

    async def _send(self, session: aiohttp.ClientSession, parcel: Parcel) -> Outcome:
        subscription = parcel.target.subscription
        ttl_s = max(1, (parcel.until_ms - self._clock.now_ms()) // 1000)
        try:
            sealed = self._sealer.seal(subscription, parcel.payload)
            answer = await self._courier.post(
                session, subscription.endpoint, sealed, ttl_s=ttl_s, topic=parcel.topic
            )
        except Exception:  # one bad subscription must not silence the rest
            logger.exception("a push could not be made")
            return Outcome(parcel, Fate.DROPPED)
        return self._judge(parcel, answer)

    def _judge(self, parcel: Parcel, answer: Answer) -> Outcome:
        if answer.is_taken:
            return Outcome(parcel, Fate.SENT)
        if answer.is_gone:
            return Outcome(parcel, Fate.GONE)
        if not answer.may_be_repeated:
            origin = origin_of(parcel.target.subscription.endpoint)
            logger.warning("the push service %s refused a push with status %d", origin, answer.status)
            return Outcome(parcel, Fate.DROPPED)
        due_ms = self._clock.now_ms() + max(self._settings.pause_ms(parcel.target.tries), answer.retry_ms)
        if parcel.target.tries >= self._settings.max_tries or due_ms >= parcel.until_ms:
            return Outcome(parcel, Fate.DROPPED)
        return Outcome(parcel, Fate.AGAIN, due_ms)

    async def _settle(self, outcomes: Sequence[Outcome]) -> None:
        """Write down what became of some pushes, in one transaction."""
        over = [one.parcel.target.key for one in outcomes if one.fate is not Fate.AGAIN]
        again = [(one.parcel.target.key, one.due_ms) for one in outcomes if one.fate is Fate.AGAIN]
        gone = [one.parcel.target.subscription for one in outcomes if one.fate is Fate.GONE]
        async with self._db.write() as conn:
            if over:
                await stored.drop_pushes(conn, over)
            if again:
                await stored.postpone(conn, again)
            if gone:
                await stored.drop_subscriptions(conn, [(one.endpoint_hash, one.user_id) for one in gone])
        for one in outcomes:
            self._metrics.push_tried(one.fate.value)
