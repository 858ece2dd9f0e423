"""Reports to the server's admins."""

from collections.abc import Sequence

from pydantic import Field

from homeserver.api.matrix import schemas
from homeserver.http.body import Body
from homeserver.http.routes import Call, Handler, Route
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.services.moderation.reports import Reports


class ReportBody(Body):
    """Older clients also send a `score`, which is ignored."""

    reason: str | None = Field(default=None, max_length=100_000)


class ReportCalls:
    """The handlers for reports."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    def routes(self) -> Sequence[Route]:
        """The routes."""
        room = "/client/v3/rooms/{room_id}/report"
        return (
            _post(room, self.room, "Report a room"),
            _post(f"{room}/{{event_id}}", self.event, "Report an event"),
            _post("/client/v3/users/{user_id}/report", self.user, "Report a user"),
        )

    async def room(self, call: Call[ReportBody, None]) -> schemas.Empty:
        """`POST /_matrix/client/v3/rooms/{room_id}/report`: report a room to the server's admins.

        The user need not be in it.

        Spec: client-server API, "Reporting content".
        Errors: M_NOT_FOUND, M_TOO_LARGE (reason).
        """
        await self._reports.report_room(call.requester, RoomId(call.text("room_id")), call.body.reason or "")
        return {}

    async def event(self, call: Call[ReportBody, None]) -> schemas.Empty:
        """`POST /_matrix/client/v3/rooms/{room_id}/report/{event_id}`: report an event of a room that the
        user is joined to.

        Spec: client-server API, "Reporting content".
        Errors: M_NOT_FOUND, M_UNKNOWN (the user's own event), M_TOO_LARGE (reason).
        """
        room_id, event_id = RoomId(call.text("room_id")), EventId(call.text("event_id"))
        await self._reports.report_event(call.requester, room_id, event_id, call.body.reason or "")
        return {}

    async def user(self, call: Call[ReportBody, None]) -> schemas.Empty:
        """`POST /_matrix/client/v3/users/{user_id}/report`: report a user of this server.

        Spec: client-server API, "Reporting content".
        Errors: M_NOT_FOUND, M_TOO_LARGE (reason).
        """
        await self._reports.report_user(call.requester, UserId(call.text("user_id")), call.body.reason or "")
        return {}


def _post(path: str, handler: Handler, summary: str) -> Route:
    return Route("POST", path, handler, summary, body=ReportBody, answer=schemas.Empty)
