"""What has been sent over each connection, so that only changes are sent.

A connection state is written once, under a random serial, which the `pos` tokens based on it name. Most responses only
update rooms that the connection has already: the state stays the same, and nothing is written. A client that lost a
response repeats its request with the same `pos`, whose state is kept until the client uses the next one.
"""

import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import orjson

from homeserver.clock import Clock
from homeserver.kit.cache import BoundedCache
from homeserver.model import LogPosition, Requester
from homeserver.protocol.ids import RoomId
from homeserver.services.sliding.request import Required
from homeserver.services.sliding.tokens import NOTHING, Pos, unknown_pos
from homeserver.settings.models import MatrixSettings
from homeserver.storage import sliding as stored
from homeserver.storage.db import Database
from homeserver.storage.retry import write_with_retry
from homeserver.storage.sliding import ConnectionKey

DM: Final = 1  # marks: the client has been sent the room as a direct chat,
DATA: Final = 2  # all account data of the room,
RECEIPTS: Final = 4  # its receipts

_DAY_MS: Final = 86_400_000


class Sent(NamedTuple):
    """What was sent of a room: all changes up to position `at`; None stands for the connection's own position.

    `limit`: timeline limit, `required`: required state that it was sent with.
    """

    at: LogPosition | None
    limit: int
    required: Required
    marks: int


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection state. `has_data`: all global account data was sent. `keys_from`: the position since which no e2ee
    extension was sent; None: it is up to date."""

    serial: str = NOTHING
    rooms: Mapping[RoomId, Sent] = field(default_factory=dict)
    has_data: bool = False
    keys_from: LogPosition | None = None
    used_ms: int = 0

    def is_same_as(self, other: "Connection") -> bool:
        """True if the two differ only in their serial."""
        mine = (self.has_data, self.keys_from, self.rooms)
        return mine == (other.has_data, other.keys_from, other.rooms)


class Connections:
    """Stores connection states."""

    def __init__(self, *, db: Database, clock: Clock, settings: MatrixSettings) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._read: BoundedCache[ConnectionKey, Connection] = BoundedCache(settings.cached_rosters)

    async def at(self, requester: Requester, conn_id: str, pos: Pos | None) -> Connection:
        """The connection state of a `pos`. Raises Invalid("unknown_pos")."""
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
        """Store a connection state; returns its serial."""
        if now.is_same_as(before):
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
        """Delete unused connections, and the oldest if there are too many."""
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
        room_id: (sent.at or 0, sent.limit, places.setdefault(sent.required, len(places)), sent.marks)
        for room_id, sent in connection.rooms.items()
    }
    required = [sorted(one.pairs) for one in places]
    body = {
        "required": required,
        "rooms": rooms,
        "has_data": connection.has_data,
        "keys_from": connection.keys_from or 0,
    }
    return zlib.compress(orjson.dumps(body), 1)


def _decode(serial: str, body: bytes, used_ms: int) -> Connection:
    found: dict[str, Any] = orjson.loads(zlib.decompress(body))
    required = [Required(frozenset((kind, key) for kind, key in pairs)) for pairs in found["required"]]
    rooms = {
        RoomId(room_id): Sent(_stored_position(at), limit, required[place], marks)
        for room_id, (at, limit, place, marks) in found["rooms"].items()
    }
    return Connection(serial, rooms, found["has_data"], _stored_position(found["keys_from"]), used_ms)


def _stored_position(number: int) -> LogPosition | None:
    """A position of a stored connection state, in which 0 stands for none."""
    return LogPosition(number) if number else None
