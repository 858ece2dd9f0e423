"""To-device messages. Each is stored until its device acknowledges it, or the inbox is full."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.functions import FunctionElement

from homeserver.model import LogPosition
from homeserver.protocol.ids import UserId
from homeserver.storage.dialect import Upsert, larger
from homeserver.storage.e2ee.devices import Device, named, of_devices
from homeserver.storage.schema.e2ee import device_inboxes, device_messages, shared_bodies


class DeviceMessage(NamedTuple):
    """A to-device message: `body` is the JSON of type, sender and content."""

    device: Device
    position: LogPosition
    sender: UserId
    body: bytes


class InboxLimits(NamedTuple):
    """How many messages and bytes may wait for one device, and how many bytes for all devices of a user, each of which
    has an equal share."""

    messages: int
    bytes: int
    user_bytes: int


_ADD = insert(device_messages)
_ADD_SHARED = insert(shared_bodies)
_COUNT = Upsert(device_inboxes, ["user_id", "device_id"], count=["messages", "bytes"])
_inboxes = (
    select(device_inboxes.c.user_id, func.count().label("count"))
    .where(device_inboxes.c.user_id.in_(bindparam("user_ids", expanding=True)))
    .group_by(device_inboxes.c.user_id)
    .subquery("inboxes")
)


def _exceeds(messages: ColumnElement[int], size: ColumnElement[int]) -> ColumnElement[bool]:
    """The condition that this much is more than an inbox may hold; the statement joins `_inboxes`."""
    return or_(
        messages > bindparam("most_messages"),
        size > bindparam("most_bytes"),
        size * _inboxes.c.count > bindparam("most_user_bytes"),
    )


_FULL = (
    select(device_inboxes.c.user_id, device_inboxes.c.device_id)
    .join(_inboxes, _inboxes.c.user_id == device_inboxes.c.user_id)
    .where(of_devices(device_inboxes), _exceeds(device_inboxes.c.messages, device_inboxes.c.bytes))
)
_inbox = (device_messages.c.user_id, device_messages.c.device_id)


def _of_sender(of: FunctionElement[Any]) -> ColumnElement[int]:
    """A sum over a message and its sender's newer ones in the inbox."""
    newest = device_messages.c.position.desc()
    return of.over(partition_by=(*_inbox, device_messages.c.sender), order_by=newest)


_by_sender = (
    select(
        *_inbox,
        device_messages.c.position,
        device_messages.c.size,
        # How much of the inbox the sender has with this and their newer messages, in messages or in bytes.
        larger(
            _of_sender(func.count()) * bindparam("most_bytes"),
            _of_sender(func.sum(device_messages.c.size)) * bindparam("most_messages"),
        ).label("share"),
    )
    .where(of_devices(device_messages))
    .subquery("by_sender")
)


def _fairly(of: FunctionElement[Any]) -> ColumnElement[int]:
    """A sum over a message and those that are kept rather."""
    inbox = (_by_sender.c.user_id, _by_sender.c.device_id)
    return of.over(partition_by=inbox, order_by=(_by_sender.c.share, _by_sender.c.position.desc()))


_ranked = select(
    _by_sender.c.user_id,
    _by_sender.c.device_id,
    _by_sender.c.position,
    _fairly(func.count()).label("messages"),
    _fairly(func.sum(_by_sender.c.size)).label("bytes"),
).subquery("ranked")
_TRIM = (
    delete(device_messages)
    .where(
        tuple_(*_inbox, device_messages.c.position).in_(
            select(_ranked.c.user_id, _ranked.c.device_id, _ranked.c.position)
            .join(_inboxes, _inboxes.c.user_id == _ranked.c.user_id)
            .where(_exceeds(_ranked.c.messages, _ranked.c.bytes))
        )
    )
    .returning(device_messages.c.user_id, device_messages.c.position, device_messages.c.shared)
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
    select(
        device_messages.c.position,
        device_messages.c.sender,
        func.coalesce(device_messages.c.body, shared_bodies.c.body).label("body"),
    )
    .outerjoin(
        shared_bodies,
        and_(
            shared_bodies.c.user_id == device_messages.c.user_id,
            shared_bodies.c.position == device_messages.c.position,
            shared_bodies.c.number == device_messages.c.shared,
        ),
    )
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
    .returning(
        device_messages.c.user_id,
        device_messages.c.position,
        device_messages.c.shared,
        device_messages.c.size,
    )
)
_DROP = (
    delete(device_messages)
    .where(of_devices(device_messages))
    .returning(device_messages.c.user_id, device_messages.c.position, device_messages.c.shared)
)
_shared = (
    shared_bodies.c.user_id == bindparam("of_user"),
    shared_bodies.c.position == bindparam("at"),
    shared_bodies.c.number == bindparam("shared_number"),
)
_RELEASE = update(shared_bodies).where(*_shared).values(waiting=shared_bodies.c.waiting - bindparam("less"))
_DROP_RELEASED = delete(shared_bodies).where(*_shared, shared_bodies.c.waiting <= 0)


async def add_messages(conn: AsyncConnection, messages: Sequence[DeviceMessage]) -> None:
    """Insert messages; a device gets at most one at each position. A body for several devices is stored once."""
    bodies = Counter((one.device.user_id, one.position, one.body) for one in messages)
    numbers = {body: number for number, (body, count) in enumerate(bodies.items()) if count > 1}
    if numbers:
        shared = [
            {
                "user_id": body[0],
                "position": body[1],
                "number": number,
                "body": body[2],
                "waiting": bodies[body],
            }
            for body, number in numbers.items()
        ]
        await conn.execute(_ADD_SHARED, shared)
    rows = []
    counted: dict[Device, list[int]] = {}
    for one in messages:
        number = numbers.get((one.device.user_id, one.position, one.body))
        rows.append(
            {
                **one.device._asdict(),
                "position": one.position,
                "sender": one.sender,
                "size": len(one.body),
                "body": one.body if number is None else None,
                "shared": number,
            }
        )
        held = counted.setdefault(one.device, [0, 0])
        held[0] += 1
        held[1] += len(one.body)
    await conn.execute(_ADD, rows)
    await conn.execute(
        _COUNT.on(conn),
        [{**device._asdict(), "messages": count, "bytes": size} for device, (count, size) in counted.items()],
    )


async def full_inboxes(
    conn: AsyncConnection, devices: Collection[Device], limits: InboxLimits
) -> list[Device]:
    """Those of the devices whose inboxes exceed the limits."""
    values = {**named(devices), **_values(limits)}
    return [Device(*row) for row in await conn.execute(_FULL, values)]


async def trim_inboxes(conn: AsyncConnection, devices: Sequence[Device], limits: InboxLimits) -> None:
    """Delete messages to these devices until each inbox is within the limits: the oldest of those senders who have
    most of it, so that nobody pushes out what others sent."""
    gone = (await conn.execute(_TRIM, {**named(devices), **_values(limits)})).all()
    await conn.execute(_RECOUNT, named(devices))
    await _release(conn, gone)


async def messages_after(
    conn: AsyncConnection, device: Device, after: LogPosition, limit: int
) -> list[DeviceMessage]:
    """The next messages to a device after a position, the oldest first."""
    values = {"of_user": device.user_id, "of_device": device.device_id, "after": after, "count": limit}
    rows = await conn.execute(_AFTER, values)
    return [DeviceMessage(device, row.position, row.sender, row.body) for row in rows]


async def acknowledge(conn: AsyncConnection, device: Device, upto: LogPosition) -> None:
    """Delete the messages to a device up to a position."""
    values = {"of_user": device.user_id, "of_device": device.device_id, "upto": upto}
    await conn.execute(_LOCK, values)  # all writers lock the count before the messages
    gone = (await conn.execute(_ACKNOWLEDGE, values)).all()
    if gone:
        less = {**device._asdict(), "messages": -len(gone), "bytes": -sum(row.size for row in gone)}
        await conn.execute(_COUNT.on(conn), [less])
        await _release(conn, gone)


async def drop_messages(conn: AsyncConnection, devices: Collection[Device]) -> None:
    """Delete all messages to these devices; the caller deletes their inboxes before."""
    await _release(conn, (await conn.execute(_DROP, named(devices))).all())


async def _release(conn: AsyncConnection, gone: Sequence[Any]) -> None:
    """Delete the shared bodies that wait for nobody, now that these messages are deleted."""
    counts = Counter((row.user_id, row.position, row.shared) for row in gone if row.shared is not None)
    if not counts:
        return
    rows = [
        {
            "of_user": user_id,
            "at": position,
            "shared_number": number,
            "less": counts[user_id, position, number],
        }
        for user_id, position, number in sorted(counts)  # locked in this order everywhere
    ]
    await conn.execute(_RELEASE, rows)
    await conn.execute(_DROP_RELEASED, rows)


def _values(limits: InboxLimits) -> dict[str, int]:
    return {
        "most_messages": limits.messages,
        "most_bytes": limits.bytes,
        "most_user_bytes": limits.user_bytes,
    }
