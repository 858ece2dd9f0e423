"""What the product APIs show is stored: while a commit is held back, no list, page or feed tells of what it brings."""

import asyncio

from homeserver.app import Homeserver
from homeserver.model import Page
from homeserver.storage import log
from tests.chat.world import ByIds, Watch, group, person

HELD_S = 0.3


async def test_nothing_is_shown_before_it_is_stored(hs: Homeserver) -> None:
    alice, bob, carol = [await person(hs, name) for name in ("Alice", "Bob", "Carol")]
    room_id = (await group(hs, alice, bob, title="Hall")).room_id
    by_ids, rooms, watch = ByIds(hs), hs.rooms.rooms, Watch(hs)

    def ask() -> list[asyncio.Future[object]]:
        """Everything that bob can ask for."""
        calls = (
            rooms.listing(bob, page=Page(10), people_of_each=5),
            rooms.get(bob, room_id),
            hs.rooms.members.listing(bob, room_id),
            by_ids.page(bob, room_id, limit=10),
        )
        return [asyncio.ensure_future(call) for call in calls]

    async with hs.core.db.write() as conn:
        await log.take_positions(conn, 0)  # every writer of the log waits for this
        writes = [
            asyncio.ensure_future(rooms.change(alice, room_id, title="Unstored")),
            asyncio.ensure_future(by_ids.send(alice, room_id, text="Unstored")),
            asyncio.ensure_future(hs.rooms.members.add(alice, room_id, carol.number)),
        ]
        await asyncio.wait(writes, timeout=HELD_S)
        asked = ask()
        await asyncio.wait(asked, timeout=HELD_S)
        early = [str(answer.result()) for answer in asked if answer.done()]
        assert not [
            answer for answer in [*early, str(watch.records)] if "Unstored" in answer or "Carol" in answer
        ]
        assert len(early) >= 2
    await asyncio.gather(*writes, *asked)
    listed, room, members, page = [str(answer) for answer in await asyncio.gather(*ask())]
    assert "Unstored" in listed
    assert "Unstored" in room
    assert "Unstored" in page
    assert "Carol" in members
    assert "Unstored" in str(watch.records)
