"""Key backups (client-server API, "Server-side key backups")."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from homeserver.api.matrix import keyschemas as schemas
from homeserver.api.matrix.keyschemas import (
    AllKeys,
    BackupKeyBody,
    ChangedBackup,
    NewBackup,
    RoomKeys,
    VersionQuery,
)
from homeserver.api.matrix.schemas import Empty
from homeserver.http.routes import Call, Route
from homeserver.protocol.ids import RoomId
from homeserver.services.e2ee.backups import Backup, BackupKey, Backups, KeyPlace

_Keys: TypeAlias = Mapping[KeyPlace, BackupKey]


class BackupCalls:
    """The handlers under room_keys."""

    def __init__(self, backups: Backups) -> None:
        self._backups = backups

    def routes(self) -> Sequence[Route]:
        """The routes: backup versions, and keys of all rooms, a room, or a session."""
        return (*self._version_routes(), *self._key_routes())

    def _version_routes(self) -> Sequence[Route]:
        root = "/client/v3/room_keys/version"
        one = f"{root}/{{version}}"
        return (
            Route(
                "POST",
                root,
                self.create,
                "Create a key backup version",
                body=NewBackup,
                answer=schemas.CreatedBackup,
            ),
            Route("GET", root, self.current, "Get the current key backup version", answer=schemas.Backup),
            Route("GET", one, self.get, "Get a key backup version", answer=schemas.Backup),
            Route(
                "PUT", one, self.update, "Update a key backup's auth_data", body=ChangedBackup, answer=Empty
            ),
            Route("DELETE", one, self.delete, "Delete a key backup version", answer=Empty),
        )

    def _key_routes(self) -> Sequence[Route]:
        places = (
            ("", AllKeys, self.put_all, self.get_all, schemas.StoredKeys),
            ("/{room_id}", RoomKeys, self.put_room, self.get_room, schemas.StoredRoom),
            ("/{room_id}/{session_id}", BackupKeyBody, self.put_one, self.get_one, schemas.StoredKey),
        )
        routes: list[Route] = []
        for rest, body, put, get, answer in places:
            path = f"/client/v3/room_keys/keys{rest}"
            state: Any = schemas.BackupState
            routes += [
                Route(
                    "PUT", path, put, "Store keys in a backup", body=body, query=VersionQuery, answer=state
                ),
                Route("GET", path, get, "Get keys from a backup", query=VersionQuery, answer=answer),
                Route(
                    "DELETE",
                    path,
                    self.delete_keys,
                    "Delete keys from a backup",
                    query=VersionQuery,
                    answer=state,
                ),
            ]
        return routes

    async def create(self, call: Call[NewBackup, None]) -> schemas.CreatedBackup:
        """`POST /_matrix/client/v3/room_keys/version`: create a backup version; it is the current one from
        now on.

        Spec: client-server API, "End-to-end encryption".
        Errors: M_TOO_LARGE (too many backups).
        """
        body = call.body
        return {"version": await self._backups.create(call.requester, body.algorithm, body.auth_data)}

    async def current(self, call: Call[None, None]) -> schemas.Backup:
        """`GET /_matrix/client/v3/room_keys/version`: get the latest backup version.

        Spec: client-server API, "End-to-end encryption".
        Errors: M_NOT_FOUND.
        """
        return _backup(await self._backups.find(call.requester))

    async def get(self, call: Call[None, None]) -> schemas.Backup:
        """`GET /_matrix/client/v3/room_keys/version/{version}`: get a backup version.

        Spec: client-server API, "End-to-end encryption".
        Errors: M_NOT_FOUND.
        """
        return _backup(await self._backups.find(call.requester, call.text("version")))

    async def update(self, call: Call[ChangedBackup, None]) -> Empty:
        """`PUT /_matrix/client/v3/room_keys/version/{version}`: update the auth_data of a backup version.

        The algorithm cannot change.

        Spec: client-server API, "End-to-end encryption".
        Errors: M_NOT_FOUND, M_INVALID_PARAM (another algorithm, or version in the body).
        """
        body, version = call.body, call.text("version")
        await self._backups.update(call.requester, version, body.algorithm, body.auth_data, said=body.version)
        return {}

    async def delete(self, call: Call[None, None]) -> Empty:
        """`DELETE /_matrix/client/v3/room_keys/version/{version}`: delete a backup version and its keys.

        Succeeds if it was deleted before.

        Spec: client-server API, "End-to-end encryption".
        Errors: M_NOT_FOUND.
        """
        await self._backups.delete(call.requester, call.text("version"))
        return {}

    async def put_all(self, call: Call[AllKeys, VersionQuery]) -> schemas.BackupState:
        """`PUT /_matrix/client/v3/room_keys/keys`: store keys of several rooms.

        Spec: client-server API, "End-to-end encryption".
        Errors: M_WRONG_ROOM_KEYS_VERSION (not the current version), M_NOT_FOUND, M_TOO_LARGE (the backup is
          full).
        """
        return await self._put(call, {room_id: one.sessions for room_id, one in call.body.rooms.items()})

    async def put_room(self, call: Call[RoomKeys, VersionQuery]) -> schemas.BackupState:
        """`PUT /_matrix/client/v3/room_keys/keys/{room_id}`: store keys of a room.

        Spec: client-server API, "End-to-end encryption".
        Errors: M_WRONG_ROOM_KEYS_VERSION (not the current version), M_NOT_FOUND, M_TOO_LARGE (the backup is
          full).
        """
        return await self._put(call, {call.text("room_id"): call.body.sessions})

    async def put_one(self, call: Call[BackupKeyBody, VersionQuery]) -> schemas.BackupState:
        """`PUT /_matrix/client/v3/room_keys/keys/{room_id}/{session_id}`: store the key of a session.

        Spec: client-server API, "End-to-end encryption".
        Errors: M_WRONG_ROOM_KEYS_VERSION (not the current version), M_NOT_FOUND, M_TOO_LARGE (the backup is
          full).
        """
        return await self._put(
            call, {call.text("room_id"): {call.text("session_id"): call.body.model_dump()}}
        )

    async def get_all(self, call: Call[None, VersionQuery]) -> schemas.StoredKeys:
        """`GET /_matrix/client/v3/room_keys/keys`: get all keys of a backup, by room and session.

        Spec: client-server API, "End-to-end encryption".
        Errors: M_NOT_FOUND (no such version).
        """
        rooms: dict[str, schemas.StoredRoom] = {}
        for place, key in (await self._get(call)).items():
            rooms.setdefault(place.room_id, {"sessions": {}})["sessions"][place.session_id] = _key(key)
        return {"rooms": rooms}

    async def get_room(self, call: Call[None, VersionQuery]) -> schemas.StoredRoom:
        """`GET /_matrix/client/v3/room_keys/keys/{room_id}`: get the keys of a room, by session.

        Spec: client-server API, "End-to-end encryption".
        Errors: M_NOT_FOUND (no such version).
        """
        return {"sessions": {place.session_id: _key(key) for place, key in (await self._get(call)).items()}}

    async def get_one(self, call: Call[None, VersionQuery]) -> schemas.StoredKey:
        """`GET /_matrix/client/v3/room_keys/keys/{room_id}/{session_id}`: get the key of a session.

        Spec: client-server API, "End-to-end encryption".
        Errors: M_NOT_FOUND (no such version or key).
        """
        (key,) = (await self._get(call)).values()
        return _key(key)

    async def delete_keys(self, call: Call[None, VersionQuery]) -> schemas.BackupState:
        """`DELETE /_matrix/client/v3/room_keys/keys`,
        `DELETE /_matrix/client/v3/room_keys/keys/{room_id}`,
        `DELETE /_matrix/client/v3/room_keys/keys/{room_id}/{session_id}`: delete all keys of a backup, those
        of a room, or that of a session.

        Spec: client-server API, "End-to-end encryption".
        Errors: M_NOT_FOUND (no such version).
        """
        room_id, session_id = _place(call)
        state = await self._backups.delete_keys(
            call.requester, call.query.version, room_id=room_id, session_id=session_id
        )
        return {"count": state.key_count, "etag": state.etag}

    async def _put(
        self, call: Call[Any, VersionQuery], keys: Mapping[str, Mapping[str, Any]]
    ) -> schemas.BackupState:
        wanted = {RoomId(room_id): sessions for room_id, sessions in keys.items()}
        state = await self._backups.put(call.requester, call.query.version, wanted)
        return {"count": state.key_count, "etag": state.etag}

    async def _get(self, call: Call[None, VersionQuery]) -> _Keys:
        room_id, session_id = _place(call)
        return await self._backups.keys(
            call.requester, call.query.version, room_id=room_id, session_id=session_id
        )


def _place(call: Call[None, VersionQuery]) -> tuple[RoomId | None, str | None]:
    room_id = call.path.get("room_id")
    return None if room_id is None else RoomId(room_id), call.path.get("session_id")


def _backup(found: Backup) -> schemas.Backup:
    return {
        "algorithm": found.algorithm,
        "auth_data": found.auth_data,
        "count": found.key_count,
        "etag": str(found.etag),
        "version": str(found.version),
    }


def _key(key: BackupKey) -> schemas.StoredKey:
    return {
        "first_message_index": key.first_message_index,
        "forwarded_count": key.forwarded_count,
        "is_verified": key.is_verified,
        "session_data": key.session_data,
    }
