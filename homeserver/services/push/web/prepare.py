"""Prepares pushes that are due: drops those no longer wanted, and renders the others."""

import base64
import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from homeserver.clock import Clock
from homeserver.kit.text import one_line
from homeserver.model import Content, LogPosition, Message, Person
from homeserver.protocol.ids import EventId, UserId
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.events.messageviews import MessageViews
from homeserver.services.push.web.decide import Attendance
from homeserver.services.push.web.encryption import MAX_PAYLOAD_BYTES
from homeserver.services.push.web.texts import Faces, Notice
from homeserver.settings.models import PushSettings
from homeserver.storage import events
from homeserver.storage import push as stored
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.outbox import Key
from homeserver.storage.push import Target

logger = logging.getLogger(__name__)
_TOPIC_CHARS = 32  # RFC 8030, section 5.4


@dataclass(frozen=True, slots=True)
class PushJob:
    """A push that is ready to be encrypted. `until_ms`: when it expires."""

    target: Target
    payload: bytes
    topic: str
    until_ms: int


class Packed(NamedTuple):
    """`later`: pushes that could not be rendered now. Pushes in neither of the two are dropped."""

    jobs: Sequence[PushJob]
    later: Collection[Key]


class Packer:
    """Prepares pushes that were decided on."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        views: MessageViews,
        profiles: Profiles,
        faces: Faces,
        attendance: Attendance,
        settings: PushSettings,
    ) -> None:
        self._db = db
        self._clock = clock
        self._views = views
        self._profiles = profiles
        self._faces = faces
        self._attendance = attendance
        self._settings = settings

    async def pack(self, keys: Sequence[Key]) -> Packed:
        """The pushes that are still wanted. A fixed number of queries."""
        async with self._db.read() as conn:
            targets = await stored.targets(conn, keys)
            found = await events.events_at(conn, {key.position for key in targets}) if targets else {}
        wanted = [
            (target, found[target.key.position])
            for target in targets.values()
            if target.key.position in found and self._is_wanted(target, found[target.key.position])
        ]
        if not wanted:
            return Packed((), ())
        messages = await self._views.of_rooms(list({one.position: one for _, one in wanted}.values()))
        people = await self._profiles.people({target.subscription.user_id for target, _ in wanted})
        return await self._said(
            [target for target, _ in wanted], {one.position: one for one in messages}, people
        )

    def _is_wanted(self, target: Target, message: StoredEvent) -> bool:
        if not message.shown or target.own_position >= message.arrived:
            return False  # deleted, or read in the meantime
        if self._until_ms(message) <= self._clock.now_ms():
            return False
        own = target.subscription.user_id
        return not self._attendance.has(own, target.number, message.event.room_id)

    def _until_ms(self, message: StoredEvent) -> int:
        return message.event.origin_server_ts + self._settings.ttl_s * 1000

    async def _said(
        self,
        targets: Sequence[Target],
        messages: Mapping[LogPosition, Message],
        people: Mapping[UserId, Person],
    ) -> Packed:
        """Each API renders its own pushes, in one call."""
        of_faces: dict[str, list[tuple[Target, Notice]]] = {}
        for target in targets:
            recipient = people.get(target.subscription.user_id)
            message = messages.get(target.key.position)
            if recipient is not None and message is not None:
                notice = Notice(message, recipient, _cut(message, self._settings.max_text_chars))
                of_faces.setdefault(target.subscription.face, []).append((target, notice))
        jobs: list[PushJob] = []
        later: set[Key] = set()
        for face, told in of_faces.items():
            try:
                said = await self._words(face, [notice for _, notice in told])
            except Exception:  # one API that fails must not stop the others' pushes
                logger.exception("%s could not say what it pushes", face)
                later |= {target.key for target, _ in told}
                continue
            for (target, notice), content in zip(told, said, strict=True):
                if content is not None:
                    jobs += self._parcel(target, notice.message, orjson.dumps(content))
        return Packed(jobs, later)

    async def _words(self, face: str, notices: Sequence[Notice]) -> Sequence[Content | None]:
        words = self._faces.words(face)
        if words is None:
            logger.warning("no API here says the words of %s: %d pushes are dropped", face, len(notices))
            return [None] * len(notices)
        return await words(notices)

    def _parcel(self, target: Target, message: Message, payload: bytes) -> list[PushJob]:
        if len(payload) > MAX_PAYLOAD_BYTES:
            logger.error("a push of %s has %d bytes and is dropped", target.subscription.face, len(payload))
            return []
        until_ms = message.created_ms + self._settings.ttl_s * 1000
        return [PushJob(target, payload, _topic(message.event_id), until_ms)]


def _cut(message: Message, max_chars: int) -> str:
    """The text of a message, or the name of its file, cut to the limit."""
    name = message.attachments[0].name if message.attachments else ""
    text = one_line((message.text or name)[: 4 * max_chars])
    return text if len(text) <= max_chars else f"{text[: max_chars - 1].rstrip()}…"


def _topic(event_id: EventId) -> str:
    """The Topic header: the same for each try of a message, and opaque to others."""
    digest = hashlib.sha256(event_id.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_TOPIC_CHARS]
