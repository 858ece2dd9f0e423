"""Web Push: who wants pushes, and the pushes that were decided on and are not sent yet."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from sqlalchemy import Row, bindparam, delete, exists, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import SessionId
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage.dialect import Upsert
from homeserver.storage.schema.people import users
from homeserver.storage.schema.push import push_outbox, push_subscriptions
from homeserver.storage.schema.safety import blocks
from homeserver.storage.schema.timeline import events, members, rooms


@dataclass(frozen=True, slots=True)
class Subscription:
    """A browser that wants pushes for a person. `face`: the API that says the words."""

    endpoint_hash: str
    endpoint: str
    user_id: UserId
    session_id: SessionId | None
    p256dh: str
    auth: str
    face: str
    created_ms: int


class PushKey(NamedTuple):
    """One message for one browser."""

    endpoint_hash: str
    position: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody in a room with a browser that wants pushes since a time."""

    room_id: RoomId
    user_id: UserId
    number: int
    read_position: int
    endpoint_hash: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class NewPush:
    """A push that was decided on."""

    key: PushKey
    user_id: UserId
    due_ms: int


@dataclass(frozen=True, slots=True)
class WaitingPush:
    """A push that nobody tried to send yet, and the room of its message."""

    key: PushKey
    user_id: UserId
    number: int
    room_id: RoomId


@dataclass(frozen=True, slots=True)
class Target:
    """Where a push goes. `tries` counts the one that begins now."""

    key: PushKey
    subscription: Subscription
    number: int
    read_position: int
    tries: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that is over since a time; without a session id, all of this person's."""

    user_id: UserId
    session_id: SessionId | None
    at_ms: int


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
        members.c.read_position,
        push_subscriptions.c.endpoint_hash,
        push_subscriptions.c.created_ms,
    )
    .join_from(members, push_subscriptions, push_subscriptions.c.user_id == members.c.user_id)
    .join(users, users.c.user_id == push_subscriptions.c.user_id)  # only of those who subscribed
    .where(
        members.c.room_id.in_(bindparam("room_ids", expanding=True)),
        members.c.membership == "join",
        ~users.c.suspended,
        ~users.c.deactivated,
    )
)
_COUNT = (
    select(push_outbox.c.endpoint_hash, func.count().label("waiting"))
    .where(push_outbox.c.endpoint_hash.in_(bindparam("hashes", expanding=True)))
    .group_by(push_outbox.c.endpoint_hash)
)
_ADD = Upsert(push_outbox, ["endpoint_hash", "position"])
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
_older = push_outbox.alias("older")
_is_first = ~exists().where(
    _older.c.endpoint_hash == push_outbox.c.endpoint_hash, _older.c.position < push_outbox.c.position
)
_NEXT_DUE = select(func.min(push_outbox.c.due_ms)).where(_is_first)
_due = (  # one at a time for each browser, the oldest first: a slow one holds up nobody else
    select(push_outbox.c.endpoint_hash, push_outbox.c.position)
    .where(push_outbox.c.due_ms <= bindparam("now_ms"), _is_first)
    .order_by(push_outbox.c.due_ms)
    .limit(bindparam("count"))
    .with_for_update(of=push_outbox, skip_locked=True)
)
_CLAIM = (
    update(push_outbox)
    .where(tuple_(push_outbox.c.endpoint_hash, push_outbox.c.position).in_(_due))
    .values(due_ms=bindparam("until_ms"), tries=push_outbox.c.tries + 1)
    .returning(push_outbox.c.endpoint_hash, push_outbox.c.position)
)
_TARGETS = (
    select(
        push_subscriptions,
        push_outbox.c.position,
        push_outbox.c.tries,
        users.c.number,
        members.c.read_position,
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
_one_push = (
    push_outbox.c.endpoint_hash == bindparam("of"),
    push_outbox.c.position == bindparam("at"),
)
_DROP_PUSH = delete(push_outbox).where(*_one_push)
_POSTPONE = update(push_outbox).where(*_one_push).values(due_ms=bindparam("until_ms"))


async def subscription(conn: AsyncConnection, endpoint_hash: str) -> Subscription | None:
    """The subscription of an endpoint, whose ever it is."""
    row = (await conn.execute(_ONE, {"of": endpoint_hash})).one_or_none()
    return None if row is None else _subscription(row)


async def set_subscriptions(conn: AsyncConnection, wanted: Sequence[Subscription]) -> None:
    """Write subscriptions; each endpoint belongs to the last who asked."""
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
    """Drop the oldest subscriptions of a person beyond so many."""
    await conn.execute(_DROP_BEYOND, {"of_user": user_id, "most": most})


async def drop_subscriptions(conn: AsyncConnection, gone: Sequence[tuple[str, UserId]]) -> None:
    """Drop subscriptions (hash of the endpoint, person) that are still this person's, and what waits for them."""
    rows = [{"of": endpoint_hash, "of_user": user_id} for endpoint_hash, user_id in gone]
    await conn.execute(_DROP, rows)
    await conn.execute(_DROP_PUSHES_OF, rows)


async def drop_ended(conn: AsyncConnection, ended: Sequence[Ended]) -> None:
    """Drop what sessions that are over had asked for, or all that a person had until then."""
    sessions = [
        {"of_user": one.user_id, "of_session": one.session_id} for one in ended if one.session_id is not None
    ]
    people = [{"of_user": one.user_id, "at_ms": one.at_ms} for one in ended if one.session_id is None]
    if sessions:
        await conn.execute(_DROP_OF_SESSION, sessions)
    if people:
        await conn.execute(_DROP_OF_USER, people)


async def hand_over(conn: AsyncConnection, guest: UserId, account: UserId) -> None:
    """What a guest's browsers wanted goes on for the account."""
    both = {"of_guest": guest, "to_account": account}
    await conn.execute(_HAND_OVER, both)
    await conn.execute(_HAND_OVER_WAITING, both)


async def candidates(conn: AsyncConnection, room_ids: Collection[RoomId]) -> list[Candidate]:
    """Who in these rooms wants pushes."""
    rows = await conn.execute(_CANDIDATES, {"room_ids": list(room_ids)})
    return [
        Candidate(
            room_id=row.room_id,
            user_id=row.user_id,
            number=row.number,
            read_position=row.read_position,
            endpoint_hash=row.endpoint_hash,
            since_ms=row.created_ms,
        )
        for row in rows
    ]


async def count_waiting(conn: AsyncConnection, endpoint_hashes: Collection[str]) -> dict[str, int]:
    """How many pushes wait for each of these browsers; those with none are missing."""
    rows = await conn.execute(_COUNT, {"hashes": list(endpoint_hashes)})
    return {row.endpoint_hash: row.waiting for row in rows}


async def add_pushes(conn: AsyncConnection, new: Sequence[NewPush]) -> None:
    """Write pushes; those that are there already stay."""
    rows = [
        {
            "endpoint_hash": one.key.endpoint_hash,
            "position": one.key.position,
            "user_id": one.user_id,
            "due_ms": one.due_ms,
        }
        for one in new
    ]
    await conn.execute(_ADD.on(conn), rows)


async def next_due_ms(conn: AsyncConnection) -> int | None:
    """When the first of the waiting pushes is due that no older one is ahead of; None if none waits."""
    return cast("int | None", (await conn.execute(_NEXT_DUE)).scalar_one())


async def untried(conn: AsyncConnection, limit: int) -> list[WaitingPush]:
    """Pushes that nobody tried to send yet, those due first."""
    rows = await conn.execute(_UNTRIED, {"count": limit})
    return [
        WaitingPush(PushKey(row.endpoint_hash, row.position), row.user_id, row.number, row.room_id)
        for row in rows
    ]


async def claim_due(conn: AsyncConnection, *, now_ms: int, until_ms: int, limit: int) -> list[PushKey]:
    """Take pushes that are due, the oldest of each browser, counting a try; nobody else gets them before `until_ms`."""
    values = {"now_ms": now_ms, "until_ms": until_ms, "count": limit}
    return [PushKey(row.endpoint_hash, row.position) for row in await conn.execute(_CLAIM, values)]


async def targets(conn: AsyncConnection, keys: Collection[PushKey]) -> dict[PushKey, Target]:
    """Where pushes go; missing are those that nobody shall get any more."""
    values = {
        "hashes": [key.endpoint_hash for key in keys],
        "positions": list({key.position for key in keys}),
    }
    found = [_target(row) for row in await conn.execute(_TARGETS, values)]
    wanted = set(keys)
    return {one.key: one for one in found if one.key in wanted}


async def drop_pushes(conn: AsyncConnection, keys: Collection[PushKey]) -> None:
    """Pushes are sent, or shall not be. All workers take rows in one order, so none waits for the other in turns."""
    await conn.execute(_DROP_PUSH, [{"of": key.endpoint_hash, "at": key.position} for key in sorted(keys)])


async def postpone(conn: AsyncConnection, due_ms: Sequence[tuple[PushKey, int]]) -> None:
    """Pushes are to be tried again at these times."""
    rows = [
        {"of": key.endpoint_hash, "at": key.position, "until_ms": until_ms}
        for key, until_ms in sorted(due_ms)
    ]
    await conn.execute(_POSTPONE, rows)


def _target(row: Row[Any]) -> Target:
    return Target(
        key=PushKey(row.endpoint_hash, row.position),
        subscription=_subscription(row),
        number=row.number,
        read_position=row.read_position,
        tries=row.tries,
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
