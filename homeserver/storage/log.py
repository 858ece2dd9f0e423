"""The log: one total order of everything that clients can sync.

A position is taken as the last step before the inserts of a transaction, under the row lock of `log_head`; so
positions become visible in their own order, without gaps, on both databases and with any number of workers. The ids
of new state snapshots come from the same row in the same statement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import orjson
from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import Content, EntryKind, LogPosition
from homeserver.protocol.event import StateKey
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage.dialect import Upsert
from homeserver.storage.events import EVENT_COLUMNS, StoredEvent, unedited_event
from homeserver.storage.schema.timeline import cursors, events, log, log_head, rooms
from homeserver.storage.sqlite import UNANSWERED


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log: `event` for an EVENT, `body` for any other kind.

    `body` of an EVENT is {"changed": [[type, state key], ...]}, if the event changed other keys of the room's current
    state than the one that it sets.
    """

    position: LogPosition
    kind: EntryKind
    room_id: RoomId | None
    user_id: UserId | None
    created_ms: int
    event: StoredEvent | None = None
    body: Content | None = None

    @property
    def changed(self) -> tuple[StateKey, ...]:
        """The keys of the room's current state that this entry changed."""
        if self.event is None:
            return ()
        if self.body is not None:
            return tuple((kind, state_key) for kind, state_key in self.body["changed"])
        return (self.event.event.key,) if self.event.event.is_state else ()

    @property
    def moved(self) -> tuple[UserId, ...]:
        """The users whose member event in the room this entry changed."""
        if self.event is None or (self.body is None and self.event.event.type != "m.room.member"):
            return ()  # most entries, and every long poll asks each of them
        return tuple(UserId(state_key) for kind, state_key in self.changed if kind == "m.room.member")


class Taken(NamedTuple):
    """The first position and the first snapshot id that a transaction may use."""

    position: LogPosition
    state_id: int


_TAKE = (
    update(log_head)
    .values(
        position=log_head.c.position + bindparam("count"), state_id=log_head.c.state_id + bindparam("states")
    )
    .returning(log_head.c.position, log_head.c.state_id)
)
_HEAD = select(log_head.c.position)
_ADD = insert(log).execution_options(**UNANSWERED)
_AFTER = (
    select(*EVENT_COLUMNS, log)
    .join_from(log, events, events.c.event_id == log.c.event_id, isouter=True)
    .join(rooms, rooms.c.room_id == events.c.room_id, isouter=True)
    .where(log.c.position > bindparam("after"))
    .order_by(log.c.position)
    .limit(bindparam("count"))
)
_CURSOR = select(cursors.c.position).where(cursors.c.consumer == bindparam("consumer"))
_ADD_CURSOR = Upsert(cursors, ["consumer"])
_MOVE_CURSOR = (
    update(cursors)
    .where(cursors.c.consumer == bindparam("of"), cursors.c.position == bindparam("was"))
    .values(position=bindparam("new"))
)


async def take_positions(conn: AsyncConnection, count: int) -> LogPosition:
    """Take `count` positions and return the first. Call it last before the inserts: it locks the log."""
    return (await take(conn, count, 0)).position


async def take(conn: AsyncConnection, count: int, states: int) -> Taken:
    """Take `count` positions and `states` snapshot ids. Call it last before the inserts: it locks the log."""
    last = (await conn.execute(_TAKE, {"count": count, "states": states})).one()
    return Taken(LogPosition(last.position - count + 1), last.state_id - states + 1)


async def head(conn: AsyncConnection) -> LogPosition:
    """The last position taken (LOG_START in an empty log)."""
    return cast(LogPosition, (await conn.execute(_HEAD)).scalar_one())


async def add_entries(conn: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Insert entries whose positions were taken in this transaction."""
    await conn.execute(_ADD, [_row(entry) for entry in entries])


async def entries_after(conn: AsyncConnection, after: LogPosition, limit: int) -> list[Entry]:
    """The next entries after a position, in order, at most `limit`."""
    rows = await conn.execute(_AFTER, {"after": after, "count": limit})
    return [_entry(row) for row in rows]


async def cursor(conn: AsyncConnection, consumer: str) -> LogPosition | None:
    """The position up to which a consumer has handled the log; None if it never ran."""
    return (await conn.execute(_CURSOR, {"consumer": consumer})).scalar_one_or_none()


async def add_cursor(conn: AsyncConnection, consumer: str, position: LogPosition) -> None:
    """Create a consumer's cursor at `position`; an existing one stays unchanged."""
    await conn.execute(_ADD_CURSOR.on(conn), {"consumer": consumer, "position": position})


async def move_cursor(conn: AsyncConnection, consumer: str, was: LogPosition, new: LogPosition) -> bool:
    """Move a consumer's cursor from `was` to `new`; False if it is not at `was` any more."""
    moved = await conn.execute(_MOVE_CURSOR, {"of": consumer, "was": was, "new": new})
    return moved.rowcount == 1


def _row(entry: Entry) -> Mapping[str, Any]:
    return {
        "position": entry.position,
        "kind": entry.kind.value,
        "room_id": entry.room_id,
        "user_id": entry.user_id,
        "event_id": entry.event.event.event_id if entry.event else None,
        "body": None if entry.body is None else orjson.dumps(entry.body),
        "created_ms": entry.created_ms,
    }


def plain_entry(row: Row[*tuple[Any, ...]]) -> Entry:
    """The record of a row of the log that is no event."""
    return Entry(
        position=row.position,
        kind=EntryKind(row.kind),
        room_id=row.room_id,
        user_id=row.user_id,
        created_ms=row.created_ms,
        body=None if row.body is None else orjson.loads(row.body),
    )


def _entry(row: Row[*tuple[Any, ...]]) -> Entry:
    return Entry(
        position=row.position,
        kind=EntryKind(row.kind),
        room_id=row.room_id,
        user_id=row.user_id,
        created_ms=row.created_ms,
        event=None if row.pdu is None else unedited_event(row),
        body=None if row.body is None else orjson.loads(row.body),
    )
