"""The list of a user's rooms, latest activity first: cached, and read again only where something changed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from homeserver.kit.cache import BoundedCache
from homeserver.model import EntryKind, LogPosition
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.clientdata.accountdata import TAGS
from homeserver.storage import sliding as stored_sliding
from homeserver.storage import sync as stored
from homeserver.storage.accountdata import AccountDataItem
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.storage.sync import OwnRoom
from homeserver.timeline.live import Live

DIRECT: Final = "m.direct"
_LOOKED_THROUGH: Final = 2000  # cached entries that are scanned; above that the whole list is read again
_CACHED_FACTS: Final = 200_000


@dataclass(frozen=True, slots=True)
class RoomList:
    """A user's rooms at position `seen` or shortly after. `never_joined`: left rooms (kicked, banned) never joined."""

    seen: LogPosition
    rows: Mapping[RoomId, OwnRoom]
    order: Sequence[OwnRoom]
    never_joined: Collection[RoomId]
    direct: Collection[RoomId]
    tags: Mapping[RoomId, Collection[str]]

    @property
    def joined(self) -> list[RoomId]:
        return [room_id for room_id, row in self.rows.items() if row.membership == "join"]


class RoomAttributes(NamedTuple):
    """Facts from a room's state, for filters."""

    type: str | None
    is_encrypted: bool


class _Moves(NamedTuple):
    """What a cached room list lacks: changed rooms, and account data."""

    rooms: Collection[RoomId]
    data: bool


class RoomLists:
    """Caches the room lists of recent readers. `note` must be given every entry of the log."""

    def __init__(self, db: Database, live: Live, *, cached: int) -> None:
        self._db = db
        self._live = live
        self._room_lists: BoundedCache[UserId, RoomList] = BoundedCache(cached)
        self._facts: BoundedCache[RoomId, RoomAttributes] = BoundedCache(_CACHED_FACTS)

    def note(self, entry: Entry) -> None:
        """Handle a log entry: encryption may have been enabled in a room."""
        if entry.event is not None and entry.event.event.type == "m.room.encryption":
            self._facts.drop(entry.event.event.room_id)

    async def of(self, user_id: UserId) -> RoomList:
        """A user's rooms, up to the last log entry that this process has read."""
        seen, held = self._live.position, self._room_lists.get(user_id)
        moves = None if held is None else self._moves(held, user_id)
        if held is None or moves is None:
            room_list = await self._whole(user_id, seen)
        else:
            room_list = await self._moved(user_id, seen, held, moves)
        self._room_lists.put(user_id, room_list)
        return room_list

    async def facts(self, room_ids: Collection[RoomId]) -> Mapping[RoomId, RoomAttributes]:
        """Facts from the state of these rooms; cached for rooms that were asked for recently."""
        found = {room_id: self._facts.get(room_id) for room_id in room_ids}
        known = {room_id: facts for room_id, facts in found.items() if facts is not None}
        missing = [room_id for room_id, facts in found.items() if facts is None]
        if missing:
            age = self._facts.age
            async with self._db.read() as conn:
                pieces = await stored_sliding.state_pieces(conn, missing)
            types = {one.room_id: _type(one.pdu) for one in pieces if one.type == "m.room.create"}
            encrypted = {one.room_id for one in pieces if one.type == "m.room.encryption"}
            for room_id in missing:
                known[room_id] = RoomAttributes(types.get(room_id), room_id in encrypted)
                self._facts.put(room_id, known[room_id], age)
        return known

    def _moves(self, held: RoomList, user_id: UserId) -> _Moves | None:
        """The changes since the cached list; None if they are not all in memory."""
        entries = self._live.recent(held.seen, _LOOKED_THROUGH + 1)
        if entries is None or len(entries) > _LOOKED_THROUGH:
            return None
        rooms, data = set[RoomId](), False
        for entry in entries:
            if entry.event is not None:
                event = entry.event.event
                is_own = event.type == "m.room.member" and event.state_key == user_id
                if is_own or event.room_id in held.rows:
                    rooms.add(event.room_id)
            elif entry.user_id == user_id:
                body = entry.body or {}
                if entry.kind is EntryKind.RECEIPT:
                    rooms.add(entry.room_id or RoomId(body.get("room_id", "")))
                elif entry.kind is EntryKind.FORGOTTEN:
                    rooms.add(RoomId(body["room_id"]))
                data = data or (entry.kind is EntryKind.ACCOUNT_DATA and body.get("type") in (TAGS, DIRECT))
        return _Moves(rooms, data)

    async def _whole(self, user_id: UserId, seen: LogPosition) -> RoomList:
        async with self._db.read() as conn:
            rows = {row.room_id: row for row in await stored.own_rooms(conn, user_id)}
            pieces = await stored_sliding.data_of_types(conn, user_id, (TAGS, DIRECT))
        never_joined = await self._never_joined(user_id, rows.values())
        return RoomList(seen, rows, _ordered(rows.values()), never_joined, _direct(pieces), _tags(pieces))

    async def _moved(self, user_id: UserId, seen: LogPosition, held: RoomList, moves: _Moves) -> RoomList:
        rows, order, direct, tags = held.rows, held.order, held.direct, held.tags
        never_joined = held.never_joined
        if moves.rooms:
            async with self._db.read() as conn:
                new = await stored.own_rooms_among(conn, user_id, moves.rooms)
            kept = {room_id: row for room_id, row in rows.items() if room_id not in moves.rooms}
            rows = {**kept, **{row.room_id: row for row in new}}
            order = _ordered(rows.values())
            never_joined = {*(set(never_joined) - set(moves.rooms)), *await self._never_joined(user_id, new)}
        if moves.data:
            async with self._db.read() as conn:
                pieces = await stored_sliding.data_of_types(conn, user_id, (TAGS, DIRECT))
            direct, tags = _direct(pieces), _tags(pieces)
        return RoomList(seen, rows, order, never_joined, direct, tags)

    async def _never_joined(self, user_id: UserId, rows: Iterable[OwnRoom]) -> set[RoomId]:
        """The rooms that a user was kicked or banned from without ever having joined."""
        removed = [row.room_id for row in rows if was_removed(row, user_id)]
        if not removed:
            return set()
        async with self._db.read() as conn:
            lines = await stored.sight_lines(conn, user_id, removed)
        return {
            room_id
            for room_id, line in lines.items()
            if not any(one.event.membership == "join" for one in line)
        }


def was_removed(row: OwnRoom, user_id: UserId) -> bool:
    """True if another user made the user leave (kick, ban)."""
    return row.membership in ("leave", "ban") and row.sender != user_id


def last_activity(row: OwnRoom) -> LogPosition:
    """The sort key of lists: the room's last event; for users not in the room their own member event."""
    return row.head_position if row.membership == "join" else row.position


def _ordered(rows: Iterable[OwnRoom]) -> list[OwnRoom]:
    return sorted(rows, key=last_activity, reverse=True)


def _type(pdu: bytes) -> str | None:
    content: Any = orjson.loads(pdu).get("content")
    found = content.get("type") if isinstance(content, dict) else None
    return found if isinstance(found, str) else None


def _direct(pieces: Iterable[AccountDataItem]) -> frozenset[RoomId]:
    found: set[RoomId] = set()
    for one in pieces:
        if one.type == DIRECT and not one.room_id:
            for room_ids in orjson.loads(one.content).values():
                if isinstance(room_ids, list):
                    found.update(RoomId(room_id) for room_id in room_ids if isinstance(room_id, str))
    return frozenset(found)


def _tags(pieces: Iterable[AccountDataItem]) -> dict[RoomId, frozenset[str]]:
    found = {}
    for one in pieces:
        tags = orjson.loads(one.content).get("tags") if one.type == TAGS and one.room_id else None
        if isinstance(tags, dict):
            found[RoomId(one.room_id)] = frozenset(tags)
    return found
