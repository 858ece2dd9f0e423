"""Messages: send, edit, redact, attach, and pages of history.

What a user sends is checked in one order, by whatever API it comes: the room (its proof is the argument), how often the
user sends and whether they may act at all (`admit`), what holds in the room, the content, and last the policy for the
text, with which it is written (`write`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Forbidden, Invalid
from homeserver.kit.text import check_text, shows
from homeserver.model import (
    ATTACHMENT_REL,
    FIRST_PLACE,
    LAST_PLACE,
    Attachment,
    Content,
    Draft,
    LogPosition,
    MediaId,
    Message,
    MessageRef,
    Requester,
    place_at,
)
from homeserver.protocol.ids import EventId, UserId
from homeserver.services.accounts.status import check_may_act
from homeserver.services.events.access import Access, OpenRoom, SeenMessage
from homeserver.services.events.content import (
    NO_EXTRAS,
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
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import role_in
from homeserver.timeline.submission import Placed, SideWrite, Written
from homeserver.timeline.writer import Timeline

_MAX_PARTS = 500  # edits or files of one message that a deletion takes along


@dataclass(frozen=True, slots=True)
class Sent:
    """A message after a send or an edit. `repeated`: an earlier call with the same `txn_id` did it; `is_deleted`: and
    the message was deleted since."""

    message: Message
    repeated: bool
    is_deleted: bool = False


class Messages:
    """Messages of the product APIs.

    Methods take a proof that the requester may see the room or the message (see `services/events/access.py`), and
    check what they may do with it.
    """

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
        room: OpenRoom,
        *,
        text: str,
        reply_to: SeenMessage | None = None,
        txn_id: str | None = None,
        extras: Extras = NO_EXTRAS,
    ) -> Sent:
        """Send a text. A repeated `txn_id` of the same session returns the first message and sends nothing.

        Raises Invalid (code "reply_elsewhere" for a `reply_to` of another room), TooLarge, or what SendPolicy raises.
        """
        self.admit(room.requester)
        self._check_text(text)
        _check_reply(room, reply_to)
        answered = None if reply_to is None else reply_to.event.event_id
        content = text_content(text, reply_to=answered, client_id=txn_id, extras=extras)
        return await self._send(room, content, text, txn_id, reply_to)

    async def send_file(
        self,
        room: OpenRoom,
        *,
        file: NewFile,
        text: str | None = None,
        reply_to: SeenMessage | None = None,
        txn_id: str | None = None,
        payload: Content | None = None,
    ) -> Sent:
        """Send a file as a message, with `text` as its caption. Raises what `send` raises."""
        self.admit(room.requester)
        text = text if text and shows(text) else None
        if text:
            self._check_text(text)
        check_file(file)
        _check_reply(room, reply_to)
        beside = Beside(None if reply_to is None else reply_to.event.event_id, payload)
        content = file_content(file, self._files.server, text=text, client_id=txn_id, beside=beside)
        return await self._send(room, content, text, txn_id, reply_to)

    async def attach(self, message: SeenMessage, file: NewFile) -> Attachment:
        """Add a file to the requester's own message. Raises Forbidden("not_author") for another user's."""
        requester, room = message.requester, message.room
        self.admit(requester)
        await self._check_own(message)
        check_file(file)
        content = file_content(file, self._files.server, part_of=message.event.event_id)
        written = await self.write(requester, room.head, _message(requester, content), text=None)
        attachment = attachment_of(written.events[0], self._files.server)
        if attachment is None:
            raise AssertionError("a file content was made that holds no file")
        return attachment

    async def edit(self, message: SeenMessage, *, text: str, txn_id: str | None = None) -> Sent:
        """Replace the text of the requester's own message. Raises Forbidden("not_author") for another user's."""
        requester, room, event_id = message.requester, message.room, message.event.event_id
        self.admit(requester)
        await self._check_own(message)
        self._check_text(text)
        draft = _message(requester, edit_content(message.event.content, event_id, text))
        txn = _txn(room, f"edit/{event_id}", txn_id)
        written = await self.write(requester, room.head, draft, text=text, txn=txn, edits=event_id)
        if written.repeated:  # it may have been edited once more since
            now = (await self._access.message(requester, event_id)).stored
        else:
            edit = written.events[0]
            now = replace(message.stored, edit=edit.event, edit_place=edit.place)
        return Sent(await self._views.one(now), written.repeated)

    async def redact(self, message: SeenMessage) -> None:
        """Delete a message with its edits and files; for its author and for admins of the room."""
        requester = message.requester
        self.admit(requester)
        is_admin = role_in(message.room.head, requester.user_id) == "admin"
        if not is_admin and not await self._views.is_author(requester.user_id, message.stored):
            raise Forbidden("only the author or an admin may delete a message", code="not_author")
        await self.redact_as(requester.user_id, message.stored)

    def admit(self, requester: Requester) -> None:
        """Check that a user may send anything now. Raises RateLimited, Forbidden("suspended")."""
        self._send_policy.check_pace(requester)
        check_may_act(requester)

    async def write(
        self,
        requester: Requester,
        head: Head,
        draft: Draft,
        *,
        text: str | None,
        txn: TxnKey | None = None,
        edits: EventId | None = None,
        also: Sequence[SideWrite[Any]] = (),
    ) -> Written:
        """Send an event into a room that the requester may send it to, unless the policy refuses its text.

        `text`: what users read in it, if anything. `edits`: the message whose text it becomes. `also` is written in the
        same transaction. Raises what SendPolicy raises.
        """
        told = await self._send_policy.check(requester, head, text, txn=txn, edits=edits)
        return await self._timeline.send(head.room_id, [draft], txn=txn, also=[*told, *also])

    async def redact_as(
        self,
        by: UserId,
        target: StoredEvent,
        *,
        content: Content | None = None,
        txn: TxnKey | None = None,
        also: Sequence[SideWrite[Any]] = (),
    ) -> Written:
        """Delete a message with its edits and files in the name of `by`, who must have the power to. No permission is
        checked here.

        `content`: of the redaction events, the message's own first. `also` is written in the same transaction.
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
        room: OpenRoom,
        *,
        limit: int,
        offset: int = 0,
        before: LogPosition | None = None,
        after: LogPosition | None = None,
    ) -> list[Message]:
        """A page of history, oldest first: the newest `limit` messages after skipping `offset`, or those next to a
        position."""
        room_id = room.room_id
        async with self._db.read() as conn:
            if after is not None:
                page = await events.shown_after(conn, room_id, after=place_at(after), limit=limit)
            else:
                top = LAST_PLACE if before is None else place_at(before)
                newest = await events.shown_before(conn, room_id, before=top, limit=limit, offset=offset)
                page = newest[::-1]
        return await self._views.complete(room_id, page)

    async def oldest(self, room: OpenRoom, *, limit: int, offset: int) -> list[Message]:
        """The oldest `limit` messages after skipping `offset`, oldest first."""
        async with self._db.read() as conn:
            page = await events.shown_after(conn, room.room_id, after=FIRST_PLACE, limit=limit, offset=offset)
        return await self._views.complete(room.room_id, page)

    async def newest_position(self) -> LogPosition:
        """The end of the log: no message has a greater position yet."""
        async with self._db.read() as conn:
            return await log.head(conn)

    async def _send(
        self,
        room: OpenRoom,
        content: Content,
        text: str | None,
        txn_id: str | None,
        reply_to: SeenMessage | None,
    ) -> Sent:
        draft, txn = _message(room.requester, content), _txn(room, "message", txn_id)
        written = await self.write(room.requester, room.head, draft, text=text, txn=txn)
        sent = written.events[0]
        if written.repeated:  # it may have been edited or deleted since
            found = await self._access.message(room.requester, sent.event.event_id, or_deleted=True)
            now = replace(await self._views.one(found.stored), client_id=txn_id)
            return Sent(now, repeated=True, is_deleted=not found.stored.shown)
        answered = None
        if reply_to is not None:
            answered = MessageRef(reply_to.event.event_id, reply_to.stored.arrived)
        return Sent(await self._views.fresh(sent, answered), repeated=False)

    async def _check_own(self, message: SeenMessage) -> None:
        if not await self._views.is_author(message.requester.user_id, message.stored):
            raise Forbidden("only the author may edit a message", code="not_author")
        if message.event.type != "m.room.message":
            raise Invalid("this message cannot be edited", code="not_editable")

    async def _parts(self, event_id: EventId) -> list[StoredEvent]:
        async with self._db.read() as conn:
            edits = await relations.related(conn, [event_id], "m.replace", _MAX_PARTS)
            files = await relations.related(conn, [event_id], ATTACHMENT_REL, _MAX_PARTS)
        return [*edits.get(event_id, ()), *files.get(event_id, ())]

    def _check_text(self, text: str) -> None:
        check_text(text, self._settings.max_message_chars)


class Files:
    """What sending needs of media: the server name of their mxc:// URIs, and the grace time of deleted files."""

    def __init__(self, *, server: str, clock: Clock, settings: MediaSettings) -> None:
        self.server = server
        self._clock = clock
        self._grace_ms = settings.deleted_grace_s * 1000

    def deletions(self, gone: Sequence[StoredEvent]) -> list[SideWrite["_GoneFile"]]:
        """Side writes that delete the files of deleted messages after the grace time."""
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
    """Schedule deletion of media that the message's sender uploaded: any user may write any mxc:// URI into a
    message."""
    gone = [placed.row for placed in rows]
    files = await media.media_of(conn, {one.media_id for one in gone})
    own = [one for one in gone if one.media_id in files and files[one.media_id].uploader == one.sender]
    await media.delete_media_after(conn, [(one.media_id, one.after_ms) for one in own])


def check_file(file: NewFile) -> None:
    """Raise Invalid("bad_file_url") unless the file is media of this server, or has an http(s) URL or a path on
    it."""
    if file.media_id is None and not is_file_url(file.file_url or ""):
        raise Invalid("file_url must be an http(s) URL or a path on this server", code="bad_file_url")


def _check_reply(room: OpenRoom, reply_to: SeenMessage | None) -> None:
    if reply_to is not None and reply_to.room.room_id != room.room_id:
        raise Invalid("the message to reply to is in another room", code="reply_elsewhere")


def _message(requester: Requester, content: Content) -> Draft:
    return Draft("m.room.message", requester.user_id, content)


def _txn(room: OpenRoom, scope: str, txn_id: str | None) -> TxnKey | None:
    return None if txn_id is None else TxnKey(room.requester.session_key, room.room_id, scope, txn_id)
