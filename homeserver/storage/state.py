"""State snapshots: a room's state as a chain of deltas down to a whole one.

A delta sets any number of keys, or removes them: then its entry has no event.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, Select, and_, bindparam, insert, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.protocol.versions import rules_for
from homeserver.storage.schema.timeline import events, rooms, snapshot_entries, snapshots


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """A snapshot to be inserted: `entries` are the changes to the parent, or the whole state if `whole`.

    An entry without an event removes its key.
    """

    state_id: int
    room_id: RoomId
    parent_id: int | None
    chain: int
    whole: bool
    entries: tuple[tuple[str, str, EventId | None], ...]


_REDACTED = select(events.c.room_id, events.c.event_id, events.c.redacted_by).where(
    events.c.room_id.in_(bindparam("room_ids", expanding=True)),
    events.c.state_key.is_not(None),
    events.c.redacted_by.is_not(None),
)
_ADD = insert(snapshots)
_ADD_ENTRIES = insert(snapshot_entries)

LINK = (snapshots.c.state_id, snapshots.c.parent_id, snapshots.c.whole, literal(0).label("back"))


def chain_of(seed: Select[Any]) -> CTE:
    """The chains of snapshots, each from the one that `seed` selects down to the nearest whole one.

    `seed` selects LINK and a column `root` that identifies the chain. Readers of a chain's entries must order them by
    `back`, the greatest first, so that newer ones win.
    """
    chain = seed.cte("chain", recursive=True)
    return chain.union_all(
        select(chain.c.root, snapshots.c.state_id, snapshots.c.parent_id, snapshots.c.whole, chain.c.back + 1)
        .join_from(snapshots, chain, snapshots.c.state_id == chain.c.parent_id)
        .where(~chain.c.whole)
    )


_chain = chain_of(
    select(snapshots.c.state_id.label("root"), *LINK).where(
        snapshots.c.state_id.in_(bindparam("state_ids", expanding=True))
    )
)
_STATES = (
    select(
        _chain.c.root,
        snapshot_entries.c.type,
        snapshot_entries.c.state_key,
        snapshot_entries.c.event_id,
        events.c.pdu,
        rooms.c.version,
    )
    .join_from(_chain, snapshot_entries, snapshot_entries.c.state_id == _chain.c.state_id)
    .join(events, events.c.event_id == snapshot_entries.c.event_id, isouter=True)
    .join(rooms, rooms.c.room_id == events.c.room_id, isouter=True)
    .order_by(_chain.c.back.desc())
)
_is_member = snapshot_entries.c.type == "m.room.member"
_is_of_some = snapshot_entries.c.state_key.in_(bindparam("user_ids", expanding=True))
_is_of_types = snapshot_entries.c.type.in_(bindparam("types", expanding=True))
_STATES_WITH_SOME = _STATES.where(or_(~_is_member, _is_of_some))
_STATES_OF_TYPES = _STATES.where(or_(_is_of_types, and_(_is_member, _is_of_some)))


async def add_snapshots(conn: AsyncConnection, rows: Sequence[SnapshotRow]) -> None:
    """Insert snapshots with their entries."""
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


async def state_at(conn: AsyncConnection, state_id: int) -> dict[StateKey, Event]:
    """The state events of a snapshot, by (type, state key)."""
    return (await states_at(conn, [state_id]))[state_id]


async def states_at(
    conn: AsyncConnection,
    state_ids: Collection[int],
    *,
    types: Collection[str] | None = None,
    user_ids: Collection[UserId] | None = None,
) -> dict[int, dict[StateKey, Event]]:
    """The state events of each snapshot.

    `types`: only these types, and these users' member events. `user_ids` without types: everything, but only these
    users' member events.
    """
    values = {"state_ids": list(state_ids), "types": list(types or ()), "user_ids": list(user_ids or ())}
    statement = _STATES if user_ids is None else _STATES_WITH_SOME
    if types is not None:
        statement = _STATES_OF_TYPES
    states: dict[int, dict[StateKey, Event]] = {state_id: {} for state_id in state_ids}
    for row in await conn.execute(statement, values):  # oldest delta first, so that newer ones win
        root, event_type, state_key, event_id, pdu, version = row
        if event_id is None:
            states[root].pop((event_type, state_key), None)
        else:
            states[root][event_type, state_key] = Event.from_json(pdu, rules_for(version), event_id)
    return states


async def redacted_state(
    conn: AsyncConnection, room_ids: Collection[RoomId]
) -> dict[RoomId, dict[EventId, EventId]]:
    """The redacted state events of each room, each with its redaction."""
    found: dict[RoomId, dict[EventId, EventId]] = {room_id: {} for room_id in room_ids}
    for row in await conn.execute(_REDACTED, {"room_ids": list(room_ids)}):
        found[row.room_id][row.event_id] = row.redacted_by
    return found
