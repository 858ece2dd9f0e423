"""Events in client format (client-server API, "Room event format").

The bytes of an event are made once, by `form_of`, and cached by the caller; only `unsigned` differs between readers
and over time, and `ClientEventBytes.render` adds it. The result is a whole JSON object, to be put into a response
unchanged (`orjson.Fragment`).
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
    """The `unsigned` data of an event for one reader at one time.

    `transaction_id`: only for the device that sent the event. `membership`: the reader's own at the event.
    `with_previous`: the reader may see the state event that this one replaced. `relations`: the bundled aggregations,
    the value of `m.relations` as JSON bytes.
    """

    now_ms: int
    transaction_id: str | None = None
    membership: str | None = None
    with_previous: bool = False
    relations: bytes | None = None


@dataclass(frozen=True, slots=True)
class ClientEventBytes:
    """The bytes of one event, without the end of the object. `room` is the member `room_id`.

    `replaces` and `previous`, for state events: the id and content of the replaced event, as JSON. `because`: the event
    that redacted this one.
    """

    origin_server_ts: int
    head: bytes
    room: bytes
    replaces: bytes = b""
    previous: bytes = b""
    because: ClientEventBytes | None = None

    def render(self, aside: ReaderUnsigned, *, room_id: bool = True) -> bytes:
        """The JSON of the event. `room_id=False` is for /sync, whose events have no room_id."""
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
    """The event with empty content; a redaction keeps `redacts`."""
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
    """The client format of a stored event.

    `replaced`: the state event that it replaced; `because`: the form of the event that redacted it. `fields`: the
    paths that a filter keeps (`event_fields`); required fields are kept as well.
    """
    shown = client_format(event)
    if fields is not None:
        shown = {"content": {}, **paths.pick(shown, (*_ALWAYS, *fields))}
    room = _member("room_id", event.room_id)
    return _with_replaced(
        ClientEventBytes(event.origin_server_ts, _open(shown), room, because=because), replaced
    )


def federation_form_of(
    event: Event,
    *,
    replaced: Event | None = None,
    because: ClientEventBytes | None = None,
    fields: Iterable[Path] | None = None,
) -> ClientEventBytes:
    """The federation format for clients (filter `event_format`): with hashes and signatures.

    It has the event id in all room versions, as clients cannot compute it. `room_id` is included whenever the PDU
    has it. Arguments as those of `form_of`.
    """
    shown = event_in_full(event)
    if fields is not None:
        shown = {"content": {}, **paths.pick(shown, (*_ALWAYS, *fields))}
    head = _open(shown)
    return _with_replaced(ClientEventBytes(event.origin_server_ts, head, b"", because=because), replaced)


def event_in_full(event: Event) -> JsonObject:
    """An event in federation format with its id: the form of the create event in stripped state (MSC4311)."""
    return {**event.pdu, "event_id": event.event_id}


def client_format(event: Event) -> dict[str, Any]:
    """The client format of an event without `room_id` and `unsigned`, the same for all readers.

    A redaction has `redacts` both at the top level and in its content, for old and new clients.
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
    """A stripped state event, for users who are not in the room ("Stripped state")."""
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
    """A JSON object member, with a leading comma."""
    return b"," + canonical.encode({name: value})[1:-1]


def _open(value: JsonObject) -> bytes:
    """The bytes of a non-empty object without its closing brace."""
    return canonical.encode(value)[:-1]
