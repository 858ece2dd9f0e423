"""Unread notification counts: stored with events and receipts, and only added up here."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.kit.batching import BatchLoader
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.storage import unread as stored
from homeserver.storage.db import Database
from homeserver.storage.notify import NO_THREAD
from homeserver.storage.unread import UnreadCount


class Count(NamedTuple):
    """Unread notifications, and the highlighted ones among them."""

    notify: int = 0
    highlight: int = 0


_NONE = Count()
_FEW: Final = 4  # at most this many rooms: the query is batched with those of other users
_TOGETHER: Final = 250  # users whose queries are batched into one

_Question: TypeAlias = tuple[UserId, tuple[RoomId, ...]]


@dataclass(frozen=True, slots=True)
class Unread:
    """Counts of a room: `main` is what is in no thread; `threads` has only threads with unread notifications."""

    main: Count = _NONE
    threads: Mapping[EventId, Count] = field(default_factory=dict)

    @property
    def whole(self) -> Count:
        """The counts of the room with all its threads."""
        parts = (self.main, *self.threads.values())
        return Count(sum(one.notify for one in parts), sum(one.highlight for one in parts))


class Counts:
    """Adds up the stored counts. A fixed number of statements for any number of rooms and users."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._gathering = BatchLoader("count unread", self._together, _TOGETHER)

    async def of(self, user_id: UserId, room_ids: Sequence[RoomId]) -> Mapping[RoomId, Unread]:
        """A user's unread counts in each of these rooms; none for rooms that they have not joined.

        Users woken by the same message are answered by one query.
        """
        if len(room_ids) <= _FEW:
            return await self._gathering.get((user_id, tuple(room_ids))) if room_ids else {}
        async with self._db.read() as conn:
            return await unread_of(conn, user_id, room_ids)

    async def _together(self, questions: Sequence[_Question]) -> dict[_Question, dict[RoomId, Unread]]:
        user_ids = {user_id for user_id, _ in questions}
        asked = {room_id for _, room_ids in questions for room_id in room_ids}
        async with self._db.read() as conn:
            found = await stored.tallies(conn, user_ids, asked)
        tallies: dict[UserId, list[UnreadCount]] = {user_id: [] for user_id in user_ids}
        for one in found:
            tallies[one.user_id].append(one)
        by_room = {user_id: _by_room(parts) for user_id, parts in tallies.items()}
        return {
            (user_id, room_ids): {room_id: by_room[user_id].get(room_id, Unread()) for room_id in room_ids}
            for user_id, room_ids in questions
        }

    async def totals(self, user_ids: Collection[UserId]) -> dict[UserId, Count]:
        """Each user's unread counts, over all their rooms."""
        if not user_ids:
            return {}
        async with self._db.read() as conn:
            tallies = await stored.tallies(conn, user_ids)
        of_people: dict[UserId, list[UnreadCount]] = {user_id: [] for user_id in user_ids}
        for one in tallies:
            of_people[one.user_id].append(one)
        return {user_id: _sum(_by_room(parts).values()) for user_id, parts in of_people.items()}


async def unread_of(
    conn: AsyncConnection, user_id: UserId, room_ids: Collection[RoomId]
) -> dict[RoomId, Unread]:
    """The same with the caller's database connection."""
    found = dict.fromkeys(room_ids, Unread())
    return found | _by_room(await stored.tallies(conn, [user_id], room_ids)) if room_ids else found


def _by_room(tallies: Iterable[UnreadCount]) -> dict[RoomId, Unread]:
    added: dict[RoomId, dict[EventId, Count]] = {}
    for one in tallies:
        parts = added.setdefault(one.room_id, {})
        before = parts.get(one.thread_id, _NONE)
        parts[one.thread_id] = Count(before.notify + one.notify, before.highlight + one.highlight)
    return {room_id: _unread(parts) for room_id, parts in added.items()}


def _unread(parts: Mapping[EventId, Count]) -> Unread:
    shown = {key: Count(max(0, one.notify), max(0, one.highlight)) for key, one in parts.items()}
    threads = {key: one for key, one in shown.items() if key != NO_THREAD and one.notify}
    return Unread(shown.get(NO_THREAD, _NONE), threads)


def _sum(rooms: Iterable[Unread]) -> Count:
    wholes = [one.whole for one in rooms]
    return Count(sum(one.notify for one in wholes), sum(one.highlight for one in wholes))
