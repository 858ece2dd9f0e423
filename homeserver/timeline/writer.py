"""The timeline: the only write path for events of this server, and for every other entry of the log."""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from homeserver.errors import HomeserverError, NotFound, Unavailable
from homeserver.model import LOG_START, Draft, LogPosition, RoomKind
from homeserver.protocol.ids import EventId, RoomId, make_room_id
from homeserver.protocol.versions import rules_for
from homeserver.servers import Servers
from homeserver.storage import events, transactions
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.storage.transactions import TxnKey
from homeserver.timeline.appender import Appender
from homeserver.timeline.build import new_head
from homeserver.timeline.chain import Chainer
from homeserver.timeline.heads import Head, Heads, Tip
from homeserver.timeline.received import ROOM_MOVED
from homeserver.timeline.submission import (
    ROOM_ID_TAKEN,
    Decide,
    Decided,
    NewEntry,
    RoomPart,
    SideWrite,
    Submission,
    Written,
)

_TRIES = 4  # attempts of a call that was refused for what others were writing


class Timeline:
    """Builds submissions and waits for them to be committed.

    Everything of one call is atomic: committed as a whole and in order, or not at all.
    """

    def __init__(
        self, *, db: Database, server: str, heads: Heads, chainer: Chainer, appender: Appender
    ) -> None:
        self._db = db
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
        return await self._submit(
            room_id, txn, lambda tip: Submission(tip=tip, drafts=drafts, txn=txn, also=also)
        )

    async def decide(self, room_id: RoomId, decide: Decide, *, txn: TxnKey | None = None) -> Written:
        """Append what is decided on the very head that it is appended to, whoever else writes at the same time.

        If nothing is to be written, this returns once the head that was decided on is stored. Raises as `send` does,
        and what `decide` raises.
        """
        return await self._submit(room_id, txn, lambda tip: Submission(tip=tip, decide=decide, txn=txn))

    async def _submit(
        self, room_id: RoomId, txn: TxnKey | None, make: Callable[[Tip], Submission]
    ) -> Written:
        """Queue a submission and wait for it. One that is refused is answered once what it was refused for is stored,
        and is tried again if that is not to be."""
        for _ in range(_TRIES):
            tip = await self._heads.tip(room_id)
            if txn is not None and (pending := self._pending.get(txn)) is not None:
                made: Written = await asyncio.shield(pending.done)
                return Written(made.events, made.entries, repeated=True)
            submission = make(tip)
            self._appender.check_open(submission.size)
            before = tip.last
            try:
                self._appender.submit(submission)
            except HomeserverError:
                if before is not None and not await _is_stored(before):
                    continue
                if (first := await self._made_before(txn)) is not None:
                    return first
                raise
            if txn is not None:
                self._pending[txn] = submission
                submission.done.add_done_callback(lambda _: self._pending.pop(txn, None))
            written: Written = await asyncio.shield(submission.done)
            if written.events:
                return written
            return await self._made_before(txn) or written
        raise Unavailable("the room is changing too fast; try again", code="room_changing")

    async def _made_before(self, txn: TxnKey | None) -> Written | None:
        """What a transaction made when it was sent first, whatever has become of the room since."""
        if txn is None:
            return None
        async with self._db.read() as conn:
            made = await transactions.find(conn, [txn])
            first = await events.events_by_id(conn, made.values()) if made else {}
        return Written(tuple(first.values()), repeated=True) if first else None

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
            room_id = self._new_room_id()
            return [
                await self._begin_room(
                    drafts, room_id, version=version, kind=kind, also=also, room_key=room_key
                )
            ]

        return await self._found_or_again(parts)

    async def replace_room(
        self,
        old: RoomId,
        opening: Callable[[EventId | None], Sequence[Draft]],
        farewell: Callable[[RoomId, Head], Sequence[Draft]],
        *,
        version: str,
        kind: RoomKind,
        also: Sequence[SideWrite[Any]] = (),
    ) -> Written:
        """Create a room that replaces another. `farewell` decides the old room's events by the new room's id; `opening`
        makes the new room's events by the id of the first of those, or by None where the room's id is its create
        event's hash. The events of both rooms are one transaction. Raises as `decide` does, and then there is no new
        room.
        """
        part = partial(self._begin_room, version=version, kind=kind, also=also)

        async def parts() -> Sequence[Submission]:
            if not rules_for(version).room_id_is_hash:
                return await self._farewell_first(old, opening, farewell, part)
            tip, bundle = await self._heads.tip(old), object()
            submission = await part(opening(None), self._new_room_id(), bundle=bundle)
            new = submission.room_id
            if new is None:
                raise AssertionError("a new room has a tip")
            last = Submission(tip=tip, decide=lambda head: Decided(farewell(new, head)), bundle=bundle)
            return [submission, last]

        return await self._found_or_again(parts)

    async def _farewell_first(
        self,
        old: RoomId,
        opening: Callable[[EventId | None], Sequence[Draft]],
        farewell: Callable[[RoomId, Head], Sequence[Draft]],
        part: Callable[..., Awaitable[Submission]],
    ) -> Sequence[Submission]:
        """The parts of a new room and of the old room's last events, of which the new room names the first.

        These are built on the old room's head without moving it, and then the new room; both are queued if the head is
        still the same. The last attempt lets no other task run in between.
        """
        for attempt in range(_TRIES):
            tip, new, bundle = await self._heads.tip(old), self._new_room_id(), object()
            head, is_last = tip.head, attempt == _TRIES - 1
            drafts = farewell(new, head)
            moved, built = self._chainer.built_on(head, drafts)
            submission = await part(opening(built[0].event.event_id), new, bundle=bundle, at_once=is_last)
            if tip.stale or tip.head is not head or self._heads.known(old) is not tip:
                continue
            self._appender.check_open(submission.size + len(drafts))
            tip.head = moved
            return [
                submission,
                Submission(tip=tip, drafts=drafts, built=built, decide=_has_moved, bundle=bundle),
            ]
        raise Unavailable("the room is changing too fast; try again", code="room_changing")

    async def _found_or_again(self, parts: Callable[[], Awaitable[Sequence[Submission]]]) -> Written:
        """Create a room; again if another worker made one with the same id (by the same creator, of equal content,
        in the same millisecond), or wrote into the room that it replaces.
        """
        for _ in range(_TRIES - 1):
            try:
                return await self._found(await parts())
            except Unavailable as error:
                if error.code not in (ROOM_ID_TAKEN, ROOM_MOVED):
                    raise
        return await self._found(await parts())

    def _new_room_id(self) -> RoomId:
        return make_room_id(secrets.token_urlsafe(18).replace("-", "A").replace("_", "B"), self._server)

    async def _begin_room(
        self,
        drafts: Sequence[Draft],
        room_id: RoomId,
        *,
        version: str,
        kind: RoomKind,
        at_once: bool = False,
        **more: Any,
    ) -> Submission:
        """A submission with the first events of a room, built; `at_once`: no other task runs meanwhile."""
        tip = Tip(new_head(room_id, rules_for(version), self._heads.servers), base=LOG_START)
        submission = Submission(tip=tip, drafts=drafts, kind=kind, **more)
        self._appender.check_open(submission.size)
        if at_once:
            self._chainer.chain(submission)
        else:
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
        with self._heads.begun(tip):
            await asyncio.shield(asyncio.gather(*(part.done for part in parts), return_exceptions=True))
            return await parts[0].done

    async def append(
        self, entries: Sequence[NewEntry], *, also: Sequence[SideWrite[Any]] = ()
    ) -> list[Entry]:
        """Append entries that are no events."""
        submission = Submission(entries=entries, also=also)
        self._appender.check_open(submission.size)
        self._appender.submit(submission)
        written = await asyncio.shield(submission.done)
        return list(written.entries)

    async def send_together(
        self,
        parts: Sequence[RoomPart],
        entries: Sequence[NewEntry],
        *,
        also: Sequence[SideWrite[Any]] = (),
    ) -> list[Entry]:
        """Append what is decided about several rooms, and entries that are no events, in one transaction: all or
        nothing.

        Returns the entries that are no events. Raises as `decide` does.
        """
        tips = [await self._heads.tip(part.room_id) for part in parts]
        bundle = object()
        last = Submission(entries=entries, also=also, bundle=bundle)
        together = [
            *(
                Submission(tip=tip, decide=part.decide, bundle=bundle)
                for tip, part in zip(tips, parts, strict=True)
            ),
            last,
        ]
        self._appender.check_open(len(together))
        for one in together:  # one bundle in the queue; the appender builds them, all or none
            self._appender.put(one)
        await asyncio.shield(asyncio.gather(*(one.done for one in together), return_exceptions=True))
        return list((await last.done).entries)


def _has_moved(_: Head) -> Decided:
    """The decision for events that another room names: they cannot be built anew."""
    raise Unavailable("the room has changed; try again", code=ROOM_MOVED)


async def _is_stored(last: asyncio.Future[Written]) -> bool:
    """Wait for a submission; False if it was refused."""
    try:
        await asyncio.shield(last)
    except HomeserverError:  # its sender gets the error
        return False
    return True
