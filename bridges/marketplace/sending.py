"""Sending a message, by REST or by a frame: a text, or a file with or without one."""

from bridges.marketplace.files import Files
from bridges.marketplace.schemas import NewMessage
from homeserver.errors import Invalid
from homeserver.services.events.access import OpenRoom
from homeserver.services.messages.messages import Messages, Sent


class Posting:
    """Sends what clients of this API say."""

    def __init__(self, *, messages: Messages, files: Files, max_message_chars: int) -> None:
        self._messages = messages
        self._files = files
        self._max_message_chars = max_message_chars

    async def send(self, room: OpenRoom, new: NewMessage) -> Sent:
        """Send; with the `client_id` of an earlier call, answer what that made.

        Raises Invalid, Forbidden, TooLarge, RateLimited, and NotFound for a file that is not there.
        """
        most = self._max_message_chars
        if len(new.message_text) > most:
            raise Invalid(f"message_text: must have at most {most} characters", code="invalid_param")
        if not new.file_url:
            if new.message_type != "text":
                raise Invalid("file_url: is required for a file", code="missing_param")
            return await self._messages.send(room, text=new.message_text, txn_id=new.client_id)
        return await self._messages.send_file(
            room,
            file=await self._files.named(new),
            text=new.message_text or None,
            txn_id=new.client_id,
        )
