"""Messages: send, edit, redact, attach, and pages of history."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Forbidden, Invalid, TooLarge
from homeserver.model import (
    ATTACHMENT_REL,
    LAST_PLACE,
    Attachment,
    Content,
    Draft,
    MediaId,
    Message,
    Requester,
    place_at,
)
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.services.events.access import Access
from homeserver.services.events.content import (
    NO_EXTRAS,
    NOTHING_BESIDE,
    Beside,
    Extras,
    NewFile,
    attachment_of,
    edit_content,
    file_content,
    is_file_url,
    media_id_of,
    text_content,
)
from homeserver.services.events.messageviews import MessageViews
from homeserver.services.moderation.send_policy import SendPolicy
from homeserver.settings.models import MediaSettings, RoomSettings
from homeserver.storage import events, log, media, relations
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.transactions import TxnKey
from homeserver.timeline.reading import role_in
from homeserver.timeline.submission import Placed, SideWrite, Written
from homeserver.timeline.writer import Timeline

_MAX_PARTS = 500  # edits or files of one message that a deletion takes along


class Messages:
    """What people say in rooms. Every method takes who asks first and checks what they may."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Timeline,
        access: Access,
        views: MessageViews,
        send_policy: SendPolicy,
        settings: RoomSettings,
        files: "Files",
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._access = access
        self._views = views
        self._send_policy = send_policy
        self._settings = settings
        self._files = files

    async def send(
        self,
        requester: Requester,
        room_id: RoomId,
        *,
        text: str,
        reply_to: EventId | None = None,
        txn_id: str | None = None,
        extras: Extras = NO_EXTRAS,
    ) -> Message:
        """Send a text. A repeated `txn_id` of the same session answers the first message and sends nothing.

        Raises NotFound (room, or code "reply_not_found"), Invalid, TooLarge, or what Speech raises.
        """
        self._send_policy.check_pace(requester)
        self._check_text(text)
        head = await self._access.room(requester, room_id)
        if reply_to is not None:
            await self._check_reply(requester, room_id, reply_to)
        also = await self._send_policy.check(requester, head, text, txn_id=txn_id)
        content = text_content(text, reply_to=reply_to, client_id=txn_id, extras=extras)
        return await self._send(requester, room_id, content, txn_id, also)

    async def send_file(
        self,
        requester: Requester,
        room_id: RoomId,
        *,
        file: NewFile,
        text: str | None = None,
        txn_id: str | None = None,
        beside: Beside = NOTHING_BESIDE,
    ) -> Message:
        """Send a file as a message, with a caption if there is `text`. Raises what `send` raises."""
        self._send_policy.check_pace(requester)
        if text:
            self._check_text(text)
        check_file(file)
        head = await self._access.room(requester, room_id)
        if beside.reply_to is not None:
            await self._check_reply(requester, room_id, beside.reply_to)
        also = await self._send_policy.check(requester, head, text, txn_id=txn_id)
        content = file_content(file, self._files.server, text=text, client_id=txn_id, beside=beside)
        return await self._send(requester, room_id, content, txn_id, also)

    async def attach(self, requester: Requester, event_id: EventId, file: NewFile) -> Attachment:
        """Add a file to one's own message; Forbidden (code "not_author") for another's."""
        self._send_policy.check_pace(requester)
        check_file(file)
        target = await self._own(requester, event_id)
        head = await self._access.room(requester, target.event.room_id)
        await self._send_policy.check(requester, head, None)
        content = file_content(file, self._files.server, part_of=event_id)
        written = await self._timeline.send(
            target.event.room_id, [Draft("m.room.message", requester.user_id, content)]
        )
        attachment = attachment_of(written.events[0], self._files.server)
        if attachment is None:
            raise AssertionError("a file content was made that holds no file")
        return attachment

    async def edit(
        self, requester: Requester, event_id: EventId, *, text: str, txn_id: str | None = None
    ) -> Message:
        """Replace the text of one's own message."""
        self._send_policy.check_pace(requester)
        self._check_text(text)
        target = await self._own(requester, event_id)
        head = await self._access.room(requester, target.event.room_id)
        also = await self._send_policy.check(requester, head, text, txn_id=txn_id, edits=event_id)
        content = edit_content(target.event.content, event_id, text)
        await self._timeline.send(
            target.event.room_id,
            [Draft("m.room.message", requester.user_id, content)],
            txn=_txn(requester, target.event.room_id, txn_id),
            also=also,
        )
        return await self._views.one(await self._access.message(requester, event_id))

    async def redact(self, requester: Requester, event_id: EventId) -> None:
        """Delete a message with its edits and files; for its author and for admins of the room."""
        self._send_policy.check_pace(requester)
        target = await self._access.message(requester, event_id)
        head = await self._access.room(requester, target.event.room_id)
        is_admin = role_in(head, requester.user_id) == "admin"
        if not is_admin and not await self._views.is_author(requester.user_id, target):
            raise Forbidden("only the author or an admin may delete a message", code="not_author")
        await self.redact_as(requester.user_id, target)

    async def redact_as(
        self,
        by: UserId,
        target: StoredEvent,
        *,
        content: Content | None = None,
        txn: TxnKey | None = None,
        also: Sequence[SideWrite[Any]] = (),
    ) -> Written:
        """Delete a message with its edits and files in the name of `by`, whom the room's rules let do it.

        Nobody else is asked. `content`: of the redactions, the message's own first. `also` goes into the same
        transaction.
        """
        gone = [target, *await self._parts(target.event.event_id)]
        return await self._timeline.send(
            target.event.room_id,
            [Draft("m.room.redaction", by, content or {}, redacts=one.event.event_id) for one in gone],
            txn=txn,
            also=[*self._files.deletions(gone), *also],
        )

    async def page(
        self,
        requester: Requester,
        room_id: RoomId,
        *,
        limit: int,
        offset: int = 0,
        before: int | None = None,
        after: int | None = None,
    ) -> list[Message]:
        """A page of history, oldest first: the newest `limit` after leaving out `offset`, or next to a position."""
        await self._access.room(requester, room_id)
        async with self._db.read() as conn:
            if after is not None:
                page = await events.shown_after(conn, room_id, after=place_at(after), limit=limit)
            else:
                top = LAST_PLACE if before is None else place_at(before)
                newest = await events.shown_before(conn, room_id, before=top, limit=limit, offset=offset)
                page = newest[::-1]
        return await self._views.complete(room_id, page)

    async def newest_place(self) -> int:
        """Where the log ends: no message has a greater position yet."""
        async with self._db.read() as conn:
            return await log.head(conn)

    async def _send(
        self,
        requester: Requester,
        room_id: RoomId,
        content: Content,
        txn_id: str | None,
        also: Sequence[SideWrite[Any]],
    ) -> Message:
        draft = Draft("m.room.message", requester.user_id, content)
        txn = _txn(requester, room_id, txn_id)
        written = await self._timeline.send(room_id, [draft], txn=txn, also=also)
        if written.repeated:
            return await self._views.one(
                await self._access.message(requester, written.events[0].event.event_id)
            )
        return await self._views.fresh(written.events[0])

    async def _own(self, requester: Requester, event_id: EventId) -> StoredEvent:
        target = await self._access.message(requester, event_id)
        if not await self._views.is_author(requester.user_id, target):
            raise Forbidden("only the author may change a message", code="not_author")
        if target.event.type != "m.room.message":
            raise Invalid("this message cannot be changed here", code="not_editable")
        return target

    async def _check_reply(self, requester: Requester, room_id: RoomId, reply_to: EventId) -> None:
        target = await self._access.message(requester, reply_to)
        if target.event.room_id != room_id:
            raise Invalid("the message to reply to is of another room", code="reply_elsewhere")

    async def _parts(self, event_id: EventId) -> list[StoredEvent]:
        async with self._db.read() as conn:
            edits = await relations.related(conn, [event_id], "m.replace", _MAX_PARTS)
            files = await relations.related(conn, [event_id], ATTACHMENT_REL, _MAX_PARTS)
        return [*edits.get(event_id, ()), *files.get(event_id, ())]

    def _check_text(self, text: str) -> None:
        if not text.strip():
            raise Invalid("a message needs a text", code="empty_text")
        if len(text) > self._settings.max_message_chars:
            most = self._settings.max_message_chars
            raise TooLarge(f"a message has at most {most} characters", code="text_too_long", most=most)


class Files:
    """What messages must know of files: our server's name in their ids, and when deleted ones go."""

    def __init__(self, *, server: str, clock: Clock, settings: MediaSettings) -> None:
        self.server = server
        self._clock = clock
        self._grace_ms = settings.deleted_grace_s * 1000

    def deletions(self, gone: Sequence[StoredEvent]) -> list[SideWrite["_GoneFile"]]:
        """Rows that have the files of deleted messages deleted after the grace time."""
        after_ms = self._clock.now_ms() + self._grace_ms
        ids = [(media_id_of(one.event.content, self.server), one.event.sender) for one in gone]
        return [
            SideWrite(_delete_media, _GoneFile(media_id, sender, after_ms))
            for media_id, sender in ids
            if media_id is not None
        ]


class _GoneFile(NamedTuple):
    media_id: MediaId
    sender: UserId
    after_ms: int


async def _delete_media(conn: AsyncConnection, rows: Sequence[Placed[_GoneFile]]) -> None:
    """Each only if its sender brought it here: anybody may write the address of any file into a message."""
    gone = [placed.row for placed in rows]
    files = await media.media_of(conn, {one.media_id for one in gone})
    own = [one for one in gone if one.media_id in files and files[one.media_id].uploader == one.sender]
    await media.delete_media_after(conn, [(one.media_id, one.after_ms) for one in own])


def check_file(file: NewFile) -> None:
    """Invalid (code "bad_file_url") unless the file is ours, or has an http(s) address or a path of this server."""
    if file.media_id is None and not is_file_url(file.file_url or ""):
        raise Invalid("file_url must be an http(s) address or a path of this server", code="bad_file_url")


def _txn(requester: Requester, room_id: RoomId, txn_id: str | None) -> TxnKey | None:
    return None if txn_id is None else TxnKey(requester.session_key, room_id, txn_id)
