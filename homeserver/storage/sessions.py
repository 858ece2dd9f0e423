"""Sessions: one per login. Refresh tokens are stored as hashes only."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, Text, bindparam, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import SessionId
from homeserver.protocol.ids import DeviceId, UserId
from homeserver.publicids import user_number
from homeserver.storage.accounts import AccountStatus
from homeserver.storage.schema.people import sessions, users
from homeserver.storage.schema.timeline import members


@dataclass(frozen=True, slots=True)
class Session:
    """A login of a user. `refresh_hash`: hash of the newest refresh token.

    `spent_hash`: that of the token before it, until a token issued for that one is used.
    """

    session_id: SessionId
    user_id: UserId
    device_id: DeviceId
    device_name: str
    refresh_hash: str
    refresh_expires_ms: int
    created_ms: int
    last_used_ms: int
    spent_hash: str | None = None
    ended_ms: int | None = None
    last_ip: str = ""
    user_agent: str = ""


@dataclass(slots=True)
class Use:
    """When, from which address and by which user agent a session was used; empty: unknown."""

    used_ms: int
    ip: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Holder:
    """What authenticating an access token needs: the session's state and its user's status."""

    user_id: UserId
    device_id: DeviceId
    ended: bool
    status: AccountStatus
    number: int
    unused_hash: str | None  # `refresh_hash` while the previous tokens are still valid, else None


_COLUMNS = (
    sessions.c.session_id,
    sessions.c.user_id,
    sessions.c.device_id,
    sessions.c.device_name,
    sessions.c.refresh_hash,
    sessions.c.refresh_expires_ms,
    sessions.c.created_ms,
    sessions.c.last_used_ms,
    sessions.c.spent_hash,
    sessions.c.ended_ms,
    sessions.c.last_ip,
    sessions.c.user_agent,
)
_SESSIONS: Select[Any] = select(*_COLUMNS)
_BY_ID = _SESSIONS.where(sessions.c.session_id.in_(bindparam("session_ids", expanding=True)))
_HOLDERS = (
    select(
        sessions.c.session_id,
        sessions.c.user_id,
        sessions.c.device_id,
        sessions.c.ended_ms,
        sessions.c.refresh_hash,
        sessions.c.spent_hash,
        users.c.number,
        users.c.host_id,
        users.c.suspended,
        users.c.deactivated,
        users.c.locked,
        users.c.admin,
    )
    .join_from(sessions, users, users.c.user_id == sessions.c.user_id)
    .where(sessions.c.session_id.in_(bindparam("session_ids", expanding=True)))
)
_OPEN = (
    _SESSIONS.where(
        sessions.c.user_id == bindparam("of"),
        sessions.c.ended_ms.is_(None),
        sessions.c.refresh_expires_ms > bindparam("now_ms"),
    )
    .order_by(sessions.c.last_used_ms.desc(), sessions.c.session_id)
    .limit(bindparam("count"))
)
_BEYOND = (
    select(sessions.c.session_id)
    .where(
        sessions.c.user_id == bindparam("of"),
        sessions.c.ended_ms.is_(None),
        sessions.c.refresh_expires_ms > bindparam("now_ms"),
    )
    # One order for all who ask at once: then what is left is as many as may be.
    .order_by(sessions.c.last_used_ms.desc(), sessions.c.created_ms.desc(), sessions.c.session_id)
    .offset(bindparam("kept"))
    .limit(bindparam("count"))
)
_IS_NOTICED = select(
    or_(
        exists().where(
            sessions.c.user_id == bindparam("of"),
            sessions.c.session_id != bindparam("but"),
            sessions.c.ended_ms.is_(None),
            sessions.c.refresh_expires_ms > bindparam("now_ms"),
        ),
        exists().where(members.c.user_id == bindparam("of"), members.c.membership == "join"),
    )
)
_ON_DEVICES = _SESSIONS.where(
    sessions.c.user_id == bindparam("of"),
    sessions.c.device_id.in_(bindparam("device_ids", expanding=True)),
)
_DROP_ENDED = delete(sessions).where(
    sessions.c.user_id == bindparam("of"),
    sessions.c.device_id == bindparam("device"),
    sessions.c.ended_ms.is_not(None),
)
_RENAME = (
    update(sessions)
    .where(
        sessions.c.user_id == bindparam("of"),
        sessions.c.device_id == bindparam("device"),
        sessions.c.ended_ms.is_(None),
    )
    .values(device_name=bindparam("name"))
)
_ADD = insert(sessions)
_ROTATE = (
    update(sessions)
    .where(
        sessions.c.session_id == bindparam("of"),
        sessions.c.refresh_hash == bindparam("old"),
        sessions.c.ended_ms.is_(None),
    )
    .values(
        refresh_hash=bindparam("new"),
        spent_hash=bindparam("old"),
        refresh_expires_ms=bindparam("expires_ms"),
        last_used_ms=bindparam("now_ms"),
    )
)
_SPEND = (
    update(sessions)
    .where(sessions.c.session_id == bindparam("of"), sessions.c.refresh_hash == bindparam("newest"))
    .values(spent_hash=None)
)
_END = (
    update(sessions)
    .where(sessions.c.session_id.in_(bindparam("session_ids", expanding=True)), sessions.c.ended_ms.is_(None))
    .values(ended_ms=bindparam("now_ms"))
)
_END_ALL_OF = (
    update(sessions)
    .where(sessions.c.user_id.in_(bindparam("user_ids", expanding=True)), sessions.c.ended_ms.is_(None))
    .values(ended_ms=bindparam("now_ms"))
)
_SET_USED = (
    update(sessions)
    .where(sessions.c.session_id == bindparam("of"), sessions.c.last_used_ms < bindparam("used_ms"))
    .values(
        last_used_ms=bindparam("used_ms"),
        last_ip=func.coalesce(func.nullif(bindparam("ip", type_=Text), ""), sessions.c.last_ip),
        user_agent=func.coalesce(func.nullif(bindparam("agent", type_=Text), ""), sessions.c.user_agent),
    )
)
_PURGE = (
    delete(sessions)
    .where(
        sessions.c.session_id.in_(
            select(sessions.c.session_id)
            .where(
                or_(
                    sessions.c.ended_ms < bindparam("before_ms"),
                    sessions.c.refresh_expires_ms < bindparam("before_ms"),
                )
            )
            .limit(bindparam("count"))
        )
    )
    .returning(sessions.c.user_id, sessions.c.device_id)
)
_EXPIRED = (
    select(sessions.c.user_id, sessions.c.session_id)
    .where(sessions.c.ended_ms.is_(None), sessions.c.refresh_expires_ms < bindparam("now_ms"))
    .limit(bindparam("count"))
)


async def sessions_of(conn: AsyncConnection, session_ids: Collection[SessionId]) -> dict[SessionId, Session]:
    """Sessions by id, ended ones included; unknown ones are left out."""
    rows = await conn.execute(_BY_ID, {"session_ids": list(session_ids)})
    return {row.session_id: _session(row) for row in rows}


async def holders_of(conn: AsyncConnection, session_ids: Collection[SessionId]) -> dict[SessionId, Holder]:
    """The state of sessions and of their users, by session id; unknown ones are left out."""
    rows = await conn.execute(_HOLDERS, {"session_ids": list(session_ids)})
    return {
        row.session_id: Holder(
            row.user_id,
            row.device_id,
            row.ended_ms is not None,
            AccountStatus(row.suspended, row.deactivated, row.locked, row.admin),
            user_number(row.number, row.host_id),
            row.refresh_hash if row.spent_hash is not None else None,
        )
        for row in rows
    }


async def open_sessions(conn: AsyncConnection, user_id: UserId, *, now_ms: int, limit: int) -> list[Session]:
    """A user's running sessions, the last used first."""
    rows = await conn.execute(_OPEN, {"of": user_id, "now_ms": now_ms, "count": limit})
    return [_session(row) for row in rows]


async def sessions_beyond(
    conn: AsyncConnection, user_id: UserId, *, now_ms: int, kept: int, limit: int
) -> list[SessionId]:
    """At most `limit` of a user's running sessions: all but the `kept` last used."""
    values = {"of": user_id, "now_ms": now_ms, "kept": kept, "count": limit}
    return [SessionId(one) for one in (await conn.execute(_BEYOND, values)).scalars()]


async def is_noticed(conn: AsyncConnection, session: Session, now_ms: int) -> bool:
    """True if anybody looks at the devices of a session's user: their other devices, or people in their rooms."""
    values = {"of": session.user_id, "but": session.session_id, "now_ms": now_ms}
    return bool((await conn.execute(_IS_NOTICED, values)).scalar_one())


async def sessions_on(
    conn: AsyncConnection, user_id: UserId, device_ids: Collection[DeviceId]
) -> dict[DeviceId, Session]:
    """A user's sessions on these devices, ended ones included."""
    rows = await conn.execute(_ON_DEVICES, {"of": user_id, "device_ids": list(device_ids)})
    return {row.device_id: _session(row) for row in rows}


async def drop_ended(conn: AsyncConnection, user_id: UserId, device_id: DeviceId) -> None:
    """Delete a device's session if it has ended, so that a new one can have its device id."""
    await conn.execute(_DROP_ENDED, {"of": user_id, "device": device_id})


async def rename_devices(conn: AsyncConnection, names: Sequence[tuple[UserId, DeviceId, str]]) -> None:
    """Set the display names of the devices of running sessions."""
    rows = [{"of": user_id, "device": device_id, "name": name} for user_id, device_id, name in names]
    await conn.execute(_RENAME, rows)


async def add_sessions(conn: AsyncConnection, new: Sequence[Session]) -> None:
    """Insert sessions."""
    rows = [
        {
            "session_id": one.session_id,
            "user_id": one.user_id,
            "device_id": one.device_id,
            "device_name": one.device_name,
            "refresh_hash": one.refresh_hash,
            "spent_hash": one.spent_hash,
            "refresh_expires_ms": one.refresh_expires_ms,
            "created_ms": one.created_ms,
            "last_used_ms": one.last_used_ms,
            "ended_ms": one.ended_ms,
            "last_ip": one.last_ip,
            "user_agent": one.user_agent,
        }
        for one in new
    ]
    await conn.execute(_ADD, rows)


async def rotate_session(  # one row, decided by the database: of two uses of one token the second fails
    conn: AsyncConnection, session_id: SessionId, *, old: str, new: str, expires_ms: int, now_ms: int
) -> bool:
    """Replace the refresh hash `old` by a new one; False if it was used already or the session has ended."""
    values = {"of": session_id, "old": old, "new": new, "expires_ms": expires_ms, "now_ms": now_ms}
    return (await conn.execute(_ROTATE, values)).rowcount == 1


async def spend_earlier(conn: AsyncConnection, newest: Mapping[SessionId, str]) -> None:
    """The tokens with these refresh hashes are in use: invalidate the refresh tokens before them."""
    await conn.execute(_SPEND, [{"of": one, "newest": refresh_hash} for one, refresh_hash in newest.items()])


async def end_sessions(conn: AsyncConnection, session_ids: Collection[SessionId], now_ms: int) -> None:
    """End those of the sessions that still run."""
    await conn.execute(_END, {"session_ids": list(session_ids), "now_ms": now_ms})


async def end_sessions_of_users(conn: AsyncConnection, user_ids: Collection[UserId], now_ms: int) -> None:
    """End every session of these users."""
    await conn.execute(_END_ALL_OF, {"user_ids": list(user_ids), "now_ms": now_ms})


async def set_last_used(conn: AsyncConnection, used: Mapping[SessionId, Use]) -> None:
    """Store when and how sessions were last used; an older time changes nothing."""
    rows = [
        {"of": session_id, "used_ms": use.used_ms, "ip": use.ip, "agent": use.agent}
        for session_id, use in used.items()
    ]
    await conn.execute(_SET_USED, rows)


async def expired_sessions(
    conn: AsyncConnection, *, now_ms: int, limit: int
) -> list[tuple[UserId, SessionId]]:
    """At most `limit` sessions whose refresh token has expired and that were not ended."""
    return [tuple(row) for row in await conn.execute(_EXPIRED, {"now_ms": now_ms, "count": limit})]


async def purge_sessions(
    conn: AsyncConnection, *, before_ms: int, limit: int
) -> list[tuple[UserId, DeviceId]]:
    """Delete at most `limit` sessions that ended or expired before a time; returns their devices."""
    return [tuple(row) for row in await conn.execute(_PURGE, {"before_ms": before_ms, "count": limit})]


def _session(row: Row[Any]) -> Session:
    return Session(
        session_id=row.session_id,
        user_id=row.user_id,
        device_id=row.device_id,
        device_name=row.device_name,
        refresh_hash=row.refresh_hash,
        refresh_expires_ms=row.refresh_expires_ms,
        created_ms=row.created_ms,
        last_used_ms=row.last_used_ms,
        spent_hash=row.spent_hash,
        ended_ms=row.ended_ms,
        last_ip=row.last_ip,
        user_agent=row.user_agent,
    )
