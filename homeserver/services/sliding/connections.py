"""What each connection was told, so that it is told only what is new.

A state of a connection is written once, under a random serial, and named by the tokens that build on it. Most answers
tell of rooms that the connection follows already: their state is the one before, and nothing is written. A client that
lost an answer asks again with the token before, whose state is kept until it uses the next one.
"""

import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import orjson

from homeserver.clock import Clock
from homeserver.kit.cache import BoundedCache
from homeserver.model import Requester
from homeserver.protocol.ids import RoomId
from homeserver.services.sliding.request import Required
from homeserver.services.sliding.tokens import NOTHING, Pos, unknown_pos
from homeserver.settings.models import MatrixSettings
from homeserver.storage import sliding as stored
from homeserver.storage.db import Database
from homeserver.storage.retry import write_with_retry
from homeserver.storage.sliding import ConnectionKey

DM: Final = 1  # marks: the client knows the room as a direct chat,
DATA: Final = 2  # has all account data of it,
RECEIPTS: Final = 4  # has its receipts

_DAY_MS: Final = 86_400_000


class Sent(NamedTuple):
    """What was told of a room: all news up to `at`; 0 stands for where the connection stands.

    `limit`: so many of its last events were told. `required`: the state that was.
    """

    at: int
    limit: int
    required: Required
    marks: int


@dataclass(frozen=True, slots=True)
class Connection:
    """`has_data`: it has all account data of no room. `keys_from`: since when it was told of no keys; 0: it is told."""

    serial: str = NOTHING
    rooms: Mapping[RoomId, Sent] = field(default_factory=dict)
    has_data: bool = False
    keys_from: int = 0
    used_ms: int = 0

    def says_as(self, other: "Connection") -> bool:
        """Whether it is no other than `other` but for its name."""
        mine = (self.has_data, self.keys_from, self.rooms)
        return mine == (other.has_data, other.keys_from, other.rooms)


class Connections:
    """Keeps them."""

    def __init__(self, *, db: Database, clock: Clock, settings: MatrixSettings) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._read: BoundedCache[ConnectionKey, Connection] = BoundedCache(settings.cached_rosters)

    async def at(self, requester: Requester, conn_id: str, pos: Pos | None) -> Connection:
        """What a connection was told when it stood there. Raises Invalid("unknown_pos")."""
        if pos is None or pos.serial == NOTHING:
            return Connection()
        key = ConnectionKey(requester.session_key, conn_id, pos.serial)
        found = self._read.get(key) or await self._find(key)
        now_ms = self._clock.now_ms()
        if now_ms - found.used_ms > _DAY_MS:
            found = replace(found, used_ms=now_ms)
            async with self._db.write() as conn:
                await stored.touch_connection(conn, key, now_ms)
        self._read.put(key, found)
        return found

    async def keep(self, requester: Requester, conn_id: str, before: Connection, now: Connection) -> str:
        """Keep what a connection was told; answers its serial."""
        if now.says_as(before):
            return before.serial
        serial = secrets.token_hex(12)
        key = ConnectionKey(requester.session_key, conn_id, serial)
        now_ms = self._clock.now_ms()
        body, most = _encode(now), self._settings.max_sliding_connections
        await write_with_retry(
            self._db,
            lambda conn: stored.add_connection(conn, key, body, now_ms, before=before.serial, most=most),
        )
        self._read.put(key, replace(now, serial=serial, used_ms=now_ms))
        return serial

    async def purge(self) -> None:
        """Forget old ones, and the oldest of too many."""
        before_ms = self._clock.now_ms() - self._settings.sliding_connection_days * _DAY_MS
        most = self._settings.max_all_sliding_connections
        async with self._db.write() as conn:
            await stored.purge_connections(conn, before_ms=before_ms, most=most)

    async def _find(self, key: ConnectionKey) -> Connection:
        async with self._db.read() as conn:
            found = await stored.find_connection(conn, key)
        if found is None:
            raise unknown_pos()
        body, used_ms = found
        return _decode(key.serial, body, used_ms)


def _encode(connection: Connection) -> bytes:
    places: dict[Required, int] = {}
    rooms = {
        room_id: (sent.at, sent.limit, places.setdefault(sent.required, len(places)), sent.marks)
        for room_id, sent in connection.rooms.items()
    }
    required = [sorted(one.pairs) for one in places]
    body = {
        "required": required,
        "rooms": rooms,
        "has_data": connection.has_data,
        "keys_from": connection.keys_from,
    }
    return zlib.compress(orjson.dumps(body), 1)


def _decode(serial: str, body: bytes, used_ms: int) -> Connection:
    found: dict[str, Any] = orjson.loads(zlib.decompress(body))
    required = [Required(frozenset((kind, key) for kind, key in pairs)) for pairs in found["required"]]
    rooms = {
        RoomId(room_id): Sent(at, limit, required[place], marks)
        for room_id, (at, limit, place, marks) in found["rooms"].items()
    }
    return Connection(serial, rooms, found["has_data"], found["keys_from"], used_ms)
