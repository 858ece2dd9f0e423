"""Which browsers are notified of new messages: a consumer of the log that writes to the outbox.

A push is decided on in the transaction that moves the consumer's cursor, so each message is decided on once, even
after a crash.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.model import EntryKind, SessionId
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.push.web.texts import Faces
from homeserver.services.realtime.connections import LiveConnections
from homeserver.settings.models import PushSettings
from homeserver.storage import push as stored
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.storage.outbox import Key
from homeserver.storage.push import Candidate, Ended, NewPush
from homeserver.timeline.consume import Effect

logger = logging.getLogger(__name__)


class Attendance:
    """Tells if a user has a view open in this worker that shows a room's messages."""

    def __init__(self, connections: LiveConnections, faces: Faces) -> None:
        self._connections = connections
        self._faces = faces

    def has(self, user_id: UserId, number: int, room_id: RoomId) -> bool:
        """True if the user has such a view open. `number`: the user's public number."""
        return self._connections.is_online(room_id, user_id, number) or self._faces.attends(user_id, room_id)


class Decider:
    """Turns log entries into pushes in the outbox."""

    def __init__(self, *, db: Database, clock: Clock, attendance: Attendance, settings: PushSettings) -> None:
        self._db = db
        self._clock = clock
        self._attendance = attendance
        self._settings = settings
        self.has_candidates = False

    async def handle(self, entries: Sequence[Entry]) -> Effect | None:
        """What these entries cause; None for nothing. One query, and none if there is no new message.

        Sets `has_candidates`: True if there may be pushes, of this worker or another.
        """
        self.has_candidates = False
        ended = [ended_by(one) for one in entries if one.kind is EntryKind.SESSION_ENDED]
        messages = [one for one in entries if self._is_news(one)]
        found: list[Candidate] = []
        waiting: dict[str, int] = {}
        if messages:
            async with self._db.read() as conn:
                found = await stored.candidates(conn, {one.room_id for one in messages if one.room_id})
                if found:
                    waiting = await stored.waiting.count_waiting(conn, {one.endpoint_hash for one in found})
        if not found and not ended:
            return None
        self.has_candidates = bool(found)
        return partial(_write, ended, self._decide(messages, found, waiting))

    def _is_news(self, entry: Entry) -> bool:
        """True for a message of a user that is not older than the pushes' TTL; notices of the server are not
        pushed."""
        if entry.event is None or not entry.event.shown:
            return False
        is_old = entry.created_ms < self._clock.now_ms() - self._settings.ttl_s * 1000
        return not is_old and entry.event.event.content.get("msgtype") != "m.notice"

    def _decide(
        self, messages: Sequence[Entry], found: Sequence[Candidate], waiting: dict[str, int]
    ) -> list[NewPush]:
        of_rooms: dict[RoomId, list[Candidate]] = {}
        for one in found:
            of_rooms.setdefault(one.room_id, []).append(one)
        due_ms = self._clock.now_ms() + round(self._settings.hold_s * 1000)
        counts = Counter(waiting)
        decided = []
        for entry in messages:
            for one in of_rooms.get(entry.room_id, ()) if entry.room_id is not None else ():
                if not self._shall_hear(one, entry):
                    continue
                if counts[one.endpoint_hash] >= self._settings.max_waiting:
                    logger.info("too many pushes wait for one browser: one was dropped")
                    continue
                counts[one.endpoint_hash] += 1
                decided.append(NewPush(Key(one.endpoint_hash, entry.position), one.user_id, due_ms))
        return decided

    def _shall_hear(self, one: Candidate, entry: Entry) -> bool:
        if entry.event is None or entry.event.event.sender == one.user_id:
            return False
        if one.own_position >= entry.position or one.since_ms > entry.created_ms:
            return False
        return not self._attendance.has(one.user_id, one.number, one.room_id)


async def _write(ended: Sequence[Ended], decided: Sequence[NewPush], conn: AsyncConnection) -> None:
    if ended:
        await stored.drop_ended(conn, ended)
    if decided:
        await stored.add_pushes(conn, decided)


def ended_by(entry: Entry) -> Ended:
    """The session that a log entry ends, or all sessions of a user."""
    session_id = (entry.body or {}).get("session_id")
    return Ended(entry.user_id or UserId(""), SessionId(session_id) if session_id else None, entry.created_ms)
