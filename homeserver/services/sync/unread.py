"""Unread counts of rooms as sent to clients."""

from homeserver.model import Content
from homeserver.services.push.notifications.counts import Count, Unread


def unread_parts(unread: Unread, *, apart: bool = False) -> Content:
    """The unread fields of a room: threads included in the counts, or `apart` (unread_thread_notifications)."""
    if not apart:
        return {"unread_notifications": _count(unread.whole)}
    threads = {thread_id: _count(count) for thread_id, count in unread.threads.items()}
    more = {"unread_thread_notifications": threads} if threads else {}
    return {"unread_notifications": _count(unread.main), **more}


def _count(count: Count) -> Content:
    return {"notification_count": count.notify, "highlight_count": count.highlight}
