"""Server-side key backups, encrypted by the user's clients. The backup with the greatest version is the current one."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, cast

import orjson
from sqlalchemy import Row, Select, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage.dialect import Upsert, among, rows_of
from homeserver.storage.schema.e2ee import backup_heads, backup_keys, backups


class Backup(NamedTuple):
    """A backup. `auth_data`: any JSON value. `etag` counts the changes of its keys; `size` is that of all its keys, in
    bytes."""

    user_id: UserId
    version: int
    algorithm: str
    auth_data: object
    etag: int = 0
    key_count: int = 0
    size: int = 0


class KeyPlace(NamedTuple):
    """Room and session of a key."""

    room_id: RoomId
    session_id: str


class BackupKey(NamedTuple):
    """A key in a backup; only its user's clients can read `session_data`, any JSON value."""

    first_message_index: int
    forwarded_count: int
    is_verified: bool
    session_data: object


_START_HEAD = Upsert(backup_heads, ["user_id"])
_TAKE_VERSION = (
    update(backup_heads)
    .where(backup_heads.c.user_id == bindparam("of"))
    .values(last=backup_heads.c.last + 1)
    .returning(backup_heads.c.last)
)
_HEAD = select(backup_heads.c.last).where(backup_heads.c.user_id == bindparam("of"))
_LOCK_HEAD = _HEAD.with_for_update(key_share=True)
_AT: Select[Any] = select(backups).where(
    backups.c.user_id == bindparam("of"), backups.c.version == bindparam("at")
)
_CURRENT: Select[Any] = (
    select(backups).where(backups.c.user_id == bindparam("of")).order_by(backups.c.version.desc()).limit(1)
)
_TOTAL = select(func.count(), func.coalesce(func.sum(backups.c.bytes), 0)).where(
    backups.c.user_id == bindparam("of")
)
_ADD = insert(backups)
_SET_AUTH = (
    update(backups)
    .where(backups.c.user_id == bindparam("of"), backups.c.version == bindparam("at"))
    .values(auth_data=bindparam("new_auth_data"))
)
_COUNT = (
    update(backups)
    .where(backups.c.user_id == bindparam("of"), backups.c.version == bindparam("at"))
    .values(
        etag=backups.c.etag + 1,
        key_count=backups.c.key_count + bindparam("more_keys"),
        bytes=backups.c.bytes + bindparam("more_bytes"),
    )
)
_DROP = delete(backups).where(backups.c.user_id == bindparam("of"), backups.c.version == bindparam("at"))
_in_backup = (backup_keys.c.user_id == bindparam("of"), backup_keys.c.version == bindparam("at"))
_in_room = backup_keys.c.room_id == bindparam("of_room")
_in_session = backup_keys.c.session_id == bindparam("of_session")
# Scopes of requests: the whole backup, the keys of one room, one key.
_SCOPES = ((), (_in_room,), (_in_room, _in_session))
_KEYS: tuple[Select[Any], ...] = tuple(select(backup_keys).where(*_in_backup, *scope) for scope in _SCOPES)
_SIZE = func.length(backup_keys.c.session_data)
_DROP_KEYS = tuple(
    delete(backup_keys)
    .where(*_in_backup, *scope)
    .returning(backup_keys.c.room_id, backup_keys.c.session_id, _SIZE.label("size"))
    for scope in _SCOPES
)
_KEYS_AT = select(backup_keys).where(
    *_in_backup,
    backup_keys.c.room_id.in_(bindparam("room_ids", expanding=True)),
    among("places", backup_keys.c.room_id, backup_keys.c.session_id),
)
_SET_KEYS = Upsert(
    backup_keys,
    ["user_id", "version", "room_id", "session_id"],
    ["first_message_index", "forwarded_count", "is_verified", "session_data"],
)
_DROP_OF_USERS = tuple(
    delete(table).where(table.c.user_id.in_(bindparam("user_ids", expanding=True)))
    for table in (backup_heads, backups, backup_keys)
)


async def take_version(conn: AsyncConnection, user_id: UserId) -> int:
    """The next version number of a user's backups; locked until the end of the transaction."""
    await conn.execute(_START_HEAD.on(conn), {"user_id": user_id, "last": 0})
    return cast(int, (await conn.execute(_TAKE_VERSION, {"of": user_id})).scalar_one())


async def last_version(conn: AsyncConnection, user_id: UserId) -> int:
    """The last version number assigned, 0 if there is none."""
    return (await conn.execute(_HEAD, {"of": user_id})).scalar_one_or_none() or 0


async def lock_backups(conn: AsyncConnection, user_id: UserId) -> None:
    """Lock a user's backups until the end of the transaction."""
    await conn.execute(_LOCK_HEAD, {"of": user_id})


async def backup_at(conn: AsyncConnection, user_id: UserId, version: int) -> Backup | None:
    """A user's backup of this version."""
    row = (await conn.execute(_AT, {"of": user_id, "at": version})).one_or_none()
    return None if row is None else _backup(row)


async def current_backup(conn: AsyncConnection, user_id: UserId) -> Backup | None:
    """A user's newest backup."""
    row = (await conn.execute(_CURRENT, {"of": user_id})).one_or_none()
    return None if row is None else _backup(row)


async def total_of(conn: AsyncConnection, user_id: UserId) -> tuple[int, int]:
    """How many backups a user has, and the bytes of their keys."""
    count, size = (await conn.execute(_TOTAL, {"of": user_id})).one()
    return count, int(size)


async def add_backup(conn: AsyncConnection, new: Backup) -> None:
    """Insert a backup without keys."""
    row = {
        "user_id": new.user_id,
        "version": new.version,
        "algorithm": new.algorithm,
        "auth_data": orjson.dumps(new.auth_data),
    }
    await conn.execute(_ADD, row)


async def set_auth_data(conn: AsyncConnection, user_id: UserId, version: int, auth_data: object) -> None:
    """Set a backup's `auth_data`."""
    values = {"of": user_id, "at": version, "new_auth_data": orjson.dumps(auth_data)}
    await conn.execute(_SET_AUTH, values)


async def count_change(conn: AsyncConnection, user_id: UserId, version: int, *, keys: int, size: int) -> None:
    """Count a change of a backup's keys: by how many the number of keys grew, and by how many bytes their size."""
    await conn.execute(_COUNT, {"of": user_id, "at": version, "more_keys": keys, "more_bytes": size})


async def drop_backup(conn: AsyncConnection, user_id: UserId, version: int) -> None:
    """Delete a backup; the caller deletes its keys."""
    await conn.execute(_DROP, {"of": user_id, "at": version})


async def keys_of(
    conn: AsyncConnection, user_id: UserId, version: int, *, room_id: RoomId | None, session_id: str | None
) -> dict[KeyPlace, BackupKey]:
    """The keys in a backup, or those of one room, or one key."""
    scope = _scope(room_id, session_id)
    values = {"of": user_id, "at": version, "of_room": room_id, "of_session": session_id}
    return {_place(row): _key(row) for row in await conn.execute(_KEYS[scope], values)}


async def keys_at(
    conn: AsyncConnection, user_id: UserId, version: int, places: Collection[KeyPlace]
) -> dict[KeyPlace, BackupKey]:
    """Those of the keys that are in a backup."""
    room_ids = list({place.room_id for place in places})
    values = {"of": user_id, "at": version, "places": rows_of(places), "room_ids": room_ids}
    return {_place(row): _key(row) for row in await conn.execute(_KEYS_AT, values)}


async def set_keys(
    conn: AsyncConnection, user_id: UserId, version: int, keys: Mapping[KeyPlace, BackupKey]
) -> None:
    """Set keys, replacing existing ones."""
    rows = [
        {
            "user_id": user_id,
            "version": version,
            **place._asdict(),
            **key._asdict(),
            "session_data": orjson.dumps(key.session_data),
        }
        for place, key in keys.items()
    ]
    await conn.execute(_SET_KEYS.on(conn), rows)


async def drop_keys(
    conn: AsyncConnection, user_id: UserId, version: int, *, room_id: RoomId | None, session_id: str | None
) -> tuple[int, int]:
    """Delete the keys in a backup, or those of one room, or one key; returns their number and their bytes."""
    scope = _scope(room_id, session_id)
    values = {"of": user_id, "at": version, "of_room": room_id, "of_session": session_id}
    sizes = [key_size(_place(row), row.size) for row in await conn.execute(_DROP_KEYS[scope], values)]
    return len(sizes), sum(sizes)


async def drop_backups_of(conn: AsyncConnection, user_ids: Sequence[UserId]) -> None:
    """Delete all backups of these users."""
    for statement in _DROP_OF_USERS:  # one per table
        await conn.execute(statement, {"user_ids": list(user_ids)})


def key_size(place: KeyPlace, data_bytes: int) -> int:
    """The size of a key as counted for the limits, in bytes."""
    return len(place.room_id) + len(place.session_id) + data_bytes


def _scope(room_id: RoomId | None, session_id: str | None) -> int:
    return 0 if room_id is None else 1 if session_id is None else 2


def _place(row: Any) -> KeyPlace:
    return KeyPlace(row.room_id, row.session_id)


def _key(row: Row[Any]) -> BackupKey:
    return BackupKey(
        row.first_message_index, row.forwarded_count, row.is_verified, orjson.loads(row.session_data)
    )


def _backup(row: Row[Any]) -> Backup:
    return Backup(
        user_id=row.user_id,
        version=row.version,
        algorithm=row.algorithm,
        auth_data=orjson.loads(row.auth_data),
        etag=row.etag,
        key_count=row.key_count,
        size=row.bytes,
    )
