"""State snapshots: a room's state as a chain of deltas down to a whole one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId, RoomId
from homeserver.protocol.versions import rules_for
from homeserver.storage.schema.timeline import events, rooms, snapshot_entries, snapshots


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """A snapshot to write: `entries` are the changes to the parent, or everything when `whole`."""

    state_id: int
    room_id: RoomId
    parent_id: int | None
    chain: int
    whole: bool
    entries: tuple[tuple[str, str, EventId], ...]


_REDACTED = select(events.c.room_id, events.c.event_id, events.c.redacted_by).where(
    events.c.room_id.in_(bindparam("room_ids", expanding=True)),
    events.c.state_key.is_not(None),
    events.c.redacted_by.is_not(None),
)
_ADD = insert(snapshots)
_ADD_ENTRIES = insert(snapshot_entries)

_seed = select(
    snapshots.c.state_id, snapshots.c.parent_id, snapshots.c.whole, literal(0).label("back")
).where(snapshots.c.state_id == bindparam("of"))
_chain = _seed.cte("chain", recursive=True)
_chain = _chain.union_all(
    select(snapshots.c.state_id, snapshots.c.parent_id, snapshots.c.whole, _chain.c.back + 1)
    .join_from(snapshots, _chain, snapshots.c.state_id == _chain.c.parent_id)
    .where(~_chain.c.whole)
)
_STATE = (
    select(
        snapshot_entries.c.type,
        snapshot_entries.c.state_key,
        events.c.event_id,
        events.c.pdu,
        rooms.c.version,
    )
    .join_from(_chain, snapshot_entries, snapshot_entries.c.state_id == _chain.c.state_id)
    .join(events, events.c.event_id == snapshot_entries.c.event_id)
    .join(rooms, rooms.c.room_id == events.c.room_id)
    .order_by(_chain.c.back.desc())
)


async def add_snapshots(conn: AsyncConnection, rows: Sequence[SnapshotRow]) -> None:
    """Write snapshots with their entries."""
    await conn.execute(
        _ADD,
        [
            {
                "state_id": row.state_id,
                "room_id": row.room_id,
                "parent_id": row.parent_id,
                "chain": row.chain,
                "whole": row.whole,
            }
            for row in rows
        ],
    )
    entries: list[dict[str, Any]] = [
        {"state_id": row.state_id, "type": kind, "state_key": state_key, "event_id": event_id}
        for row in rows
        for kind, state_key, event_id in row.entries
    ]
    await conn.execute(_ADD_ENTRIES, entries)


async def state_at(conn: AsyncConnection, state_id: int) -> dict[tuple[str, str], Event]:
    """The state events of a snapshot, by (type, state key)."""
    state: dict[tuple[str, str], Event] = {}
    for row in await conn.execute(_STATE, {"of": state_id}):  # oldest delta first, so that newer ones win
        rules = rules_for(row.version)
        state[row.type, row.state_key] = Event.from_json(row.pdu, rules, row.event_id)
    return state


async def redacted_state(
    conn: AsyncConnection, room_ids: Collection[RoomId]
) -> dict[RoomId, dict[EventId, EventId]]:
    """The state events of each room that were redacted, each with its redaction."""
    found: dict[RoomId, dict[EventId, EventId]] = {room_id: {} for room_id in room_ids}
    for row in await conn.execute(_REDACTED, {"room_ids": list(room_ids)}):
        found[row.room_id][row.event_id] = row.redacted_by
    return found
