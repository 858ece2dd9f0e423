"""The timeline: the only write path for events of this server, and for every other entry of the log."""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from homeserver.errors import HomeserverError, NotFound, Unavailable
from homeserver.model import LOG_START, Draft, LogPosition, RoomKind
from homeserver.protocol.event import Event
from homeserver.protocol.ids import RoomId, make_room_id
from homeserver.protocol.versions import rules_for
from homeserver.servers import Servers
from homeserver.storage.log import Entry
from homeserver.storage.transactions import TxnKey
from homeserver.timeline.appender import Appender
from homeserver.timeline.build import new_head
from homeserver.timeline.chain import Chainer
from homeserver.timeline.heads import Head, Heads, Tip
from homeserver.timeline.submission import ROOM_ID_TAKEN, NewEntry, RoomDrafts, SideWrite, Submission, Written


class Timeline:
    """Builds submissions and waits for them to be committed.

    Everything of one call is atomic: committed as a whole and in order, or not at all.
    """

    def __init__(self, *, server: str, heads: Heads, chainer: Chainer, appender: Appender) -> None:
        self._server = server
        self._heads = heads
        self._chainer = chainer
        self._appender = appender
        self._pending: dict[TxnKey, Submission] = {}

    @property
    def servers(self) -> Servers:
        """Which servers' users are local."""
        return self._heads.servers

    async def head(self, room_id: RoomId) -> Head:
        """The head of a room, events that are not committed yet included. Raises NotFound for an unknown room.

        For checks before a write, which is committed after those events. Responses are made from `stored_head`.
        """
        return (await self._heads.tip(room_id)).head

    async def stored_head(self, room_id: RoomId) -> Head:
        """The committed head of a room: that in memory, once all of it is stored. NotFound for an unknown room."""
        tip = await self._heads.tip(room_id)
        head, last = tip.head, tip.last
        if last is None:
            return head
        with contextlib.suppress(HomeserverError):  # its sender gets the error
            written: Written = await asyncio.shield(last)
            if written.events and head.extremities == (written.events[-1].event.event_id,):
                return head
        # The event was refused, or built anew on another worker's events.
        return await self._heads.committed(room_id)

    async def set_state(
        self, room_id: RoomId, draft: Draft, is_there: Callable[[Event | None], bool]
    ) -> Event:
        """Append a state event, unless the current one will do: then return that, once it is stored.

        This is decided at the moment the event would be built, so of equal concurrent calls only the first writes.
        Raises as `send` does.
        """
        key = (draft.type, draft.state_key or "")
        while is_there((await self._heads.tip(room_id)).head.state.events.get(key)):
            there = (await self.stored_head(room_id)).state.events.get(key)
            if there is not None and is_there(there):
                return there
        written = await self.send(room_id, [draft])  # no other task has run since the tip was read
        return written.events[0].event

    async def room_position(self, room_id: RoomId) -> LogPosition:
        """The position of a room's create event: what its public ids are made of. Raises NotFound until it has one."""
        position = (await self._heads.tip(room_id)).room_position
        if position is None:
            raise NotFound("no such room", code="room_not_found")
        return position

    async def send(
        self,
        room_id: RoomId,
        drafts: Sequence[Draft],
        *,
        txn: TxnKey | None = None,
        also: Sequence[SideWrite[Any]] = (),
    ) -> Written:
        """Append events to a room. A repeated `txn` returns what it made first, and appends nothing.

        Raises Forbidden if the room's auth rules reject one of them, Invalid, TooLarge or Unavailable.
        """
        tip = await self._heads.tip(room_id)
        if txn is not None and (pending := self._pending.get(txn)) is not None:
            first = await asyncio.shield(pending.done)
            return Written(first.events, first.entries, repeated=True)
        submission = Submission(tip=tip, drafts=drafts, txn=txn, also=also)
        self._put(submission)
        if txn is not None:
            self._pending[txn] = submission
            submission.done.add_done_callback(lambda _: self._pending.pop(txn, None))
        return await asyncio.shield(submission.done)

    async def create_room(
        self,
        drafts: Sequence[Draft],
        *,
        version: str,
        kind: RoomKind,
        room_key: str | None = None,
        also: Sequence[SideWrite[Any]] = (),
    ) -> Written:
        """Create a room with its first events, m.room.create first. KeyTaken if `room_key` has a room already."""

        async def parts() -> Sequence[Submission]:
            return [await self._begin_room(drafts, version, kind, also=also, room_key=room_key)]

        return await self._found_or_again(parts)

    async def replace_room(
        self,
        old: RoomId,
        drafts: Sequence[Draft],
        farewell: Callable[[RoomId], Sequence[Draft]],
        *,
        version: str,
        kind: RoomKind,
        also: Sequence[SideWrite[Any]] = (),
    ) -> Written:
        """Create a room that replaces another. `farewell` makes the old room's events from the new room's id; the
        events of both rooms are one transaction. Raises as `send` does, and then there is no new room.
        """
        tip = await self._heads.tip(old)

        async def parts() -> Sequence[Submission]:
            bundle = object()
            submission = await self._begin_room(drafts, version, kind, also=also, bundle=bundle)
            new = submission.room_id
            if new is None:
                raise AssertionError("a new room has a tip")
            return [submission, Submission(tip=tip, drafts=farewell(new), bundle=bundle)]

        return await self._found_or_again(parts)

    async def _found_or_again(self, parts: Callable[[], Awaitable[Sequence[Submission]]]) -> Written:
        """Create a room; once more if another worker made one with the same id: by the same creator, of equal content,
        in the same millisecond. The second attempt has another time.
        """
        try:
            return await self._found(await parts())
        except Unavailable as error:
            if error.code != ROOM_ID_TAKEN:
                raise
            return await self._found(await parts())

    async def _begin_room(
        self, drafts: Sequence[Draft], version: str, kind: RoomKind, **more: Any
    ) -> Submission:
        """A submission with the first events of a room, built."""
        room_id = make_room_id(secrets.token_urlsafe(18).replace("-", "A").replace("_", "B"), self._server)
        tip = Tip(new_head(room_id, rules_for(version), self._heads.servers), base=LOG_START)
        submission = Submission(tip=tip, drafts=drafts, kind=kind, **more)
        self._appender.check_open(submission.size)
        await self._chainer.chain_new(submission)
        return submission

    async def _found(self, parts: Sequence[Submission]) -> Written:
        """Queue a new room, and the submissions that go with it, as one bundle; returns the room's result."""
        tip = parts[0].tip
        if tip is None:
            raise AssertionError("a new room has a tip")
        self._appender.check_open(sum(part.size for part in parts))
        for part in parts:
            self._appender.put(part)
        self._heads.add(tip)
        try:
            await asyncio.shield(asyncio.gather(*(part.done for part in parts), return_exceptions=True))
            return await parts[0].done
        except Exception:
            self._heads.drop(tip.head.room_id)
            raise

    async def append(
        self, entries: Sequence[NewEntry], *, also: Sequence[SideWrite[Any]] = ()
    ) -> list[Entry]:
        """Append entries that are no events."""
        submission = Submission(entries=entries, also=also)
        self._put(submission)
        written = await asyncio.shield(submission.done)
        return list(written.entries)

    async def send_together(
        self,
        pieces: Sequence[RoomDrafts],
        entries: Sequence[NewEntry],
        *,
        also: Sequence[SideWrite[Any]] = (),
    ) -> list[Entry]:
        """Append events to several rooms, and entries that are no events, in one transaction: all or nothing.

        Returns the entries that are no events. Raises as `send` does.
        """
        tips = [await self._heads.tip(piece.room_id) for piece in pieces]
        bundle = object()
        last = Submission(entries=entries, also=also, bundle=bundle)
        parts = [
            *(
                Submission(tip=tip, drafts=piece.drafts, bundle=bundle)
                for tip, piece in zip(tips, pieces, strict=True)
            ),
            last,
        ]
        self._appender.check_open(sum(part.size for part in parts))
        for part in parts:  # one bundle in the queue; the appender builds them, all or none
            self._appender.put(part)
        await asyncio.shield(asyncio.gather(*(part.done for part in parts), return_exceptions=True))
        return list((await last.done).entries)

    def _put(self, submission: Submission) -> None:
        """Build and queue in one step without an await, so that the chain and the queue have one order."""
        self._appender.check_open(submission.size)
        if submission.tip is not None and not submission.tip.stale:
            self._chainer.chain(submission)
        # On a stale tip the appender builds, once it has loaded the room anew.
        self._appender.put(submission)
