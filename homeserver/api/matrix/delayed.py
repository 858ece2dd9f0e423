"""Delayed events (MSC4140): listing, cancelling, restarting, sending.

Updating one needs no access token: the delay id, known to the sender alone, is the credential.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal, NotRequired

import orjson
from typing_extensions import TypedDict

from homeserver.api.matrix import schemas
from homeserver.errors import NotFound
from homeserver.http.body import Body, JsonObject
from homeserver.http.routes import Call, Route
from homeserver.services.messages.delayed import Action, DelayedEvents, DelayedRow

_ACTIONS: Final[dict[str, Action]] = {"cancel": "cancel", "restart": "restart", "send": "send"}


class DelayedEventAction(Body):
    action: Literal["cancel", "restart", "send"]


class ScheduledEvent(TypedDict):
    delay_id: str
    room_id: str
    type: str
    state_key: NotRequired[str]
    delay: int
    running_since: int
    content: dict[str, Any]


class ScheduledEvents(TypedDict):
    delayed_events: list[ScheduledEvent]


class DelayedCalls:
    """The handlers under delayed_events."""

    def __init__(self, delayed: DelayedEvents) -> None:
        self._delayed = delayed

    def routes(self) -> Sequence[Route]:
        """The routes."""
        path, empty = "/client/unstable/org.matrix.msc4140/delayed_events", schemas.Empty
        one = f"{path}/{{delay_id}}"
        return (
            Route("GET", path, self.listing, "List the user's delayed events", answer=ScheduledEvents),
            Route(
                "POST",
                one,
                self.update,
                "Cancel, restart or send a delayed event",
                body=DelayedEventAction,
                answer=empty,
                public=True,
            ),
            Route(
                "POST",
                f"{one}/{{action}}",
                self.update_by_path,
                "Cancel, restart or send a delayed event",
                body=JsonObject,
                answer=empty,
                public=True,
            ),
        )

    async def listing(self, call: Call[None, None]) -> ScheduledEvents:
        """`GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events`: list the delayed events that the
        user has scheduled.

        Spec: MSC4140.
        """
        return {"delayed_events": [_scheduled(row) for row in await self._delayed.waiting(call.requester)]}

    async def update(self, call: Call[DelayedEventAction, None]) -> schemas.Empty:
        """`POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delay_id}`: cancel, restart or
        send a delayed event, as the body says.

        The delay id, known to the sender alone, is the credential.

        Spec: MSC4140.
        Errors: M_NOT_FOUND, M_CONFLICT (already sent or cancelled).
        """
        await self._delayed.steer(call.text("delay_id"), call.body.action)
        return {}

    async def update_by_path(self, call: Call[JsonObject, None]) -> schemas.Empty:
        """`POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delay_id}/{action}`: cancel,
        restart or send a delayed event, as the path says.

        The delay id, known to the sender alone, is the credential.

        Spec: MSC4140.
        Errors: M_NOT_FOUND, M_CONFLICT (already sent or cancelled), M_UNRECOGNIZED (unknown action).
        """
        action = _ACTIONS.get(call.text("action"))
        if action is None:
            raise NotFound("unknown action", code="unrecognized")
        await self._delayed.steer(call.text("delay_id"), action)
        return {}


def _scheduled(row: DelayedRow) -> ScheduledEvent:
    shown: ScheduledEvent = {
        "delay_id": row.delay_id,
        "room_id": row.room_id,
        "type": row.type,
        "delay": row.delay_ms,
        "running_since": row.started_ms,
        "content": orjson.loads(row.content),
    }
    if row.state_key is not None:
        shown["state_key"] = row.state_key
    return shown
