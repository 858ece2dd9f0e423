"""Unread events of people whom a user ignores or blocks from now on: they count no more, as nothing shows them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LogPosition
from homeserver.protocol.ids import EventId, UserId
from homeserver.protocol.pushrules.defaults import NOTIFYING, notifies_everybody
from homeserver.services.clientdata.accountdata import GLOBAL, IGNORED, ignored_in
from homeserver.services.push.notifications.counts import Count
from homeserver.storage import accountdata, blocks, relations
from homeserver.storage import notified as stored
from homeserver.storage.accountdata import GONE, DataKey
from homeserver.storage.db import Database
from homeserver.storage.notified import Notified
from homeserver.storage.notify import EVERYBODY, NO_THREAD, Mark, MuteSpan

_MAX_HIDDEN = 1000  # newest unread events of one change


@dataclass(frozen=True, slots=True)
class Pending:
    """Marks and mute spans that are not stored yet."""

    marks: Sequence[Mark]
    spans: Sequence[MuteSpan]

    def applied_to(self, user_id: UserId, one: Notified) -> Notified:
        """An event as it will count for a user."""
        at, room_id = one.stored.arrived, one.stored.event.room_id
        here = [mark for mark in self.marks if (mark.room_id, mark.position) == (room_id, at)]
        common = [mark for mark in here if mark.user_id == EVERYBODY]
        own = [mark for mark in here if mark.user_id == user_id]
        is_silenced = any(
            (span.user_id, span.room_id) == (user_id, room_id) and span.from_position <= at
            for span in self.spans
        )
        return replace(
            one,
            own_notify=one.own_notify + sum(mark.notify for mark in own),
            own_highlight=one.own_highlight + sum(mark.highlight for mark in own),
            common_notify=one.common_notify + sum(mark.notify for mark in common),
            common_highlight=one.common_highlight + sum(mark.highlight for mark in common),
            is_silenced=one.is_silenced or is_silenced,
        )


class HiddenUnread:
    """Finds the events. `heard`: users who cannot be ignored."""

    def __init__(self, *, db: Database, heard: frozenset[UserId]) -> None:
        self._db = db
        self._heard = heard

    async def marks(self, changes: Mapping[UserId, LogPosition], pending: Pending) -> list[Mark]:
        """The marks that take unread events from the counts of users whose ignored or blocked users changed.

        `changes`: the position of each user's change. Later events are evaluated without those users anyway.
        """
        if not changes:
            return []
        found: list[Mark] = []
        async with self._db.read() as conn:
            for user_id, senders in (await _shut_out(conn, changes)).items():
                rows = await _unread(conn, user_id, senders - self._heard - {user_id}, changes[user_id])
                found += await _marks(conn, user_id, [pending.applied_to(user_id, row) for row in rows])
        return found


def common_count(one: Notified) -> Count:
    """What an event adds to the counts of everybody in the room, unless their own rules mute the room."""
    if one.is_silenced:
        return Count()
    return Count(notifies_everybody(one.stored.event) + max(0, one.common_notify), one.common_highlight)


async def _shut_out(
    conn: AsyncConnection, user_ids: Collection[UserId]
) -> Mapping[UserId, frozenset[UserId]]:
    keys = [DataKey(user_id, GLOBAL, IGNORED) for user_id in user_ids]
    ignored = await accountdata.pieces(conn, keys)
    blocked = await blocks.blocked_by(conn, user_ids)
    return {
        key.user_id: blocked[key.user_id] | ignored_in(orjson.loads(ignored.get(key) or GONE)) for key in keys
    }


async def _unread(
    conn: AsyncConnection, user_id: UserId, senders: Collection[UserId], before: LogPosition
) -> Sequence[Notified]:
    if not senders:
        return ()
    return await stored.unread_of(conn, user_id, senders, types=NOTIFYING, before=before, limit=_MAX_HIDDEN)


async def _marks(conn: AsyncConnection, user_id: UserId, rows: Sequence[Notified]) -> Sequence[Mark]:
    counted = [one for one in rows if _is_counted(one)]
    ids = [one.stored.event.event_id for one in counted]
    threads = await relations.threads_of(conn, ids) if ids else {}
    return [_mark(user_id, one, threads.get(one.stored.event.event_id, NO_THREAD)) for one in counted]


def _is_counted(one: Notified) -> bool:
    common = common_count(one)
    return common.notify + one.own_notify > 0 or common.highlight + one.own_highlight > 0


def _mark(user_id: UserId, one: Notified, thread_id: EventId) -> Mark:
    common = common_count(one)
    return Mark(
        user_id, one.stored.event.room_id, one.stored.arrived, thread_id, -common.notify, -common.highlight
    )
