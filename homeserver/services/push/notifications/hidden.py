"""Unread events of people whom a user ignores or blocks from now on: they count no more, as nothing shows them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import EventId, UserId
from homeserver.protocol.pushrules.defaults import NOTIFYING, notifies_everybody
from homeserver.services.clientdata.accountdata import GLOBAL, IGNORED, ignored_in
from homeserver.services.push.notifications.counts import Count
from homeserver.storage import accountdata, blocks, relations
from homeserver.storage import notified as stored
from homeserver.storage.accountdata import GONE, DataKey
from homeserver.storage.db import Database
from homeserver.storage.notified import Notified
from homeserver.storage.notify import EVERYBODY, NO_THREAD, Mark

_MAX_HIDDEN = 1000  # newest unread events of one change


class HiddenUnread:
    """Finds the events. `heard`: users who cannot be ignored."""

    def __init__(self, *, db: Database, heard: frozenset[UserId]) -> None:
        self._db = db
        self._heard = heard

    async def marks(self, user_ids: Collection[UserId], pending: Collection[Mark]) -> list[Mark]:
        """The marks that take unread events from the counts of users whose ignored or blocked users changed.

        `pending`: marks that are not stored yet.
        """
        found: list[Mark] = []
        async with self._db.read() as conn:
            shut_out = await _shut_out(conn, user_ids) if user_ids else {}
            for user_id, senders in shut_out.items():
                found += await _marks(conn, user_id, senders - self._heard - {user_id}, pending)
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


async def _marks(
    conn: AsyncConnection, user_id: UserId, senders: Collection[UserId], pending: Collection[Mark]
) -> Sequence[Mark]:
    if not senders:
        return ()
    rows = await stored.unread_of(conn, user_id, senders, types=NOTIFYING, limit=_MAX_HIDDEN)
    common = {mark.position: mark for mark in pending if mark.user_id == EVERYBODY}
    own = {mark.position: mark for mark in pending if mark.user_id == user_id}
    counted = [
        one
        for row in rows
        if _is_counted(one := _with(row, common.get(row.stored.arrived), own.get(row.stored.arrived)))
    ]
    ids = [one.stored.event.event_id for one in counted]
    threads = await relations.threads_of(conn, ids) if ids else {}
    return [_mark(user_id, one, threads.get(one.stored.event.event_id, NO_THREAD)) for one in counted]


def _with(one: Notified, common: Mark | None, own: Mark | None) -> Notified:
    """An event with marks that are not stored yet."""
    if common is not None:
        one = replace(
            one,
            common_notify=one.common_notify + common.notify,
            common_highlight=one.common_highlight + common.highlight,
        )
    if own is not None:
        one = replace(
            one, own_notify=one.own_notify + own.notify, own_highlight=one.own_highlight + own.highlight
        )
    return one


def _is_counted(one: Notified) -> bool:
    common = common_count(one)
    return common.notify + one.own_notify > 0 or common.highlight + one.own_highlight > 0


def _mark(user_id: UserId, one: Notified, thread_id: EventId) -> Mark:
    common = common_count(one)
    return Mark(
        user_id, one.stored.event.room_id, one.stored.arrived, thread_id, -common.notify, -common.highlight
    )
