"""The immutable event, and the check that a PDU is well-formed for its room version (sections 2 and 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from sys import intern
from typing import Any, TypeAlias, TypeVar, dataclass_transform

import orjson

from homeserver.protocol import canonical
from homeserver.protocol.canonical import JsonObject
from homeserver.protocol.errors import BadEvent, TooLarge
from homeserver.protocol.ids import (
    EventId,
    RoomId,
    UserId,
    fits,
    is_event_id,
    is_hash_room_id,
    is_room_id,
    is_user_id,
)
from homeserver.protocol.signing import event_id_of
from homeserver.protocol.versions import EventIdFormat, RoomRules

_Class = TypeVar("_Class")
StateKey: TypeAlias = tuple[str, str]
"""The key of a state event in the state: (type, state_key)."""

MAX_PREV_EVENTS = 20
MAX_AUTH_EVENTS = 10

_INT64 = 2**63
_CREATE = "m.room.create"


@dataclass_transform(frozen_default=True, eq_default=False, kw_only_default=True)
def _frozen(cls: type[_Class]) -> type[_Class]:
    """A frozen dataclass for the type checker only. At run time it is not frozen, which makes the twelve assignments
    in the construction of each of thousands of events much cheaper."""
    return dataclass(slots=True, eq=False, repr=False, kw_only=True)(cls)


@_frozen
class Event:
    """One event of a room. Immutable: nothing in it may be changed, including the dicts.

    `json` is the federation format without `unsigned` as canonical bytes, signatures included; in room version 12 a
    create event has no `room_id` there. `auth_events` and `prev_events` are ids in all versions. `redacts` is set on
    redactions only, from the top level or the content, depending on the room version.
    """

    event_id: EventId
    room_id: RoomId
    type: str
    state_key: str | None
    sender: UserId
    content: JsonObject
    origin_server_ts: int
    depth: int
    prev_events: tuple[EventId, ...]
    auth_events: tuple[EventId, ...]
    redacts: EventId | None
    json: bytes

    @classmethod
    def from_pdu(cls, pdu: JsonObject, rules: RoomRules, event_id: EventId | None = None) -> Event:
        """The event of a PDU that passed `check_format` (or comes from our own database).

        Pass `event_id` if it is known already: from room version 3 on it is a hash over the event.
        """
        federated = {key: value for key, value in pdu.items() if key != "unsigned"}
        return cls.from_parts(
            federated, canonical.encode(federated), rules, event_id or event_id_of(federated, rules)
        )

    @classmethod
    def from_json(cls, json: bytes, rules: RoomRules, event_id: EventId) -> Event:
        """The event of bytes that were an `Event.json`, as read from the database."""
        pdu = orjson.loads(json) if rules.strict_json else canonical.decode(json)
        return cls.from_parts(pdu, json, rules, event_id)

    @classmethod
    def from_parts(cls, pdu: JsonObject, json: bytes, rules: RoomRules, event_id: EventId) -> Event:
        """The event of a PDU without `unsigned`, with its canonical bytes and its id."""
        event_type, content = pdu["type"], pdu["content"]
        implied = rules.room_id_is_hash and event_type == _CREATE
        redacts = None
        if event_type == "m.room.redaction":
            target = (content if rules.redacts_in_content else pdu).get("redacts")
            redacts = EventId(target) if isinstance(target, str) else None
        return cls(
            event_id=event_id,
            # Interned: thousands of cached events share few rooms, types and users.
            room_id=RoomId(intern("!" + event_id[1:] if implied else pdu["room_id"])),
            type=intern(event_type),
            state_key=pdu.get("state_key"),
            sender=UserId(intern(pdu["sender"])),
            content=content,
            origin_server_ts=pdu["origin_server_ts"],
            depth=pdu["depth"],
            prev_events=_ids_of(pdu["prev_events"]),
            auth_events=_ids_of(pdu["auth_events"]),
            redacts=redacts,
            json=json,
        )

    @property
    def pdu(self) -> JsonObject:
        """`json` parsed; not cached, as it is as large as everything else and rarely needed."""
        decoded: JsonObject = canonical.decode(self.json)
        return decoded

    @property
    def is_state(self) -> bool:
        """True if the event has a state key, which may be ""."""
        return self.state_key is not None

    @property
    def key(self) -> StateKey:
        """(type, state_key) of a state event. Raises BadEvent for others."""
        if self.state_key is None:
            raise BadEvent(f"{self.event_id} is no state event")
        return self.type, self.state_key

    @property
    def membership(self) -> str | None:
        """The membership that a member event sets; None for other events, and if it is no string."""
        value = self.content.get("membership") if self.type == "m.room.member" else None
        return value if isinstance(value, str) else None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return self.event_id == other.event_id and self.json == other.json

    def __hash__(self) -> int:
        return hash(self.event_id)

    def __repr__(self) -> str:
        return f"<Event {self.event_id} {self.type} {self.state_key!r} by {self.sender}>"


def _ids_of(references: Sequence[Any]) -> tuple[EventId, ...]:
    """Ids of a list of ids, or of the [id, hashes] pairs of room versions 1 and 2."""
    return tuple([EventId(entry if isinstance(entry, str) else entry[0]) for entry in references])


def check_format(pdu: object, rules: RoomRules, *, count_references: bool = True) -> None:
    """Raise BadEvent, BadJson or TooLarge unless the PDU is well-formed for the room version.

    `unsigned` must only be an object, as it is never stored. `count_references=False` skips the limits of prev_events
    and auth_events, which do not apply to responses of /backfill. Signatures, hashes and auth rules are checked
    elsewhere.
    """
    if not isinstance(pdu, dict):
        raise BadEvent("an event must be an object")
    check_fields(pdu, rules)
    _check_hashes(pdu)
    check_references(pdu, rules, count_references=count_references)
    federated = {key: value for key, value in pdu.items() if key != "unsigned"}
    encoded = canonical.encode_strict(federated) if rules.strict_json else canonical.encode(federated)
    check_size(encoded)


def check_fields(pdu: JsonObject, rules: RoomRules) -> None:
    """The part of `check_format` that also applies before an event is hashed and signed."""
    if not isinstance(pdu.get("content"), dict):
        raise BadEvent("content is not an object")
    if not isinstance(pdu.get("unsigned", {}), dict):
        raise BadEvent("unsigned is not an object")
    _check_text(pdu, "type")
    if "state_key" in pdu:
        _check_text(pdu, "state_key")
    if not is_user_id(_check_text(pdu, "sender")):
        raise BadEvent("sender is not a user id")
    _check_integer(pdu, "origin_server_ts", -_INT64, _INT64 - 1)
    _check_integer(pdu, "depth", 0, rules.max_depth)
    _check_room_id(pdu, rules)
    _check_event_id(pdu, rules)


def check_references(pdu: JsonObject, rules: RoomRules, *, count_references: bool = True) -> None:
    """Check that prev_events and auth_events are lists of references within the limits."""
    for name, most in (("prev_events", MAX_PREV_EVENTS), ("auth_events", MAX_AUTH_EVENTS)):
        entries = pdu.get(name)
        if not isinstance(entries, list):
            raise BadEvent(f"{name} is not a list")
        if count_references and len(entries) > most:
            raise BadEvent(f"{name} has over {most} entries")
        for entry in entries:
            event_id = _paired_id(entry) if rules.references_have_hashes else entry
            if not isinstance(event_id, str) or not is_event_id(event_id):
                raise BadEvent(f"{name} has an entry that is not an event reference")


def check_size(encoded: bytes) -> None:
    """Raise TooLarge if the canonical bytes of a PDU are over 65536."""
    if len(encoded) > canonical.MAX_PDU_BYTES:
        raise TooLarge(f"event of {len(encoded)} bytes; {canonical.MAX_PDU_BYTES} are the most")


def _check_text(pdu: JsonObject, name: str) -> str:
    value = pdu.get(name)
    if not isinstance(value, str):
        raise BadEvent(f"{name} is not a string")
    if not fits(value):
        raise TooLarge(f"{name} is over 255 bytes")
    return value


def _check_integer(pdu: JsonObject, name: str, least: int, greatest: int) -> None:
    value = pdu.get(name)
    if type(value) is not int:  # isinstance would accept booleans
        raise BadEvent(f"{name} is not an integer")
    if not least <= value <= greatest:
        raise BadEvent(f"{name} is out of range")


def _check_room_id(pdu: JsonObject, rules: RoomRules) -> None:
    if rules.room_id_is_hash and pdu["type"] == _CREATE:
        if "room_id" in pdu:
            raise BadEvent("a create event of this room version has no room_id")
        return
    room_id = _check_text(pdu, "room_id")
    right = is_hash_room_id(room_id) if rules.room_id_is_hash else is_room_id(room_id) and ":" in room_id
    if not right:
        raise BadEvent("room_id is not a room id of this room version")


def _check_event_id(pdu: JsonObject, rules: RoomRules) -> None:
    if rules.event_id_format is not EventIdFormat.GIVEN:
        if "event_id" in pdu:
            raise BadEvent("event_id is not part of an event of this room version")
        return
    event_id = _check_text(pdu, "event_id")
    if not is_event_id(event_id) or ":" not in event_id:
        raise BadEvent("event_id is not an event id of this room version")


def _check_hashes(pdu: JsonObject) -> None:
    hashes = pdu.get("hashes")
    if not isinstance(hashes, dict) or not isinstance(hashes.get("sha256"), str):
        raise BadEvent("hashes has no sha256")
    signatures = pdu.get("signatures")
    if not isinstance(signatures, dict):
        raise BadEvent("signatures is not an object")
    for by_key in signatures.values():
        if not isinstance(by_key, dict) or not all(isinstance(text, str) for text in by_key.values()):
            raise BadEvent("signatures is not an object of objects of strings")


def _paired_id(entry: object) -> object:
    """The id of an [id, hashes] pair; the hashes are not checked and may be {}."""
    match entry:
        case [event_id, dict()]:
            return event_id
    return None
