"""Whose keys to look up anew: exactly those with whom one shares a room, as they change, come and go."""

import pytest

from homeserver.app import Homeserver
from homeserver.errors import NotFound
from homeserver.metrics import spending
from homeserver.model import LogPosition
from homeserver.protocol.ids import DeviceId, RoomId
from homeserver.services.e2ee.device_lists import ListChanges
from homeserver.services.rooms.create import CreateRoomRequest, InitialState
from tests.conftest import QUIET
from tests.e2ee.world import Phone, log_in, phone

NOTHING = ListChanges(frozenset(), frozenset())


async def room(hs: Homeserver, *people: Phone, preset: str = "public_chat") -> RoomId:
    made = await hs.rooms.creation.create(people[0].requester, CreateRoomRequest(preset=preset))  # type: ignore[arg-type]
    for one in people[1:]:
        await hs.rooms.membership.join(one.requester, made)
    return made


async def since(hs: Homeserver, who: Phone, position: LogPosition) -> tuple[set[str], set[str]]:
    found = await hs.e2ee.lists.changes(who.requester, position)
    return name_all(found.changed), name_all(found.left)


def name_all(user_ids: frozenset[str]) -> set[str]:
    return {user_id[1:].partition(":")[0] for user_id in user_ids}


async def test_changes_are_heard_of_by_those_who_share_a_room(hs: Homeserver) -> None:
    alice, bob, carol = await phone(hs, "Alice"), await phone(hs, "Bob"), await phone(hs, "Carol")
    await room(hs, alice, bob)
    await room(hs, bob, carol)
    start = hs.core.live.position
    assert await hs.e2ee.lists.changes(alice.requester, start) == NOTHING
    await bob.publish(hs)
    after = hs.core.live.position
    await carol.publish(hs)
    assert await since(hs, alice, start) == ({"bob"}, set())
    assert await since(hs, bob, start) == ({"bob", "carol"}, set()), "one's own other devices, too"
    assert await since(hs, bob, after) == ({"carol"}, set())
    assert await since(hs, alice, after) == (set(), set())
    laptop = await log_in(hs, bob.person)
    logged_in = hs.core.live.position
    assert await since(hs, alice, after) == ({"bob"}, set()), "a new device, without keys as yet"
    await laptop.publish(hs)
    published = hs.core.live.position
    assert await since(hs, alice, logged_in) == ({"bob"}, set())
    await hs.auth.sessions.end(laptop.requester)
    assert await since(hs, alice, published) == ({"bob"}, set()), "a device went"
    tablet = await log_in(hs, bob.person)
    ended = hs.core.live.position
    await hs.auth.sessions.end(tablet.requester)
    assert await since(hs, alice, ended) == ({"bob"}, set()), "one without keys too"


async def test_a_new_name_of_a_device_is_heard_of(hs: Homeserver) -> None:
    alice, bob, carol = await phone(hs, "Alice"), await phone(hs, "Bob"), await phone(hs, "Carol")
    await room(hs, alice, bob)
    await bob.publish(hs)
    rename = hs.auth.devices.rename
    start = hs.core.live.position
    await rename(bob.requester, bob.device_id, "Tablet")
    renamed = hs.core.live.position
    assert await since(hs, alice, start) == await since(hs, bob, start) == ({"bob"}, set())
    assert await since(hs, carol, start) == (set(), set())
    found = await hs.e2ee.device_keys.query(alice.requester, {bob.user_id: []})
    shown = found.devices[bob.user_id][bob.device_id]
    assert shown["unsigned"] == {"device_display_name": "Tablet"}
    await rename(bob.requester, bob.device_id, " Tablet ")
    assert hs.core.live.position == renamed, "the same name is no news"
    for device_id in (DeviceId("NONE"), alice.device_id):
        with pytest.raises(NotFound):
            await rename(bob.requester, device_id, "x")
    assert await since(hs, alice, renamed) == (set(), set())


async def test_people_who_are_invited_or_knock_are_told_of(hs: Homeserver) -> None:
    """What is said from now on may be for them too."""
    alice, bob, carol, dora = [await phone(hs, name) for name in ("Alice", "Bob", "Carol", "Dora")]
    inside = await room(hs, alice, carol)
    knocking = [InitialState("m.room.join_rules", {"join_rule": "knock"})]
    made = CreateRoomRequest(preset="private_chat", initial_state=knocking)
    door = await hs.rooms.creation.create(alice.requester, made)
    start = hs.core.live.position
    await hs.rooms.membership.invite(alice.requester, inside, bob.user_id)
    await hs.rooms.membership.knock(dora.requester, door)
    asked = hs.core.live.position
    assert await since(hs, alice, start) == ({"bob", "dora"}, set())
    assert await since(hs, carol, start) == ({"bob"}, set())
    assert await since(hs, bob, start) == await since(hs, dora, start) == (set(), set())
    await hs.rooms.membership.leave(bob.requester, inside)
    assert await since(hs, carol, asked) == (set(), {"bob"}), "and that they do not come"


async def test_who_comes_and_who_goes(hs: Homeserver) -> None:
    alice, bob, carol = await phone(hs, "Alice"), await phone(hs, "Bob"), await phone(hs, "Carol")
    one = await room(hs, alice, carol)
    start = hs.core.live.position
    await hs.rooms.membership.join(bob.requester, one)
    joined = hs.core.live.position
    assert await since(hs, alice, start) == ({"bob"}, set())
    assert await since(hs, bob, start) == ({"alice", "carol"}, set()), "all who were there"
    assert await since(hs, alice, joined) == await since(hs, bob, joined) == (set(), set())
    other = await room(hs, alice, bob)
    both = hs.core.live.position
    await hs.rooms.membership.leave(bob.requester, one)
    assert await since(hs, alice, both) == (set(), set()), "another room is still shared"
    assert await since(hs, bob, both) == (set(), {"carol"})
    assert await since(hs, carol, both) == (set(), {"bob"})
    apart = hs.core.live.position
    await hs.rooms.membership.kick(alice.requester, other, bob.user_id)
    assert await since(hs, alice, apart) == (set(), {"bob"})
    assert await since(hs, bob, apart) == (set(), {"alice"})
    assert await since(hs, bob, hs.core.live.position) == (set(), set())
    # In and out again in one window: nothing was shared before, and nothing is now.
    back = hs.core.live.position
    await hs.rooms.membership.join(bob.requester, one)
    await hs.rooms.membership.leave(bob.requester, one)
    assert (await since(hs, bob, back))[0] == set()


async def test_an_invite_tells_nothing_of_who_is_inside(hs: Homeserver) -> None:
    alice, bob = await phone(hs, "Alice"), await phone(hs, "Bob")
    inside = await room(hs, alice, preset="private_chat")
    start = hs.core.live.position
    await hs.rooms.membership.invite(alice.requester, inside, bob.user_id)
    await alice.publish(hs)
    assert await since(hs, bob, start) == (set(), set())
    await hs.rooms.membership.leave(bob.requester, inside)
    assert await since(hs, bob, start) == (set(), set())


@pytest.mark.parametrize("overrides", [QUIET])
async def test_a_look_costs_the_same_for_few_and_for_many(hs: Homeserver) -> None:
    people = [await phone(hs, name) for name in ("Alice", "Bob", "Carol", "Dora")]
    alice = people[0]
    start = hs.core.live.position
    costs = []
    for count in (2, 4, 4):
        await room(hs, *people[1:count], alice)
        await room(hs, *people[:count])
        with spending() as spent:
            await hs.e2ee.lists.changes(alice.requester, start)
        costs.append(spent.statements)
    assert costs == [6, 6, 6]
