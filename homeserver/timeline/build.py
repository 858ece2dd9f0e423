"""Draft + head -> authorised, hashed, signed event. Pure: no I/O, no clock."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from homeserver.errors import Forbidden, Invalid, TooLarge
from homeserver.model import ATTACHMENT_REL, Draft, LogPosition, Place
from homeserver.protocol import auth, canonical
from homeserver.protocol.errors import AuthRefused, ProtocolError
from homeserver.protocol.errors import TooLarge as ProtocolTooLarge
from homeserver.protocol.event import MAX_PREV_EVENTS, Event
from homeserver.protocol.ids import EventId, RoomId, UserId, fits
from homeserver.protocol.pushrules.defaults import notifies_everybody
from homeserver.protocol.seal import seal
from homeserver.protocol.signing import SigningKey
from homeserver.protocol.versions import EventIdFormat, RoomRules
from homeserver.servers import Servers
from homeserver.timeline.current import Change, Delta
from homeserver.timeline.heads import EMPTY, Changes, Head, Made, Snapshot

MESSAGE_TYPES = frozenset({"m.room.message", "m.room.encrypted"})
THREAD = "m.thread"
REPLACE = "m.replace"
ANNOTATION = "m.annotation"
_PARTS_OF_OTHERS = frozenset({REPLACE, ATTACHMENT_REL})  # rel_types of parts of other messages


@dataclass(frozen=True, slots=True)
class InGraph:
    """The states of a received event in the event graph.

    `own`: after it, None if that is the room's current state; `before`: before it. `made`: which of them are to be
    stored, each after its parent. `was_outlier`: whether the event was stored without a place before.
    """

    own: Snapshot | None
    before: Snapshot
    made: tuple[Made, ...] = ()
    was_outlier: bool = False


@dataclass(slots=True, eq=False)
class Built:
    """An event ready to be stored, with the room's current state `before` and `after` it.

    `given`: its position, assigned by the appender together with `place`. `changes`: how the state after the event
    differs from that before; without changes both are one snapshot. `notifies`: unread for all members with the default
    push rules. `extremities` and `depth`: those of the room's head after it. `graph`: for an event of another server.
    """

    event: Event
    before: Snapshot
    after: Snapshot
    changes: Changes
    message_seq: int
    shown: bool
    extremities: tuple[EventId, ...]
    depth: int
    given: LogPosition | None = None
    place: Place | None = None
    notify_seq: int = 0
    notifies: bool = False
    graph: InGraph | None = None

    @property
    def made(self) -> Sequence[Made]:
        """The snapshots to be stored with the event, besides `after`."""
        return () if self.graph is None else self.graph.made

    @property
    def position(self) -> LogPosition:
        """The event's position in the log."""
        if self.given is None:
            raise AssertionError("the event was given no position")
        return self.given

    @property
    def delta(self) -> Delta:
        """`changes`, each with the previous event of its key."""
        return {key: Change(self.before.events.get(key), new) for key, new in self.changes.items()}


@dataclass(frozen=True, slots=True)
class Signer:
    """This server's name and signing key, and the maximum length of a chain of state deltas."""

    server: str
    key: SigningKey
    snapshot_chain: int


def new_head(room_id: RoomId, rules: RoomRules, servers: Servers) -> Head:
    """The head of a room without events. In room version 12 the create event will give the room its id."""
    return Head(room_id, rules, (), 0, EMPTY, 0, 0, servers)


def extend(head: Head, draft: Draft, signer: Signer, now_ms: int, opaque: str) -> tuple[Head, Built]:
    """Chain one event on a head. `opaque`: the random part of the event id in room versions 1 and 2.

    Raises Forbidden (code "auth_rule") if the room's auth rules reject the event; Invalid or TooLarge for its format.
    """
    if "\0" in draft.type or "\0" in (draft.state_key or ""):
        raise Invalid("an event's type and state key must not have NUL characters", code="bad_event")
    try:
        event = _event(head, draft, signer, now_ms, opaque)
        if event.type == auth.CREATE:
            auth.check_alone(event, (), head.rules)
        auth.check_against_state(event, head.state.events, head.rules)
    except AuthRefused as refused:
        raise Forbidden(refused.reason, code="auth_rule", rule=refused.rule) from refused
    except ProtocolTooLarge as error:
        raise TooLarge(str(error), code="event_too_large") from error
    except ProtocolError as error:
        raise Invalid(str(error), code="bad_event") from error
    changes: Changes = {event.key: event} if event.is_state else {}
    after = head.state.changed(changes, signer.snapshot_chain) if changes else head.state
    return grown(head, event, after, changes, (event.event_id,))


def grown(
    head: Head,
    event: Event,
    after: Snapshot,
    changes: Changes,
    extremities: tuple[EventId, ...],
    graph: InGraph | None = None,
) -> tuple[Head, Built]:
    """The head after an event, and the event with what is counted and stored with it."""
    shown = is_message(event)
    seq = head.message_seq + shown
    notifies = notifies_everybody(event)
    notify_seq = head.notify_seq + (notifies and not is_in_thread(event))
    depth = max(head.depth, event.depth)
    moved = replace(
        head,
        room_id=event.room_id,
        extremities=extremities,
        depth=depth,
        state=after,
        message_seq=seq,
        notify_seq=notify_seq,
    )
    built = Built(
        event,
        head.state,
        after,
        changes,
        seq,
        shown,
        extremities,
        depth,
        notify_seq=notify_seq,
        notifies=notifies,
        graph=graph,
    )
    return moved, built


def is_message(event: Event) -> bool:
    """True if the event is a message of its own: it counts as unread and is listed by the product APIs."""
    if event.type not in MESSAGE_TYPES or event.is_state:
        return False
    relation = relation_of(event.content)
    return relation is None or relation[0] not in _PARTS_OF_OTHERS


def relation_of(content: Mapping[str, Any]) -> tuple[str, EventId] | None:
    """(rel_type, event id) of the content's `m.relates_to`, if any.

    Ids that are too long, or that the database cannot store, count as no relation.
    """
    relation = content.get("m.relates_to")
    if not isinstance(relation, dict):
        return None
    rel_type, target = relation.get("rel_type"), relation.get("event_id")
    if not isinstance(rel_type, str) or not isinstance(target, str):
        return None
    if not (fits(rel_type) and fits(target)) or "\0" in rel_type or "\0" in target:
        return None  # it would not fit into the index, and the whole batch would fail
    return rel_type, EventId(target)


def edited_by(event: Event) -> EventId | None:
    """The event whose content this one replaces, as far as this one tells (client-server API, "Event replacements").

    The new content of an encrypted event is not for the server to see.
    """
    relation = relation_of(event.content)
    if relation is None or relation[0] != REPLACE or event.is_state:
        return None
    has_content = isinstance(event.content.get("m.new_content"), dict) or event.type == "m.room.encrypted"
    return relation[1] if has_content else None


def annotation_of(sender: UserId, kind: str, content: Mapping[str, Any]) -> str | None:
    """What annotations of one event have in common if one of them is enough: a digest of sender, type and key."""
    relation = relation_of(content)
    key = content["m.relates_to"].get("key") if relation is not None and relation[0] == ANNOTATION else None
    if not isinstance(key, str):
        return None
    digest = hashlib.sha256(canonical.encode([sender, kind, key])).digest()
    return base64.urlsafe_b64encode(digest).decode()


def is_in_thread(event: Event) -> bool:
    """True if the event itself names a thread. Others may be in one through the events that they relate to."""
    relation = relation_of(event.content)
    return relation is not None and relation[0] == THREAD and not event.is_state


def _event(head: Head, draft: Draft, signer: Signer, now_ms: int, opaque: str) -> Event:
    rules = head.rules
    pdu: dict[str, Any] = {
        "type": draft.type,
        "sender": draft.sender,
        "content": draft.content,
        "origin_server_ts": now_ms,
        "depth": min(head.depth + 1, rules.max_depth),
        "prev_events": _references(head.extremities[-MAX_PREV_EVENTS:], rules),
        "auth_events": _references(_auth_events(head, draft), rules),
    }
    if head.extremities or not rules.room_id_is_hash:
        pdu["room_id"] = head.room_id
    if draft.state_key is not None:
        pdu["state_key"] = draft.state_key
    if draft.redacts is not None:
        if rules.redacts_in_content:
            pdu["content"] = {**draft.content, "redacts": draft.redacts}
        else:
            pdu["redacts"] = draft.redacts
    if rules.event_id_format is EventIdFormat.GIVEN:
        pdu["event_id"] = f"${opaque}:{signer.server}"
    return seal(pdu, rules, signer.server, signer.key)


def _auth_events(head: Head, draft: Draft) -> list[EventId]:
    state = head.state.events
    keys = auth.auth_types_for(draft.type, draft.state_key, draft.sender, draft.content, head.rules)
    return [event.event_id for key in keys if (event := state.get(key)) is not None]


def _references(event_ids: tuple[EventId, ...] | list[EventId], rules: RoomRules) -> list[Any]:
    if rules.references_have_hashes:
        return [[event_id, {}] for event_id in event_ids]
    return list(event_ids)
