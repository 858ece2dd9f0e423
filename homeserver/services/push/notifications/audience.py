"""The local members of rooms with their push rules: cached, and kept current along the log."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from homeserver.protocol.event import Event
from homeserver.protocol.ids import RoomId, UserId
from homeserver.protocol.pushrules.evaluate import Reader
from homeserver.protocol.pushrules.ruleset import UNCHANGED, Ruleset
from homeserver.services.clientdata.accountdata import IGNORED, ignored_in
from homeserver.services.clientdata.push_rules import rules_from
from homeserver.storage import accountdata, blocks, notify, pushrules
from homeserver.storage.db import Database
from homeserver.storage.pushrules import StoredRules
from homeserver.timeline.heads import Head
from homeserver.timeline.writer import Timeline

_AT_A_TIME = 2000  # members examined before the event loop gets its turn
_BYTES_AT_A_TIME = 65_536  # of push rules, likewise


@dataclass(slots=True)
class Audience:
    """The local members of a room. `own`: those with push rules of their own.

    `deaf`: by sender, the members who ignore or block them; `silent`: members in a mute span, whose rules mute the
    room. `is_stored`: as read from the database, without the changes of the current batch.
    """

    readers: dict[UserId, Reader]
    own: dict[UserId, Reader]
    deaf: Mapping[UserId, frozenset[UserId]]
    silent: set[UserId] = field(default_factory=set)
    is_stored: bool = True

    def deaf_to(self, sender: UserId) -> frozenset[UserId]:
        return self.deaf.get(sender, frozenset())

    def apply(self, event: Event) -> bool:
        """Apply a member event; False if a user joined whose rules are not loaded."""
        user_id = UserId(event.state_key or "")
        if event.membership != "join":
            self.readers.pop(user_id, None)
            self.own.pop(user_id, None)
            return True
        known = self.readers.get(user_id)
        if known is None:
            return False
        reader = self.readers[user_id] = replace(known, display_name=_name_in(event))
        if user_id in self.own:
            self.own[user_id] = reader
        return True


class Audiences:
    """Cached audiences of active rooms; at most `most_people` members in all.

    `heard`: users who cannot be ignored.
    """

    def __init__(
        self, *, db: Database, timeline: Timeline, server: str, most_people: int, heard: frozenset[UserId]
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._server = server
        self._most = most_people
        self._heard = heard
        self._rooms: OrderedDict[RoomId, Audience] = OrderedDict()

    async def of(self, room_id: RoomId) -> tuple[Head, Audience]:
        """A room's head and its audience. Raises NotFound for an unknown room."""
        head = await self._timeline.head(room_id)
        found = self._rooms.get(room_id)
        if found is None:
            found = self._rooms[room_id] = await self._load(head)
            self._evict()
        self._rooms.move_to_end(room_id)
        return head, found

    def is_local(self, user_id: str) -> bool:
        return user_id.endswith(f":{self._server}")

    def drop(self, room_id: RoomId) -> None:
        """Drop a room's cached audience."""
        self._rooms.pop(room_id, None)

    def drop_of(self, user_ids: Iterable[UserId]) -> None:
        """Drop the audiences of these users' rooms, as their rules or ignored users changed."""
        for user_id in user_ids:
            for room_id in [room_id for room_id, one in self._rooms.items() if user_id in one.readers]:
                del self._rooms[room_id]

    def clear(self) -> None:
        """Drop all cached audiences, as they may be outdated."""
        self._rooms.clear()

    async def _load(self, head: Head) -> Audience:
        room_id = head.room_id
        async with self._db.read() as conn:
            rows = await pushrules.rules_in(conn, room_id)
            ignoring = await accountdata.pieces_in(conn, room_id, IGNORED)
            shut_out = await blocks.pairs_in(conn, room_id)
            silent = await notify.silent_in(conn, room_id)
        rules = await _read(rows)
        readers: dict[UserId, Reader] = {}
        for number, (user_id, event) in enumerate(_joined(head), start=1):
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)
            if self.is_local(user_id):
                readers[user_id] = Reader(user_id, _name_in(event), rules.get(user_id, UNCHANGED))
        own = {user_id: reader for user_id, reader in readers.items() if reader.rules is not UNCHANGED}
        deaf: dict[UserId, set[UserId]] = {}
        for user_id, content in ignoring.items():
            for sender in ignored_in(orjson.loads(content)) - {user_id}:
                deaf.setdefault(sender, set()).add(user_id)
        for user_id, sender in shut_out:
            deaf.setdefault(sender, set()).add(user_id)
        heard = self._heard
        shut = {sender: frozenset(people) for sender, people in deaf.items() if sender not in heard}
        return Audience(readers, own, shut, silent)

    def _evict(self) -> None:
        held = sum(len(one.readers) for one in self._rooms.values())
        while held > self._most and len(self._rooms) > 1:
            _, oldest = self._rooms.popitem(last=False)
            held -= len(oldest.readers)


async def _read(rows: Sequence[StoredRules]) -> Mapping[UserId, Ruleset]:
    """The rules of users."""
    found: dict[UserId, Ruleset] = {}
    read = 0
    for row in rows:
        read += len(row.rules)
        if read > _BYTES_AT_A_TIME:
            read = 0
            await asyncio.sleep(0)
        found[row.user_id] = rules_from(row)
    return found


def _joined(head: Head) -> Iterator[tuple[UserId, Event]]:
    for (kind, state_key), event in head.state.events.items():
        if kind == "m.room.member" and event.membership == "join":
            yield UserId(state_key), event


def _name_in(event: Event) -> str:
    name = event.content.get("displayname")
    return name if isinstance(name, str) else ""
