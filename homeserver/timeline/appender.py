"""The appender: commits all waiting submissions, of all rooms and kinds, in one transaction.

While one transaction is being written, the next batch gathers. So a message waits for nothing when there is no load,
and batches grow with the load. Nothing is announced before it is committed.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import HomeserverError, NotFound, Unavailable
from homeserver.metrics import Metrics
from homeserver.model import LOG_START
from homeserver.protocol.event import Event
from homeserver.settings.models import TimelineSettings
from homeserver.storage import events, log, rooms, transactions
from homeserver.storage.db import Database
from homeserver.storage.dialect import may_pass_when_repeated
from homeserver.timeline.chain import Chainer
from homeserver.timeline.heads import Tip, load_tip
from homeserver.timeline.live import Live
from homeserver.timeline.persist import write_rooms
from homeserver.timeline.place import Batch, place
from homeserver.timeline.projection import Projection
from homeserver.timeline.submission import ROOM_ID_TAKEN, KeyTaken, Submission, Written

logger = logging.getLogger(__name__)
_TRIES = 4  # attempts at a transaction that lost a race against another worker


class Appender:
    """Takes submissions in order and commits them in that order, in batches."""

    def __init__(
        self,
        *,
        db: Database,
        live: Live,
        chainer: Chainer,
        clock: Clock,
        settings: TimelineSettings,
        metrics: Metrics,
        projection: Projection,
    ) -> None:
        self._db = db
        self._live = live
        self._chainer = chainer
        self._clock = clock
        self._settings = settings
        self._metrics = metrics
        self._projection = projection
        self._waiting: deque[Submission] = deque()
        self._size = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    def check_open(self, size: int) -> None:
        """Raise Unavailable unless a submission of this size can be `put` now."""
        if self._closed:
            raise Unavailable("the server is stopping", code="stopping")
        if self._size + size > self._settings.max_waiting:
            raise Unavailable("the write queue is full", code="overloaded")

    def submit(self, submission: Submission) -> None:
        """Build and queue in one step without an await, so that the chain and the queue have one order.

        Raises as `Chainer.chain` does; then nothing is queued.
        """
        tip = submission.tip
        if tip is not None and not tip.stale:
            self._chainer.chain(submission)
            if not submission.size and tip.waiting == 0:  # nothing to write, and all of the head is stored
                submission.finish(Written())
                return
        # On a stale tip the submission is built before it is written, once the room is loaded anew.
        self.put(submission)

    def put(self, submission: Submission) -> None:
        """Queue a submission, which was built just before on its room's tip."""
        self._waiting.append(submission)
        submission.queued = submission.size
        self._size += submission.queued
        if submission.tip is not None:
            submission.tip.waiting += 1
            submission.tip.last = submission.done
        self._idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """Commit queued submissions until cancelled."""
        while True:
            await self._wake.wait()
            taken = self._take()
            if taken:
                await self._commit(taken)
            self._settle(taken)

    async def drain(self) -> None:
        """Refuse new submissions and return once all queued ones are committed."""
        self._closed = True
        await self._idle.wait()

    def _take(self) -> list[Submission]:
        taken: list[Submission] = []
        room = self._settings.max_batch_entries
        while self._waiting and (
            not taken or self._waiting[0].size <= room or _are_bundled(taken[-1], self._waiting[0])
        ):
            submission = self._waiting.popleft()
            taken.append(submission)
            room -= submission.size
            self._size -= submission.queued
        self._metrics.set_waiting(self._size)
        return taken

    def _settle(self, taken: Sequence[Submission]) -> None:
        for submission in taken:
            if submission.tip is not None:
                submission.tip.waiting -= 1
                if submission.tip.waiting == 0:
                    submission.tip.last = None
        if not self._waiting:
            self._wake.clear()
            self._idle.set()

    async def _commit(self, taken: Sequence[Submission]) -> None:
        """Commit a batch. If that fails, commit its bundles one by one, so that one bad row fails alone."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._settings.commit_timeout_s):
                batch = await self._write(taken)
        except TimeoutError as error:  # may have been committed: a repeated send will find out
            self._fail(taken, error)
            return
        except Exception as error:
            self._mark_stale(taken)
            alone = _bundles(taken)
            if len(alone) == 1:
                if not isinstance(error, HomeserverError):  # else it was refused
                    logger.warning("a submission could not be written", exc_info=error)
                self._fail(taken, error)
                return
            for together in alone:
                await self._commit(together)
            return
        self._count(batch, time.perf_counter() - started)
        await self._announce(batch)

    async def _write(self, taken: Sequence[Submission]) -> Batch:
        for attempt in range(1, _TRIES + 1):
            try:
                async with self._db.write() as conn:
                    return await self._write_once(conn, taken)
            except Exception as error:
                if attempt == _TRIES or not may_pass_when_repeated(error):
                    raise
                logger.info("a transaction lost a race and is repeated: %s", type(error).__name__)
        raise AssertionError("unreachable")

    async def _write_once(self, conn: AsyncConnection, taken: Sequence[Submission]) -> Batch:
        repeats, refused = await self._admit(conn, taken)
        answered = {*repeats, *refused}
        left = [one for one in taken if not one.done.done() and one not in answered]
        writing = [one for one in left if one.size]
        batch = Batch()
        if writing:
            now_ms = self._clock.now_ms()
            size, states = sum(one.size for one in writing), sum(one.states for one in writing)
            first = await log.take(conn, size, states)
            batch = place(writing, first, now_ms)
            await self._write_batch(conn, batch, now_ms)
        batch.results.extend((one, Written()) for one in left if not one.size)
        batch.results.extend(repeats.items())
        batch.refused.extend(refused.items())
        return batch

    async def _write_batch(self, conn: AsyncConnection, batch: Batch, now_ms: int) -> None:
        await log.add_entries(conn, batch.entries)
        if batch.rooms:
            await write_rooms(conn, list(batch.rooms.values()), self._projection)
        if batch.txns:
            await transactions.add(conn, batch.txns, now_ms)
        if batch.keys:
            await rooms.add_keys(conn, batch.keys)
        for write, rows in batch.also.items():
            await write(conn, rows)

    async def _admit(
        self, conn: AsyncConnection, taken: Sequence[Submission]
    ) -> tuple[dict[Submission, Written], dict[Submission, KeyTaken]]:
        """Lock the rooms, find repeated sends and taken room keys, and rebuild the rooms whose head has moved."""
        tips = {one.room_id: one.tip for one in taken if one.room_id is not None and one.tip is not None}
        if not tips:
            return {}, {}
        heads = await rooms.lock_heads(conn, tips)
        repeats = await self._find_repeats(conn, taken)
        refused = await self._find_taken_keys(conn, taken)
        moved = {room for room, tip in tips.items() if tip.stale or heads.get(room, LOG_START) != tip.base}
        moved |= {one.room_id for one in (*repeats, *refused) if one.room_id is not None}
        moved |= {one.room_id for one in taken if one.room_id is not None and one.built is None}
        for room_id in moved:
            await self._rebuild(conn, tips[room_id], [one for one in taken if one not in repeats])
        while spoiled := _spoiled(taken):  # events built on a refused part of a bundle are built anew
            left = [one for one in taken if one not in repeats and one not in spoiled]
            for room_id in {one.room_id for one in spoiled if one.room_id is not None}:
                await self._rebuild(conn, tips[room_id], left)
            for one, error in spoiled.items():  # only now, as the callers may look at the room at once
                one.fail(error)
        return repeats, refused

    async def _find_repeats(
        self, conn: AsyncConnection, taken: Sequence[Submission]
    ) -> dict[Submission, Written]:
        by_txn = {one.txn: one for one in taken if one.txn is not None}
        if not by_txn:
            return {}
        made = await transactions.find(conn, list(by_txn))
        if not made:
            return {}
        first = await events.events_by_id(conn, made.values())
        return {
            by_txn[txn]: Written((first[event_id],), repeated=True)
            for txn, event_id in made.items()
            if event_id in first
        }

    async def _find_taken_keys(
        self, conn: AsyncConnection, taken: Sequence[Submission]
    ) -> dict[Submission, KeyTaken]:
        """Submissions whose room key is taken. They fail after the commit, as the winner may be in the same batch."""
        wanting = [one for one in taken if one.room_key is not None]
        if not wanting:
            return {}
        owners = await rooms.rooms_by_key(conn, {one.room_key for one in wanting if one.room_key is not None})
        refused: dict[Submission, KeyTaken] = {}
        for one in wanting:
            if one.room_key is None or one.room_id is None:
                continue
            owner = owners.setdefault(one.room_key, one.room_id)
            if owner != one.room_id:
                refused[one] = KeyTaken(owner)
        return refused

    async def _rebuild(self, conn: AsyncConnection, tip: Tip, taken: Sequence[Submission]) -> None:
        """Chain all submissions that wait for a room on its committed head, in order."""
        room_id = tip.head.room_id
        found = await load_tip(conn, room_id, tip.head.servers)
        mine = [one for one in (*taken, *self._waiting) if one.room_id == room_id and not one.done.done()]
        if found is None:
            self._abandon(mine)
            return
        tips = {tip, *(one.tip for one in mine if one.tip is not None)}
        for one_tip in tips:
            one_tip.reset(found)
        for one in mine:
            if one.kind is not None:  # the room can only have been made by another worker
                one.fail(Unavailable("a room with this id exists already", code=ROOM_ID_TAKEN))
                continue
            try:
                self._chainer.chain(one)
            except HomeserverError as error:
                one.fail(error)
            except Exception as error:  # of a decision: it must not harm the batch
                logger.exception("a decision failed")
                one.fail(error)
        last = next((one.done for one in reversed(mine) if not one.done.done()), None)
        for one_tip in tips:
            one_tip.last = last

    def _abandon(self, submissions: Collection[Submission]) -> None:
        """Fail the submissions for a room that does not exist; only the one that creates it goes on, as built."""
        for one in submissions:
            if one.tip is not None:
                one.tip.stale = True
            if one.kind is None or one.built is None:
                one.fail(NotFound("no such room", code="room_not_found"))

    async def _announce(self, batch: Batch) -> None:
        for submission, _ in batch.results:
            room = batch.rooms.get(submission.room_id) if submission.room_id else None
            if submission.tip is not None and room is not None:
                submission.tip.base = room.last.position
                submission.tip.stale = False
                if submission.kind is not None:
                    submission.tip.room_position = room.built[0].position
                self._cut(submission.tip, room.cut)
        try:
            await self._live.publish(batch.entries)
        except (
            Exception
        ):  # they are committed all the same; the next announcement fetches what this one missed
            logger.exception("committed entries could not be announced yet")
        for submission, written in batch.results:
            submission.finish(written)
        for submission, taken in batch.refused:
            submission.fail(taken)

    def _cut(self, tip: Tip, cut: Sequence[Event]) -> None:
        """Replace redacted events in the room's cached state, and in the submissions built on it that wait."""
        if not cut:
            return
        mine = [one for one in self._waiting if one.tip is tip]
        built = [each for one in mine for each in one.built or ()]
        for event in cut:
            for snapshot in {tip.head.state, *(state for one in built for state in (one.before, one.after))}:
                snapshot.cut(event)

    def _count(self, batch: Batch, seconds: float) -> None:
        if batch.entries:
            events_in = sum(entry.event is not None for entry in batch.entries)
            self._metrics.batch_committed(entries=len(batch.entries), events=events_in, seconds=seconds)

    def _mark_stale(self, taken: Sequence[Submission]) -> None:
        for submission in taken:
            if submission.tip is not None:
                submission.tip.stale = True

    def _fail(self, taken: Sequence[Submission], error: Exception) -> None:
        self._mark_stale(taken)
        for submission in taken:
            submission.fail(error)


def _are_bundled(one: Submission, other: Submission) -> bool:
    return one.bundle is not None and one.bundle is other.bundle


def _bundles(taken: Sequence[Submission]) -> list[list[Submission]]:
    """The submissions grouped by bundle; those of one bundle lie next to each other in the queue."""
    found: list[list[Submission]] = []
    for one in taken:
        if found and _are_bundled(found[-1][-1], one):
            found[-1].append(one)
        else:
            found.append([one])
    return found


def _spoiled(taken: Sequence[Submission]) -> dict[Submission, HomeserverError]:
    """The remaining parts of bundles in which another part was refused, with the error of that part."""
    spoiled: dict[Submission, HomeserverError] = {}
    for together in _bundles(taken):
        refused = next((one for one in together if one.done.done()), None)
        error = refused.done.exception() if refused is not None else None
        if isinstance(error, HomeserverError):
            spoiled |= {one: error for one in together if not one.done.done()}
    return spoiled
