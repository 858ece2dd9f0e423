"""Devices and their identity keys.

A device is a session that has not ended, or a user's dehydrated device.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, and_, bindparam, null, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import Content, SessionId
from homeserver.protocol.ids import DeviceId, UserId
from homeserver.storage.dialect import Upsert, among, rows_of
from homeserver.storage.schema.e2ee import dehydrated_devices, device_keys
from homeserver.storage.schema.people import sessions


class Device(NamedTuple):
    """A device of a user."""

    user_id: UserId
    device_id: DeviceId


class KeyedDevice(NamedTuple):
    """The identity keys of a device as it signed them, and its display name."""

    keys: Content
    name: str


def of_devices(table: Any) -> ColumnElement[bool]:
    """The condition that a row belongs to one of the devices in `named`.

    The user ids are listed too: PostgreSQL assumes that `among` has many rows and would read the whole table for one.
    """
    return and_(
        table.c.user_id.in_(bindparam("user_ids", expanding=True)),
        among("devices", table.c.user_id, table.c.device_id),
    )


def named(devices: Collection[Device]) -> dict[str, Any]:
    """The parameter values for `of_devices`."""
    return {"devices": rows_of(devices), "user_ids": list({device.user_id for device in devices})}


_LOCK_SESSIONS = (
    select(sessions.c.user_id, sessions.c.device_id)
    .where(of_devices(sessions), sessions.c.ended_ms.is_(None))
    .order_by(sessions.c.user_id, sessions.c.device_id)
    .with_for_update(key_share=True)
)
_OF_USERS = union_all(
    select(sessions.c.user_id, sessions.c.device_id).where(
        sessions.c.user_id.in_(bindparam("user_ids", expanding=True)),
        sessions.c.ended_ms.is_(None),
        sessions.c.refresh_expires_ms > bindparam("now_ms"),
    ),
    select(dehydrated_devices.c.user_id, dehydrated_devices.c.device_id).where(
        dehydrated_devices.c.user_id.in_(bindparam("user_ids", expanding=True))
    ),
)
_OF_SESSIONS = select(sessions.c.user_id, sessions.c.device_id).where(
    sessions.c.session_id.in_(bindparam("session_ids", expanding=True))
)
_SESSIONS_OF_USERS = select(sessions.c.user_id, sessions.c.device_id).where(
    sessions.c.user_id.in_(bindparam("user_ids", expanding=True))
)
_KEYS = (
    select(
        device_keys.c.user_id,
        device_keys.c.device_id,
        device_keys.c.body,
        sessions.c.device_name,
        dehydrated_devices.c.display_name,
    )
    .select_from(device_keys)
    .outerjoin(
        sessions,
        (sessions.c.user_id == device_keys.c.user_id) & (sessions.c.device_id == device_keys.c.device_id),
    )
    .outerjoin(
        dehydrated_devices,
        (dehydrated_devices.c.user_id == device_keys.c.user_id)
        & (dehydrated_devices.c.device_id == device_keys.c.device_id),
    )
)
_KEYS_OF_USERS = _KEYS.where(device_keys.c.user_id.in_(bindparam("user_ids", expanding=True)))
_KEYS_OF_DEVICES = select(
    device_keys.c.user_id,
    device_keys.c.device_id,
    device_keys.c.body,
    null().label("device_name"),
    null().label("display_name"),
).where(of_devices(device_keys))
_SET_KEYS = Upsert(device_keys, ["user_id", "device_id"], ["body"])


async def lock_running(conn: AsyncConnection, devices: Collection[Device]) -> set[Device]:
    """Those of the devices whose sessions run, locked until the end of the transaction."""
    rows = await conn.execute(_LOCK_SESSIONS, named(devices))
    return {Device(row.user_id, row.device_id) for row in rows}


async def devices_of(
    conn: AsyncConnection, user_ids: Collection[UserId], now_ms: int
) -> dict[UserId, list[DeviceId]]:
    """All devices of these users, those without keys included."""
    found: dict[UserId, list[DeviceId]] = {user_id: [] for user_id in user_ids}
    for row in await conn.execute(_OF_USERS, {"user_ids": list(user_ids), "now_ms": now_ms}):
        found[row.user_id].append(row.device_id)
    return found


async def devices_of_sessions(conn: AsyncConnection, session_ids: Collection[SessionId]) -> list[Device]:
    """The devices of these sessions, ended ones included."""
    rows = await conn.execute(_OF_SESSIONS, {"session_ids": list(session_ids)})
    return [Device(*row) for row in rows]


async def sessions_of_users(conn: AsyncConnection, user_ids: Collection[UserId]) -> list[Device]:
    """The devices of all sessions of these users, ended ones included, without dehydrated devices."""
    rows = await conn.execute(_SESSIONS_OF_USERS, {"user_ids": list(user_ids)})
    return [Device(*row) for row in rows]


async def keys_of_users(
    conn: AsyncConnection, user_ids: Collection[UserId]
) -> dict[UserId, dict[DeviceId, KeyedDevice]]:
    """The devices of these users that have identity keys."""
    found: dict[UserId, dict[DeviceId, KeyedDevice]] = {user_id: {} for user_id in user_ids}
    for row in await conn.execute(_KEYS_OF_USERS, {"user_ids": list(user_ids)}):
        found[row.user_id][row.device_id] = KeyedDevice(
            orjson.loads(row.body), row.device_name or row.display_name or ""
        )
    return found


async def keys_of(conn: AsyncConnection, devices: Collection[Device]) -> dict[Device, Content]:
    """The identity keys of these devices; missing for devices without keys."""
    rows = await conn.execute(_KEYS_OF_DEVICES, named(devices))
    return {Device(row.user_id, row.device_id): orjson.loads(row.body) for row in rows}


async def set_keys(conn: AsyncConnection, keys: Mapping[Device, Content]) -> None:
    """Set identity keys, replacing existing ones."""
    rows = [{**device._asdict(), "body": orjson.dumps(body)} for device, body in keys.items()]
    await conn.execute(_SET_KEYS.on(conn), rows)
