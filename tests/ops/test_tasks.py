"""Background tasks: named, watched, begun again after a crash, stopped youngest first."""

import asyncio
import logging

import pytest

from homeserver.errors import Unavailable
from homeserver.metrics import Metrics
from homeserver.tasks import FIRST_DELAY_S, FIRST_ROUND_S, LONGEST_DELAY_S, STEADY_S, Tasks


class Time:
    """Sleeps pass at once and are written down; `now` moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def tasks(metrics: Metrics, time: Time) -> Tasks:
    return Tasks(metrics, sleep=time.sleep, monotonic=time.monotonic)


async def test_repeated_work_lets_the_server_start_first(tasks: Tasks, time: Time) -> None:
    done: list[int] = []
    enough = asyncio.Event()

    async def work() -> None:
        done.append(len(time.slept))
        if len(done) == 3:
            enough.set()

    tasks.repeat("sweep", work, every_s=3600)
    await enough.wait()
    assert time.slept[:3] == [FIRST_ROUND_S, 3600, 3600]
    assert done == [1, 2, 3]
    tasks.repeat("quick sweep", work, every_s=FIRST_ROUND_S / 2)
    await asyncio.sleep(0)
    assert FIRST_ROUND_S / 2 in time.slept
    await tasks.stop(1)


async def test_a_crashed_task_begins_again_and_is_counted(
    tasks: Tasks, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    second_run = asyncio.Event()
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError("the disk is away")
        second_run.set()
        await asyncio.Event().wait()

    tasks.start("sweep", work)
    await second_run.wait()
    assert tasks.running == ("sweep",)
    assert metrics.value("homeserver_task_failures_total", task="sweep") == 1
    assert metrics.value("homeserver_task_restarts_total", task="sweep") == 1
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "sweep crashed" in record.getMessage()
    assert record.exc_info
    assert await tasks.stop(1) == ()


async def test_crashes_come_at_growing_but_bounded_distances(tasks: Tasks, time: Time) -> None:
    enough = asyncio.Event()

    async def work() -> None:
        if len(time.slept) == 12:
            enough.set()
        raise RuntimeError("again")

    tasks.start("consumer", work)
    await enough.wait()
    assert time.slept[:3] == [FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S]
    assert time.slept[-1] == LONGEST_DELAY_S
    await tasks.stop(1)


async def test_a_task_that_ran_long_begins_again_quickly(tasks: Tasks, time: Time) -> None:
    enough = asyncio.Event()

    async def work() -> None:
        if len(time.slept) == 5:
            time.now += STEADY_S
        if len(time.slept) == 6:
            enough.set()
            await asyncio.Event().wait()
        raise RuntimeError("again")

    tasks.start("consumer", work)
    await enough.wait()
    assert time.slept[4] > FIRST_DELAY_S
    assert time.slept[5] == FIRST_DELAY_S
    await tasks.stop(1)


async def test_a_task_that_returns_is_done(tasks: Tasks, metrics: Metrics) -> None:
    ran = asyncio.Event()

    async def work() -> None:
        ran.set()

    tasks.start("once at start", work)
    await ran.wait()
    while tasks.running:
        await asyncio.sleep(0)
    assert metrics.value("homeserver_task_failures_total", task="once at start") == 0


async def test_without_restart_a_crash_is_the_end(tasks: Tasks, time: Time, metrics: Metrics) -> None:
    async def work() -> None:
        raise RuntimeError("no more")

    tasks.start("migration", work, restart=False)
    while tasks.running:
        await asyncio.sleep(0)
    assert time.slept == []
    assert metrics.value("homeserver_task_failures_total", task="migration") == 1


async def test_waiting_for_something_cancelled_is_a_crash_not_the_end(tasks: Tasks, time: Time) -> None:
    second_run = asyncio.Event()
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            second_run.set()
            await asyncio.Event().wait()
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    tasks.start("reader", work)
    await second_run.wait()
    assert time.slept == [FIRST_DELAY_S]
    await tasks.stop(1)


async def test_stopping_goes_from_the_youngest_to_the_oldest(tasks: Tasks) -> None:
    ended: list[str] = []

    def worker(name: str, ready: asyncio.Event) -> None:
        async def work() -> None:
            ready.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)  # the older one must wait for our last words
                ended.append(name)

        tasks.start(name, work)

    for name in ("appender", "feed", "sockets"):
        ready = asyncio.Event()
        worker(name, ready)
        await ready.wait()
    assert await tasks.stop(1) == ()
    assert ended == ["sockets", "feed", "appender"]


async def test_a_task_that_will_not_stop_is_named_and_does_not_hold_up_the_others(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = Tasks(metrics)
    let_go = asyncio.Event()
    ready = asyncio.Event()
    other_ended = asyncio.Event()

    async def polite() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            other_ended.set()

    async def stubborn() -> None:
        ready.set()
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    tasks.start("polite", polite)
    tasks.start("stubborn", stubborn)
    await ready.wait()
    assert await tasks.stop(0.01) == ("stubborn",)
    assert other_ended.is_set()
    assert "stubborn did not stop in time" in caplog.text
    let_go.set()
    while tasks.running:
        await asyncio.sleep(0)


async def test_a_crash_during_stopping_does_not_start_the_task_again(tasks: Tasks, time: Time) -> None:
    ready = asyncio.Event()

    async def work() -> None:
        ready.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("could not close the file")

    tasks.start("writer", work)
    await ready.wait()
    assert await tasks.stop(1) == ()
    assert time.slept == []


async def test_a_name_is_given_only_once(tasks: Tasks) -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    tasks.start("appender", work)
    with pytest.raises(ValueError, match="appender"):
        tasks.start("appender", work)
    await tasks.stop(1)


async def test_short_work_may_be_awaited_or_forgotten(
    tasks: Tasks, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer() -> int:
        return 42

    async def crash() -> None:
        raise RuntimeError("nobody waits for me")

    assert await tasks.once("answer", answer()) == 42
    tasks.once("thumbnail", crash())
    while tasks.running:
        await asyncio.sleep(0)
    assert metrics.value("homeserver_task_failures_total", task="thumbnail") == 1
    assert "thumbnail crashed" in caplog.text
    assert "nobody waits for me" in caplog.text


async def test_nothing_starts_once_the_server_stops(tasks: Tasks) -> None:
    async def work() -> None:
        raise AssertionError("must not run")

    await tasks.stop(1)
    with pytest.raises(Unavailable):
        tasks.start("late", work)
    with pytest.raises(Unavailable):
        tasks.once("late", work())
