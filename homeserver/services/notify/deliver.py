"""Sends what waits for push gateways, so many at a time, and tries again what failed."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import aiohttp

from homeserver.clock import Clock
from homeserver.errors import NotFound
from homeserver.metrics import Metrics
from homeserver.protocol.ids import RoomId
from homeserver.services.notify.counts import Count, Counts
from homeserver.services.notify.gateway import Scene, notification, rejected
from homeserver.services.push.line import Line, Taken, nothing_until
from homeserver.services.push.post import Courier
from homeserver.settings.models import PushSettings
from homeserver.storage import events
from homeserver.storage import pushers as stored
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.pushers import COUNTS_ONLY, PushKey, Target
from homeserver.timeline.build import is_in_thread
from homeserver.timeline.heads import Head
from homeserver.timeline.writer import Timeline

logger = logging.getLogger(__name__)
_CLAIM_DEADLINES = 3  # a push that was taken is another's after so many deadlines: its taker is dead


class Fate(StrEnum):
    """What became of a try."""

    SENT = "sent"
    GONE = "gone"  # the gateway rejected the device
    AGAIN = "again"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Parcel:
    """A push that is ready to be sent."""

    target: Target
    body: bytes
    unread: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A try of a push. `due_ms`: when to try again."""

    parcel: Parcel
    fate: Fate
    due_ms: int = 0


class GatewaySender:
    """Works off the table of waiting pushes. Several workers may: a push is taken by one at a time."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        timeline: Timeline,
        counts: Counts,
        settings: PushSettings,
        metrics: Metrics,
    ) -> None:
        self._db = db
        self._clock = clock
        self._timeline = timeline
        self._counts = counts
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
        now_ms = self._clock.now_ms()
        async with self._db.read() as conn:
            next_ms = await stored.next_due_ms(conn)
        if most == 0 or next_ms is None or next_ms > now_ms:
            return nothing_until(next_ms, now_ms)
        until_ms = now_ms + round(_CLAIM_DEADLINES * self._settings.timeout_s * 1000)
        async with self._db.write() as conn:
            keys = await stored.claim_due(conn, now_ms=now_ms, until_ms=until_ms, limit=most)
        if not keys:
            return nothing_until(next_ms, now_ms)
        parcels = await self._pack(keys)
        await self._drop(set(keys) - {one.target.key for one in parcels})
        return Taken(parcels, pause_s=0)

    async def _drop(self, keys: Collection[PushKey]) -> None:
        if keys:
            async with self._db.write() as conn:
                await stored.drop_pushes(conn, keys)

    async def _pack(self, keys: Collection[PushKey]) -> list[Parcel]:
        """Those that somebody shall still get, with what they say."""
        async with self._db.read() as conn:
            targets = await stored.targets(conn, keys)
            found = await events.events_at(conn, {key.position for key in keys}) if targets else {}
        unread = await self._counts.totals({one.pusher.user_id for one in targets})
        heads = await self._heads({one.event.room_id for one in found.values()})
        parcels = []
        for target in targets:
            if self._is_wanted(target, found.get(target.key.position), unread[target.pusher.user_id]):
                scene = _scene(found.get(target.key.position), heads)
                count = unread[target.pusher.user_id]
                parcels.append(Parcel(target, notification(target, count, scene), count.notify))
        return parcels

    async def _heads(self, room_ids: Collection[RoomId]) -> dict[RoomId, Head]:
        """The rooms as they are now, mostly from memory."""
        heads = {}
        for room_id in room_ids:
            try:
                heads[room_id] = await self._timeline.head(room_id)
            except NotFound:
                logger.info("a room that a push is about is gone")
        return heads

    def _is_wanted(self, target: Target, about: StoredEvent | None, unread: Count) -> bool:
        if target.tries > self._settings.max_tries:
            return False
        if target.key.position == COUNTS_ONLY:
            return unread.notify != target.pusher.told
        if about is None or about.redacted_by is not None or target.seen >= about.position:
            return False
        until_ms = about.event.origin_server_ts + self._settings.ttl_s * 1000
        if until_ms <= self._clock.now_ms():
            return False
        return target.main < about.position or is_in_thread(about.event)

    async def _send(self, session: aiohttp.ClientSession, parcel: Parcel) -> Outcome:
        target = parcel.target
        answer = await self._courier.post_json(session, target.pusher.data["url"], parcel.body)
        if answer.is_taken:
            return Outcome(parcel, Fate.GONE if rejected(target, answer.body) else Fate.SENT)
        if target.tries >= self._settings.max_tries:
            return Outcome(parcel, Fate.DROPPED)
        pause_ms = max(self._settings.pause_ms(target.tries), answer.retry_ms)
        return Outcome(parcel, Fate.AGAIN, self._clock.now_ms() + pause_ms)

    async def _settle(self, outcomes: Sequence[Outcome]) -> None:
        over = [one.parcel.target.key for one in outcomes if one.fate is not Fate.AGAIN]
        again = [(one.parcel.target.key, one.due_ms) for one in outcomes if one.fate is Fate.AGAIN]
        gone = {one.parcel.target.pusher.pusher_id for one in outcomes if one.fate is Fate.GONE}
        told = [
            (one.parcel.target.pusher.pusher_id, one.parcel.unread)
            for one in outcomes
            if one.fate is Fate.SENT
        ]
        async with self._db.write() as conn:
            if over:
                await stored.drop_pushes(conn, over)
            if again:
                await stored.postpone(conn, again)
            if gone:
                await stored.drop_pushers(conn, gone)
            if told:
                await stored.set_told(conn, told)
        for one in outcomes:
            self._metrics.push_tried(one.fate.value)


def _scene(about: StoredEvent | None, heads: Mapping[RoomId, Head]) -> Scene | None:
    head = heads.get(about.event.room_id) if about is not None else None
    return Scene(about.event, head) if about is not None and head is not None else None
