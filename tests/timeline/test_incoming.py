"""Events of another server: a room that forks while two servers write, and is one again when they have heard all."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy.engine import URL

from homeserver.clock import FakeClock
from homeserver.federation.receiver.admission import Admission, MissingEvents, Outcome
from homeserver.model import LAST_PLACE, Draft
from homeserver.protocol.auth import auth_types_for
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.protocol.seal import seal
from homeserver.protocol.signing import SigningKey
from homeserver.settings.models import DatabaseSettings
from homeserver.storage import events, graph
from homeserver.storage.db import Database
from homeserver.storage.events import Status
from homeserver.timeline.heads import Head
from homeserver.timeline.received import Adopted
from tests.databases import Databases
from tests.timeline.conftest import ALICE, Writing, message, running

CAROL = UserId("@carol:other.example")
DAVE = UserId("@dave:other.example")
VERSIONS = ("6", "10", "11", "12")


@dataclass
class Peer:
    """A server, with the events that it made and got."""

    writing: Writing
    admission: Admission

    async def send(self, room_id: RoomId, *drafts: Draft) -> list[Event]:
        written = await self.writing.timeline.send(room_id, drafts)
        return [one.event for one in written.events]

    async def take(self, *made: Event) -> list[Outcome]:
        """What becomes of events of the other server."""
        return [await self.admission.admit(one) for one in made]

    async def state(self, room_id: RoomId) -> dict[StateKey, EventId]:
        head = await self.writing.timeline.head(room_id)
        return {key: one.event_id for key, one in head.state.events.items()}

    async def shown(self, room_id: RoomId) -> set[EventId]:
        async with self.writing.db.read() as conn:
            page = await events.room_before(conn, room_id, before=LAST_PLACE, limit=1000)
        return {one.event.event_id for one in page}


@pytest.fixture
async def peers(databases: Databases, database_kind: str, clock: FakeClock) -> AsyncIterator[list[Peer]]:
    """Two servers, each with a database of its own."""
    async with AsyncExitStack() as stack:
        made: list[Peer] = []
        for server in ("test.example", "other.example"):
            url: URL = databases.url(database_kind)
            stack.callback(databases.take_back, url)
            db = Database(url, DatabaseSettings())
            stack.push_async_callback(db.close)
            key = SigningKey.generate("test")
            writing = await stack.enter_async_context(running(db, clock, key, server=server))
            made.append(Peer(writing, Admission(db, writing.graph, writing.incoming)))
        yield made


async def joined(here: Peer, there: Peer, version: str = "11") -> RoomId:
    """A room of ours that Carol of the other server has joined; both have the join."""
    room_id = await here.writing.new_room(version=version)
    head = await here.writing.timeline.head(room_id)
    join = unchecked(there, head, Draft("m.room.member", CAROL, {"membership": "join"}, state_key=CAROL))
    (outcome,) = await here.take(join)
    assert outcome.status is Status.ACCEPTED, outcome
    state = dict(head.state.events)
    await there.writing.incoming.adopt(Adopted(join, version, "group", state, list(state.values())))
    return room_id


async def agree(peers: Sequence[Peer], room_id: RoomId) -> None:
    """Both have the same state, and the verifier finds nothing."""
    here, there = (one.writing for one in peers)
    assert await peers[0].state(room_id) == await peers[1].state(room_id)
    assert await here.faults(room_id, there) == []
    assert await there.faults(room_id, here) == []


def topic(text: str, sender: UserId) -> Draft:
    return Draft("m.room.topic", sender, {"topic": text}, state_key="")


async def raised(here: Peer, room_id: RoomId, user_id: UserId, level: int) -> list[Event]:
    """Power levels with this user's."""
    head = await here.writing.timeline.head(room_id)
    held = head.state.events["m.room.power_levels", ""].content
    content = {**held, "users": {**held.get("users", {}), user_id: level}}
    return await here.send(room_id, Draft("m.room.power_levels", ALICE, content, state_key=""))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_room_that_is_written_by_turns_has_one_line(peers: list[Peer], version: str) -> None:
    here, there = peers
    room_id = await joined(here, there, version)
    for number in range(3):
        for one, other, sender in ((here, there, ALICE), (there, here, CAROL)):
            made = await one.send(room_id, message(str(number), sender))
            assert [outcome.status for outcome in await other.take(*made)] == [Status.ACCEPTED]
    heads = [await one.writing.timeline.head(room_id) for one in peers]
    assert heads[0].extremities == heads[1].extremities
    assert heads[0].depth == heads[1].depth
    await agree(peers, room_id)


@pytest.mark.parametrize("version", VERSIONS)
async def test_branches_end_in_one_state(peers: list[Peer], version: str) -> None:
    """Both write while they do not hear each other: messages, topics, and a demotion."""
    here, there = peers
    room_id = await joined(here, there, version)
    await there.take(*await raised(here, room_id, CAROL, 50))
    ours = await here.send(room_id, message("a"), topic("ours", ALICE))
    theirs = await there.send(room_id, topic("theirs", CAROL), message("b", CAROL))
    ours += await raised(here, room_id, CAROL, 0)
    theirs += await there.send(room_id, topic("theirs again", CAROL))
    assert [one.status for one in await there.take(*ours)] == [Status.ACCEPTED] * 3
    taken = await here.take(*theirs)
    assert taken[1].status is Status.ACCEPTED
    assert taken[-1].status is Status.SOFT_FAILED, "here she has no right any more"
    await agree(peers, room_id)
    # The next event joins the branches.
    (joining,) = await here.send(room_id, message("together"))
    (outcome,) = await there.take(joining)
    assert outcome.status is Status.ACCEPTED
    assert (await here.writing.timeline.head(room_id)).extremities == (joining.event_id,)
    await agree(peers, room_id)


async def test_a_forbidden_event_is_kept_but_not_shown(peers: list[Peer]) -> None:
    here, there = peers
    room_id = await joined(here, there)
    before = await here.state(room_id)
    head = await there.writing.timeline.head(room_id)
    liar = unchecked(there, head, topic("hers", CAROL))
    (outcome,) = await here.take(liar)
    assert outcome.status is Status.REJECTED
    assert "10" in outcome.reason or "level" in outcome.reason, outcome
    (again,) = await here.take(liar)
    assert again.status is Status.REJECTED
    assert await here.state(room_id) == before
    assert liar.event_id not in await here.shown(room_id)
    # What names it is judged for itself.
    after = unchecked(
        there, replace(head, extremities=(liar.event_id,), depth=liar.depth), message("innocent", CAROL)
    )
    (outcome,) = await here.take(after)
    assert outcome.status is Status.ACCEPTED, outcome
    assert (await here.writing.timeline.head(room_id)).extremities == (after.event_id,)
    assert await here.state(room_id) == before


async def test_what_is_missing_is_named(peers: list[Peer]) -> None:
    here, there = peers
    room_id = await joined(here, there)
    first, second = await there.send(room_id, message("1", CAROL), message("2", CAROL))
    with pytest.raises(MissingEvents) as lacking:
        await here.admission.admit(second)
    assert lacking.value.prev == {first.event_id}
    assert second.event_id not in await here.shown(room_id)
    assert [one.status for one in await here.take(first, second, second)] == [Status.ACCEPTED] * 3
    assert {first.event_id, second.event_id} <= await here.shown(room_id)


async def test_ours_and_theirs_at_once(peers: list[Peer]) -> None:
    """Random cuts: whatever the order in which events come, both end with equal states and equal events."""
    here, there = peers
    room_id = await joined(here, there)
    await there.take(*await raised(here, room_id, CAROL, 50))
    dice = random.Random(7)
    unheard: dict[int, list[Event]] = {0: [], 1: []}
    for number in range(40):
        at = dice.randrange(2)
        sender = (ALICE, CAROL)[at]
        draft = topic(str(number), sender) if dice.random() < 0.4 else message(str(number), sender)
        unheard[at] += await peers[at].send(room_id, draft)
        if dice.random() < 0.3:
            await _heal(peers, unheard)
    await _heal(peers, unheard)
    await agree(peers, room_id)
    own = {await _create_id(here, room_id)}
    assert (await here.shown(room_id)) - (await there.shown(room_id)) <= own | await _before(there, room_id)
    assert (await there.shown(room_id)) <= (await here.shown(room_id))


async def _heal(peers: Sequence[Peer], unheard: dict[int, list[Event]]) -> None:
    for at, made in unheard.items():
        outcomes = await peers[1 - at].take(*made)
        assert {one.status for one in outcomes} <= {Status.ACCEPTED}, outcomes
        made.clear()


async def _create_id(peer: Peer, room_id: RoomId) -> EventId:
    return (await peer.state(room_id))["m.room.create", ""]


async def _before(peer: Peer, room_id: RoomId) -> set[EventId]:
    """The events that came with the join, and are not shown."""
    state = set((await peer.state(room_id)).values())
    async with peer.writing.db.read() as conn:
        chain = await graph.auth_chain(conn, state)
    return state | chain


def unchecked(peer: Peer, head: Head, draft: Draft) -> Event:
    """An event on a head, of a server that does not keep to the rules of the room."""
    keys = auth_types_for(draft.type, draft.state_key, draft.sender, draft.content, head.rules)
    pdu: dict[str, Any] = {
        "type": draft.type,
        "sender": draft.sender,
        "content": draft.content,
        "room_id": head.room_id,
        "origin_server_ts": 1,
        "depth": head.depth + 1,
        "prev_events": list(head.extremities),
        "auth_events": [head.state.events[key].event_id for key in keys if key in head.state.events],
    }
    if draft.state_key is not None:
        pdu["state_key"] = draft.state_key
    return seal(pdu, head.rules, peer.writing.server, peer.writing.key)
