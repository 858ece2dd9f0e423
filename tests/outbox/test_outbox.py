"""A queue and its workers on a table of waiting items, without what is sent or how."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import FakeClock
from homeserver.errors import Unavailable
from homeserver.model import LogPosition
from homeserver.outbox.queue import Backoff, Queue
from homeserver.outbox.worker import Outcome, Prepared, Sending, SendResult, Tried, Worker
from homeserver.storage import push
from homeserver.storage.db import Database
from homeserver.storage.outbox import Claim, Key, Postponed

OUTBOX = push.waiting
LEASE_S = 30.0
BACKOFF = Backoff(first_s=10, longest_s=60, max_tries=4)


@dataclass
class Ends(Sending[Key]):
    """The other ends. `fates`: what a destination says next, one after the other; then it takes everything."""

    fates: dict[str, list[Tried | Exception]] = field(default_factory=dict)
    got: list[Key] = field(default_factory=list)
    tried: Counter[str] = field(default_factory=Counter)
    unprepared: set[str] = field(default_factory=set)
    unwanted: set[Key] = field(default_factory=set)
    postponed: set[Key] = field(default_factory=set)
    useless: set[Key] = field(default_factory=set)
    noted: list[tuple[Key, SendResult]] = field(default_factory=list)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    under_way: Counter[str] = field(default_factory=Counter)
    most: int = 0
    is_away: bool = False

    async def obsolete(self) -> Collection[Key]:
        return self.useless

    async def prepare(self, claims: Sequence[Claim]) -> Prepared[Key]:
        if self.is_away:
            self.is_away = False
            raise Unavailable("the database does not answer", code="database_away")
        if bad := [one for one in claims if one.key.destination in self.unprepared]:
            raise RuntimeError(f"no words for {bad}")
        wanted = [(one, one.key) for one in claims if one.key not in self.unwanted | self.postponed]
        return Prepared(wanted, [one.key for one in claims if one.key in self.postponed])

    async def send(self, job: Key) -> Tried:
        self.under_way[job.destination] += 1
        assert self.under_way[job.destination] == 1, "one at a time to a destination"
        self.most = max(self.most, self.under_way.total())
        try:
            if (held := self.held.get(job.destination)) is not None:
                await held.wait()
            self.got.append(job)
            said = self.fates.get(job.destination)
            one = said.pop(0) if said else Tried(SendResult.SENT)
            if isinstance(one, Exception):
                raise one
            return one
        finally:
            self.under_way[job.destination] -= 1

    async def settled(self, conn: AsyncConnection, outcomes: Sequence[Outcome[Key]]) -> None:
        assert conn.in_transaction()
        self.noted += [(one.job, one.result) for one in outcomes]


def queue(db: Database, clock: FakeClock, backoff: Backoff = BACKOFF) -> Queue:
    return Queue(OUTBOX, db=db, clock=clock, lease_s=LEASE_S, backoff=backoff)


@asynccontextmanager
async def working(
    db: Database, clock: FakeClock, ends: Ends, *, concurrency: int = 5, backoff: Backoff = BACKOFF
) -> AsyncIterator[Worker[Key]]:
    def count(outcome: str) -> None:
        ends.tried[outcome] += 1

    made = Worker(queue(db, clock, backoff), ends, concurrency=concurrency, poll_interval_s=60, tried=count)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
def ends() -> Ends:
    return Ends()


def at(destination: str, position: int) -> Key:
    return Key(destination, LogPosition(position))


async def put(db: Database, clock: FakeClock, *keys: tuple[str, int], in_s: float = 0) -> None:
    due_ms = clock.now_ms() + round(in_s * 1000)
    async with db.write() as conn:
        await OUTBOX.add(conn, [(at(*key), due_ms, {"user_id": "@u:x"}) for key in keys])


async def left(db: Database, *destinations: str) -> dict[str, int]:
    async with db.read() as conn:
        return await OUTBOX.count_waiting(conn, destinations)


async def seen(condition: Callable[[], Awaitable[bool] | bool], what: Callable[[], object]) -> None:
    """Return once a condition holds; says what there is where it never does."""
    try:
        async with asyncio.timeout(20):
            while True:
                found = condition()
                if found if isinstance(found, bool) else await found:
                    return
                await asyncio.sleep(0.005)
    except TimeoutError:
        pytest.fail(f"seen instead: {what()}")


async def gone(db: Database, ends: Ends, *destinations: str) -> None:
    async def are_gone() -> bool:
        return not await left(db, *destinations)

    await seen(are_gone, lambda: (ends.got, ends.tried))


async def pause_s(db: Database, clock: FakeClock) -> float:
    async with db.read() as conn:
        due_ms = await OUTBOX.next_due_ms(conn)
    assert due_ms is not None
    return (due_ms - clock.now_ms()) / 1000


async def test_two_workers_send_each_item_once(db: Database, clock: FakeClock, ends: Ends) -> None:
    keys = [(f"d{number % 20}", number) for number in range(100)]
    await put(db, clock, *keys)
    async with working(db, clock, ends) as one, working(db, clock, ends) as other:
        one.wake()
        other.wake()
        await gone(db, ends, *{key[0] for key in keys})
    assert sorted(ends.got) == sorted(at(*key) for key in keys)
    for number in range(20):
        mine = [key.position for key in ends.got if key.destination == f"d{number}"]
        assert mine == sorted(mine), "each destination in order"
    assert ends.tried == {"sent": 100}


async def test_claims_at_the_same_moment_share_nothing(db: Database, clock: FakeClock) -> None:
    await put(db, clock, *[(f"d{number}", 1) for number in range(30)])
    queues = [queue(db, clock) for _ in range(3)]
    found = await asyncio.gather(*(one.claim(20, clock.now_ms()) for one in queues))
    claims = [claim for due in found for claim in due.claims]
    assert len(claims) == len(set(claims))
    while more := (
        await queues[0].claim(20, clock.now_ms())
    ).claims:  # rows that others held were passed over
        claims += more
    assert sorted(claim.key.destination for claim in claims) == sorted(f"d{number}" for number in range(30))
    assert {claim.tries for claim in claims} == {1}


async def test_only_the_oldest_of_a_destination_is_due(db: Database, clock: FakeClock) -> None:
    await put(db, clock, ("a", 2), ("a", 3), ("b", 9))
    await put(db, clock, ("a", 1), in_s=5)
    mine = queue(db, clock)
    assert [one.key for one in (await mine.claim(10, clock.now_ms())).claims] == [at("b", 9)]
    assert (await mine.claim(10, clock.now_ms() + 5000)).pause_s == 5
    clock.advance(5000)
    (first,) = (await mine.claim(10, clock.now_ms())).claims
    assert first.key == at("a", 1)
    async with db.read() as conn:
        assert await OUTBOX.behind(conn, first.key, 1) == [at("a", 2)], "what may go with it"


async def test_what_fails_comes_again_later_and_later_and_is_given_up(
    db: Database, clock: FakeClock, ends: Ends
) -> None:
    ends.fates["a"] = [
        Tried(SendResult.AGAIN),
        Tried(SendResult.AGAIN, wait_ms=45_000),
        *[Tried(SendResult.AGAIN)] * 2,
    ]
    await put(db, clock, ("a", 1), ("a", 2), ("b", 1))
    pauses = []
    async with working(db, clock, ends) as worker:
        for tries in (1, 2, 3):
            await seen(lambda: ends.tried["again"] == tries, lambda: ends.tried)  # noqa: B023 - awaited here
            pauses.append(await pause_s(db, clock))
            clock.advance(round(pauses[-1] * 1000))
            worker.wake()
        await gone(db, ends, "a", "b")
    assert pauses == [10, 45, 40]
    assert ends.tried == {"again": 3, "dropped": 1, "sent": 2}
    assert [key.position for key in ends.got if key.destination == "a"] == [1, 1, 1, 1, 2]


def test_pauses_double_up_to_a_bound_and_are_spread() -> None:
    steady = Backoff(first_s=2, longest_s=60)
    assert [steady.pause_ms(tries) for tries in (1, 2, 5, 6, 5000)] == [2000, 4000, 32_000, 60_000, 60_000]
    assert not steady.is_over(10_000)
    spread = Backoff(first_s=2, longest_s=60, jitter=0.5)
    found = {spread.pause_ms(3) for _ in range(200)}
    assert min(found) >= 4000
    assert max(found) <= 8000
    assert len(found) > 50


async def test_what_is_of_no_use_later_is_not_tried_again(db: Database, clock: FakeClock, ends: Ends) -> None:
    ends.fates["a"] = [Tried(SendResult.AGAIN, until_ms=clock.now_ms() + 10_000)]
    ends.unwanted.add(at("b", 1))
    ends.useless.add(at("c", 1))
    await put(db, clock, ("a", 1), ("b", 1), ("c", 1), ("d", 1))
    async with working(db, clock, ends):
        await gone(db, ends, "a", "b", "c", "d")
    assert sorted(ends.noted) == [(at("a", 1), SendResult.DROPPED), (at("d", 1), SendResult.SENT)]


async def test_poisoned_items_are_set_aside_and_the_queue_goes_on(
    db: Database, clock: FakeClock, ends: Ends, caplog: pytest.LogCaptureFixture
) -> None:
    """One that cannot be prepared spoils the whole batch, one that cannot be sent its own task; neither the rest."""
    ends.unprepared.add("bad")
    ends.fates["worse"] = [RuntimeError("poison")] * 4
    await put(db, clock, ("bad", 1), ("worse", 1), ("good", 1), ("good", 2), ("fine", 1))
    async with working(db, clock, ends) as worker:
        for tries in (1, 2, 3):
            await seen(lambda: ends.tried["again"] == 2 * tries, lambda: ends.tried)  # noqa: B023 - awaited here
            await gone(db, ends, "good", "fine")
            clock.advance(60_000)
            worker.wake()
        await gone(db, ends, "bad", "worse")
    assert ends.tried == {"sent": 3, "again": 6, "dropped": 2}
    assert "an item of bad cannot be prepared" in caplog.text
    assert "an item of worse cannot be sent" in caplog.text


async def test_nobody_is_to_blame_for_the_database(db: Database, clock: FakeClock, ends: Ends) -> None:
    ends.is_away = True
    await put(db, clock, ("a", 1))
    with pytest.raises(Unavailable):
        await Worker(queue(db, clock), ends, concurrency=1, poll_interval_s=60, tried=lambda _: None).run()
    assert await pause_s(db, clock) == LEASE_S
    clock.advance(round(LEASE_S * 1000))
    async with working(db, clock, ends):
        await gone(db, ends, "a")
    assert ends.got == [at("a", 1)]


async def test_a_worker_sleeps_until_it_is_woken(db: Database, clock: FakeClock, ends: Ends) -> None:
    ends.postponed.add(at("b", 1))
    async with working(db, clock, ends) as worker:
        await put(db, clock, ("a", 1), ("b", 1))
        worker.wake()
        await gone(db, ends, "a")
        ends.postponed.clear()
        worker.wake()
        clock.advance(round(LEASE_S * 1000))
        worker.wake()
        await gone(db, ends, "b")
    assert ends.got == [at("a", 1), at("b", 1)], "what could not be said now comes after the lease"


async def test_a_slow_destination_holds_up_one_place_alone(
    db: Database, clock: FakeClock, ends: Ends
) -> None:
    ends.held["slow"] = asyncio.Event()
    await put(db, clock, *[("slow", number) for number in range(3)], *[("a", number) for number in range(5)])
    await put(db, clock, *[(f"d{number}", 0) for number in range(5)])
    async with working(db, clock, ends, concurrency=2):
        await gone(db, ends, "a", *[f"d{number}" for number in range(5)])
        assert not [key for key in ends.got if key.destination == "slow"]
        assert ends.most <= 2
        ends.held["slow"].set()
        await gone(db, ends, "slow")
    assert [key.position for key in ends.got if key.destination == "slow"] == [0, 1, 2]


async def test_several_items_can_go_in_one_request(db: Database, clock: FakeClock, ends: Ends) -> None:
    ends.fates["a"] = [Tried(SendResult.SENT, also=[at("a", 2), at("a", 3)])]
    await put(db, clock, *[("a", number) for number in (1, 2, 3, 4)])
    async with working(db, clock, ends):
        await gone(db, ends, "a")
    assert ends.got == [at("a", 1), at("a", 4)]


async def test_an_item_whose_worker_died_is_anothers(db: Database, clock: FakeClock, ends: Ends) -> None:
    await put(db, clock, ("a", 1), ("a", 2))
    dead = queue(db, clock)
    (old,) = (await dead.claim(1, clock.now_ms())).claims
    assert not (await queue(db, clock).claim(1, clock.now_ms())).claims
    clock.advance(round(LEASE_S * 1000))
    (new,) = (await queue(db, clock).claim(1, clock.now_ms())).claims
    assert (new.key, new.tries) == (old.key, 2)
    await dead.settle([], [Postponed(old, clock.now_ms())])
    assert await pause_s(db, clock) == LEASE_S, "it was not dead, but too late: the item is with another"
    for _ in range(3):
        clock.advance(round(LEASE_S * 1000))
        (taken,) = (await dead.claim(1, clock.now_ms())).claims or (None,)
    assert taken is None, "whoever takes it dies of it"
    assert await left(db, "a") == {"a": 1}


async def test_what_is_under_way_at_the_end_is_noted(db: Database, clock: FakeClock, ends: Ends) -> None:
    ends.held["a"] = asyncio.Event()
    await put(db, clock, ("a", 1))
    async with working(db, clock, ends):
        await seen(lambda: ends.under_way["a"] == 1, lambda: ends.under_way)
        asyncio.get_running_loop().call_soon(ends.held["a"].set)
    assert ends.noted == [(at("a", 1), SendResult.SENT)]
    assert await left(db, "a") == {}
