"""Dehydrated devices (MSC3814): at most one per user."""

from collections.abc import Collection
from typing import NamedTuple

import orjson
from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import Content
from homeserver.protocol.ids import DeviceId, UserId
from homeserver.storage.dialect import Upsert
from homeserver.storage.e2ee.devices import Device
from homeserver.storage.schema.e2ee import dehydrated_devices


class Dehydrated(NamedTuple):
    """A dehydrated device; its secrets are encrypted in `device_data`."""

    device: Device
    name: str
    device_data: Content


_OF_USERS = select(dehydrated_devices).where(
    dehydrated_devices.c.user_id.in_(bindparam("user_ids", expanding=True))
)
_SET = Upsert(dehydrated_devices, ["user_id"], ["device_id", "display_name", "device_data"])
_DROP = delete(dehydrated_devices).where(
    dehydrated_devices.c.user_id.in_(bindparam("user_ids", expanding=True))
)


async def dehydrated_of(conn: AsyncConnection, user_ids: Collection[UserId]) -> dict[UserId, Dehydrated]:
    """The dehydrated devices of these users; missing for users who have none."""
    rows = await conn.execute(_OF_USERS, {"user_ids": list(user_ids)})
    return {
        row.user_id: Dehydrated(
            Device(row.user_id, DeviceId(row.device_id)), row.display_name, orjson.loads(row.device_data)
        )
        for row in rows
    }


async def set_dehydrated(conn: AsyncConnection, new: Collection[Dehydrated]) -> None:
    """Set dehydrated devices, replacing earlier ones."""
    rows = [
        {
            **one.device._asdict(),
            "display_name": one.name,
            "device_data": orjson.dumps(one.device_data),
        }
        for one in new
    ]
    await conn.execute(_SET.on(conn), rows)


async def drop_dehydrated(conn: AsyncConnection, user_ids: Collection[UserId]) -> None:
    """Delete the dehydrated devices of these users; the caller deletes their keys and messages."""
    await conn.execute(_DROP, {"user_ids": list(user_ids)})
