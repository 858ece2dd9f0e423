"""Deletes sessions in the database with everything that their devices have: keys, signatures, to-device messages, and
local notification settings (MSC3890).

For the transactions that end sessions: every session ends through here, so that no device outlives its session.
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LogPosition, SessionId
from homeserver.protocol.ids import UserId
from homeserver.storage import accountdata, sessions
from homeserver.storage.accountdata import DataKey
from homeserver.storage.e2ee import backups, crosssigning, dehydrated, devices, lists
from homeserver.storage.e2ee.devices import Device
from homeserver.storage.e2ee.ending import drop_devices

_LOCAL_SETTINGS: Final = (
    "m.local_notification_settings",
    "org.matrix.msc3890.local_notification_settings",
)
"""Prefix of account data types of devices, followed by a dot and the device id."""


async def end_sessions(
    conn: AsyncConnection, session_ids: Collection[SessionId], *, now_ms: int, position: LogPosition
) -> None:
    """End those of these sessions that are still active. `position`: of the log entry that announces it."""
    await sessions.end_sessions(conn, session_ids, now_ms)
    await _drop(conn, await devices.devices_of_sessions(conn, session_ids), position)


async def end_sessions_of_users(
    conn: AsyncConnection, user_ids: Collection[UserId], *, now_ms: int, position: LogPosition
) -> None:
    """End all sessions of these users. Dehydrated devices stay: they are meant for users without a session."""
    await sessions.end_sessions_of_users(conn, user_ids, now_ms)
    await _drop(conn, await devices.sessions_of_users(conn, user_ids), position)


async def forget_people(
    conn: AsyncConnection, user_ids: Collection[UserId], *, position: LogPosition
) -> None:
    """Delete cross-signing keys, backups and dehydrated devices of deactivated accounts."""
    crossed = await crosssigning.cross_keys_of(conn, user_ids)
    keys = [key for of_user in crossed.values() for key in of_user.values()]
    if keys:
        await crosssigning.drop_signatures_of_keys(conn, keys)
        await crosssigning.drop_cross_keys(conn, user_ids)
        await lists.set_changed(conn, sorted({key.user_id for key in keys}), position)
    dried = await dehydrated.dehydrated_of(conn, user_ids)
    if dried:
        await dehydrated.drop_dehydrated(conn, user_ids)
        await _drop(conn, [one.device for one in dried.values()], position)
    await backups.drop_backups_of(conn, list(user_ids))


async def purge_sessions(conn: AsyncConnection, *, before_ms: int, limit: int) -> int:
    """Delete at most `limit` sessions that ended or expired before a time; returns how many were deleted."""
    gone = await sessions.purge_sessions(conn, before_ms=before_ms, limit=limit)
    if gone:  # a to-device message may have been in flight to one of them when it ended
        await drop_devices(conn, [Device(*one) for one in gone])
    return len(gone)


async def _drop(conn: AsyncConnection, gone: list[Device], position: LogPosition) -> None:
    if not gone:
        return
    await drop_devices(conn, gone)
    await lists.set_changed(conn, sorted({one.user_id for one in gone}), position)
    keys = [DataKey(one.user_id, "", f"{kind}.{one.device_id}") for one in gone for kind in _LOCAL_SETTINGS]
    await accountdata.empty_pieces(conn, keys, position)
