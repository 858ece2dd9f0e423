"""Typing: by connection, and until it makes no sense any more."""

from collections.abc import Awaitable, Callable

import pytest

from homeserver.app import Homeserver
from homeserver.model import Requester
from homeserver.protocol.ids import RoomId
from tests.chat.test_blocks import private
from tests.chat.world import ByIds, group, person


async def leaves(hs: Homeserver, alice: Requester, bob: Requester, room_id: RoomId) -> None:
    await hs.rooms.rooms.leave_or_close(bob, room_id)


async def is_removed(hs: Homeserver, alice: Requester, bob: Requester, room_id: RoomId) -> None:
    await hs.rooms.members.remove(alice, room_id, bob.number)


async def is_kicked(hs: Homeserver, alice: Requester, bob: Requester, room_id: RoomId) -> None:
    await hs.rooms.membership.kick(alice, room_id, bob.user_id)


async def is_banned(hs: Homeserver, alice: Requester, bob: Requester, room_id: RoomId) -> None:
    await hs.rooms.membership.ban(alice, room_id, bob.user_id)


async def sees_it_closed(hs: Homeserver, alice: Requester, bob: Requester, room_id: RoomId) -> None:
    await hs.rooms.rooms.leave_or_close(alice, room_id)


async def ends_all_sessions(hs: Homeserver, alice: Requester, bob: Requester, room_id: RoomId) -> None:
    await hs.auth.sessions.end_all(bob)


async def is_suspended(hs: Homeserver, alice: Requester, bob: Requester, room_id: RoomId) -> None:
    await hs.accounts.accounts.suspend(bob.user_id)


async def is_deactivated(hs: Homeserver, alice: Requester, bob: Requester, room_id: RoomId) -> None:
    await hs.accounts.accounts.deactivate(bob.user_id)


async def writes(hs: Homeserver, alice: Requester, bob: Requester, room_id: RoomId) -> None:
    await ByIds(hs).send(bob, room_id, text="there it is")


Ending = Callable[[Homeserver, Requester, Requester, RoomId], Awaitable[None]]
ENDINGS: tuple[Ending, ...] = (
    leaves,
    is_removed,
    is_kicked,
    is_banned,
    sees_it_closed,
    ends_all_sessions,
    is_suspended,
    is_deactivated,
    writes,
)


@pytest.mark.parametrize("ending", ENDINGS)
async def test_it_ends_with_what_makes_it_untrue(hs: Homeserver, ending: Ending) -> None:
    alice, bob = [await person(hs, name) for name in ("Alice", "Bob")]
    room_id, other_room = (await group(hs, alice, bob)).room_id, (await group(hs, alice, bob)).room_id
    typing = hs.realtime.typing
    for connection in ("one tab", "another tab"):
        await typing.set(bob, room_id, is_typing=True, connection=connection)
    await typing.set(alice, other_room, is_typing=True)
    await ByIds(hs).send(alice, room_id, text="what another says does not end it")
    await hs.accounts.profiles.update(bob, display_name="Robert")
    assert list(typing.in_room(room_id)) == [bob.user_id]
    await ending(hs, alice, bob, room_id)
    assert typing.in_room(room_id) == {}
    assert list(typing.in_room(other_room)) == [alice.user_id]


async def test_it_is_by_connection(hs: Homeserver) -> None:
    alice, bob = [await person(hs, name) for name in ("Alice", "Bob")]
    room_id = (await group(hs, alice, bob)).room_id
    typing = hs.realtime.typing
    for connection in ("one", "another", "third"):
        await typing.set(bob, room_id, is_typing=True, connection=connection)
    typing.disconnect("one")
    await typing.set(bob, room_id, is_typing=False, connection="another")
    await typing.set(bob, room_id, is_typing=False, connection="one that did not type")
    assert list(typing.in_room(room_id)) == [bob.user_id]
    typing.disconnect("third")
    assert typing.in_room(room_id) == {}
    assert not typing.rooms()


async def test_a_block_ends_it_where_it_holds(hs: Homeserver) -> None:
    alice, bob, carol = [await person(hs, name) for name in ("Alice", "Bob", "Carol")]
    two, others, three = (
        await private(hs, alice, bob),
        await private(hs, carol, bob),
        await group(hs, alice, bob),
    )
    for blocker, blocked in ((alice, bob), (bob, alice)):
        await hs.accounts.blocks.unblock(bob, alice.user_id)
        await hs.accounts.blocks.unblock(alice, bob.user_id)
        for room_id in (two, others, three.room_id):
            await hs.realtime.typing.set(bob, room_id, is_typing=True)
        await hs.accounts.blocks.block(blocker, blocked.user_id)
        assert hs.realtime.typing.in_room(two) == {}
        assert list(hs.realtime.typing.in_room(three.room_id)) == [bob.user_id]
