"""Files of messages: uploaded here, or by URL."""

from collections.abc import Sequence
from uuid import UUID

from homeserver.api.university import schemas, shape
from homeserver.api.university.schemas import AttachmentFields, AttachmentForm, NewAttachment
from homeserver.errors import HomeserverError, Invalid, Unavailable
from homeserver.http.body import check
from homeserver.http.forms import FormFile, form_parts
from homeserver.http.routes import Call, Route, is_multipart
from homeserver.kit.text import file_name_in
from homeserver.model import Attachment, Requester
from homeserver.services.events.access import Access, SeenMessage
from homeserver.services.events.content import NewFile, uploaded_file
from homeserver.services.media.store import Media, StoredMedia
from homeserver.services.messages.messages import Messages

FILE_FIELD = "file"
MAX_FIELD_BYTES = 100_000


class Attachments:
    """The handler of `attachments/`."""

    def __init__(self, *, messages: Messages, media: Media, access: Access, views: shape.Views) -> None:
        self._messages = messages
        self._media = media
        self._access = access
        self._views = views

    def routes(self) -> Sequence[Route]:
        """The routes."""
        return (
            Route(
                "POST",
                "/attachments",
                self.add,
                "Attach a file to a message, or send it as a message",
                body=NewAttachment,
                form=AttachmentForm,
                answer=schemas.Attachment,
                tags=("Messages",),
                errors={403: "Only the author may add files to a message.", 413: "The file is too large."},
            ),
        )

    async def add(self, call: Call[NewAttachment | None, None]) -> schemas.Attachment:
        """`POST /api/unet-chat/attachments`: a file by its URL (JSON), or uploaded in a form.

        Errors: message_not_found, room_not_found, not_author, bad_file_url, file_too_large, quota_exceeded,
          client_id_in_use, missing_param.
        """
        requester = call.requester
        if call.body is None or is_multipart(call.request):
            return await self._upload(call)
        body = call.body
        message = await self._access.message_by_uuid(requester, body.message_id)
        name = file_name_in(body.file_url)
        file = NewFile(kind=body.file_type, name=name, size=body.file_size, file_url=body.file_url)
        added = await self._messages.attach(message, file)
        return shape.attachment(added, str(body.message_id), self._views.of(requester))

    async def _upload(self, call: Call[NewAttachment | None, None]) -> schemas.Attachment:
        """Store the file, which may come before or after the fields; keep it only if it was attached."""
        requester = call.requester
        given: dict[str, str] = {}
        stored: StoredMedia | None = None
        try:
            async for part in form_parts(call.request, MAX_FIELD_BYTES):
                if not isinstance(part, FormFile):
                    given[part.name] = part.value
                elif part.name != FILE_FIELD or stored is not None:
                    raise Invalid(f"{FILE_FIELD}: one file is expected", code="invalid_param")
                else:
                    if given:  # check before the upload if possible
                        await self._find(requester, check(AttachmentFields, given))
                    stored = await self._media.upload(
                        requester, name=part.file_name, chunks=part.chunks, declared_type=part.content_type
                    )
            if stored is None:
                raise Invalid(f"{FILE_FIELD}: is required", code="missing_param")
            return await self._attach(requester, check(AttachmentFields, given), stored)
        except HomeserverError as error:
            # After any other failure the message may exist, so the file must be kept.
            if stored is not None and not isinstance(error, Unavailable):
                await self._media.discard(requester, stored.media_id)
            raise

    async def _find(self, requester: Requester, fields: AttachmentFields) -> None:
        """Raise NotFound unless the message or conversation, and the message replied to, exist."""
        if fields.message_id is not None:
            await self._access.message_by_uuid(requester, fields.message_id)
        if fields.conversation_id is not None:
            await self._access.room_by_uuid(requester, fields.conversation_id)
        await self._answered(requester, fields)

    async def _answered(self, requester: Requester, fields: AttachmentFields) -> SeenMessage | None:
        if fields.reply_to is None:
            return None
        return await self._access.message_by_uuid(requester, fields.reply_to)

    async def _attach(
        self, requester: Requester, fields: AttachmentFields, stored: StoredMedia
    ) -> schemas.Attachment:
        view = self._views.of(requester)
        file = uploaded_file(stored)
        if fields.message_id is not None:
            message = await self._access.message_by_uuid(requester, fields.message_id)
            added = await self._messages.attach(message, file)
            return shape.attachment(added, str(fields.message_id), view)
        room = await self._access.room_by_uuid(requester, _given(fields.conversation_id))
        reply_to = await self._answered(requester, fields)
        sent = await self._messages.send_file(
            room, file=file, text=fields.text, reply_to=reply_to, txn_id=fields.client_id
        )
        own = _own_file(sent.message.attachments)
        if own.media_id != stored.media_id:
            # A repeated client_id: the first file was sent, this one is not needed.
            await self._media.discard(requester, stored.media_id)
        return shape.attachment(own, shape.message_id(sent.message.ref), view)


def _given(conversation_id: UUID | None) -> UUID:
    if conversation_id is None:
        raise Invalid("exactly one of message_id and conversation_id is required", code="missing_param")
    return conversation_id


def _own_file(attachments: Sequence[Attachment]) -> Attachment:
    if not attachments:
        raise Invalid("this client_id was used for a message without a file", code="client_id_in_use")
    return attachments[0]
