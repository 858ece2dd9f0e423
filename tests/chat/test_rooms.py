"""Rooms: got or created, found in lists, left and closed."""

import asyncio

import pytest

from homeserver.app import Homeserver
from homeserver.errors import Forbidden, Invalid, NotFound, TooLarge
from homeserver.model import Link, Page
from tests.chat.world import ByIds, group, person

COURSE = Link("course", "42")
ALL = Page(limit=50)


async def test_a_group_has_its_creator_as_admin(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room = await group(hs, alice, bob, title="Plans")
    assert [(one.person.display_name, one.role) for one in room.members or ()] == [
        ("Alice", "admin"),
        ("Bob", "member"),
    ]
    assert (room.name, room.kind, room.member_count, room.unread_count) == ("Plans", "group", 2, 0)


async def test_a_private_room_is_one_for_two_people_and_a_link(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    rooms = hs.rooms.rooms
    first = await rooms.create(alice, kind="private", people=[bob.number])
    again = await rooms.create(bob, kind="private", people=[alice.number])
    linked = await rooms.create(bob, kind="private", people=[alice.number], link=COURSE)
    assert first.room_id == again.room_id != linked.room_id
    assert (first.name, again.name) == ("Bob", "Alice")


async def test_many_who_open_a_private_room_at_once_get_one(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    made = await asyncio.gather(
        *(
            hs.rooms.rooms.create(one, kind="private", people=[other.number])
            for one, other in [(alice, bob), (bob, alice)] * 4
        )
    )
    assert len({room.room_id for room in made}) == 1


async def test_the_group_of_a_course_lets_its_people_in(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    first = await hs.rooms.rooms.create(alice, kind="group", title="Course", link=COURSE)
    again = await hs.rooms.rooms.create(bob, kind="group", link=COURSE)
    assert again.room_id == first.room_id
    assert [one.role for one in again.members or ()] == ["admin", "member"]
    found = await hs.rooms.rooms.listing(bob, link_service="course", link_service_id="42", page=ALL)
    assert [room.link for room in found] == [COURSE]
    assert await hs.rooms.rooms.listing(bob, link_service="course", link_service_id="7", page=ALL) == []


async def test_who_was_removed_from_a_linked_group_is_not_let_in_again(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room = await hs.rooms.rooms.create(alice, kind="group", link=COURSE, people=[bob.number])
    await hs.rooms.members.remove(alice, room.room_id, bob.number)
    with pytest.raises(Forbidden) as refused:
        await hs.rooms.rooms.create(bob, kind="group", link=COURSE)
    assert refused.value.code == "removed"


@pytest.mark.parametrize("overrides", [{"rooms": {"linked_groups_open": False}}])
async def test_linked_groups_can_be_closed_to_strangers(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    await hs.rooms.rooms.create(alice, kind="group", link=COURSE)
    with pytest.raises(Forbidden):
        await hs.rooms.rooms.create(bob, kind="group", link=COURSE)


async def test_a_left_private_room_is_given_up(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    first = await hs.rooms.rooms.create(alice, kind="private", people=[bob.number])
    await hs.rooms.rooms.leave_or_close(bob, first.room_id)
    second = await hs.rooms.rooms.create(bob, kind="private", people=[alice.number])
    assert second.room_id != first.room_id
    assert [room.room_id for room in await hs.rooms.rooms.listing(bob, page=ALL)] == [second.room_id]


async def test_an_admin_closes_for_all_and_a_member_leaves(hs: Homeserver) -> None:
    alice, bob, carol = [await person(hs, name) for name in ("Alice", "Bob", "Carol")]
    room = await group(hs, alice, bob, carol)
    await hs.rooms.rooms.leave_or_close(carol, room.room_id)
    assert len((await hs.rooms.rooms.get(alice, room.room_id)).members or ()) == 2
    await hs.rooms.rooms.leave_or_close(alice, room.room_id)
    for one in (alice, bob, carol):
        assert await hs.rooms.rooms.listing(one, page=ALL) == []
        with pytest.raises(NotFound):
            await ByIds(hs).page(one, room.room_id, limit=1)


async def test_the_last_admin_hands_over(hs: Homeserver) -> None:
    alice, bob, carol = [await person(hs, name) for name in ("Alice", "Bob", "Carol")]
    room = await group(hs, alice, bob, carol)
    await hs.rooms.members.leave(alice, room.room_id)
    left = await hs.rooms.members.listing(bob, room.room_id)
    assert [(one.person.display_name, one.role) for one in left] == [("Bob", "admin"), ("Carol", "member")]
    await hs.rooms.rooms.change(bob, room.room_id, title="Now mine")


async def test_only_admins_manage(hs: Homeserver) -> None:
    alice, bob, carol = [await person(hs, name) for name in ("Alice", "Bob", "Carol")]
    room = await group(hs, alice, bob)
    members, rooms = hs.rooms.members, hs.rooms.rooms
    with pytest.raises(Forbidden):
        await rooms.change(bob, room.room_id, title="Mine")
    with pytest.raises(Forbidden):
        await members.add(bob, room.room_id, carol.number)
    with pytest.raises(Forbidden):
        await members.remove(bob, room.room_id, alice.number)
    added = await members.add(alice, room.room_id, carol.number, role="admin")
    assert added.role == "admin"
    with pytest.raises(Forbidden) as refused:
        await members.remove(carol, room.room_id, alice.number)
    assert refused.value.code == "low_power"


async def test_nobody_joins_a_private_room(hs: Homeserver) -> None:
    alice, bob, carol = [await person(hs, name) for name in ("Alice", "Bob", "Carol")]
    room = await hs.rooms.rooms.create(alice, kind="private", people=[bob.number])
    with pytest.raises(Invalid) as refused:
        await hs.rooms.members.add(alice, room.room_id, carol.number)
    assert refused.value.code == "private_room"


@pytest.mark.parametrize("people", [[], [99], [99, 100]])
async def test_a_private_room_needs_one_known_person(hs: Homeserver, people: list[int]) -> None:
    alice = await person(hs, "Alice")
    with pytest.raises(Invalid):
        await hs.rooms.rooms.create(alice, kind="private", people=people)
    assert await hs.rooms.rooms.listing(alice, page=ALL) == []


async def test_long_titles_are_refused(hs: Homeserver) -> None:
    alice = await person(hs, "Alice")
    with pytest.raises(TooLarge):
        await group(hs, alice, title="x" * 201)


async def test_lists_are_in_the_order_of_activity_and_searched_by_title_and_name(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Борис")
    first = await group(hs, alice, bob, title="Экзамен 100%")
    second = await group(hs, alice, title="Party")
    private = await hs.rooms.rooms.create(alice, kind="private", people=[bob.number])
    await ByIds(hs).send(bob, first.room_id, text="newest")

    async def listed(search: str = "") -> list[str]:
        return [room.room_id for room in await hs.rooms.rooms.listing(alice, search=search, page=ALL)]

    assert await listed() == [first.room_id, private.room_id, second.room_id]
    assert await listed("ЭКЗАМЕН") == [first.room_id]
    assert await listed("бор") == [private.room_id]
    assert await listed("100%") == [first.room_id]
    assert await listed("%") == [first.room_id]
    assert await listed("_") == []
    page = await hs.rooms.rooms.listing(alice, page=Page(limit=1, offset=1))
    assert [room.room_id for room in page] == [private.room_id]


async def test_strangers_do_not_know_of_a_room(hs: Homeserver) -> None:
    alice, mallory = await person(hs, "Alice"), await person(hs, "Mallory")
    room = await group(hs, alice)
    for attempt in (
        hs.rooms.rooms.get(mallory, room.room_id),
        hs.rooms.rooms.change(mallory, room.room_id, title="x"),
        hs.rooms.rooms.leave_or_close(mallory, room.room_id),
        hs.rooms.members.listing(mallory, room.room_id),
        hs.rooms.members.add(mallory, room.room_id, mallory.number),
        hs.rooms.members.remove(mallory, room.room_id, alice.number),
        ByIds(hs).send(mallory, room.room_id, text="hi"),
        ByIds(hs).send(mallory, room.room_id, text=" "),
        ByIds(hs).page(mallory, room.room_id, limit=1),
        hs.realtime.receipts.mark_read(mallory, room.room_id),
    ):
        with pytest.raises(NotFound):
            await attempt
