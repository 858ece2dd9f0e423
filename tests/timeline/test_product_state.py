"""What the products write into a room counts from people of this server, from nobody else."""

from dataclasses import replace

import pytest

from homeserver import product_state
from homeserver.model import CLOSED_EVENT, ENQUIRY_EVENT, KIND_KEY, LINK_EVENT, Content, Draft, Link
from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.servers import Servers
from homeserver.services.rooms.product_rules import is_product_room
from homeserver.storage import rooms
from homeserver.storage.rooms import RoomRow
from homeserver.timeline.reading import is_open_to, kind_of
from tests.timeline.conftest import ALICE, SERVERS, Writing, room_drafts

MALLORY = UserId("@mallory:other.example")
LOOKALIKE = UserId("@mallory:test.example.org")
OURS = Link("course", "1")


def state(kind: str, sender: UserId, content: Content) -> Draft:
    return Draft(kind, sender, content, state_key="")


async def shared_room(writing: Writing, other: UserId = MALLORY) -> RoomId:
    """A room with an admin from elsewhere."""
    room_id = await writing.new_room()
    levels = {"users": {ALICE: 100, other: 100}, "state_default": 50}
    await writing.timeline.send(
        room_id,
        [
            Draft("m.room.member", other, {"membership": "join"}, state_key=other),
            state("m.room.power_levels", ALICE, levels),
        ],
    )
    return room_id


async def put(writing: Writing, room_id: RoomId, *drafts: Draft) -> Event:
    return (await writing.timeline.send(room_id, drafts)).events[-1].event


async def listed(writing: Writing, room_id: RoomId) -> RoomRow:
    async with writing.db.read() as conn:
        return (await rooms.rooms_by_id(conn, [room_id]))[room_id]


async def is_open(writing: Writing, room_id: RoomId) -> bool:
    """Whether it is open to Alice; memory and lists say the same."""
    head = await writing.timeline.head(room_id)
    assert is_open_to(head, ALICE) is not (await listed(writing, room_id)).closed
    return is_open_to(head, ALICE)


@pytest.mark.parametrize("other", [MALLORY, LOOKALIKE])
async def test_an_admin_from_elsewhere_closes_no_room(writing: Writing, other: UserId) -> None:
    room_id = await shared_room(writing, other)
    theirs = await put(writing, room_id, state(CLOSED_EVENT, other, {"closed_by": ALICE}))
    assert not product_state.closes(theirs, SERVERS)
    assert await is_open(writing, room_id)
    await put(writing, room_id, state(CLOSED_EVENT, ALICE, {"closed_by": ALICE}))
    assert not await is_open(writing, room_id)


async def test_a_key_stays_with_a_room_that_somebody_from_elsewhere_would_close(writing: Writing) -> None:
    drafts = [*room_drafts(), Draft("m.room.member", MALLORY, {"membership": "join"}, state_key=MALLORY)]
    levels = {"users": {ALICE: 100, MALLORY: 100}, "state_default": 50}
    made = await writing.timeline.create_room(
        [*drafts, state("m.room.power_levels", ALICE, levels)], version="11", kind="group", room_key="k"
    )
    room_id = made.events[0].event.room_id
    for sender, held in ((MALLORY, {"k": room_id}), (ALICE, {})):
        await put(writing, room_id, state(CLOSED_EVENT, sender, {}))
        async with writing.db.read() as conn:
            assert await rooms.rooms_by_key(conn, ["k"]) == held


async def test_an_admin_from_elsewhere_ties_no_room_to_a_course(writing: Writing) -> None:
    room_id = await shared_room(writing)
    await put(writing, room_id, state(LINK_EVENT, MALLORY, {"service": "course", "service_id": "1"}))
    assert (await listed(writing, room_id)).link is None
    await put(writing, room_id, state(LINK_EVENT, ALICE, {"service": "course", "service_id": "1"}))
    assert (await listed(writing, room_id)).link == OURS
    theirs = state(LINK_EVENT, MALLORY, {"service": "course", "service_id": "2"})
    await put(writing, room_id, theirs)
    assert (await listed(writing, room_id)).link is None, "the room's state says nothing of ours any more"


async def test_both_in_one_transaction_are_told_apart(writing: Writing) -> None:
    room_id = await shared_room(writing)
    link = {"service": "course", "service_id": "1"}
    await put(
        writing,
        room_id,
        state(LINK_EVENT, MALLORY, {**link, "service_id": "9"}),
        state(LINK_EVENT, ALICE, link),
    )
    assert (await listed(writing, room_id)).link == OURS
    await put(
        writing, room_id, state(CLOSED_EVENT, MALLORY, {}), state("m.room.name", MALLORY, {"name": "Mine"})
    )
    assert await is_open(writing, room_id)
    assert (await listed(writing, room_id)).name == "Mine", "what every client may set, an admin sets"


async def test_state_of_products_has_no_state_key(writing: Writing) -> None:
    room_id = await shared_room(writing)
    await put(writing, room_id, Draft(CLOSED_EVENT, ALICE, {}, state_key="x"), Draft(CLOSED_EVENT, ALICE, {}))
    assert await is_open(writing, room_id)


async def test_a_room_made_elsewhere_is_none_of_the_products(writing: Writing) -> None:
    drafts = room_drafts(ALICE, **{KIND_KEY: "private"})
    made = await writing.timeline.create_room(drafts, version="11", kind="private")
    head = await writing.timeline.head(made.events[0].event.room_id)
    assert kind_of(head) == "private"
    assert is_product_room(head)
    seen_by_others = replace(head, servers=Servers("other.example"))
    assert kind_of(seen_by_others) == "group"
    assert not is_product_room(seen_by_others)


async def test_an_enquiry_is_told_of_by_this_server_alone(writing: Writing) -> None:
    room_id = await shared_room(writing)
    told = {"service": "market", "owner": ALICE}
    for sender, found in ((MALLORY, None), (ALICE, told)):
        event = await put(writing, room_id, state(ENQUIRY_EVENT, sender, told))
        assert product_state.enquiry_in(event, SERVERS) == found
    assert product_state.enquiry_in(None, SERVERS) is None


async def test_a_room_that_is_no_longer_closed_by_us_is_open(writing: Writing) -> None:
    room_id = await shared_room(writing)
    await put(writing, room_id, state(CLOSED_EVENT, ALICE, {}))
    await put(writing, room_id, state(CLOSED_EVENT, MALLORY, {}))
    assert await is_open(writing, room_id), "lists and memory follow the current state alike"


async def test_redacting_what_closed_a_room_opens_it_to_nobody(writing: Writing) -> None:
    room_id = await shared_room(writing)
    closing = await put(writing, room_id, state(CLOSED_EVENT, ALICE, {"closed_by": ALICE}))
    redaction = Draft("m.room.redaction", MALLORY, {}, redacts=EventId(closing.event_id))
    await put(writing, room_id, redaction)
    assert not await is_open(writing, room_id)
