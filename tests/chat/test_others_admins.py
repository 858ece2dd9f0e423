"""An admin from another server in a room of a product."""

import asyncio

import pytest

from homeserver.app import Homeserver
from homeserver.errors import Conflict
from homeserver.model import CLOSED_EVENT, Draft, Page, Requester
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.realtime.records import MessageNew, Record, RoomClosed
from homeserver.timeline.reading import joined_in, levels_of
from tests.chat.world import ByIds, Watch, group, person

MALLORY = UserId("@mallory:other.example")


async def heard(watch: Watch, kind: type[Record]) -> None:
    """Wait for a record of this kind."""
    async with asyncio.timeout(30):
        while not any(isinstance(one, kind) for one in watch.records):
            await asyncio.sleep(0.005)


async def let_in(hs: Homeserver, room_id: RoomId, by: Requester) -> None:
    """Somebody from elsewhere comes in, and gets as much power as there is."""
    head = await hs.core.timeline.head(room_id)
    levels = dict(head.state.events["m.room.power_levels", ""].content)
    most = levels_of(head).user(by.user_id)
    levels["users"] = {**levels["users"], MALLORY: most}
    drafts = [
        Draft("m.room.member", by.user_id, {"membership": "invite"}, state_key=MALLORY),
        Draft("m.room.member", MALLORY, {"membership": "join"}, state_key=MALLORY),
        Draft("m.room.power_levels", by.user_id, levels, state_key=""),
    ]
    await hs.core.timeline.send(room_id, drafts)


async def test_they_close_the_room_for_nobody_here(hs: Homeserver) -> None:
    anna, bert = await person(hs, "Anna"), await person(hs, "Bert")
    room = await group(hs, anna, bert)
    await let_in(hs, room.room_id, anna)
    watch = Watch(hs)
    await hs.core.timeline.send(room.room_id, [Draft(CLOSED_EVENT, MALLORY, {}, state_key="")])
    await ByIds(hs).send(bert, room.room_id, text="still here")
    await heard(watch, MessageNew)
    assert not [one for one in watch.records if isinstance(one, RoomClosed)]
    for who in (anna, bert):
        listed = await hs.rooms.rooms.listing(who, page=Page(10))
        assert [one.room_id for one in listed] == [room.room_id]


async def test_closing_a_room_speaks_for_our_own_people_alone(hs: Homeserver) -> None:
    anna, bert = await person(hs, "Anna"), await person(hs, "Bert")
    room = await group(hs, anna, bert)
    await let_in(hs, room.room_id, anna)
    watch = Watch(hs)
    await hs.admin.rooms.close_room(room.room_id)
    await heard(watch, RoomClosed)
    assert await hs.rooms.rooms.listing(anna, page=Page(10)) == []
    head = await hs.core.timeline.head(room.room_id)
    assert head.state.events[CLOSED_EVENT, ""].sender == anna.user_id
    assert joined_in(head.state.events) == [MALLORY], "whom nobody of ours may put out"
    with pytest.raises(Conflict):
        await hs.admin.rooms.close_room(room.room_id)
