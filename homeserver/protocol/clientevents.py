"""Events as clients get them (client-server API, "Room event format").

The bytes of an event are made once, by `form_of`, and kept by the caller; what differs from reader to reader and from
moment to moment is `unsigned`, which `ClientEventBytes.render` joins to them. The bytes are whole JSON objects, to
be put into an answer as they are (`orjson.Fragment`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from homeserver.protocol import canonical, paths
from homeserver.protocol.canonical import JsonObject
from homeserver.protocol.event import Event
from homeserver.protocol.paths import Path

_ALWAYS: tuple[Path, ...] = (("event_id",), ("type",), ("sender",), ("origin_server_ts",), ("state_key",))


@dataclass(frozen=True, slots=True)
class ReaderUnsigned:
    """What one reader is told beside an event, at one moment.

    `transaction_id` is for the device that sent the event and no other. `membership` is the reader's own at the event.
    `with_previous` says whether the reader may see the state that the event replaced. `relations` is the value of
    `m.relations`, as JSON bytes: the bundle of what relates to the event.
    """

    now_ms: int
    transaction_id: str | None = None
    membership: str | None = None
    with_previous: bool = False
    relations: bytes | None = None


@dataclass(frozen=True, slots=True)
class ClientEventBytes:
    """The bytes of one event, without the end of the object. `room` is the part that names the room.

    `replaces` and `previous` belong to state events: what they replaced, by its id and as JSON. `because` is the event
    that redacted this one.
    """

    origin_server_ts: int
    head: bytes
    room: bytes
    replaces: bytes = b""
    previous: bytes = b""
    because: ClientEventBytes | None = None

    def render(self, aside: ReaderUnsigned, *, room_id: bool = True) -> bytes:
        """The JSON of the event. `room_id=False` is for /sync, where the room is said elsewhere."""
        return b"".join(
            (self.head, self.room if room_id else b"", b',"unsigned":', self._unsigned(aside, room_id), b"}")
        )

    def _unsigned(self, aside: ReaderUnsigned, room_id: bool) -> bytes:
        parts = [b'{"age":%d' % (aside.now_ms - self.origin_server_ts), self.replaces]
        if aside.with_previous:
            parts.append(self.previous)
        if aside.membership is not None:
            parts.append(b',"membership":' + canonical.encode(aside.membership))
        if aside.transaction_id is not None:
            parts.append(b',"transaction_id":' + canonical.encode(aside.transaction_id))
        if aside.relations is not None:
            parts.append(b',"m.relations":' + aside.relations)
        if self.because is not None:
            parts.append(
                b',"redacted_because":' + self.because.render(ReaderUnsigned(aside.now_ms), room_id=room_id)
            )
        return b"".join((*parts, b"}"))


def bare(event: Event) -> Event:
    """The event without what it says; a redaction still says which event it is about."""
    content = {}
    if event.type == "m.room.redaction" and "redacts" in event.content:
        content = {"redacts": event.content["redacts"]}
    return replace(event, content=content, json=canonical.encode({**event.pdu, "content": content}))


def form_of(
    event: Event,
    *,
    replaced: Event | None = None,
    because: ClientEventBytes | None = None,
    fields: Iterable[Path] | None = None,
) -> ClientEventBytes:
    """The client form of an event, by the event itself as it is stored.

    `replaced` is the state event in whose place it came; `because` the form of the event that redacted it. `fields`
    are the paths that a filter keeps; what an event cannot be without stays too.
    """
    shown = client_format(event)
    if fields is not None:
        shown = {"content": {}, **paths.pick(shown, (*_ALWAYS, *fields))}
    room = _member("room_id", event.room_id)
    return _with_replaced(
        ClientEventBytes(event.origin_server_ts, _open(shown), room, because=because), replaced
    )


def federation_form_of(
    event: Event, *, replaced: Event | None = None, because: ClientEventBytes | None = None
) -> ClientEventBytes:
    """The form for clients that ask for events as servers send them: with hashes and signatures.

    The event's id is in it in all room versions, as clients cannot work it out. The room is named where the PDU does
    that, be it asked for or not.
    """
    head = _open(event_in_full(event))
    return _with_replaced(ClientEventBytes(event.origin_server_ts, head, b"", because=because), replaced)


def event_in_full(event: Event) -> JsonObject:
    """An event as servers send it, with its id: so the create event stands in stripped state (MSC4311)."""
    return {**event.pdu, "event_id": event.event_id}


def client_format(event: Event) -> dict[str, Any]:
    """What all readers of an event get, without `room_id` and `unsigned`.

    A redaction says what it redacts both at the top and in its content, for clients of either age.
    """
    shown: dict[str, Any] = {
        "content": event.content,
        "event_id": event.event_id,
        "origin_server_ts": event.origin_server_ts,
        "sender": event.sender,
        "type": event.type,
    }
    if event.state_key is not None:
        shown["state_key"] = event.state_key
    if event.redacts is not None:
        shown["redacts"] = event.redacts
        shown["content"] = {**event.content, "redacts": event.redacts}
    return shown


def stripped(event: Event) -> JsonObject:
    """A state event as people see it who are not in the room ("Stripped state")."""
    return {
        "content": event.content,
        "sender": event.sender,
        "state_key": event.state_key,
        "type": event.type,
    }


def _with_replaced(form: ClientEventBytes, replaced: Event | None) -> ClientEventBytes:
    if replaced is None:
        return form
    return replace(
        form,
        replaces=_member("replaces_state", replaced.event_id),
        previous=_member("prev_content", replaced.content),
    )


def _member(name: str, value: JsonObject | str) -> bytes:
    """A further member of an object."""
    return b"," + canonical.encode({name: value})[1:-1]


def _open(value: JsonObject) -> bytes:
    """The bytes of an object that has members, without the brace at its end."""
    return canonical.encode(value)[:-1]
