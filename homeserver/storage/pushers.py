"""Pushers (push gateways of Matrix clients), and the notifications that wait to be sent to them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Row, bindparam, delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LOG_START, Content, LogPosition, Pusher
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage.dialect import Upsert
from homeserver.storage.outbox import Key, Outbox
from homeserver.storage.push import Ended
from homeserver.storage.schema.people import sessions, users
from homeserver.storage.schema.push import pusher_outbox, pushers
from homeserver.storage.schema.timeline import events, members

COUNTS_ONLY = LogPosition(2**62)
"""The position of a push that says no more than how much is unread: after all others."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A joined or invited member of a room with a pusher, and the time at which that was set."""

    room_id: RoomId
    user_id: UserId
    pusher_id: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class NewPush:
    """A push to be sent; `tweaks`: those of the matching push rule."""

    key: Key
    tweaks: Content
    due_ms: int


@dataclass(frozen=True, slots=True)
class Target:
    """Where a push goes.

    `seen` and `main`: how far the user has read the room, with and without its threads.
    """

    key: Key
    pusher: Pusher
    tweaks: Content
    seen: LogPosition
    main: LogPosition


waiting = Outbox(pusher_outbox, destination="pusher_id")
"""Pushes that wait: a destination is a pusher."""

_KEYS = ("user_id", "session_id", "app_id", "pushkey", "app_name", "device_name", "profile_tag", "lang")
_SET = Upsert(pushers, ["pusher_id"], [*_KEYS, "data", "created_ms"])
_runs_on = or_(
    pushers.c.session_id.is_(None),
    exists().where(sessions.c.session_id == pushers.c.session_id, sessions.c.ended_ms.is_(None)),
)
_OF = (
    select(pushers)
    .where(pushers.c.user_id == bindparam("of_user"), _runs_on)
    .order_by(pushers.c.created_ms, pushers.c.pusher_id)
)
_newest = (
    select(pushers.c.pusher_id)
    .where(pushers.c.user_id == bindparam("of_user"))
    .order_by(pushers.c.created_ms.desc(), pushers.c.pusher_id)
    .limit(bindparam("most"))
    .scalar_subquery()
)
_DROP_BEYOND = delete(pushers).where(
    pushers.c.user_id == bindparam("of_user"), pushers.c.pusher_id.not_in(_newest)
)
_DROP_OTHERS = delete(pushers).where(
    pushers.c.app_id == bindparam("of_app"),
    pushers.c.pushkey == bindparam("of_key"),
    pushers.c.user_id != bindparam("of_user"),
)
_DROP = delete(pushers).where(pushers.c.pusher_id.in_(bindparam("ids", expanding=True)))
_DROP_OF_SESSION = delete(pushers).where(
    pushers.c.user_id == bindparam("of_user"), pushers.c.session_id == bindparam("of_session")
)
_DROP_OF_USER = delete(pushers).where(
    pushers.c.user_id == bindparam("of_user"), pushers.c.created_ms <= bindparam("at_ms")
)
_DROP_LONELY = delete(pusher_outbox).where(~exists().where(pushers.c.pusher_id == pusher_outbox.c.pusher_id))
_CANDIDATES = (
    select(members.c.room_id, pushers.c.user_id, pushers.c.pusher_id, pushers.c.created_ms)
    .join_from(members, pushers, pushers.c.user_id == members.c.user_id)
    .where(
        members.c.room_id.in_(bindparam("room_ids", expanding=True)),
        members.c.membership.in_(("join", "invite")),
    )
)
_TOLD = select(pushers.c.pusher_id).where(
    pushers.c.user_id.in_(bindparam("user_ids", expanding=True)),
    or_(pushers.c.told > 0, exists().where(pusher_outbox.c.pusher_id == pushers.c.pusher_id)),
)
_TARGETS = (
    select(
        pushers,
        pusher_outbox.c.position,
        pusher_outbox.c.tweaks,
        members.c.membership,
        members.c.seen_position,
        members.c.main_position,
    )
    .join_from(pusher_outbox, pushers, pushers.c.pusher_id == pusher_outbox.c.pusher_id)
    .join(users, users.c.user_id == pushers.c.user_id)
    .join(events, events.c.position == pusher_outbox.c.position, isouter=True)
    .join(
        members,
        (members.c.room_id == events.c.room_id) & (members.c.user_id == pushers.c.user_id),
        isouter=True,
    )
    .where(
        pusher_outbox.c.pusher_id.in_(bindparam("ids", expanding=True)),
        pusher_outbox.c.position.in_(bindparam("positions", expanding=True)),
        or_(pusher_outbox.c.position == COUNTS_ONLY, members.c.membership.in_(("join", "invite"))),
        _runs_on,
        ~users.c.suspended,
        ~users.c.deactivated,
    )
)
_SET_TOLD = update(pushers).where(pushers.c.pusher_id == bindparam("of")).values(told=bindparam("unread"))


async def pushers_of(conn: AsyncConnection, user_id: UserId) -> list[Pusher]:
    """A user's pushers, the oldest first; those of ended sessions are left out."""
    return [_pusher(row) for row in await conn.execute(_OF, {"of_user": user_id})]


async def set_pusher(conn: AsyncConnection, one: Pusher) -> None:
    """Set a pusher, replacing the one with its id."""
    values = {name: getattr(one, name) for name in ("pusher_id", *_KEYS, "created_ms")}
    await conn.execute(_SET.on(conn), {**values, "data": orjson.dumps(one.data)})


async def drop_others(conn: AsyncConnection, one: Pusher) -> None:
    """Delete other users' pushers with the same pushkey and app id."""
    values = {"of_app": one.app_id, "of_key": one.pushkey, "of_user": one.user_id}
    await conn.execute(_DROP_OTHERS, values)


async def keep_newest(conn: AsyncConnection, user_id: UserId, most: int) -> None:
    """Delete a user's oldest pushers beyond `most`."""
    await conn.execute(_DROP_BEYOND, {"of_user": user_id, "most": most})


async def drop_pushers(conn: AsyncConnection, pusher_ids: Collection[str]) -> None:
    """Delete pushers and what waits for them."""
    await conn.execute(_DROP, {"ids": list(pusher_ids)})
    await conn.execute(_DROP_LONELY)


async def drop_ended(conn: AsyncConnection, ended: Sequence[Ended]) -> None:
    """Delete the pushers of ended sessions, or all that a user had until then."""
    sessions_over = [
        {"of_user": one.user_id, "of_session": one.session_id} for one in ended if one.session_id is not None
    ]
    people = [{"of_user": one.user_id, "at_ms": one.at_ms} for one in ended if one.session_id is None]
    if sessions_over:
        await conn.execute(_DROP_OF_SESSION, sessions_over)
    if people:
        await conn.execute(_DROP_OF_USER, people)
    await conn.execute(_DROP_LONELY)


async def candidates(conn: AsyncConnection, room_ids: Collection[RoomId]) -> list[Candidate]:
    """The joined or invited members of these rooms who have pushers."""
    return [Candidate(*row) for row in await conn.execute(_CANDIDATES, {"room_ids": list(room_ids)})]


async def told_pushers(conn: AsyncConnection, user_ids: Collection[UserId]) -> list[str]:
    """These users' pushers whose gateways were last told of unread events, or are being told."""
    rows = await conn.execute(_TOLD, {"user_ids": list(user_ids)})
    return [row.pusher_id for row in rows]


async def add_pushes(conn: AsyncConnection, new: Sequence[NewPush]) -> None:
    """Insert pushes; existing ones stay unchanged."""
    await waiting.add(conn, [(one.key, one.due_ms, {"tweaks": orjson.dumps(one.tweaks)}) for one in new])


async def targets(conn: AsyncConnection, keys: Collection[Key]) -> list[Target]:
    """Where pushes go; missing are those that their user may not get any more: left, logged out, suspended..."""
    values = {"ids": [key.destination for key in keys], "positions": list({key.position for key in keys})}
    wanted = set(keys)
    found = [_target(row) for row in await conn.execute(_TARGETS, values)]
    return [one for one in found if one.key in wanted]


async def set_told(conn: AsyncConnection, told: Sequence[tuple[str, int]]) -> None:
    """Store the unread count that each pusher's gateway was last told: (pusher id, count)."""
    await conn.execute(_SET_TOLD, [{"of": pusher_id, "unread": unread} for pusher_id, unread in sorted(told)])


def _target(row: Row[Any]) -> Target:
    is_in = row.membership == "join"
    return Target(
        key=Key(row.pusher_id, row.position),
        pusher=_pusher(row),
        tweaks=orjson.loads(row.tweaks),
        seen=row.seen_position if is_in else LOG_START,
        main=row.main_position if is_in else LOG_START,
    )


def _pusher(row: Row[Any]) -> Pusher:
    return Pusher(
        pusher_id=row.pusher_id,
        user_id=row.user_id,
        session_id=row.session_id,
        app_id=row.app_id,
        pushkey=row.pushkey,
        app_name=row.app_name,
        device_name=row.device_name,
        profile_tag=row.profile_tag,
        lang=row.lang,
        data=orjson.loads(row.data),
        created_ms=row.created_ms,
        told=row.told,
    )
