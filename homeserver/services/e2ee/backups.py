"""Server-side key backups (client-server API). Clients encrypt the keys; the server keeps the best copy of each."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Forbidden, Invalid, NotFound, TooLarge
from homeserver.model import Content, Requester
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.e2ee import validation
from homeserver.settings.models import EncryptionSettings
from homeserver.storage.db import Database
from homeserver.storage.e2ee import backups as stored
from homeserver.storage.e2ee.backups import Backup, BackupKey, KeyPlace, key_size
from homeserver.storage.retry import write_with_retry

__all__ = ["Backup", "BackupKey", "BackupState", "Backups", "KeyPlace"]
_MAX_NUMBER = 2**53 - 1
_MAX_VERSION_DIGITS = 18


class BackupState(NamedTuple):
    """The result of a change: the number of keys, and an etag that differs after each change."""

    key_count: int
    etag: str


class Backups:
    """Creates backup versions, and stores keys in each user's current one."""

    def __init__(self, *, db: Database, settings: EncryptionSettings) -> None:
        self._db = db
        self._settings = settings

    async def create(self, requester: Requester, algorithm: str, auth_data: object) -> str:
        """Create a backup version, which becomes the current one; returns its version.

        Raises Forbidden("no_device"), Invalid("bad_name"), TooLarge("too_many_backups").
        """
        user_id = validation.device_of(requester).user_id
        validation.checked_name(algorithm, "an algorithm")
        validation.check_size(auth_data, self._settings.max_backup_key_bytes)

        async def work(conn: AsyncConnection) -> int:
            version = await stored.take_version(conn, user_id)
            count, _ = await stored.total_of(conn, user_id)
            if count >= self._settings.max_backups:
                raise TooLarge("too many backups; delete an old one first", code="too_many_backups")
            await stored.add_backup(conn, Backup(user_id, version, algorithm, auth_data))
            return version

        return str(await write_with_retry(self._db, work))

    async def find(self, requester: Requester, version: str | None = None) -> Backup:
        """A backup version, by default the current one. Raises NotFound("no_backup")."""
        async with self._db.read() as conn:
            return await _find(conn, requester.user_id, version)

    async def update(
        self,
        requester: Requester,
        version: str,
        algorithm: str,
        auth_data: object,
        *,
        said: str | None = None,
    ) -> None:
        """Change the auth_data of a backup. `said`: the version that the new data has, if it has one.

        Raises NotFound("no_backup"), Invalid("algorithm_differs", "version_differs").
        """
        if said is not None and said != version:
            raise Invalid("the version in the body is another", code="version_differs")
        user_id = validation.device_of(requester).user_id
        validation.check_size(auth_data, self._settings.max_backup_key_bytes)

        async def work(conn: AsyncConnection) -> None:
            await stored.lock_backups(conn, user_id)
            found = await _find(conn, user_id, version)
            if found.algorithm != algorithm:
                raise Invalid("the algorithm of a backup cannot change", code="algorithm_differs")
            await stored.set_auth_data(conn, user_id, found.version, auth_data)

        await write_with_retry(self._db, work)

    async def delete(self, requester: Requester, version: str) -> None:
        """Delete a backup with its keys; a repeated call is no error. Raises NotFound("no_backup")."""
        user_id, number = validation.device_of(requester).user_id, _number(version)

        async def work(conn: AsyncConnection) -> None:
            await stored.lock_backups(conn, user_id)
            if not 0 < number <= await stored.last_version(conn, user_id):
                raise _no_backup()
            await stored.drop_keys(conn, user_id, number, room_id=None, session_id=None)
            await stored.drop_backup(conn, user_id, number)

        await write_with_retry(self._db, work)

    async def put(
        self, requester: Requester, version: str, keys: Mapping[RoomId, Mapping[str, Content]]
    ) -> BackupState:
        """Store keys in the current backup, {room: {session: key}}; a better stored copy of a key is kept.

        Raises Forbidden("wrong_backup_version", with `current_version`), NotFound("no_backup"),
        Invalid("bad_backup_key"), TooLarge("key_too_large", "backup_full").
        """
        user_id = validation.device_of(requester).user_id
        validation.check_count(sum(map(len, keys.values())), self._settings.max_items)
        wanted = {
            KeyPlace(
                RoomId(validation.checked_name(room_id, "a room id")),
                validation.checked_name(session_id, "a session id"),
            ): _checked_key(body, self._settings.max_backup_key_bytes)
            for room_id, of_room in keys.items()
            for session_id, body in of_room.items()
        }
        return await write_with_retry(
            self._db, partial(self._put, user_id=user_id, version=version, wanted=wanted)
        )

    async def keys(
        self,
        requester: Requester,
        version: str,
        *,
        room_id: RoomId | None = None,
        session_id: str | None = None,
    ) -> dict[KeyPlace, BackupKey]:
        """All keys in a backup, the keys of one room, or the key of one session.

        Raises NotFound("no_backup"), and NotFound("no_backup_key") for a single key that is not there.
        """
        _check_place(room_id, session_id)
        async with self._db.read() as conn:
            backup = await _find(conn, requester.user_id, version)
            found = await stored.keys_of(
                conn, requester.user_id, backup.version, room_id=room_id, session_id=session_id
            )
        if session_id is not None and not found:
            raise NotFound("this key is not in the backup", code="no_backup_key")
        return found

    async def delete_keys(
        self,
        requester: Requester,
        version: str,
        *,
        room_id: RoomId | None = None,
        session_id: str | None = None,
    ) -> BackupState:
        """Delete all keys in a backup, the keys of one room, or one session's key. Raises NotFound("no_backup")."""
        _check_place(room_id, session_id)
        user_id = validation.device_of(requester).user_id

        async def work(conn: AsyncConnection) -> BackupState:
            await stored.lock_backups(conn, user_id)
            backup = await _find(conn, user_id, version)
            count, size = await stored.drop_keys(
                conn, user_id, backup.version, room_id=room_id, session_id=session_id
            )
            return await _counted(conn, backup, keys=-count, size=-size, is_changed=count > 0)

        return await write_with_retry(self._db, work)

    async def _put(
        self, conn: AsyncConnection, *, user_id: UserId, version: str, wanted: Mapping[KeyPlace, "_Sized"]
    ) -> BackupState:
        await stored.lock_backups(conn, user_id)
        current = await stored.current_backup(conn, user_id)
        if current is None:
            raise _no_backup()
        if _number(version) != current.version:
            raise Forbidden(
                "not the current backup version",
                code="wrong_backup_version",
                current_version=str(current.version),
            )
        old = await stored.keys_at(conn, user_id, current.version, list(wanted)) if wanted else {}
        better = {
            place: one for place, one in wanted.items() if place not in old or _is_better(one.key, old[place])
        }
        new = better.keys() - old.keys()
        size = sum(key_size(place, one.size) for place, one in better.items())
        size -= sum(
            key_size(place, validation.json_size(old[place].session_data))
            for place in better.keys() & old.keys()
        )
        if size > 0:
            _, total = await stored.total_of(conn, user_id)
            if total + size > self._settings.max_backup_bytes:
                raise TooLarge("the backup is full", code="backup_full")
        if better:
            await stored.set_keys(
                conn, user_id, current.version, {place: one.key for place, one in better.items()}
            )
        return await _counted(conn, current, keys=len(new), size=size, is_changed=bool(better))


class _Sized(NamedTuple):
    key: BackupKey
    size: int


async def _find(conn: AsyncConnection, user_id: UserId, version: str | None) -> Backup:
    if version is None:
        found = await stored.current_backup(conn, user_id)
    else:
        found = await stored.backup_at(conn, user_id, _number(version))
    if found is None:
        raise _no_backup()
    return found


async def _counted(
    conn: AsyncConnection, backup: Backup, *, keys: int, size: int, is_changed: bool
) -> BackupState:
    if is_changed:
        await stored.count_change(conn, backup.user_id, backup.version, keys=keys, size=size)
    return BackupState(backup.key_count + keys, str(backup.etag + is_changed))


def _is_better(one: BackupKey, other: BackupKey) -> bool:
    """True if a key replaces the other: verified first, then the lower message index, then fewer forwards."""
    return _rank(one) < _rank(other)


def _rank(key: BackupKey) -> tuple[bool, int, int]:
    return (not key.is_verified, key.first_message_index, key.forwarded_count)


def _checked_key(body: Content, max_bytes: int) -> _Sized:
    first, forwarded = body.get("first_message_index"), body.get("forwarded_count")
    verified, data = body.get("is_verified"), body.get("session_data")
    if not _is_count(first) or not _is_count(forwarded) or not isinstance(verified, bool):
        raise Invalid(
            "first_message_index, forwarded_count and is_verified are required", code="bad_backup_key"
        )
    if data is None:
        raise Invalid("session_data is required", code="bad_backup_key")
    size = validation.check_size(data, max_bytes)
    return _Sized(BackupKey(int(first or 0), int(forwarded or 0), verified, data), size)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_NUMBER


def _check_place(room_id: str | None, session_id: str | None) -> None:
    if room_id is not None:
        validation.checked_name(room_id, "a room id")
    if session_id is not None:
        validation.checked_name(session_id, "a session id")


def _number(version: str) -> int:
    """The version as a number; 0, which no backup has, if it is not one."""
    is_number = version.isascii() and version.isdigit() and len(version) <= _MAX_VERSION_DIGITS
    return int(version) if is_number else 0


def _no_backup() -> NotFound:
    return NotFound("no such backup", code="no_backup")
