"""Server notices, sent by admins, at the path that tools for other homeservers use (`/_synapse/admin/v1`)."""

from collections.abc import Sequence

from typing_extensions import TypedDict

from homeserver.http.body import Body, JsonObject, Text
from homeserver.http.routes import Call, Route
from homeserver.protocol.ids import UserId
from homeserver.services.admin.server_notices import Notices


class NoticeBody(Body):
    user_id: Text
    content: JsonObject
    type: Text = "m.room.message"
    state_key: Text | None = None


class SentNotice(TypedDict):
    event_id: str


class NoticeCalls:
    """The handlers under send_server_notice."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices

    def routes(self) -> Sequence[Route]:
        """The routes."""
        path = "/send_server_notice"
        return (
            Route("POST", path, self.send, "Send a server notice", body=NoticeBody, answer=SentNotice),
            Route(
                "PUT",
                f"{path}/{{txn_id}}",
                self.send_once,
                "Send a server notice with a transaction ID",
                body=NoticeBody,
                answer=SentNotice,
            ),
        )

    async def send(self, call: Call[NoticeBody, None]) -> SentNotice:
        """`POST /_synapse/admin/v1/send_server_notice`: send a message to a user from the server's notices
        account.

        For admins; each call sends.

        Errors: M_FORBIDDEN, M_NOT_FOUND (no such user, or notices are off), M_INVALID_PARAM (a user of
          another server).
        """
        return await self._send(call)

    async def send_once(self, call: Call[NoticeBody, None]) -> SentNotice:
        """`PUT /_synapse/admin/v1/send_server_notice/{txn_id}`: send a message to a user from the server's
        notices account.

        For admins; a repeated transaction id sends nothing.

        Errors: M_FORBIDDEN, M_NOT_FOUND (no such user, or notices are off), M_INVALID_PARAM (a user of
          another server).
        """
        return await self._send(call, call.text("txn_id"))

    async def _send(self, call: Call[NoticeBody, None], txn_id: str | None = None) -> SentNotice:
        request = call.body
        event_id = await self._notices.send(
            call.requester,
            UserId(request.user_id),
            dict(request.content.root),
            kind=request.type,
            state_key=request.state_key,
            txn_id=txn_id,
        )
        return {"event_id": event_id}
