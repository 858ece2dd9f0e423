"""Background readers of the log: from their cursor, each entry, and what comes of it once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import pytest
from sqlalchemy import QueuePool
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Unavailable
from homeserver.model import LOG_START, EntryKind, LogPosition
from homeserver.storage import log
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.timeline.consume import Effect, Pace, Progress, consume
from homeserver.timeline.submission import NewEntry
from tests.timeline.conftest import Writing


class Counting:
    """A consumer that keeps what it wrote, and crashes once at an entry if told to. Nothing comes of odd entries."""

    def __init__(self, crash_at: int = 0) -> None:
        self.seen: list[int] = []
        self.written: list[int] = []
        self._crash_at = crash_at

    async def handle(self, entries: Sequence[Entry]) -> Effect | None:
        positions: list[int] = [entry.position for entry in entries]
        self.seen += positions
        even = [one for one in positions if one % 2 == 0]
        return partial(self._write, even) if even else None

    async def _write(self, positions: list[int], _conn: AsyncConnection) -> None:
        if self._crash_at in positions:
            self._crash_at = 0
            raise Unavailable("the database is away")
        self.written += positions

    @asynccontextmanager
    async def reading(
        self, writing: Writing, page: int = 500, round_s: float = 0
    ) -> AsyncIterator[asyncio.Task[None]]:
        progress = Progress(writing.live, Pace(page, round_s=round_s))
        work = consume("counting", db=writing.db, progress=progress, handle=self.handle)
        task = asyncio.create_task(work)
        try:
            yield task
            await until(
                lambda: not busy(writing.db)
            )  # a driver may lose a connection that it is just opening
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def entries(writing: Writing, count: int) -> None:
    for n in range(count):
        await writing.timeline.append([NewEntry(EntryKind.PROFILE, {"n": n})])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


def busy(db: Database) -> int:
    """How many connections are in use, or being opened."""
    pools = [cast(QueuePool, engine.pool) for engine in (db._reads, db._writes)]
    return sum(pool.checkedout() for pool in pools)


async def cursor(writing: Writing) -> int | None:
    async with writing.db.read() as conn:
        return await log.cursor(conn, "counting")


async def cursor_at(writing: Writing, position: int) -> None:
    async with asyncio.timeout(30):
        while await cursor(writing) != position:
            await asyncio.sleep(0.005)


async def begin(writing: Writing, position: LogPosition) -> None:
    async with writing.db.write() as conn:
        await log.add_cursor(conn, "counting", position)


async def test_a_new_consumer_begins_at_the_end_and_misses_nothing_after_it(writing: Writing) -> None:
    await entries(writing, 3)
    async with Counting().reading(writing):
        await cursor_at(writing, 3)
    await entries(writing, 3)  # while nobody reads
    one = Counting()
    async with one.reading(writing):
        await until(lambda: one.written == [4, 6])
    assert one.seen == [4, 5, 6]


async def test_a_consumer_goes_on_where_something_came_of_entries_last(writing: Writing) -> None:
    await begin(writing, LOG_START)
    one = Counting()
    async with one.reading(writing, page=1):
        await entries(writing, 5)
        await until(lambda: 5 in one.seen)
    assert await cursor(writing) == 4
    async with one.reading(writing):
        await entries(writing, 2)
        await until(lambda: 7 in one.seen)
    assert one.seen == [1, 2, 3, 4, 5, 5, *one.seen[6:]]
    assert one.written == [2, 4, 6]


async def test_a_crash_repeats_and_never_skips(writing: Writing) -> None:
    await begin(writing, LOG_START)
    await entries(writing, 5)
    one = Counting(crash_at=4)
    async with one.reading(writing, page=2) as task:
        await until(task.done)
        assert isinstance(task.exception(), Unavailable)
    assert one.written == [2]
    assert await cursor(writing) == 2, "nothing of what crashed is stored"
    async with one.reading(writing):
        await until(lambda: one.written == [2, 4])


async def test_an_entry_that_cannot_be_handled_is_set_aside_and_the_rest_goes_on(writing: Writing) -> None:
    await begin(writing, LOG_START)
    await entries(writing, 7)
    written: list[int] = []

    async def handle(page: Sequence[Entry]) -> Effect | None:
        positions = [entry.position for entry in page]
        if 4 in positions:
            raise TypeError("nobody can read this")

        async def write(_conn: AsyncConnection) -> None:
            written.extend(positions)

        return write

    task = asyncio.create_task(
        consume("counting", db=writing.db, progress=Progress(writing.live), handle=handle)
    )
    try:
        await until(lambda: task.done() or 7 in written)
        assert written == [1, 2, 3, 5, 6, 7], task
        assert writing.metrics.value("homeserver_entries_set_aside_total", reader="counting") == 1
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_entries_older_than_memory_come_from_the_database(writing: Writing) -> None:
    await begin(writing, LOG_START)
    await entries(writing, 5)
    writing.live._ring.clear()
    one = Counting()
    async with one.reading(writing):
        await until(lambda: one.seen == [1, 2, 3, 4, 5])


async def test_two_workers_write_each_thing_once(
    writing: Writing, workers: Callable[..., Awaitable[Writing]]
) -> None:
    await begin(writing, LOG_START)
    other = await workers()
    both = Counting(), Counting()
    async with both[0].reading(writing, page=3), both[1].reading(other, page=2):
        for n in range(10):
            await entries(writing if n % 2 else other, 2)
            await asyncio.gather(writing.live.follow(), other.live.follow())
        await cursor_at(writing, 20)
    assert sorted(both[0].written + both[1].written) == list(range(2, 21, 2))


async def test_a_stream_is_read_in_rounds(writing: Writing, monkeypatch: pytest.MonkeyPatch) -> None:
    await begin(writing, LOG_START)
    naps: list[float] = []
    awake = asyncio.Event()

    async def nap(_: Progress, seconds: float) -> None:
        naps.append(seconds)
        await awake.wait()

    monkeypatch.setattr(Progress, "pause", nap)
    one = Counting()
    async with one.reading(writing, page=3, round_s=3600):
        await entries(writing, 1)
        await until(lambda: one.seen == [1])
        assert naps == [], "what comes alone is read at once"
        await writing.timeline.append([NewEntry(EntryKind.PROFILE, {"n": n}) for n in range(3)])
        await until(lambda: one.seen == [1, 2, 3, 4])
        assert naps == [], "a full page does not wait"
        await entries(writing, 1)
        await until(lambda: naps)
        await entries(writing, 1)
        assert one.seen == [1, 2, 3, 4]
        awake.set()
        await until(lambda: one.seen == [1, 2, 3, 4, 5, 6])
    assert 3500 < naps[0] <= 3600


async def test_a_consumer_that_somebody_waits_for_does_not_gather(writing: Writing) -> None:
    await begin(writing, LOG_START)
    progress = Progress(writing.live, Pace(gather_s=3600, round_s=3600), wait_s=30)
    one = Counting()
    await progress.catch_up()  # at once, as nobody consumes
    task = asyncio.create_task(consume("counting", db=writing.db, progress=progress, handle=one.handle))
    try:
        for _ in range(3):
            await entries(writing, 4)
            await until(lambda: progress._position is not None)
            await asyncio.gather(*(progress.catch_up() for _ in range(3)))
            assert one.seen[-1:] == [writing.live.position]
        assert one.written == [at for at in one.seen if at % 2 == 0]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await progress.catch_up()


async def test_who_waits_for_a_consumer_that_hangs_goes_on(writing: Writing) -> None:
    await begin(writing, LOG_START)
    progress, hangs = Progress(writing.live, wait_s=0.01), asyncio.Event()

    async def handle(_: Sequence[Entry]) -> None:
        hangs.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(consume("counting", db=writing.db, progress=progress, handle=handle))
    try:
        await entries(writing, 1)
        await hangs.wait()
        await asyncio.wait_for(progress.catch_up(), 30)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
