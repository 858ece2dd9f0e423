"""Following rooms by /sync while others write: every event comes once, in order, whatever the limits are."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import orjson
import pytest

from homeserver.app import Homeserver, build
from homeserver.errors import RateLimited, Unavailable
from homeserver.lifecycle import working
from homeserver.model import FIRST_PLACE, Draft, Place, Requester
from homeserver.protocol.ids import RoomId
from homeserver.services.clientdata import filters
from homeserver.services.sync.request import SyncRequest
from homeserver.services.sync.tokens import SyncToken
from homeserver.settings.models import Settings
from homeserver.storage import events
from homeserver.timeline.entries import devices_changed, session_ended
from tests.chat.world import group, person

pytestmark = pytest.mark.both

MESSAGES = 25


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"timeline": {"follow_interval_ms": 50}}


@pytest.fixture
async def workers(settings: Settings) -> AsyncIterator[list[Homeserver]]:
    """Two on one PostgreSQL; SQLite has one."""
    async with AsyncExitStack() as stack:
        count = 1 if "sqlite" in str(settings.database.url) else 2
        made = [build(settings) for _ in range(count)]
        for one in made:
            await stack.enter_async_context(working(one))
        yield made


class Reader:
    """A client that fills the gaps it is told of."""

    def __init__(self, requester: Requester, dice: random.Random) -> None:
        self.requester = requester
        self.token: SyncToken | None = None
        self.known: list[str] = []
        self.topic = ""
        self._dice = dice

    async def step(self, hs: Homeserver, room_id: RoomId, timeout_s: float = 0.5) -> None:
        limit = self._dice.randint(1, 5)
        request = SyncRequest(
            since=self.token,
            filter=filters.parse({"room": {"timeline": {"limit": limit}}}),
            timeout_s=timeout_s,
        )
        answer = orjson.loads(orjson.dumps(await hs.sync.syncs.sync(self.requester, request)))
        room = answer.get("rooms", {}).get("join", {}).get(room_id)
        if room is not None:
            timeline = room["timeline"]
            if self.token is not None and timeline["limited"]:
                await self._fill(hs, room_id, int(timeline["prev_batch"][1:]))
            self.known += [one["event_id"] for one in timeline["events"]]
            self._learn([*room["state"]["events"], *timeline["events"]])
        self.token = SyncToken.parse(answer["next_batch"])

    async def _fill(self, hs: Homeserver, room_id: RoomId, place: int) -> None:
        missed: list[str] = []
        start: Place | None = Place(place)
        while start is not None:
            page = await hs.events.history.page(self.requester, room_id, direction="b", start=start, limit=3)
            for one in page.events:
                if self.known and one.event.event_id == self.known[-1]:
                    self.known += reversed(missed)
                    return
                missed.append(one.event.event_id)
            start = page.end
        self.known += reversed(missed)

    def _learn(self, told: list[Any]) -> None:
        for one in told:
            if one["type"] == "m.room.topic":
                self.topic = one["content"]["topic"]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_is_lost_or_told_twice(workers: list[Homeserver], seed: int) -> None:
    dice = random.Random(seed)
    first = workers[0]
    alice, bob, carol = [await person(first, name) for name in ("Alice", "Bob", "Carol")]
    room = await group(first, alice, bob, carol)
    room_id = room.room_id
    reader = Reader(carol, dice)
    await reader.step(first, room_id)
    known_from = reader.known[0]

    async def write(hs: Homeserver, who: Requester) -> None:
        for number in range(MESSAGES):
            draft = Draft("m.room.message", who.user_id, {"msgtype": "m.text", "body": f"{number}"})
            if who is alice and number % 7 == 0:
                draft = Draft("m.room.topic", who.user_id, {"topic": f"{number}"}, state_key="")
            await hs.core.timeline.send(room_id, [draft])
            await asyncio.sleep(dice.random() / 100)

    writing = asyncio.gather(write(workers[0], alice), write(workers[-1], bob))
    while not writing.done():
        await reader.step(dice.choice(workers), room_id)
        await asyncio.sleep(dice.random() / 20)
    await writing
    async with first.core.db.read() as conn:
        stored = await events.of_room_after(conn, room_id, after=FIRST_PLACE, limit=1000)
    ids = [str(one.event.event_id) for one in stored]
    while reader.known[-1:] != ids[-1:]:
        await reader.step(dice.choice(workers), room_id)
    assert reader.known == ids[ids.index(known_from) :]
    assert reader.topic == "21"


async def test_a_poll_hears_of_another_worker(workers: list[Homeserver]) -> None:
    first, last = workers[0], workers[-1]
    alice, bob = await person(first, "Alice"), await person(first, "Bob")
    room_id = (await group(first, alice, bob)).room_id
    reader = Reader(bob, random.Random(1))
    await reader.step(first, room_id)
    waiting = asyncio.create_task(reader.step(last, room_id, timeout_s=30))
    await first.core.timeline.send(room_id, [Draft("m.room.message", alice.user_id, {"body": "hello"})])
    await asyncio.wait_for(waiting, 10)
    assert len(reader.known) == len(set(reader.known))
    assert not last.sync.long_polls._by_room


@pytest.mark.parametrize("overrides", [{"timeline": {"follow_interval_ms": 50}, "matrix": {"enabled": True}}])
async def test_another_worker_does_not_tell_of_who_is_invisible(workers: list[Homeserver]) -> None:
    """What alice's client set is known where she sends, and only there is she known to act."""
    here, there = workers[0], workers[-1]
    alice, bob = [await person(here, name) for name in ("Alice", "Bob")]
    room = await group(here, alice, bob)
    here.realtime.presence.touch(alice, "offline")
    for sender in (alice, bob):
        await here.core.timeline.send(room.room_id, [Draft("m.room.message", sender.user_id, {"body": "hi"})])
    async with asyncio.timeout(30):
        while there.core.live.position < here.core.live.position:
            await there.core.live.wait_after(there.core.live.position)
    for worker in workers:
        found = await worker.realtime.presence.of(bob, alice.user_id)
        assert found["presence"] == "offline"
    assert (await here.realtime.presence.of(alice, bob.user_id))["presence"] == "online"


async def test_only_those_concerned_are_woken(hs: Homeserver) -> None:
    alice, bob, carol = [await person(hs, name) for name in ("Alice", "Bob", "Carol")]
    here, there = await group(hs, alice, bob), await group(hs, alice, carol)
    waiting = hs.sync.long_polls
    deaf = {"hears_presence": False}  # who sends is online, which would wake them all
    with waiting.waiter(bob.user_id, **deaf) as his, waiting.waiter(carol.user_id, **deaf) as hers:
        waiting.watch(his, [here.room_id])
        waiting.watch(hers, [there.room_id])
        await hs.core.timeline.send(there.room_id, [Draft("m.room.message", alice.user_id, {"body": "hi"})])
        assert (his.woken.is_set(), hers.woken.is_set()) == (False, True)
        hers.woken.clear()
        await hs.clientdata.account_data.set(bob, "", "org.example", {"a": 1})
        assert (his.woken.is_set(), hers.woken.is_set()) == (True, False)
        await hs.core.timeline.append([devices_changed(alice.user_id)])
        await asyncio.wait_for(hers.woken.wait(), 10)
        await hs.core.timeline.append([session_ended(carol.user_id, None, "test")])
        assert (his.is_over, hers.is_over) == (False, True)
        waiting.close()
        assert his.is_over


async def test_presence_wakes_only_those_who_hear_of_it(hs: Homeserver) -> None:
    alice, bob = [await person(hs, name) for name in ("Alice", "Bob")]
    room = await group(hs, alice, bob)
    waiting = hs.sync.long_polls
    with waiting.waiter(bob.user_id) as hears, waiting.waiter(bob.user_id, hears_presence=False) as deaf:
        for waiter in (hears, deaf):
            waiting.watch(waiter, [room.room_id])
        hs.realtime.presence.show(alice, "online", None)
        await asyncio.wait_for(hears.woken.wait(), 10)
        assert not deaf.woken.is_set()
        hears.woken.clear()
        hs.realtime.presence.show(bob, "online", None)
        assert (hears.woken.is_set(), deaf.woken.is_set()) == (True, False)


@pytest.mark.parametrize("overrides", [{"matrix": {"max_waiting_syncs": 10}}])
async def test_no_more_wait_than_may(hs: Homeserver) -> None:
    alice = await person(hs, "Alice")
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(hs.sync.long_polls.waiter(alice.user_id))
        with pytest.raises(Unavailable):
            await hs.sync.syncs.sync(alice, SyncRequest())
    assert (await hs.sync.syncs.sync(alice, SyncRequest()))["next_batch"]


@pytest.mark.parametrize("overrides", [{"matrix": {"max_waiting_syncs_per_user": 3}}])
async def test_one_person_does_not_take_all_the_places_to_wait(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(hs.sync.long_polls.waiter(alice.user_id))
        with pytest.raises(RateLimited):
            await hs.sync.syncs.sync(alice, SyncRequest())
        assert (await hs.sync.syncs.sync(bob, SyncRequest()))["next_batch"]
    assert (await hs.sync.syncs.sync(alice, SyncRequest()))["next_batch"]
