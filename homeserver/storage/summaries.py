"""Room summaries for users outside of the rooms, and the public room directory."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import BindParameter, Boolean, Row, Select, and_, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LOG_START, LogPosition
from homeserver.protocol.ids import RoomId
from homeserver.storage.dialect import Upsert
from homeserver.storage.schema.directory import room_summaries
from homeserver.storage.schema.timeline import rooms


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """A summary computed from a room's state; absent texts are empty. `search_text` is case-folded."""

    room_id: RoomId
    room_type: str | None
    join_rule: str
    allowed_rooms: tuple[RoomId, ...]
    world_readable: bool
    guests_can_join: bool
    canonical_alias: str
    avatar_url: str
    encryption: str
    search_text: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A room as users outside may see it. `allowed_rooms`: members of these may join without an invite.

    `position` is that of its create event, `state_id` its current snapshot; `closed`: it cannot be joined any more.
    """

    room_id: RoomId
    room_type: str | None
    join_rule: str
    allowed_rooms: tuple[RoomId, ...]
    world_readable: bool
    guests_can_join: bool
    canonical_alias: str
    avatar_url: str
    encryption: str
    name: str
    topic: str
    version: str
    member_count: int
    position: LogPosition
    state_id: int
    published: bool
    closed: bool


class DirectoryPlace(NamedTuple):
    """A place in the public room directory, which is sorted by size, the largest first."""

    member_count: int
    position: LogPosition


@dataclass(frozen=True, slots=True)
class PublishedQuery:
    """A page of the public room directory: at most `limit` rooms after a place, or before it.

    `pattern` is a LIKE pattern with backslash escapes; `room_types`: None for all, in it None for ordinary rooms.
    """

    limit: int
    place: DirectoryPlace | None = None
    backward: bool = False
    pattern: str = ""
    room_types: Collection[str | None] | None = None


_CHANGED = (
    *("room_type", "join_rule", "allowed_rooms", "world_readable", "guests_can_join"),
    *("canonical_alias", "avatar_url", "encryption", "search_text"),
)
_SET = Upsert(room_summaries, ["room_id"], _CHANGED)
_SELECT = select(
    room_summaries.c.room_id,
    room_summaries.c.room_type,
    room_summaries.c.join_rule,
    room_summaries.c.allowed_rooms,
    room_summaries.c.world_readable,
    room_summaries.c.guests_can_join,
    room_summaries.c.canonical_alias,
    room_summaries.c.avatar_url,
    room_summaries.c.encryption,
    rooms.c.name,
    rooms.c.topic,
    rooms.c.version,
    rooms.c.member_count,
    rooms.c.position,
    rooms.c.state_id,
    room_summaries.c.published,
    rooms.c.closed,
).join_from(room_summaries, rooms, rooms.c.room_id == room_summaries.c.room_id)
_BY_ID = _SELECT.where(room_summaries.c.room_id.in_(bindparam("room_ids", expanding=True)))
_listed = (room_summaries.c.published, ~rooms.c.closed)
_count: BindParameter[int] = bindparam("at_count")
_at: BindParameter[LogPosition] = bindparam("at_position")
_after = or_(rooms.c.member_count < _count, and_(rooms.c.member_count == _count, rooms.c.position > _at))
_before = or_(rooms.c.member_count > _count, and_(rooms.c.member_count == _count, rooms.c.position < _at))
_like = room_summaries.c.search_text.like(bindparam("pattern"), escape="\\")
_of_types = or_(
    room_summaries.c.room_type.in_(bindparam("room_types", expanding=True)),
    and_(bindparam("untyped", type_=Boolean), room_summaries.c.room_type.is_(None)),
)
# Every combination of filters, as a statement built once: {(backward, by words, by types): statement}.
_LISTS: dict[tuple[bool, bool, bool], Select[Any]] = {
    (backward, by_words, by_types): _SELECT.where(
        *_listed,
        _before if backward else _after,
        *([_like] if by_words else []),
        *([_of_types] if by_types else []),
    )
    .order_by(
        rooms.c.member_count if backward else rooms.c.member_count.desc(),
        rooms.c.position.desc() if backward else rooms.c.position,
    )
    .limit(bindparam("count"))
    for backward in (False, True)
    for by_words in (False, True)
    for by_types in (False, True)
}
_TOTAL = (
    select(func.count())
    .select_from(room_summaries)
    .join(rooms, rooms.c.room_id == room_summaries.c.room_id)
    .where(*_listed)
)
_PUBLISH = (
    update(room_summaries)
    .where(room_summaries.c.room_id == bindparam("of_room"))
    .values(published=bindparam("is_published"))
)
_AT = select(rooms.c.position, rooms.c.room_id).where(
    rooms.c.position.in_(bindparam("positions", expanding=True))
)
_FIRST = DirectoryPlace(2**31 - 1, LOG_START)  # before every room


async def set_summaries(conn: AsyncConnection, rows: Sequence[SummaryRow]) -> None:
    """Write summaries; whether the rooms are published stays."""
    values = [{**asdict(row), "allowed_rooms": orjson.dumps(row.allowed_rooms).decode()} for row in rows]
    await conn.execute(_SET.on(conn), values)


async def summaries(conn: AsyncConnection, room_ids: Collection[RoomId]) -> dict[RoomId, Summary]:
    """Summaries by room id; unknown rooms are left out."""
    return {row.room_id: _summary(row) for row in await conn.execute(_BY_ID, {"room_ids": list(room_ids)})}


async def published(conn: AsyncConnection, query: PublishedQuery) -> list[Summary]:
    """A page of the public room directory, in its order."""
    types = query.room_types
    place = query.place or _FIRST
    values = {
        "at_count": place.member_count,
        "at_position": place.position,
        "pattern": query.pattern,
        "room_types": [one for one in types or () if one is not None],
        "untyped": None in (types or ()),
        "count": query.limit,
    }
    statement = _LISTS[query.backward, bool(query.pattern), types is not None]
    found = [_summary(row) for row in await conn.execute(statement, values)]
    return found[::-1] if query.backward else found


async def count_published(conn: AsyncConnection) -> int:
    """How many rooms are published."""
    return (await conn.execute(_TOTAL)).scalar_one()


async def publish(conn: AsyncConnection, wanted: Collection[tuple[RoomId, bool]]) -> None:
    """Publish rooms in the directory, or remove them from it."""
    await conn.execute(_PUBLISH, [{"of_room": room_id, "is_published": is_on} for room_id, is_on in wanted])


async def rooms_at(conn: AsyncConnection, positions: Collection[LogPosition]) -> dict[LogPosition, RoomId]:
    """The rooms whose create events have these positions."""
    rows = await conn.execute(_AT, {"positions": list(positions)})
    return {row.position: row.room_id for row in rows}


def _summary(row: Row[*tuple[Any, ...]]) -> Summary:
    values = row._asdict()
    return Summary(**{**values, "allowed_rooms": tuple(orjson.loads(values["allowed_rooms"]))})
