"""One-time keys, each claimed by one other device, and the fallback keys for when none are left."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, cast

import orjson
from sqlalchemy import and_, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import DeviceId, UserId
from homeserver.storage.dialect import Rows, Upsert, among, rows_of
from homeserver.storage.e2ee.devices import Device, named, of_devices
from homeserver.storage.schema.e2ee import fallback_keys, one_time_keys
from homeserver.storage.sqlite import UNANSWERED


class KeyName(NamedTuple):
    """The name of a one-time or fallback key on the wire: `algorithm:key_id`."""

    algorithm: str
    key_id: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.key_id}"


class OneTimeKey(NamedTuple):
    """A one-time or fallback key: `body` is a JSON object or a string."""

    device: Device
    name: KeyName
    body: object


class KeyClaim(NamedTuple):
    """A request for a key of this algorithm of a device."""

    user_id: UserId
    device_id: DeviceId
    algorithm: str

    @property
    def device(self) -> Device:
        return Device(self.user_id, self.device_id)


class HeldKey(NamedTuple):
    """A stored one-time key, claimed or not."""

    body: object
    claimed: bool


_HELD = select(
    one_time_keys.c.user_id,
    one_time_keys.c.device_id,
    one_time_keys.c.algorithm,
    one_time_keys.c.key_id,
    one_time_keys.c.body,
    one_time_keys.c.claimed_ms,
).where(of_devices(one_time_keys))
_COUNTS = (
    select(one_time_keys.c.user_id, one_time_keys.c.device_id, one_time_keys.c.algorithm, func.count())
    .where(of_devices(one_time_keys), one_time_keys.c.claimed_ms.is_(None))
    .group_by(one_time_keys.c.user_id, one_time_keys.c.device_id, one_time_keys.c.algorithm)
)
_ADD = insert(one_time_keys)
_RENEW = (
    update(one_time_keys)
    .where(
        one_time_keys.c.user_id == bindparam("of_user"),
        one_time_keys.c.device_id == bindparam("of_device"),
        one_time_keys.c.algorithm == bindparam("of_algorithm"),
        one_time_keys.c.key_id == bindparam("of_key"),
    )
    .values(body=bindparam("new_body"), claimed_ms=None)
)


_FORGET_CLAIMED = delete(one_time_keys).where(
    of_devices(one_time_keys), one_time_keys.c.claimed_ms < bindparam("before_ms")
)
_DROP = tuple(
    delete(table).where(of_devices(table)).execution_options(**UNANSWERED)
    for table in (one_time_keys, fallback_keys)
)
_wish = Rows("wishes")
_candidates = one_time_keys.alias("candidates")
_next_key = (
    select(_candidates.c.key_order)
    .where(
        _candidates.c.user_id == _wish.text(0),
        _candidates.c.device_id == _wish.text(1),
        _candidates.c.algorithm == _wish.text(2),
        _candidates.c.claimed_ms.is_(None),
    )
    .order_by(_candidates.c.key_order)
    .limit(1)
    .with_for_update(skip_locked=True, key_share=True)
    .correlate(_wish.table)
    .scalar_subquery()
)
# A CTE that locks is run once, and before the UPDATE: a subquery might be run again, and take another key.
_next_keys = select(_next_key.label("key_order")).select_from(_wish.table).cte("next_keys")
_CLAIM = (
    update(one_time_keys)
    .where(one_time_keys.c.key_order.in_(select(_next_keys.c.key_order)))
    .values(claimed_ms=bindparam("now_ms"))
    .returning(
        one_time_keys.c.user_id,
        one_time_keys.c.device_id,
        one_time_keys.c.algorithm,
        one_time_keys.c.key_id,
        one_time_keys.c.body,
    )
)
_SET_FALLBACK = Upsert(fallback_keys, ["user_id", "device_id", "algorithm"], ["key_id", "body", "used"])
_FALLBACK = select(fallback_keys).where(of_devices(fallback_keys))
_of_wishes = and_(
    # The user ids are listed too, as in `of_devices`.
    fallback_keys.c.user_id.in_(bindparam("user_ids", expanding=True)),
    among("wishes", fallback_keys.c.user_id, fallback_keys.c.device_id, fallback_keys.c.algorithm),
)
_LOCK_FALLBACK = (
    select(fallback_keys)
    .where(_of_wishes)
    .order_by(fallback_keys.c.user_id, fallback_keys.c.device_id, fallback_keys.c.algorithm)
    .with_for_update(key_share=True)
)
_USE_FALLBACK = update(fallback_keys).where(_of_wishes, fallback_keys.c.used.is_(False)).values(used=True)


async def held_keys(
    conn: AsyncConnection, devices: Collection[Device]
) -> dict[Device, dict[KeyName, HeldKey]]:
    """All one-time keys stored for these devices, claimed ones included."""
    found: dict[Device, dict[KeyName, HeldKey]] = {device: {} for device in devices}
    for row in await conn.execute(_HELD, named(devices)):
        name = KeyName(row.algorithm, row.key_id)
        held = HeldKey(orjson.loads(row.body), row.claimed_ms is not None)
        found[Device(row.user_id, row.device_id)][name] = held
    return found


async def counts(conn: AsyncConnection, devices: Collection[Device]) -> dict[Device, dict[str, int]]:
    """How many unclaimed one-time keys of each algorithm these devices have."""
    found: dict[Device, dict[str, int]] = {device: {} for device in devices}
    for user_id, device_id, algorithm, count in await conn.execute(_COUNTS, named(devices)):
        found[Device(user_id, device_id)][algorithm] = count
    return found


async def add_keys(conn: AsyncConnection, keys: Sequence[OneTimeKey]) -> None:
    """Insert one-time keys, in their order."""
    await conn.execute(_ADD, [_row(key) for key in keys])


async def renew_keys(conn: AsyncConnection, keys: Sequence[OneTimeKey]) -> None:
    """Replace claimed keys by new ones of the same names."""
    rows = [
        {
            "of_user": key.device.user_id,
            "of_device": key.device.device_id,
            "of_algorithm": key.name.algorithm,
            "of_key": key.name.key_id,
            "new_body": orjson.dumps(key.body),
        }
        for key in keys
    ]
    await conn.execute(_RENEW, rows)


async def forget_claimed(conn: AsyncConnection, devices: Collection[Device], before_ms: int) -> None:
    """Delete the one-time keys of these devices that were claimed before a time."""
    await conn.execute(_FORGET_CLAIMED, {**named(devices), "before_ms": before_ms})


async def drop_keys(conn: AsyncConnection, devices: Collection[Device]) -> None:
    """Delete all one-time and fallback keys of these devices."""
    for statement in _DROP:  # one per table
        await conn.execute(statement, named(devices))


async def claim(conn: AsyncConnection, requests: Collection[KeyClaim], now_ms: int) -> list[OneTimeKey]:
    """Claim the oldest unclaimed one-time key for each request, if there is one; no other request gets it.

    Keys that a concurrent transaction is claiming are passed over, so that no claim waits for another.
    """
    rows = await conn.execute(_CLAIM, {"wishes": rows_of(requests), "now_ms": now_ms})
    return [_key(row) for row in rows]


async def use_fallback(conn: AsyncConnection, requests: Collection[KeyClaim]) -> list[OneTimeKey]:
    """The fallback key for each request, if there is one; it counts as used from now on."""
    user_ids = list({request.user_id for request in requests})
    values = {"wishes": rows_of(requests), "user_ids": user_ids}
    rows = (await conn.execute(_LOCK_FALLBACK, values)).all()
    if not all(row.used for row in rows):
        await conn.execute(_USE_FALLBACK, values)
    return [_key(row) for row in rows]


async def fallback_of(
    conn: AsyncConnection, devices: Collection[Device]
) -> dict[Device, dict[KeyName, tuple[object, bool]]]:
    """The fallback keys of these devices, and whether each is used: {device: {name: (body, used)}}."""
    found: dict[Device, dict[KeyName, tuple[object, bool]]] = {device: {} for device in devices}
    for row in await conn.execute(_FALLBACK, named(devices)):
        name = KeyName(row.algorithm, row.key_id)
        found[Device(row.user_id, row.device_id)][name] = (orjson.loads(row.body), row.used)
    return found


async def set_fallback(conn: AsyncConnection, keys: Sequence[OneTimeKey]) -> None:
    """Set fallback keys, unused, replacing those of the same algorithm."""
    await conn.execute(_SET_FALLBACK.on(conn), [{**_row(key), "used": False} for key in keys])


def _row(key: OneTimeKey) -> Mapping[str, Any]:
    return {**key.device._asdict(), **key.name._asdict(), "body": orjson.dumps(key.body)}


def _key(row: Any) -> OneTimeKey:
    device = Device(cast(UserId, row.user_id), cast(DeviceId, row.device_id))
    return OneTimeKey(device, KeyName(row.algorithm, row.key_id), orjson.loads(row.body))
