"""To-device messages. Each is stored until its device acknowledges it, or until newer ones exceed the inbox limits."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LogPosition
from homeserver.storage.dialect import Upsert
from homeserver.storage.e2ee.devices import Device, named, of_devices
from homeserver.storage.schema.e2ee import device_inboxes, device_messages


class DeviceMessage(NamedTuple):
    """A to-device message: `body` is the JSON of type, sender and content."""

    device: Device
    position: LogPosition
    body: bytes


class InboxLimits(NamedTuple):
    """How many messages and bytes may wait for one device."""

    messages: int
    bytes: int


_ADD = insert(device_messages)
_COUNT = Upsert(device_inboxes, ["user_id", "device_id"], count=["messages", "bytes"])
_FULL = select(device_inboxes.c.user_id, device_inboxes.c.device_id).where(
    of_devices(device_inboxes),
    or_(
        device_inboxes.c.messages > bindparam("most_messages"),
        device_inboxes.c.bytes > bindparam("most_bytes"),
    ),
)
_inbox = (device_messages.c.user_id, device_messages.c.device_id)
_newest = device_messages.c.position.desc()
_ranked = (
    select(
        device_messages.c.user_id,
        device_messages.c.device_id,
        device_messages.c.position,
        func.count().over(partition_by=_inbox, order_by=_newest).label("messages"),
        func.sum(device_messages.c.size).over(partition_by=_inbox, order_by=_newest).label("bytes"),
    )
    .where(of_devices(device_messages))
    .subquery()
)
_TRIM = delete(device_messages).where(
    tuple_(device_messages.c.user_id, device_messages.c.device_id, device_messages.c.position).in_(
        select(_ranked.c.user_id, _ranked.c.device_id, _ranked.c.position).where(
            or_(_ranked.c.messages > bindparam("most_messages"), _ranked.c.bytes > bindparam("most_bytes"))
        )
    )
)
_of_inbox = (
    device_messages.c.user_id == device_inboxes.c.user_id,
    device_messages.c.device_id == device_inboxes.c.device_id,
)
_RECOUNT = (
    update(device_inboxes)
    .where(of_devices(device_inboxes))
    .values(
        messages=select(func.count()).select_from(device_messages).where(*_of_inbox).scalar_subquery(),
        bytes=select(func.coalesce(func.sum(device_messages.c.size), 0)).where(*_of_inbox).scalar_subquery(),
    )
)
_AFTER = (
    select(device_messages.c.position, device_messages.c.body)
    .where(
        device_messages.c.user_id == bindparam("of_user"),
        device_messages.c.device_id == bindparam("of_device"),
        device_messages.c.position > bindparam("after"),
    )
    .order_by(device_messages.c.position)
    .limit(bindparam("count"))
)
_LOCK = (
    select(device_inboxes.c.messages)
    .where(
        device_inboxes.c.user_id == bindparam("of_user"), device_inboxes.c.device_id == bindparam("of_device")
    )
    .with_for_update(key_share=True)
)
_ACKNOWLEDGE = (
    delete(device_messages)
    .where(
        device_messages.c.user_id == bindparam("of_user"),
        device_messages.c.device_id == bindparam("of_device"),
        device_messages.c.position <= bindparam("upto"),
    )
    .returning(device_messages.c.size)
)


async def add_messages(conn: AsyncConnection, messages: Sequence[DeviceMessage]) -> None:
    """Insert messages; a device gets at most one at each position."""
    rows = [
        {**one.device._asdict(), "position": one.position, "size": len(one.body), "body": one.body}
        for one in messages
    ]
    await conn.execute(_ADD, rows)
    counted: dict[Device, list[int]] = {}
    for one in messages:
        held = counted.setdefault(one.device, [0, 0])
        held[0] += 1
        held[1] += len(one.body)
    await conn.execute(
        _COUNT.on(conn),
        [{**device._asdict(), "messages": count, "bytes": size} for device, (count, size) in counted.items()],
    )


async def full_inboxes(
    conn: AsyncConnection, devices: Collection[Device], limits: InboxLimits
) -> list[Device]:
    """Those of the devices whose inboxes exceed the limits."""
    values = {
        **named(devices),
        "most_messages": limits.messages,
        "most_bytes": limits.bytes,
    }
    return [Device(*row) for row in await conn.execute(_FULL, values)]


async def trim_inboxes(conn: AsyncConnection, devices: Sequence[Device], limits: InboxLimits) -> None:
    """Delete the oldest messages to these devices until each inbox is within the limits."""
    values = {
        **named(devices),
        "most_messages": limits.messages,
        "most_bytes": limits.bytes,
    }
    await conn.execute(_TRIM, values)
    await conn.execute(_RECOUNT, named(devices))


async def messages_after(
    conn: AsyncConnection, device: Device, after: LogPosition, limit: int
) -> list[DeviceMessage]:
    """The next messages to a device after a position, the oldest first."""
    values = {"of_user": device.user_id, "of_device": device.device_id, "after": after, "count": limit}
    rows = await conn.execute(_AFTER, values)
    return [DeviceMessage(device, row.position, row.body) for row in rows]


async def acknowledge(conn: AsyncConnection, device: Device, upto: LogPosition) -> None:
    """Delete the messages to a device up to a position."""
    values = {"of_user": device.user_id, "of_device": device.device_id, "upto": upto}
    await conn.execute(_LOCK, values)  # all writers lock the count before the messages
    sizes = list((await conn.execute(_ACKNOWLEDGE, values)).scalars())
    if sizes:
        less = {**device._asdict(), "messages": -len(sizes), "bytes": -sum(sizes)}
        await conn.execute(_COUNT.on(conn), [less])
