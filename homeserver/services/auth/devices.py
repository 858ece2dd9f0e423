"""Devices: a user's sessions, by device id (client-server API, "Device Management")."""

from collections.abc import Collection
from dataclasses import dataclass

from homeserver.errors import NotFound
from homeserver.model import Requester, SessionId
from homeserver.protocol.ids import DeviceId
from homeserver.services.auth.sessions import Sessions, clean_device_name
from homeserver.storage import sessions as stored
from homeserver.storage.db import Database
from homeserver.storage.sessions import Session


@dataclass(frozen=True, slots=True)
class Device:
    """A session as shown to its owner."""

    device_id: DeviceId
    name: str
    last_used_ms: int
    last_ip: str


class Devices:
    """Lists, renames and ends the requester's own devices."""

    def __init__(self, *, db: Database, sessions: Sessions) -> None:
        self._db = db
        self._sessions = sessions

    async def listing(self, requester: Requester) -> list[Device]:
        """The requester's devices, the most recently used first."""
        return [_device(one) for one in await self._sessions.listing(requester.user_id)]

    async def one(self, requester: Requester, device_id: DeviceId) -> Device:
        """The requester's device with this id. Raises NotFound."""
        found = await self._running(requester, [device_id])
        if device_id not in found:
            raise _no_device()
        return _device(self._sessions.access_tokens.as_used(found[device_id]))

    async def rename(self, requester: Requester, device_id: DeviceId, name: str) -> None:
        """Change a device's display name. Raises NotFound."""
        async with self._db.write() as conn:
            done = await stored.rename_device(conn, requester.user_id, device_id, clean_device_name(name))
        if not done:
            raise _no_device()

    async def end(self, requester: Requester, device_ids: Collection[DeviceId]) -> None:
        """Delete these devices, ending their sessions; unknown ids are ignored."""
        found = await self._running(requester, device_ids)
        await self._sessions.end_these(requester, [one.session_id for one in found.values()])

    async def others(self, requester: Requester) -> list[SessionId]:
        """The requester's active sessions except the one of this request."""
        found = await self._sessions.listing(requester.user_id)
        return [one.session_id for one in found if one.session_id != requester.session_id]

    async def _running(
        self, requester: Requester, device_ids: Collection[DeviceId]
    ) -> dict[DeviceId, Session]:
        async with self._db.read() as conn:
            found = await stored.sessions_on(conn, requester.user_id, device_ids)
        return {device_id: one for device_id, one in found.items() if one.ended_ms is None}


def _device(session: Session) -> Device:
    return Device(session.device_id, session.device_name, session.last_used_ms, session.last_ip)


def _no_device() -> NotFound:
    return NotFound("no such device", code="device_not_found")
