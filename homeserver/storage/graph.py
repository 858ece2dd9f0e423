"""The event graph: events whatever their status, their auth chains and states, and where their history is missing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import Place
from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId, RoomId
from homeserver.protocol.versions import RoomRules
from homeserver.storage.dialect import Upsert, among, rows_of
from homeserver.storage.events import Status
from homeserver.storage.schema.timeline import backward_extremities, event_auth, events, snapshots


@dataclass(frozen=True, slots=True)
class GraphEvent:
    """An event of the graph. `place`: None for one that its room's timeline does not show.

    `state_id`: the state after the event; of a rejected event that before it; None for an outlier. `before_id`: the
    state before it, None if it is that after its only prev event.
    """

    event: Event
    status: Status
    place: Place | None = None
    state_id: int | None = None
    before_id: int | None = None
    is_redacted: bool = False


_of_room = events.c.room_id == bindparam("in_room")
_BY_ID = select(
    events.c.event_id,
    events.c.status,
    events.c.timeline_order,
    func.coalesce(events.c.own_state_id, events.c.state_id).label("after_id"),
    events.c.before_state_id,
    events.c.redacted_by,
    events.c.pdu,
).where(_of_room, among("event_ids", events.c.event_id))
_STATUSES = select(events.c.event_id, events.c.status).where(_of_room, among("event_ids", events.c.event_id))
_first = select(event_auth.c.auth_id).where(among("event_ids", event_auth.c.event_id))
_reached = _first.cte("auth_chain", recursive=True)
_chain = _reached.union(
    select(event_auth.c.auth_id).join_from(event_auth, _reached, event_auth.c.event_id == _reached.c.auth_id)
)
_CHAIN = select(_chain.c.auth_id)
_LENGTHS = select(snapshots.c.state_id, snapshots.c.chain).where(
    snapshots.c.state_id.in_(bindparam("state_ids", expanding=True))
)
_ADD = Upsert(events, ["event_id"])
_SETTLE = (
    update(events)
    .where(events.c.event_id == bindparam("of_event"), events.c.status == int(Status.OUTLIER))
    .values(status=bindparam("now"), state_id=bindparam("after_id"), before_state_id=bindparam("before_id"))
)
_REMOVE = delete(events).where(
    events.c.event_id == bindparam("of_event"), events.c.status == int(Status.OUTLIER)
)
_ADD_AUTH = Upsert(event_auth, ["event_id", "auth_id"])
_ADD_MISSING = Upsert(backward_extremities, ["room_id", "event_id"])
_MISSING = select(backward_extremities.c.event_id).where(
    backward_extremities.c.room_id == bindparam("in_room")
)
_FOUND = delete(backward_extremities).where(
    backward_extremities.c.room_id == bindparam("of_room"),
    backward_extremities.c.event_id == bindparam("of_event"),
)


async def events_by_id(
    conn: AsyncConnection, room_id: RoomId, event_ids: Collection[EventId], rules: RoomRules
) -> dict[EventId, GraphEvent]:
    """Events of a room by id, whatever their status; those that are not here are left out."""
    if not event_ids:
        return {}
    rows = await conn.execute(_BY_ID, {"in_room": room_id, "event_ids": _ids(event_ids)})
    return {row.event_id: _graph_event(row, rules) for row in rows}


def _graph_event(row: Row[*tuple[Any, ...]], rules: RoomRules) -> GraphEvent:
    return GraphEvent(
        Event.from_json(row.pdu, rules, row.event_id),
        Status(row.status),
        row.timeline_order,
        row.after_id,
        row.before_state_id,
        row.redacted_by is not None,
    )


async def statuses(
    conn: AsyncConnection, room_id: RoomId, event_ids: Collection[EventId]
) -> dict[EventId, Status]:
    """The status of each event of a room that is here."""
    if not event_ids:
        return {}
    rows = await conn.execute(_STATUSES, {"in_room": room_id, "event_ids": _ids(event_ids)})
    return {row.event_id: Status(row.status) for row in rows}


async def auth_chain(conn: AsyncConnection, event_ids: Collection[EventId]) -> set[EventId]:
    """The auth events of state events, the auth events of those, and so on; not the events themselves."""
    if not event_ids:
        return set()
    return set((await conn.execute(_CHAIN, {"event_ids": _ids(event_ids)})).scalars())


async def chain_lengths(conn: AsyncConnection, state_ids: Collection[int]) -> dict[int, int]:
    """For each snapshot, the number of deltas since the last whole one."""
    rows = await conn.execute(_LENGTHS, {"state_ids": list(state_ids)})
    return {row.state_id: row.chain for row in rows}


async def add_events(conn: AsyncConnection, added: Sequence[GraphEvent]) -> None:
    """Insert events without a place: outliers, rejected and soft-failed ones. Those that are here stay as they are."""
    if not added:
        return
    await conn.execute(_ADD.on(conn), [_row(one) for one in added])
    await add_auth(conn, [one.event for one in added])


async def add_auth(conn: AsyncConnection, added: Sequence[Event]) -> None:
    """Insert the auth events of those among these events that are state events."""
    rows = [
        {"event_id": one.event_id, "auth_id": auth_id}
        for one in added
        if one.is_state
        for auth_id in set(one.auth_events)
    ]
    if rows:
        await conn.execute(_ADD_AUTH.on(conn), rows)


async def settle(conn: AsyncConnection, settled: Sequence[GraphEvent]) -> None:
    """Give outliers their status and states, now that the events before them are here; they get no place."""
    rows = [
        {
            "of_event": one.event.event_id,
            "now": int(one.status),
            "after_id": one.state_id,
            "before_id": one.before_id,
        }
        for one in settled
    ]
    if rows:
        await conn.execute(_SETTLE, rows)


async def remove_outliers(conn: AsyncConnection, event_ids: Collection[EventId]) -> None:
    """Delete outliers that are inserted anew with a place, in the same transaction."""
    await conn.execute(_REMOVE, [{"of_event": event_id} for event_id in event_ids])


async def backward(conn: AsyncConnection, room_id: RoomId) -> list[EventId]:
    """The events before a room's history that are not here."""
    return list((await conn.execute(_MISSING, {"in_room": room_id})).scalars())


async def move_backward(
    conn: AsyncConnection, room_id: RoomId, *, found: Collection[EventId], missing: Collection[EventId]
) -> None:
    """Note events that history goes on with, and forget those that came."""
    if found:
        await conn.execute(_FOUND, [{"of_room": room_id, "of_event": event_id} for event_id in found])
    if missing:
        rows = [{"room_id": room_id, "event_id": event_id} for event_id in missing]
        await conn.execute(_ADD_MISSING.on(conn), rows)


def _ids(event_ids: Collection[EventId]) -> str:
    return rows_of([(event_id,) for event_id in event_ids])


def _row(one: GraphEvent) -> dict[str, Any]:
    event = one.event
    return {
        "event_id": event.event_id,
        "room_id": event.room_id,
        "type": event.type,
        "state_key": event.state_key,
        "sender": event.sender,
        "depth": event.depth,
        "origin_server_ts": event.origin_server_ts,
        "status": int(one.status),
        "state_id": one.state_id,
        "before_state_id": one.before_id,
        "pdu": event.json,
    }
