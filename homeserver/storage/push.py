"""Web Push: subscriptions, and pushes that are not sent yet."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LogPosition, SessionId
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage.dialect import Upsert
from homeserver.storage.outbox import Key, Outbox
from homeserver.storage.schema.people import users
from homeserver.storage.schema.push import push_outbox, push_subscriptions
from homeserver.storage.schema.safety import blocks
from homeserver.storage.schema.timeline import events, members, rooms


@dataclass(frozen=True, slots=True)
class Subscription:
    """A browser's push subscription of a user. `face`: the API that makes the payload."""

    endpoint_hash: str
    endpoint: str
    user_id: UserId
    session_id: SessionId | None
    p256dh: str
    auth: str
    face: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A joined member of a room with a subscription, and the time of that subscription."""

    room_id: RoomId
    user_id: UserId
    number: int
    own_position: LogPosition
    endpoint_hash: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class NewPush:
    """A push to be sent."""

    key: Key
    user_id: UserId
    due_ms: int


@dataclass(frozen=True, slots=True)
class WaitingPush:
    """A push that was never tried, and the room of its message."""

    key: Key
    user_id: UserId
    number: int
    room_id: RoomId


@dataclass(frozen=True, slots=True)
class Target:
    """Where a push goes."""

    key: Key
    subscription: Subscription
    number: int
    own_position: LogPosition


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that ended at a time; without a session id, all sessions of this user."""

    user_id: UserId
    session_id: SessionId | None
    at_ms: int


waiting = Outbox(push_outbox, destination="endpoint_hash")
"""Pushes that wait: a destination is a browser, by the hash of its endpoint."""

_ONE = select(push_subscriptions).where(push_subscriptions.c.endpoint_hash == bindparam("of"))
_SET = Upsert(
    push_subscriptions,
    ["endpoint_hash"],
    ["endpoint", "user_id", "session_id", "p256dh", "auth", "face", "created_ms"],
)
_newest = (
    select(push_subscriptions.c.endpoint_hash)
    .where(push_subscriptions.c.user_id == bindparam("of_user"))
    .order_by(push_subscriptions.c.created_ms.desc(), push_subscriptions.c.endpoint_hash)
    .limit(bindparam("most"))
    .scalar_subquery()
)
_DROP_BEYOND = delete(push_subscriptions).where(
    push_subscriptions.c.user_id == bindparam("of_user"), push_subscriptions.c.endpoint_hash.not_in(_newest)
)
_DROP = delete(push_subscriptions).where(
    push_subscriptions.c.endpoint_hash == bindparam("of"),
    push_subscriptions.c.user_id == bindparam("of_user"),
)
_DROP_OF_SESSION = delete(push_subscriptions).where(
    push_subscriptions.c.user_id == bindparam("of_user"),
    push_subscriptions.c.session_id == bindparam("of_session"),
)
_DROP_OF_USER = delete(push_subscriptions).where(
    push_subscriptions.c.user_id == bindparam("of_user"),
    push_subscriptions.c.created_ms <= bindparam("at_ms"),
)
_HAND_OVER = (
    update(push_subscriptions)
    .where(push_subscriptions.c.user_id == bindparam("of_guest"))
    .values(user_id=bindparam("to_account"))
)
_HAND_OVER_WAITING = (
    update(push_outbox)
    .where(push_outbox.c.user_id == bindparam("of_guest"))
    .values(user_id=bindparam("to_account"))
)
_CANDIDATES = (
    select(
        members.c.room_id,
        members.c.user_id,
        users.c.number,
        members.c.own_position,
        push_subscriptions.c.endpoint_hash,
        push_subscriptions.c.created_ms,
    )
    .join_from(members, push_subscriptions, push_subscriptions.c.user_id == members.c.user_id)
    .join(users, users.c.user_id == push_subscriptions.c.user_id)  # only of users who subscribed
    .where(
        members.c.room_id.in_(bindparam("room_ids", expanding=True)),
        members.c.membership == "join",
        ~users.c.suspended,
        ~users.c.deactivated,
    )
)
_UNTRIED = (
    select(
        push_outbox.c.endpoint_hash,
        push_outbox.c.position,
        push_outbox.c.user_id,
        users.c.number,
        events.c.room_id,
    )
    .join_from(push_outbox, events, events.c.position == push_outbox.c.position)
    .join(users, users.c.user_id == push_outbox.c.user_id)
    .where(push_outbox.c.tries == 0)
    .order_by(push_outbox.c.due_ms)
    .limit(bindparam("count"))
)
_TARGETS = (
    select(
        push_subscriptions,
        push_outbox.c.position,
        users.c.number,
        members.c.own_position,
    )
    .join_from(
        push_outbox,
        push_subscriptions,
        (push_subscriptions.c.endpoint_hash == push_outbox.c.endpoint_hash)
        & (push_subscriptions.c.user_id == push_outbox.c.user_id),
    )
    .join(events, events.c.position == push_outbox.c.position)
    .join(rooms, rooms.c.room_id == events.c.room_id)
    .join(members, (members.c.room_id == events.c.room_id) & (members.c.user_id == push_outbox.c.user_id))
    .join(users, users.c.user_id == push_outbox.c.user_id)
    .where(
        push_outbox.c.endpoint_hash.in_(bindparam("hashes", expanding=True)),
        push_outbox.c.position.in_(bindparam("positions", expanding=True)),
        ~rooms.c.closed,
        members.c.membership == "join",
        ~users.c.suspended,
        ~users.c.deactivated,
        ~exists().where(blocks.c.user_id == push_outbox.c.user_id, blocks.c.blocked == events.c.sender),
    )
)
_DROP_PUSHES_OF = delete(push_outbox).where(
    push_outbox.c.endpoint_hash == bindparam("of"), push_outbox.c.user_id == bindparam("of_user")
)


async def subscription(conn: AsyncConnection, endpoint_hash: str) -> Subscription | None:
    """The subscription of an endpoint, of whichever user."""
    row = (await conn.execute(_ONE, {"of": endpoint_hash})).one_or_none()
    return None if row is None else _subscription(row)


async def set_subscriptions(conn: AsyncConnection, wanted: Sequence[Subscription]) -> None:
    """Store subscriptions; an endpoint belongs to the last user who subscribed with it."""
    rows = [
        {
            "endpoint_hash": one.endpoint_hash,
            "endpoint": one.endpoint,
            "user_id": one.user_id,
            "session_id": one.session_id,
            "p256dh": one.p256dh,
            "auth": one.auth,
            "face": one.face,
            "created_ms": one.created_ms,
        }
        for one in wanted
    ]
    await conn.execute(_SET.on(conn), rows)


async def keep_newest(conn: AsyncConnection, user_id: UserId, most: int) -> None:
    """Delete a user's oldest subscriptions beyond `most`."""
    await conn.execute(_DROP_BEYOND, {"of_user": user_id, "most": most})


async def drop_subscriptions(conn: AsyncConnection, gone: Sequence[tuple[str, UserId]]) -> None:
    """Delete subscriptions (hash of the endpoint, user) that are still this user's, and their waiting pushes."""
    rows = [{"of": endpoint_hash, "of_user": user_id} for endpoint_hash, user_id in gone]
    await conn.execute(_DROP, rows)
    await conn.execute(_DROP_PUSHES_OF, rows)


async def drop_ended(conn: AsyncConnection, ended: Sequence[Ended]) -> None:
    """Delete the subscriptions of ended sessions, or all that a user had until then."""
    sessions = [
        {"of_user": one.user_id, "of_session": one.session_id} for one in ended if one.session_id is not None
    ]
    people = [{"of_user": one.user_id, "at_ms": one.at_ms} for one in ended if one.session_id is None]
    if sessions:
        await conn.execute(_DROP_OF_SESSION, sessions)
    if people:
        await conn.execute(_DROP_OF_USER, people)


async def hand_over(conn: AsyncConnection, guest: UserId, account: UserId) -> None:
    """Move a guest's subscriptions and waiting pushes to the account that the guest became."""
    both = {"of_guest": guest, "to_account": account}
    await conn.execute(_HAND_OVER, both)
    await conn.execute(_HAND_OVER_WAITING, both)


async def candidates(conn: AsyncConnection, room_ids: Collection[RoomId]) -> list[Candidate]:
    """The members of these rooms who have subscriptions."""
    rows = await conn.execute(_CANDIDATES, {"room_ids": list(room_ids)})
    return [
        Candidate(
            room_id=row.room_id,
            user_id=row.user_id,
            number=row.number,
            own_position=row.own_position,
            endpoint_hash=row.endpoint_hash,
            since_ms=row.created_ms,
        )
        for row in rows
    ]


async def add_pushes(conn: AsyncConnection, new: Sequence[NewPush]) -> None:
    """Insert pushes; existing ones stay unchanged."""
    await waiting.add(conn, [(one.key, one.due_ms, {"user_id": one.user_id}) for one in new])


async def untried(conn: AsyncConnection, limit: int) -> list[WaitingPush]:
    """Pushes that were never tried, those due first."""
    rows = await conn.execute(_UNTRIED, {"count": limit})
    return [
        WaitingPush(Key(row.endpoint_hash, row.position), row.user_id, row.number, row.room_id)
        for row in rows
    ]


async def targets(conn: AsyncConnection, keys: Collection[Key]) -> dict[Key, Target]:
    """Where pushes go; missing are those that their user may not get any more: left, blocked, suspended..."""
    values = {
        "hashes": [key.destination for key in keys],
        "positions": list({key.position for key in keys}),
    }
    found = [_target(row) for row in await conn.execute(_TARGETS, values)]
    wanted = set(keys)
    return {one.key: one for one in found if one.key in wanted}


def _target(row: Row[Any]) -> Target:
    return Target(
        key=Key(row.endpoint_hash, row.position),
        subscription=_subscription(row),
        number=row.number,
        own_position=row.own_position,
    )


def _subscription(row: Row[Any]) -> Subscription:
    return Subscription(
        endpoint_hash=row.endpoint_hash,
        endpoint=row.endpoint,
        user_id=row.user_id,
        session_id=row.session_id,
        p256dh=row.p256dh,
        auth=row.auth,
        face=row.face,
        created_ms=row.created_ms,
    )
