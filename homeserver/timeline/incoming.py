"""The second door of the timeline: events that other servers signed. They are appended as they are."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import NotFound, Unavailable
from homeserver.model import LOG_START
from homeserver.protocol.event import Event
from homeserver.protocol.ids import RoomId
from homeserver.protocol.versions import rules_for
from homeserver.storage import graph, log, state
from homeserver.storage.db import Database
from homeserver.storage.events import Status
from homeserver.storage.graph import GraphEvent
from homeserver.timeline.appender import Appender
from homeserver.timeline.build import new_head
from homeserver.timeline.chain import Chainer
from homeserver.timeline.heads import Head, Heads, Tip
from homeserver.timeline.persist import snapshot_row
from homeserver.timeline.received import ROOM_MOVED, Adopted, Received, States, joined, needed
from homeserver.timeline.submission import Placed, SideWrite, Submission, Written

_TRIES = 20  # attempts to append an event to a room that changes meanwhile


class Incoming:
    """Appends events of other servers. What is appended was checked by the caller."""

    def __init__(self, *, db: Database, heads: Heads, chainer: Chainer, appender: Appender) -> None:
        self._db = db
        self._heads = heads
        self._chainer = chainer
        self._appender = appender

    async def receive(
        self, room_id: RoomId, prepare: Callable[[Head], Awaitable[Received | None]]
    ) -> Written | None:
        """Append an event. `prepare` checks it and places it in the graph, for the head that it is appended to; it is
        asked again if the room has moved meanwhile. None if it returns None.

        Raises NotFound for an unknown room, Unavailable, and what `prepare` raises.
        """
        for _ in range(_TRIES):
            tip = await self._heads.tip(room_id)
            try:
                received = await prepare(tip.head)
                if received is None:
                    return None
                return await self._append(Submission(tip=await self._heads.tip(room_id), received=received))
            except Unavailable as error:
                if error.code != ROOM_MOVED:
                    raise
                await _stored(tip)
        raise Unavailable("the room is changing too fast; try again", code="room_changing")

    async def adopt(self, room: Adopted, *, also: Sequence[SideWrite[Any]] = ()) -> Written:
        """Begin, or go on with, a room that other servers know, by an event that makes one of our users a member.

        Raises Unavailable: ROOM_ID_TAKEN if the room was begun by another worker at the same time, ROOM_MOVED if it
        was not empty and somebody wrote.
        """
        room_id = room.event.room_id
        try:
            tip = await self._heads.tip(room_id)
        except NotFound:
            tip = Tip(new_head(room_id, rules_for(room.version), self._heads.servers), base=LOG_START)
        is_new = tip.base == LOG_START
        outliers = tuple(one for one in room.outliers if one != room.event)
        submission = Submission(
            tip=tip,
            received=joined(tip.head, room.event, room.state, self._chainer.snapshot_chain),
            kind=room.kind if is_new else None,
            also=[SideWrite(_write_outliers, outliers), *also],
        )
        if not is_new:
            return await self._append(submission)
        self._appender.check_open(submission.size)
        self._appender.submit(submission)
        with self._heads.begun(tip):
            return await asyncio.shield(submission.done)

    async def set_aside(self, event: Event, status: Status, states: States, *, was_outlier: bool) -> None:
        """Store an event that the room's timeline does not show: a rejected or soft-failed one.

        Raises Unavailable(ROOM_MOVED) while a state that it is stored with waits to be stored itself.
        """
        made = needed(states.made, (states.before, states.own))
        new = {id(one.snapshot) for one in made}
        based = (states.before, states.own, *(one.parent for one in made))
        if any(one.state_id is None and id(one) not in new for one in based):
            raise Unavailable("the room is changing; try again", code=ROOM_MOVED)
        async with self._db.write() as conn:
            if made:
                first = (await log.take(conn, 0, len(made))).state_id
                for state_id, one in enumerate(made, first):
                    one.snapshot.state_id = state_id
                await state.add_snapshots(conn, [snapshot_row(event.room_id, one) for one in made])
            placed = GraphEvent(event, status, None, states.own.state_id, states.before.state_id)
            if was_outlier:
                await graph.settle(conn, [placed])
            else:
                await graph.add_events(conn, [placed])

    async def _append(self, submission: Submission) -> Written:
        self._appender.check_open(submission.size)
        self._appender.submit(submission)
        return await asyncio.shield(submission.done)


async def _stored(tip: Tip) -> None:
    """Wait for what was queued for a room; whether it was written is for its sender to know."""
    if tip.last is not None:
        await asyncio.wait([tip.last])


async def _write_outliers(conn: AsyncConnection, rows: Sequence[Placed[tuple[Event, ...]]]) -> None:
    outliers = [GraphEvent(event, Status.OUTLIER) for placed in rows for event in placed.row]
    await graph.add_events(conn, outliers)
