"""The rows that are deleted with a device."""

from collections.abc import Sequence

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import UserId
from homeserver.storage.e2ee import inbox
from homeserver.storage.e2ee.crosssigning import Target, drop_signatures
from homeserver.storage.e2ee.devices import Device, named, of_devices
from homeserver.storage.schema.e2ee import device_inboxes, device_keys, fallback_keys, one_time_keys
from homeserver.storage.sqlite import UNANSWERED

_DROP_KEYS = delete(device_keys).where(of_devices(device_keys)).returning(device_keys.c.user_id)
_DROP_REST = tuple(
    delete(table).where(of_devices(table)).execution_options(**UNANSWERED)
    for table in (one_time_keys, fallback_keys, device_inboxes)  # locked in this order everywhere
)


async def drop_devices(conn: AsyncConnection, devices: Sequence[Device]) -> set[UserId]:
    """Delete all rows of these devices but their sessions; returns the users whose identity keys were deleted."""
    changed = set((await conn.execute(_DROP_KEYS, named(devices))).scalars())
    for statement in _DROP_REST:  # one per table
        await conn.execute(statement, named(devices))
    await inbox.drop_messages(conn, devices)
    targets = [Target(device.user_id, device.device_id) for device in devices]
    await drop_signatures(conn, targets, [(user_id, f"ed25519:{name}") for user_id, name in targets])
    return changed
