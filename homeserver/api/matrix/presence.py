"""Presence."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from homeserver.api.matrix import schemas
from homeserver.errors import Forbidden
from homeserver.http.body import Body
from homeserver.http.routes import Call, Route
from homeserver.protocol.ids import UserId
from homeserver.services.realtime.presence import Presence


class PresenceBody(Body):
    presence: Literal["online", "offline", "unavailable"]
    status_msg: str | None = Field(default=None, max_length=10_000)


class PresenceCalls:
    """The handlers for presence."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence

    def routes(self) -> Sequence[Route]:
        """The routes."""
        path, empty = "/client/v3/presence/{user_id}/status", schemas.Empty
        return (
            Route("GET", path, self.get, "Get a user's presence", answer=dict[str, Any]),
            Route("PUT", path, self.set, "Set the user's presence", body=PresenceBody, answer=empty),
        )

    async def get(self, call: Call[None, None]) -> dict[str, Any]:
        """`GET /_matrix/client/v3/presence/{user_id}/status`: get the presence of a user who shares a room
        with the requester.

        Spec: client-server API, "Presence".
        Errors: M_FORBIDDEN.
        """
        return await self._presence.of(call.requester, UserId(call.text("user_id")))

    async def set(self, call: Call[PresenceBody, None]) -> schemas.Empty:
        """`PUT /_matrix/client/v3/presence/{user_id}/status`: set the user's own presence and status message.

        Spec: client-server API, "Presence".
        Errors: M_FORBIDDEN (another user's id), M_TOO_LARGE (status message).
        """
        if call.text("user_id") != call.requester.user_id:
            raise Forbidden("not your account", code="not_yours")
        self._presence.show(call.requester, call.body.presence, call.body.status_msg)
        return {}
