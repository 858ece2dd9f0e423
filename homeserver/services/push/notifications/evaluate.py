"""Evaluates push rules along the log, once per event for all members of its room.

Results are written in the transaction that moves the consumer's cursor, so each event is evaluated once. Most events
need no row: the event itself counts for all members.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from homeserver.errors import NotFound
from homeserver.model import LOG_START, EntryKind, LogPosition
from homeserver.protocol import canonical
from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.protocol.power import PowerLevels
from homeserver.protocol.pushrules.defaults import notifies_everybody
from homeserver.protocol.pushrules.evaluate import Evaluation, Reader
from homeserver.protocol.pushrules.occasion import Occasion
from homeserver.protocol.pushrules.rules import Outcome
from homeserver.services.clientdata.accountdata import IGNORED
from homeserver.services.clientdata.push_rules import PUSH_RULES
from homeserver.services.push.notifications.audience import Audience, Audiences
from homeserver.storage.events import StoredEvent
from homeserver.storage.log import Entry
from homeserver.storage.notify import EVERYBODY, NO_THREAD, Mark, MuteSpan
from homeserver.timeline.build import is_in_thread

_AT_A_TIME = 2000  # readers and their own rules evaluated before the event loop gets its turn
SILENCE = Outcome.of(())
_NOBODY = UserId("@:")


@dataclass(slots=True)
class EvaluatedEvent:
    """An event, and the evaluation of its room's push rules; `outcome` has each reader's actions."""

    occasion: Occasion
    position: LogPosition
    evaluation: Evaluation
    audience: Audience
    unreached: Collection[UserId] = field(init=False)
    """The sender, and who ignores or blocks the sender."""

    def __post_init__(self) -> None:
        sender = self.event.sender
        self.unreached = {*self.audience.deaf_to(sender), sender}

    @property
    def event(self) -> Event:
        return self.occasion.event

    def outcome(self, reader: Reader) -> Outcome:
        """The actions for a reader; none for the sender, and for readers who ignore or block the sender."""
        if reader.user_id in self.unreached:
            return SILENCE
        return self.evaluation.outcome(reader)


@dataclass(slots=True)
class EvaluatedBatch:
    """The results for a range of the log. `changed`: users whose rules changed, with the position of the change.

    `deafened`: users whose ignored or blocked users changed, with the position of the last change; `hidden`: marks of
    what they therefore see no more.
    """

    judged: list[EvaluatedEvent] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    common: list[Mark] = field(default_factory=list)
    spells: list[MuteSpan] = field(default_factory=list)
    changed: list[tuple[UserId, LogPosition]] = field(default_factory=list)
    redacted: set[EventId] = field(default_factory=set)
    read: set[tuple[UserId, RoomId]] = field(default_factory=set)
    deafened: dict[UserId, LogPosition] = field(default_factory=dict)
    hidden: list[Mark] = field(default_factory=list)

    @property
    def told(self) -> set[tuple[UserId, RoomId]]:
        """The users and rooms whose counts differ from what /sync may have sent; the user may be EVERYBODY."""
        marked = {(one.user_id, one.room_id) for one in (*self.marks, *self.common, *self.hidden)}
        return marked | {(one.user_id, one.room_id) for one in self.spells}

    def catch_up(self, room_id: RoomId, audience: Audience) -> None:
        """Apply the mute spans that ended and began in this batch to an audience that was read from the database."""
        if not audience.is_stored:
            return
        ended = dict(self.changed)  # the last change of each user
        begun = {one.user_id: one.from_position for one in self.spells if one.room_id == room_id}
        audience.silent -= ended.keys()
        audience.silent |= {
            user_id for user_id, since in begun.items() if since > ended.get(user_id, LOG_START)
        }
        audience.is_stored = False


class Evaluator:
    """Evaluates log entries. They must be given in order; after a gap all audiences are read anew."""

    def __init__(self, audiences: Audiences) -> None:
        self._audiences = audiences
        self._position: LogPosition | None = None  # of the last entry; None: none yet, or to start anew

    async def judge(self, entries: Sequence[Entry]) -> EvaluatedBatch:
        """The results for these entries."""
        if self._position is None or entries[0].position != self._position + 1:
            self._audiences.clear()
        self._position = entries[-1].position
        found = EvaluatedBatch()
        for entry in entries:
            if entry.event is not None:
                await self._judge(entry.event, found)
            elif entry.user_id is not None:
                self._hear(entry, entry.user_id, found)
        return found

    def forget(self) -> None:
        """Start anew, as the last results may not have been written."""
        self._position = None

    def _hear(self, entry: Entry, user_id: UserId, found: EvaluatedBatch) -> None:
        body = entry.body or {}
        if entry.kind is EntryKind.ACCOUNT_DATA and body.get("type") in (PUSH_RULES, IGNORED):
            self._audiences.drop_of([user_id])
            if body["type"] == PUSH_RULES:
                found.changed.append((user_id, entry.position))
            else:
                found.deafened[user_id] = entry.position
        elif entry.kind is EntryKind.BLOCKS:
            self._audiences.drop_of([user_id])
            found.deafened[user_id] = entry.position
        elif entry.kind is EntryKind.RECEIPT:
            found.read.add((user_id, entry.room_id or RoomId(body.get("room_id", ""))))

    async def _judge(self, stored: StoredEvent, found: EvaluatedBatch) -> None:
        event = stored.event
        if event.redacts is not None:
            found.redacted.add(event.redacts)
        try:
            head, audience = await self._audiences.of(event.room_id)
            if event.type == "m.room.member" and not audience.apply(event):
                self._audiences.drop(event.room_id)
                head, audience = await self._audiences.of(event.room_id)
        except NotFound:  # the room was deleted in the meantime
            return
        found.catch_up(event.room_id, audience)
        if stored.redacted_by is not None:
            return
        levels = PowerLevels.from_state(head.state.events, head.rules)
        occasion = Occasion(event, len(audience.readers), levels)
        if notifies_everybody(event):
            found.read.add((event.sender, event.room_id))
        judged = EvaluatedEvent(occasion, stored.arrived, Evaluation(occasion), audience)
        found.judged.append(judged)
        await mark(judged, stored, found)


async def mark(judged: EvaluatedEvent, stored: StoredEvent, found: EvaluatedBatch) -> None:
    """Add marks where a reader's outcome differs from the event's own count."""
    common, counted = judged.evaluation.common, notifies_everybody(judged.event)
    if common.notify != counted or common.highlight:
        found.common.append(_mark(judged, EVERYBODY, common.notify - counted, int(common.highlight)))
    silent = judged.audience.silent
    ordinary = _Ordinary(judged)
    done = 0
    for reader in _special(judged, counted):
        done += 1 + reader.rules.size
        if done >= _AT_A_TIME:
            done = 0
            await asyncio.sleep(0)
        outcome, user_id = judged.outcome(reader), reader.user_id
        if user_id in silent:
            usual = SILENCE
        elif outcome is common:
            continue
        elif _falls_silent(judged, reader, outcome) and not ordinary.is_told_to(reader):
            silent.add(user_id)
            found.spells.append(_spell(stored, user_id, counted))
            continue
        else:
            usual = common
        notify, highlight = outcome.notify - usual.notify, outcome.highlight - usual.highlight
        if notify or highlight:
            found.marks.append(_mark(judged, user_id, notify, highlight))


def _special(judged: EvaluatedEvent, counted: bool) -> Collection[Reader]:
    """The readers whose outcome may differ from the common one."""
    audience, sender = judged.audience, judged.event.sender
    if judged.evaluation.singles_out:
        people = dict(audience.readers)
    else:
        apart = (*audience.deaf_to(sender), sender)
        found = {user_id: reader for user_id in apart if (reader := audience.readers.get(user_id))}
        people = {**audience.own, **found}
    if counted:  # the sender has read the event
        people.pop(sender, None)
    return people.values()


def _falls_silent(judged: EvaluatedEvent, reader: Reader, outcome: Outcome) -> bool:
    """True if a reader's own rules suppress an event that notifies all others."""
    if outcome.notify or not judged.evaluation.common.notify or reader.user_id == judged.event.sender:
        return False
    return reader.user_id in judged.audience.own


def _mark(judged: EvaluatedEvent, user_id: UserId, notify: int, highlight: int) -> Mark:
    return Mark(user_id, judged.event.room_id, judged.position, NO_THREAD, notify, highlight)


def _spell(stored: StoredEvent, user_id: UserId, counted: bool) -> MuteSpan:
    is_in_seq = counted and not is_in_thread(stored.event)
    return MuteSpan(user_id, stored.event.room_id, stored.arrived, stored.notify_seq - is_in_seq)


class _Ordinary:
    """An ordinary message in the event's room, sent by no member; evaluated only if needed."""

    def __init__(self, judged: EvaluatedEvent) -> None:
        self._judged = judged
        self._evaluation: Evaluation | None = None

    def is_told_to(self, reader: Reader) -> bool:
        """True if the reader's rules would notify them of it."""
        if self._evaluation is None:
            self._evaluation = Evaluation(self._occasion())
        return self._evaluation.outcome(reader).notify

    def _occasion(self) -> Occasion:
        event, occasion = self._judged.event, self._judged.occasion
        content = {"msgtype": "m.text", "body": ""}
        pdu = {**event.pdu, "type": "m.room.message", "sender": _NOBODY, "content": content}
        pdu.pop("state_key", None)
        ordinary = replace(
            event,
            type="m.room.message",
            sender=_NOBODY,
            content=content,
            state_key=None,
            redacts=None,
            json=canonical.encode(pdu),
        )
        return Occasion(ordinary, occasion.member_count, occasion.levels)
