"""Full-text search of events."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LogPosition
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage.dialect import WordIndex, indexed, words_query
from homeserver.storage.events import SELECT_EVENTS, Status, StoredEvent, stored_event
from homeserver.storage.schema.search import search_texts
from homeserver.storage.schema.timeline import events, members, rooms


@dataclass(frozen=True, slots=True)
class SearchText:
    """The search text of one event; `room` is the position of its room."""

    position: LogPosition
    room_id: RoomId
    room: LogPosition
    sender: UserId
    key: str
    words: Sequence[str]


class Term(NamedTuple):
    """A part of a search: `tokens` in a row, the last of them perhaps only the beginning of one. `text` is as typed."""

    text: str
    tokens: tuple[str, ...]
    is_prefix: bool = False


class OwnPlace(NamedTuple):
    """A room whose events a user may search. `position` is the room's, `state_id` its current snapshot."""

    room_id: RoomId
    position: LogPosition
    membership: str
    state_id: int


class Match(NamedTuple):
    """An event that matches."""

    position: LogPosition
    room_id: RoomId
    sender: UserId
    key: str
    rank: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """A search: all the terms, in one of the rooms (by their positions), not after `until`."""

    terms: Sequence[Term]
    rooms: Sequence[LogPosition]
    keys: Collection[str]
    senders: Collection[str] | None = None
    not_senders: Collection[str] = ()
    until: LogPosition
    limit: int


_ADD = insert(search_texts)
_DROP = delete(search_texts).where(search_texts.c.position.in_(bindparam("positions", expanding=True)))
_PLACES = (
    select(rooms.c.room_id, rooms.c.position, members.c.membership, rooms.c.state_id)
    .join_from(members, rooms, rooms.c.room_id == members.c.room_id)
    .where(
        members.c.user_id == bindparam("reader"),
        members.c.membership.in_(("join", "leave", "ban")),
        ~members.c.forgotten,
    )
    .order_by(rooms.c.active_position.desc())
    .limit(bindparam("count"))
)


def _statement(condition: Any, rank: Any, order: Any, by_sender: bool) -> Select[Any]:
    found = search_texts.c
    return (
        select(found.position, found.room_id, found.sender, found.key, rank.label("rank"))
        .where(
            condition,
            found.key.in_(bindparam("keys", expanding=True)),
            found.position <= bindparam("until"),
            found.sender.not_in(bindparam("not_senders", expanding=True)),
            *([found.sender.in_(bindparam("senders", expanding=True))] if by_sender else ()),
        )
        .order_by(order)
        .limit(bindparam("count"))
    )


_WORDS = WordIndex(search_texts, search_texts.c.position, "search_words")
_FIND = {  # by database name, and whether the senders are restricted
    (name, by_sender): _statement(*parts, by_sender)
    for name, parts in _WORDS.both()
    for by_sender in (False, True)
}
_hits = events.alias("hits")
_near = events.alias("near")
_in_room = (_near.c.room_id == _hits.c.room_id, _near.c.status == int(Status.ACCEPTED))
_first = (
    select(_near.c.timeline_order)
    .where(*_in_room, _near.c.timeline_order < _hits.c.timeline_order)
    .order_by(_near.c.timeline_order.desc())
    .limit(1)
    .offset(bindparam("before"))
    .correlate(_hits)
    .scalar_subquery()
)
_last = (
    select(_near.c.timeline_order)
    .where(*_in_room, _near.c.timeline_order > _hits.c.timeline_order)
    .order_by(_near.c.timeline_order)
    .limit(1)
    .offset(bindparam("after"))
    .correlate(_hits)
    .scalar_subquery()
)
_FAR = 2**62
_timelines = (  # of each match where its context begins and ends; looked up once per match, hence the offset
    select(
        _hits.c.position.label("hit"),
        _hits.c.room_id,
        func.coalesce(_first, -_FAR).label("first"),
        func.coalesce(_last, _FAR).label("last"),
    )
    .where(_hits.c.position.in_(bindparam("positions", expanding=True)))
    .offset(0)
    .subquery()
)
_AROUND = (
    SELECT_EVENTS.add_columns(_timelines.c.hit)
    .join(_timelines, _timelines.c.room_id == events.c.room_id)
    .where(
        events.c.status == int(Status.ACCEPTED),
        events.c.timeline_order > _timelines.c.first,
        events.c.timeline_order < _timelines.c.last,
    )
    .order_by(events.c.timeline_order)
)


async def set_texts(
    conn: AsyncConnection, positions: Collection[LogPosition], texts: Sequence[SearchText]
) -> None:
    """Replace the search texts of the events at these positions; events without a new text are not found any more."""
    await conn.execute(_DROP, {"positions": list(positions)})
    rows = [
        {
            "position": one.position,
            "room_id": one.room_id,
            "sender": one.sender,
            "key": one.key,
            "words": indexed(conn, [_room_word(one.room), *one.words]),
        }
        for one in texts
    ]
    if rows:
        await conn.execute(_ADD, rows)


async def own_places(conn: AsyncConnection, user_id: UserId, limit: int) -> list[OwnPlace]:
    """The rooms that a user is or was joined to, the latest active first."""
    return [OwnPlace(*row) for row in await conn.execute(_PLACES, {"reader": user_id, "count": limit})]


async def find(conn: AsyncConnection, query: SearchQuery) -> list[Match]:
    """The newest events that have all the terms."""
    statement = _FIND[conn.dialect.name, query.senders is not None]
    values = {
        "query": words_query(
            conn,
            [(one.tokens, one.is_prefix) for one in query.terms],
            [_room_word(room) for room in query.rooms],
        ),
        "keys": list(query.keys),
        "senders": list(query.senders or ()),
        "not_senders": list(query.not_senders),
        "until": query.until,
        "count": query.limit,
    }
    return [Match(*row) for row in await conn.execute(statement, values)]


async def around(
    conn: AsyncConnection, positions: Collection[LogPosition], *, before: int, after: int
) -> dict[LogPosition, list[StoredEvent]]:
    """The context of each event by its position: the given numbers of events before and after it, oldest first."""
    values = {"positions": list(positions), "before": before, "after": after}
    found: dict[LogPosition, list[StoredEvent]] = {position: [] for position in positions}
    for row in await conn.execute(_AROUND, values):
        found[row.hit].append(stored_event(row))
    return found


def _room_word(position: LogPosition) -> str:
    """A word that only events of one room have, so that the index skips other rooms. No query text can contain it."""
    return f"!{position}"
