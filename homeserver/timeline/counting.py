"""What notifies in threads, and what does not any more: written with the events themselves."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.pushrules.defaults import notifies_everybody
from homeserver.storage import notify, relations
from homeserver.storage.events import StoredEvent
from homeserver.storage.notify import EVERYBODY, NO_THREAD, Mark, ThreadEvent, ThreadRead
from homeserver.timeline.build import Built, is_in_thread, relation_of


async def count_threads(conn: AsyncConnection, placed: Sequence[Built]) -> None:
    """Count new events that notify in threads; their relations are written already.

    Those that are in a thread only by what they relate to were counted outside of it: that is taken back. Those that
    name a thread of another room are in none: they are counted outside.
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
    """Take back what redacted events, as they were, counted for everybody."""
    related = [one.event.event_id for one in redacted if relation_of(one.event.content) is not None]
    threads = await relations.threads_of(conn, related) if related else {}
    marks = []
    for one in redacted:
        if one.position is None:
            continue  # history that was fetched was never counted
        event, thread_id = one.event, threads.get(one.event.event_id, NO_THREAD)
        marks.append(
            Mark(EVERYBODY, event.room_id, one.position, thread_id, -int(notifies_everybody(event)), 0)
        )
    if marks:
        await notify.set_marks(conn, marks)
