"""What goes wrong on the way to the disk harms nobody else, and nothing is announced that is not there."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Unavailable
from homeserver.model import EntryKind
from homeserver.protocol.ids import RoomId
from homeserver.storage import events
from homeserver.timeline.submission import NewEntry, Placed, SideWrite
from tests.databases import Databases
from tests.timeline.conftest import Writing, message


async def fail(conn: AsyncConnection, rows: Sequence[Placed[str]]) -> None:
    """A row that the database refuses."""
    await conn.execute(text("INSERT INTO rooms (room_id) VALUES (NULL)"))


async def bodies(writing: Writing, room_id: RoomId) -> list[str]:
    async with writing.db.read() as conn:
        page = await events.shown_before(conn, room_id, limit=100)
    return [one.event.content["body"] for one in reversed(page)]


async def test_one_bad_row_takes_only_its_own_submission_down(writing: Writing) -> None:
    room_id, other = await writing.new_room(), await writing.new_room()
    send = writing.timeline.send
    outcome = await asyncio.gather(
        send(room_id, [message("one")]),
        send(room_id, [message("bad")], also=[SideWrite(fail, "row")]),
        send(room_id, [message("two")]),
        send(other, [message("elsewhere")]),
        return_exceptions=True,
    )
    assert [isinstance(each, Unavailable) for each in outcome] == [False, True, False, False]
    assert await bodies(writing, room_id) == ["one", "two"]
    assert await bodies(writing, other) == ["elsewhere"]
    await send(room_id, [message("three")])
    assert await writing.faults(room_id) == []


async def test_a_room_whose_creation_fails_is_not_there(writing: Writing) -> None:
    drafts = writing.drafts()
    with pytest.raises(Unavailable):
        await writing.timeline.create_room(
            drafts, version="11", kind="group", room_key="k", also=[SideWrite(fail, "row")]
        )
    made = await writing.timeline.create_room(drafts, version="11", kind="group", room_key="k")
    assert await writing.faults(made.events[0].event.room_id) == []


async def test_a_database_that_is_away_comes_back(
    writing: Writing, databases: Databases, database_url: URL
) -> None:
    room_id = await writing.new_room()
    heard: list[int] = []
    writing.live.listen(lambda entry: heard.append(entry.position))

    await writing.db.close()  # connections that are open
    with databases.away(database_url):
        outcome = await asyncio.gather(
            *(writing.timeline.send(room_id, [message(str(n))]) for n in range(3)), return_exceptions=True
        )
    assert all(isinstance(each, Unavailable) for each in outcome)
    assert heard == []
    sent = await asyncio.gather(*(writing.timeline.send(room_id, [message(str(n))]) for n in range(3)))
    assert heard == [one.events[0].position for one in sent]
    assert await bodies(writing, room_id) == ["0", "1", "2"]
    assert await writing.faults(room_id) == []


async def test_committed_but_not_announced_is_announced_by_the_next(
    writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    room_id = await writing.new_room()
    heard: list[int] = []
    writing.live.listen(lambda entry: heard.append(entry.position))

    async def broken(_: object) -> None:
        raise ConnectionResetError("between commit and announcement")

    with monkeypatch.context() as patch:
        patch.setattr(writing.live, "publish", broken)
        first = await writing.timeline.send(room_id, [message("committed")])
    assert heard == []
    second = await writing.timeline.send(room_id, [message("next")])
    assert heard == [first.events[0].position, second.events[0].position]


async def test_a_caller_who_goes_away_does_not_undo_what_was_sent(writing: Writing) -> None:
    room_id = await writing.new_room()
    task = asyncio.create_task(writing.timeline.send(room_id, [message("said")]))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await writing.timeline.append([NewEntry(EntryKind.PROFILE, {})])
    assert await bodies(writing, room_id) == ["said"]
    await writing.timeline.send(room_id, [message("and on")])
    assert await writing.faults(room_id) == []
