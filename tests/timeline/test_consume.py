"""Background readers of the log: from their cursor, each entry, again after a crash."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from homeserver.model import EntryKind
from homeserver.storage import log
from homeserver.storage.log import Entry
from homeserver.timeline.consume import consume
from homeserver.timeline.submission import NewEntry
from tests.timeline.conftest import Writing


class Counting:
    """A consumer that keeps what it handled, and crashes once at an entry if told to."""

    def __init__(self, crash_at: int = 0) -> None:
        self.handled: list[int] = []
        self._crash_at = crash_at

    async def handle(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry.position == self._crash_at:
                self._crash_at = 0
                raise RuntimeError("crashed")
            self.handled.append(entry.position)


async def entries(writing: Writing, count: int) -> None:
    for n in range(count):
        await writing.timeline.append([NewEntry(EntryKind.PROFILE, {"n": n})])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def cursor_at(writing: Writing, position: int) -> None:
    async with asyncio.timeout(5):
        while True:
            async with writing.db.read() as conn:
                if await log.cursor(conn, "counting") == position:
                    return
            await asyncio.sleep(0.005)


async def test_a_consumer_goes_on_where_it_stopped(writing: Writing) -> None:
    one = Counting()
    work = partial(consume, "counting", db=writing.db, live=writing.live, handle=one.handle)
    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await until(lambda: not task.done())
    await entries(writing, 1)  # may come before a new consumer has found the end of the log
    await entries(writing, 3)
    await until(lambda: 4 in one.handled)
    await cursor_at(writing, 4)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    await entries(writing, 3)
    again = asyncio.create_task(work())
    await until(lambda: 7 in one.handled)
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)
    assert one.handled[-6:] == [2, 3, 4, 5, 6, 7]


def crashed_or_done(task: asyncio.Task[None], one: Counting) -> bool:
    return task.done() or 5 in one.handled


async def test_a_crash_repeats_and_never_skips(writing: Writing) -> None:
    async with writing.db.write() as conn:
        await log.set_cursor(conn, "counting", 0)
    await entries(writing, 5)
    one = Counting(crash_at=4)
    for _ in range(2):
        task = asyncio.create_task(consume("counting", db=writing.db, live=writing.live, handle=one.handle))
        await until(partial(crashed_or_done, task, one))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert sorted(set(one.handled)) == [1, 2, 3, 4, 5]


async def test_entries_older_than_memory_come_from_the_database(writing: Writing) -> None:
    async with writing.db.write() as conn:
        await log.set_cursor(conn, "counting", 0)
    await entries(writing, 5)
    writing.live._ring.clear()
    one = Counting()
    task = asyncio.create_task(consume("counting", db=writing.db, live=writing.live, handle=one.handle))
    await until(lambda: one.handled == [1, 2, 3, 4, 5])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
