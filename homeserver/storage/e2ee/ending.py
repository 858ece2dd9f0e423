"""The rows that are deleted with a device."""

from collections.abc import Collection

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.storage.e2ee import inbox, onetime
from homeserver.storage.e2ee.crosssigning import Target, drop_signatures
from homeserver.storage.e2ee.devices import Device, named, of_devices
from homeserver.storage.schema.e2ee import device_inboxes, device_keys
from homeserver.storage.sqlite import UNANSWERED

_DROP_KEYS, _DROP_INBOXES = (
    delete(table).where(of_devices(table)).execution_options(**UNANSWERED)
    for table in (device_keys, device_inboxes)
)


async def drop_devices(conn: AsyncConnection, devices: Collection[Device]) -> None:
    """Delete all rows of these devices but their sessions."""
    await conn.execute(_DROP_KEYS, named(devices))
    await onetime.drop_keys(conn, devices)  # the tables are locked in this order everywhere
    await conn.execute(_DROP_INBOXES, named(devices))
    await inbox.drop_messages(conn, devices)
    await drop_signatures_of_devices(conn, devices)


async def drop_signatures_of_devices(conn: AsyncConnection, devices: Collection[Device]) -> None:
    """Delete the signatures on the identity keys of these devices and by them."""
    targets = [Target(device.user_id, device.device_id) for device in devices]
    await drop_signatures(conn, targets, [(user_id, f"ed25519:{name}") for user_id, name in targets])
