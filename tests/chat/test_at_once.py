"""Several who change one room at once, through one worker or two: it keeps its rules, and nobody gets an odd answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from homeserver.app import Homeserver, build
from homeserver.errors import Forbidden, HomeserverError, NotFound
from homeserver.lifecycle import working
from homeserver.model import Link, Member, Requester, Room
from homeserver.settings.models import Settings
from tests.chat.world import group, person

AGAIN = 4  # calls of one kind at once


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"timeline": {"follow_interval_ms": 50}}


@pytest.fixture
async def workers(settings: Settings) -> AsyncIterator[list[Homeserver]]:
    """Two on one PostgreSQL; SQLite has one, which stands here twice."""
    async with AsyncExitStack() as stack:
        made = [build(settings) for _ in range(1 if "sqlite" in str(settings.database.url) else 2)]
        for one in made:
            await stack.enter_async_context(working(one))
        yield made * (2 // len(made))


async def outcomes(calls: Iterable[Awaitable[Any]]) -> list[Any]:
    """What came of each; errors that no API documents fail the test."""
    found = await asyncio.gather(*calls, return_exceptions=True)
    odd = [
        one
        for one in found
        if isinstance(one, BaseException)
        and (not isinstance(one, HomeserverError) or one.code in ("auth_rule", "not_written"))
    ]
    assert odd == []
    return found


async def members_of(workers: list[Homeserver], who: Requester, room: Room) -> list[Member]:
    """The members, which every worker must tell alike."""
    for one in workers:
        await one.core.live.follow()
    first, second = [await one.rooms.members.listing(who, room.room_id) for one in workers]
    assert first == second
    return first


async def known_to_all(workers: list[Homeserver], creator: Requester, *others: Requester) -> Room:
    """A group that each worker has in memory."""
    room = await group(workers[0], creator, *others)
    for one in workers:
        await one.core.live.follow()
        await one.rooms.rooms.get(creator, room.room_id)
    return room


async def test_one_is_added_many_times(workers: list[Homeserver]) -> None:
    alice, bob = await person(workers[0], "Alice"), await person(workers[0], "Bob")
    room = await known_to_all(workers, alice)
    calls = [one.rooms.members.add(alice, room.room_id, bob.number) for one in workers * AGAIN]
    found = await outcomes(calls)
    assert {(one.person.user_id, one.role) for one in found} == {(bob.user_id, "member")}, found
    assert [one.person.user_id for one in await members_of(workers, alice, room)] == [
        alice.user_id,
        bob.user_id,
    ]


async def test_many_are_added_as_admins(workers: list[Homeserver]) -> None:
    alice = await person(workers[0], "Alice")
    others = [await person(workers[0], f"Admin{n}") for n in range(4)]
    room = await known_to_all(workers, alice)
    calls = [
        workers[n % 2].rooms.members.add(alice, room.room_id, one.number, "admin")
        for n, one in enumerate(others)
    ]
    assert [one.role for one in await outcomes(calls)] == ["admin"] * 4
    assert {one.role for one in await members_of(workers, alice, room)} == {"admin"}


async def test_all_admins_leave(workers: list[Homeserver]) -> None:
    alice, bob, carol = [await person(workers[0], name) for name in ("Alice", "Bob", "Carol")]
    room = await known_to_all(workers, alice, carol)
    await workers[0].rooms.members.add(alice, room.room_id, bob.number, "admin")
    await members_of(workers, alice, room)
    calls = [
        one.rooms.members.leave(who, room.room_id) for one, who in zip(workers, (alice, bob), strict=True)
    ]
    assert await outcomes(calls) == [None, None]
    (left,) = await members_of(workers, carol, room)
    assert (left.person.user_id, left.role) == (carol.user_id, "admin")


async def test_one_leaves_many_times(workers: list[Homeserver]) -> None:
    alice, bob = await person(workers[0], "Alice"), await person(workers[0], "Bob")
    room = await known_to_all(workers, alice, bob)
    found = await outcomes(one.rooms.members.leave(bob, room.room_id) for one in workers * AGAIN)
    assert found.count(None) == 1
    codes = {one.code for one in found if isinstance(one, NotFound)}
    assert (len(found), codes) == (2 * AGAIN, {"room_not_found"}), found


async def test_one_is_removed_by_many(workers: list[Homeserver]) -> None:
    alice, bob = await person(workers[0], "Alice"), await person(workers[0], "Bob")
    room = await known_to_all(workers, alice, bob)
    found = await outcomes(
        one.rooms.members.remove(alice, room.room_id, bob.number) for one in workers * AGAIN
    )
    assert found.count(None) == 1
    assert {one.code for one in found if one is not None} == {"user_not_found"}, found


async def test_one_is_added_while_they_leave(workers: list[Homeserver]) -> None:
    alice, bob = await person(workers[0], "Alice"), await person(workers[0], "Bob")
    room = await known_to_all(workers, alice, bob)
    one, two = workers
    found = await outcomes(
        [one.rooms.members.leave(bob, room.room_id), two.rooms.members.add(alice, room.room_id, bob.number)]
    )
    assert found[0] is None
    assert isinstance(found[1], Member | NotFound), found
    assert len(await members_of(workers, alice, room)) in (1, 2)


async def test_the_room_of_a_link_is_opened_many_times(workers: list[Homeserver]) -> None:
    alice, bob = await person(workers[0], "Alice"), await person(workers[0], "Bob")
    link = Link("course", "at once")
    for who in (alice, bob):  # alice makes it, bob is let in
        found = await outcomes(
            one.rooms.rooms.create(who, kind="group", title="Course", link=link) for one in workers * AGAIN
        )
        assert len({room.room_id for room in found}) == 1, found
        for one in workers:
            await one.core.live.follow()
    assert len(await members_of(workers, bob, found[0])) == 2


async def test_two_admins_close_a_room(workers: list[Homeserver]) -> None:
    alice, bob, carol = [await person(workers[0], name) for name in ("Alice", "Bob", "Carol")]
    room = await known_to_all(workers, alice, carol)
    await workers[0].rooms.members.add(alice, room.room_id, bob.number, "admin")
    await members_of(workers, alice, room)
    one, two = workers
    found = await outcomes(
        [
            one.rooms.rooms.leave_or_close(alice, room.room_id),
            two.rooms.rooms.leave_or_close(bob, room.room_id),
        ]
    )
    assert None in found
    assert all(each is None or each.code == "room_not_found" for each in found), found
    for who in (alice, bob, carol):
        with pytest.raises(NotFound):
            await one.rooms.rooms.get(who, room.room_id)


async def test_an_admin_is_removed_while_they_act(workers: list[Homeserver]) -> None:
    """Bob may be out before he adds Carol, or after: but what he may not do any more he has not done."""
    alice, bob, carol = [await person(workers[0], name) for name in ("Alice", "Bob", "Carol")]
    room = await known_to_all(workers, alice)
    one, two = workers
    await one.rooms.members.add(alice, room.room_id, bob.number)
    await members_of(workers, bob, room)
    found = await outcomes(
        [
            one.rooms.members.remove(alice, room.room_id, bob.number),
            two.rooms.members.add(bob, room.room_id, carol.number),
        ]
    )
    assert isinstance(found[1], Forbidden | NotFound), found
    assert [each.person.user_id for each in await members_of(workers, alice, room)] == [alice.user_id]
