"""Sending a message, by REST or by a frame: a text, which may answer another message."""

from homeserver.api.university.schemas import MessageFrame, NewMessage
from homeserver.services.events.access import Access, OpenRoom
from homeserver.services.messages.messages import Messages, Sent


class Posting:
    """Sends what clients of this face say."""

    def __init__(self, *, messages: Messages, access: Access) -> None:
        self._messages = messages
        self._access = access

    async def send(self, room: OpenRoom, new: NewMessage | MessageFrame) -> Sent:
        """Send; with the `client_id` of an earlier call, answer what that made.

        Raises NotFound (code "message_not_found") for a message to answer that is not there.
        """
        reply_to = None
        if new.reply_to is not None:
            reply_to = await self._access.message_by_uuid(room.requester, new.reply_to)
        return await self._messages.send(room, text=new.text or "", reply_to=reply_to, txn_id=new.client_id)
