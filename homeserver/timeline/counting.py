"""Counts of notifying events in threads, and what redactions subtract: written with the events themselves."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.pushrules.defaults import notifies_everybody
from homeserver.storage import notify, relations
from homeserver.storage.events import StoredEvent
from homeserver.storage.notify import EVERYBODY, NO_THREAD, Mark, ThreadEvent, ThreadRead
from homeserver.timeline.build import Built, is_in_thread, relation_of


async def count_threads(conn: AsyncConnection, placed: Sequence[Built]) -> None:
    """Count new notifying events in threads; their relations are written already.

    Events that are in a thread only through the event that they relate to were counted in the main timeline: that is
    taken back. Events that name a thread of another room are in no thread, and count in the main timeline.
    """
    related = [one for one in placed if one.notifies and relation_of(one.event.content) is not None]
    if not related:
        return
    threads = await relations.threads_of(conn, [one.event.event_id for one in related])
    added, reads, moved = [], [], []
    for one in related:
        event, thread_id = one.event, threads.get(one.event.event_id)
        if thread_id is not None:
            added.append(ThreadEvent(event.room_id, thread_id, one.position))
            reads.append(ThreadRead(event.sender, event.room_id, thread_id, one.position))
        if is_in_thread(event) != (thread_id is not None):
            outside = 1 if thread_id is None else -1
            moved.append(Mark(EVERYBODY, event.room_id, one.position, NO_THREAD, outside, 0))
    if added:
        await notify.add_thread_events(conn, added)
        await notify.move_thread_reads(conn, reads)
    if moved:
        await notify.add_marks(conn, moved)


async def uncount(conn: AsyncConnection, redacted: Sequence[StoredEvent]) -> None:
    """Subtract what redacted events, as they were before, counted for all members."""
    related = [one.event.event_id for one in redacted if relation_of(one.event.content) is not None]
    threads = await relations.threads_of(conn, related) if related else {}
    marks = []
    for one in redacted:
        if one.position is None:
            continue  # backfilled history was never counted
        event, thread_id = one.event, threads.get(one.event.event_id, NO_THREAD)
        marks.append(
            Mark(EVERYBODY, event.room_id, one.position, thread_id, -int(notifies_everybody(event)), 0)
        )
    if marks:
        await notify.set_marks(conn, marks)
