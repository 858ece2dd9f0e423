"""The verifier finds what somebody changed in the database."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from sqlalchemy import text, update

from homeserver.protocol.event import Event
from homeserver.storage.schema.timeline import events, rooms
from tests.timeline.conftest import Writing, message


async def altered(writing: Writing, event: Event, change: Callable[[dict[str, Any]], object]) -> list[str]:
    """Store an event with one thing changed, and answer the faults that the verifier finds."""
    pdu = orjson.loads(event.json)
    change(pdu)
    async with writing.db.write() as conn:
        await conn.execute(
            update(events).where(events.c.event_id == event.event_id).values(pdu=orjson.dumps(pdu))
        )
    return [fault.what for fault in await writing.faults(event.room_id)]


def flip(text_: str) -> str:
    """The same base64 text with its first character changed."""
    return ("B" if text_[0] == "A" else "A") + text_[1:]


def of_signature(pdu: dict[str, Any]) -> None:
    by_key = next(iter(pdu["signatures"].values()))
    for key_id in by_key:
        by_key[key_id] = flip(by_key[key_id])


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda pdu: pdu["hashes"].update(sha256=flip(pdu["hashes"]["sha256"])), "hash"),
        (of_signature, "signatures"),
        (lambda pdu: pdu["content"].update(body="something else"), "hash"),
        (lambda pdu: pdu.update(sender="@mallory:test.example"), "id"),
        (lambda pdu: pdu.update(origin_server_ts=1), "id"),
        (lambda pdu: pdu.update(prev_events=[]), "chain"),
        (lambda pdu: pdu.update(auth_events=[]), "auth"),
    ],
)
async def test_an_altered_event_is_found(
    writing: Writing, change: Callable[[dict[str, Any]], object], found: str
) -> None:
    room_id = await writing.new_room()
    sent = await writing.timeline.send(room_id, [message("one"), message("two")])
    assert await writing.faults(room_id) == []
    faults = await altered(writing, sent.events[0].event, change)
    assert any(fault.startswith(found) for fault in faults), faults


async def test_a_removed_event_is_found(writing: Writing) -> None:
    room_id = await writing.new_room()
    sent = await writing.timeline.send(room_id, [message("one"), message("two")])
    async with writing.db.write() as conn:
        await conn.execute(
            text("DELETE FROM events WHERE event_id = :id"), {"id": sent.events[0].event.event_id}
        )
    assert [fault.what for fault in await writing.faults(room_id)]


async def test_a_wrong_head_and_a_wrong_state_are_found(writing: Writing) -> None:
    room_id = await writing.new_room()
    async with writing.db.write() as conn:
        await conn.execute(update(rooms).values(extremities='["$nothing"]'))
        await conn.execute(text("DELETE FROM snapshot_entries WHERE type = 'm.room.join_rules'"))
    whats = [fault.what for fault in await writing.faults(room_id)]
    assert "the room's head is not its last events" in whats
    assert "the stored state is not the one that the events make" in whats
