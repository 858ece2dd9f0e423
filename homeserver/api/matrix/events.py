"""Sending events, setting state, redacting."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from pydantic import Field

from homeserver.api.matrix import schemas
from homeserver.http.body import JsonObject, Query, QueryInt
from homeserver.http.routes import Call, Handler, Route
from homeserver.protocol.ids import EventId, RoomId
from homeserver.services.messages.client_events import RoomEvents
from homeserver.services.messages.delayed import DelayedEvents


class SendQuery(Query):
    """With a delay in milliseconds the event is scheduled (MSC4140)."""

    delay: QueryInt | None = Field(default=None, ge=1, le=2**53 - 1, alias="org.matrix.msc4140.delay")


Sending: TypeAlias = Call[JsonObject, SendQuery]
Sent: TypeAlias = schemas.SentEvent | schemas.DelayedEvent


class EventCalls:
    """The handlers that write events."""

    def __init__(self, events: RoomEvents, delayed: DelayedEvents) -> None:
        self._events = events
        self._delayed = delayed

    def routes(self) -> Sequence[Route]:
        """The routes."""
        room = "/client/v3/rooms/{room_id}"
        return (
            _put(f"{room}/send/{{type}}/{{txn_id}}", self.send, "Send an event", guests=True),
            _put(f"{room}/state/{{type}}/{{state_key}}", self.set_state, "Set a state event", guests=True),
            _put(
                f"{room}/state/{{type}}",
                self.set_plain_state,
                "Set a state event with an empty state key",
                guests=True,
            ),
            _put(f"{room}/redact/{{event_id}}/{{txn_id}}", self.redact, "Redact an event"),
            _post(
                f"{room}/send/{{type}}", self.send_anew, "Send an event without a transaction ID", guests=True
            ),
            _post(
                f"{room}/redact/{{event_id}}", self.redact_anew, "Redact an event without a transaction ID"
            ),
        )

    async def send(self, call: Sending) -> Sent:
        """`PUT /_matrix/client/v3/rooms/{room_id}/send/{type}/{txn_id}`: send a message event; with a delay,
        schedule it (MSC4140).

        A transaction id that the device has used before sends nothing and answers the first event id.

        Spec: client-server API, "Room participation", "Event relationships".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_BAD_JSON, M_TOO_LARGE, M_DUPLICATE_ANNOTATION (the same reaction once more),
          M_UNKNOWN (a thread that would begin with an event that relates to another).
        """
        return await self._send(call, call.text("txn_id"))

    async def send_anew(self, call: Sending) -> Sent:
        """`POST /_matrix/client/v3/rooms/{room_id}/send/{type}`: send a message event; with a delay, schedule it
        (MSC4140).

        Without a transaction id: every call sends. Not in the specification; older bots call it.

        Errors: M_FORBIDDEN, M_NOT_FOUND, M_BAD_JSON, M_TOO_LARGE.
        """
        return await self._send(call, None)

    async def _send(self, call: Sending, txn_id: str | None) -> Sent:
        kind = call.text("type")
        if call.query.delay is not None:
            waits = await self._delayed.add(
                call.requester,
                _room(call),
                kind,
                call.body.root,
                delay_ms=call.query.delay,
                txn_id=txn_id,
            )
            return {"delay_id": waits}
        sent = await self._events.send(call.requester, _room(call), kind, call.body.root, txn_id=txn_id)
        return {"event_id": sent}

    async def set_state(self, call: Sending) -> Sent:
        """`PUT /_matrix/client/v3/rooms/{room_id}/state/{type}/{state_key}`: set the state event of a type
        and state key; with a delay, schedule it (MSC4140).

        Spec: client-server API, "Room participation".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_BAD_JSON, M_TOO_LARGE, M_BAD_ALIAS.
        """
        return await self._set(call, call.text("state_key"))

    async def set_plain_state(self, call: Sending) -> Sent:
        """`PUT /_matrix/client/v3/rooms/{room_id}/state/{type}`: set the state event of a type with an empty
        state key; with a delay, schedule it (MSC4140).

        Spec: client-server API, "Room participation".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_BAD_JSON, M_TOO_LARGE, M_BAD_ALIAS.
        """
        return await self._set(call, "")

    async def redact(self, call: Sending) -> schemas.SentEvent:
        """`PUT /_matrix/client/v3/rooms/{room_id}/redact/{event_id}/{txn_id}`: redact an event.

        The body may hold a reason.

        Spec: client-server API, "Room participation".
        Errors: M_FORBIDDEN, M_NOT_FOUND.
        """
        return await self._redact(call, call.text("txn_id"))

    async def redact_anew(self, call: Sending) -> schemas.SentEvent:
        """`POST /_matrix/client/v3/rooms/{room_id}/redact/{event_id}`: redact an event.

        Without a transaction id; the body may hold a reason. Not in the specification; older bots call it.

        Errors: M_FORBIDDEN, M_NOT_FOUND.
        """
        return await self._redact(call, None)

    async def _redact(self, call: Sending, txn_id: str | None) -> schemas.SentEvent:
        target, body = EventId(call.text("event_id")), call.body.root
        if body.get("reason", "") is None:  # the rest is content, and kept as it was sent
            body = {name: value for name, value in body.items() if name != "reason"}
        sent = await self._events.redact(call.requester, _room(call), target, body, txn_id=txn_id)
        return {"event_id": sent}

    async def _set(self, call: Sending, state_key: str) -> Sent:
        if call.query.delay is not None:
            waits = await self._delayed.add(
                call.requester,
                _room(call),
                call.text("type"),
                call.body.root,
                delay_ms=call.query.delay,
                state_key=state_key,
            )
            return {"delay_id": waits}
        made = await self._events.set_state(
            call.requester, _room(call), call.text("type"), state_key, call.body.root
        )
        return {"event_id": made}


def _room(call: Call[JsonObject, Any]) -> RoomId:
    return RoomId(call.text("room_id"))


def _put(path: str, handler: Handler, summary: str, *, guests: bool = False) -> Route:
    return Route("PUT", path, handler, summary, body=JsonObject, query=SendQuery, answer=Sent, guests=guests)


def _post(path: str, handler: Handler, summary: str, *, guests: bool = False) -> Route:
    return Route("POST", path, handler, summary, body=JsonObject, query=SendQuery, answer=Sent, guests=guests)
