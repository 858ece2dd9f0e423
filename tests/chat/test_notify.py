"""Judging a stretch of the log in one go, as after a stop: what is found in it counts for the rest of it."""

import pytest

from homeserver.app import Homeserver
from homeserver.model import LOG_START, LogPosition, Requester
from homeserver.protocol.ids import RoomId
from homeserver.storage import log
from tests.chat.world import ByIds, group, person
from tests.conftest import QUIET


@pytest.fixture
def overrides() -> dict[str, object]:
    """Nobody else judges meanwhile."""
    return QUIET


async def judge_all(hs: Homeserver, after: LogPosition) -> LogPosition:
    """Judge everything after a position at once; answers the end of the log."""
    async with hs.core.db.read() as conn:
        entries = await log.entries_after(conn, after, 1000)
    effect = await hs.notifications.handle(entries)
    if effect is not None:
        async with hs.core.db.write() as conn:
            await effect(conn)
    await hs.core.live.follow()
    return hs.core.live.position


async def unread(hs: Homeserver, who: Requester, room_id: RoomId) -> int:
    return (await hs.sync.counts.of(who.user_id, [room_id]))[room_id].whole.notify


async def spells(hs: Homeserver) -> int:
    async with hs.core.db.read() as conn:
        return int((await conn.exec_driver_sql("SELECT count(*) FROM quiet_spells")).scalar_one())


async def test_a_room_that_is_heard_again(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room_id = (await group(hs, alice, bob)).room_id
    await hs.clientdata.push_rules.put(bob, "room", room_id, {"actions": []})
    end = await judge_all(hs, LOG_START)
    await ByIds(hs).send(alice, room_id, text="silenced")
    end = await judge_all(hs, end)
    assert (await unread(hs, bob, room_id), await spells(hs)) == (0, 1)
    await hs.clientdata.push_rules.delete(bob, "room", room_id)
    await ByIds(hs).send(alice, room_id, text="heard")
    await judge_all(hs, end)
    assert await unread(hs, bob, room_id) == 1


async def test_a_silence_is_noted_once_though_others_come(hs: Homeserver) -> None:
    alice, bob, carol = [await person(hs, name) for name in ("Alice", "Bob", "Carol")]
    room_id = (await group(hs, alice, bob)).room_id
    await hs.clientdata.push_rules.put(bob, "room", room_id, {"actions": []})
    end = await judge_all(hs, LOG_START)
    await ByIds(hs).send(alice, room_id, text="one")
    await hs.rooms.members.add(alice, room_id, carol.number)
    await ByIds(hs).send(alice, room_id, text="two")
    await judge_all(hs, end)
    assert (await unread(hs, bob, room_id), await spells(hs)) == (0, 1)
    assert await unread(hs, carol, room_id) == 1
