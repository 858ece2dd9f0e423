"""Events: send them, set state, take them away."""

from collections.abc import Sequence

from homeserver.api.matrix import schemas
from homeserver.http.body import JsonObject
from homeserver.http.routes import Call, Handler, Route
from homeserver.protocol.ids import EventId, RoomId
from homeserver.services.roomevents import RoomEvents


class EventCalls:
    """The calls that write events."""

    def __init__(self, events: RoomEvents) -> None:
        self._events = events

    def routes(self) -> Sequence[Route]:
        """The table of these calls."""
        room = "/client/v3/rooms/{room_id}"
        return (
            _put(f"{room}/send/{{type}}/{{txn_id}}", self.send, "Send an event", hot=True),
            _put(f"{room}/state/{{type}}/{{state_key}}", self.set_state, "Set state"),
            _put(f"{room}/state/{{type}}", self.set_plain_state, "Set state with an empty key"),
            _put(f"{room}/redact/{{event_id}}/{{txn_id}}", self.redact, "Take an event's content away"),
        )

    async def send(self, call: Call[JsonObject, None]) -> schemas.SentEvent:
        """A repeated transaction id of the same device sends nothing."""
        kind, txn_id = call.text("type"), call.text("txn_id")
        sent = await self._events.send(call.requester, _room(call), kind, call.body.root, txn_id=txn_id)
        return {"event_id": sent}

    async def set_state(self, call: Call[JsonObject, None]) -> schemas.SentEvent:
        """By type and key."""
        return await self._set(call, call.text("state_key"))

    async def set_plain_state(self, call: Call[JsonObject, None]) -> schemas.SentEvent:
        """By type; the key is empty."""
        return await self._set(call, "")

    async def redact(self, call: Call[JsonObject, None]) -> schemas.SentEvent:
        """The body may hold a reason."""
        target, txn_id = EventId(call.text("event_id")), f"redact {call.text('txn_id')}"
        sent = await self._events.redact(call.requester, _room(call), target, call.body.root, txn_id=txn_id)
        return {"event_id": sent}

    async def _set(self, call: Call[JsonObject, None], state_key: str) -> schemas.SentEvent:
        made = await self._events.set_state(
            call.requester, _room(call), call.text("type"), state_key, call.body.root
        )
        return {"event_id": made}


def _room(call: Call[JsonObject, None]) -> RoomId:
    return RoomId(call.text("room_id"))


def _put(path: str, handler: Handler, summary: str, *, hot: bool = False) -> Route:
    return Route("PUT", path, handler, summary, body=JsonObject, answer=schemas.SentEvent, hot=hot)
