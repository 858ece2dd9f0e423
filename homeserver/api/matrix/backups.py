"""Backups of message keys (client-server API, "Server-side key backups")."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from homeserver.api.matrix import keyschemas as schemas
from homeserver.api.matrix.keyschemas import AllKeys, BackupKeyBody, NewBackup, RoomKeys, VersionQuery
from homeserver.api.matrix.schemas import Empty
from homeserver.http.routes import Call, Route
from homeserver.protocol.ids import RoomId
from homeserver.services.e2ee.backups import Backup, BackupKey, Backups, KeyPlace

_Keys: TypeAlias = Mapping[KeyPlace, BackupKey]


class BackupCalls:
    """The calls under room_keys."""

    def __init__(self, backups: Backups) -> None:
        self._backups = backups

    def routes(self) -> Sequence[Route]:
        """The table of these calls: the versions, and the keys of all, of a room, of a session."""
        return (*self._version_routes(), *self._key_routes())

    def _version_routes(self) -> Sequence[Route]:
        root = "/client/v3/room_keys/version"
        one = f"{root}/{{version}}"
        return (
            Route("POST", root, self.create, "Begin a backup", body=NewBackup, answer=schemas.CreatedBackup),
            Route("GET", root, self.current, "The current backup", answer=schemas.Backup),
            Route("GET", one, self.find, "A backup", answer=schemas.Backup),
            Route("PUT", one, self.update, "Change a backup's auth_data", body=NewBackup, answer=Empty),
            Route("DELETE", one, self.delete, "Delete a backup", answer=Empty),
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
                Route("PUT", path, put, "Keep keys", body=body, query=VersionQuery, answer=state),
                Route("GET", path, get, "Keys in a backup", query=VersionQuery, answer=answer),
                Route("DELETE", path, self.delete_keys, "Delete keys", query=VersionQuery, answer=state),
            ]
        return routes

    async def create(self, call: Call[NewBackup, None]) -> schemas.CreatedBackup:
        """The current one from now on."""
        body = call.body
        return {"version": await self._backups.create(call.requester, body.algorithm, body.auth_data)}

    async def current(self, call: Call[None, None]) -> schemas.Backup:
        """The latest."""
        return _backup(await self._backups.find(call.requester))

    async def find(self, call: Call[None, None]) -> schemas.Backup:
        """By its version."""
        return _backup(await self._backups.find(call.requester, call.text("version")))

    async def update(self, call: Call[NewBackup, None]) -> Empty:
        """The algorithm stays."""
        body, version = call.body, call.text("version")
        await self._backups.update(call.requester, version, body.algorithm, body.auth_data)
        return {}

    async def delete(self, call: Call[None, None]) -> Empty:
        """With its keys."""
        await self._backups.delete(call.requester, call.text("version"))
        return {}

    async def put_all(self, call: Call[AllKeys, VersionQuery]) -> schemas.BackupState:
        """Of many rooms."""
        return await self._put(call, {room_id: one.sessions for room_id, one in call.body.rooms.items()})

    async def put_room(self, call: Call[RoomKeys, VersionQuery]) -> schemas.BackupState:
        """Of one room."""
        return await self._put(call, {call.text("room_id"): call.body.sessions})

    async def put_one(self, call: Call[BackupKeyBody, VersionQuery]) -> schemas.BackupState:
        """Of one session."""
        return await self._put(
            call, {call.text("room_id"): {call.text("session_id"): call.body.model_dump()}}
        )

    async def get_all(self, call: Call[None, VersionQuery]) -> schemas.StoredKeys:
        """Room by room."""
        rooms: dict[str, schemas.StoredRoom] = {}
        for place, key in (await self._get(call)).items():
            rooms.setdefault(place.room_id, {"sessions": {}})["sessions"][place.session_id] = _key(key)
        return {"rooms": rooms}

    async def get_room(self, call: Call[None, VersionQuery]) -> schemas.StoredRoom:
        """Session by session."""
        return {"sessions": {place.session_id: _key(key) for place, key in (await self._get(call)).items()}}

    async def get_one(self, call: Call[None, VersionQuery]) -> schemas.StoredKey:
        """The key of a session."""
        (key,) = (await self._get(call)).values()
        return _key(key)

    async def delete_keys(self, call: Call[None, VersionQuery]) -> schemas.BackupState:
        """All, or of a room, or of a session."""
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
