"""Notices of the server, sent by admins as tools for other homeservers do it: below `/_synapse/admin/v1`."""

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


class Noticed(TypedDict):
    event_id: str


class NoticeCalls:
    """The calls under send_server_notice."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices

    def routes(self) -> Sequence[Route]:
        """The table of these calls."""
        path, summary = "/send_server_notice", "Tell somebody something in the server's name"
        return (
            Route("POST", path, self.send, summary, body=NoticeBody, answer=Noticed),
            Route("PUT", f"{path}/{{txn_id}}", self.send_once, summary, body=NoticeBody, answer=Noticed),
        )

    async def send(self, call: Call[NoticeBody, None]) -> Noticed:
        """For admins; each call says it again."""
        return await self._send(call)

    async def send_once(self, call: Call[NoticeBody, None]) -> Noticed:
        """For admins; a repeated call says nothing."""
        return await self._send(call, call.text("txn_id"))

    async def _send(self, call: Call[NoticeBody, None], txn_id: str = "") -> Noticed:
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
