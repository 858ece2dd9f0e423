"""Devices: a user's sessions, by device id (client-server API, "Device Management")."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import NotFound
from homeserver.model import Requester, SessionId
from homeserver.protocol.ids import DeviceId, UserId
from homeserver.services.auth.sessions import Sessions, clean_device_name
from homeserver.storage import sessions as stored
from homeserver.storage.db import Database
from homeserver.storage.e2ee import lists
from homeserver.storage.sessions import Session
from homeserver.timeline.entries import Appends, devices_changed
from homeserver.timeline.submission import Placed, SideWrite


@dataclass(frozen=True, slots=True)
class Device:
    """A session as shown to its owner."""

    device_id: DeviceId
    name: str
    last_used_ms: int
    last_ip: str


class _NewName(NamedTuple):
    user_id: UserId
    device_id: DeviceId
    name: str


class Devices:
    """Lists, renames and ends the requester's own devices."""

    def __init__(self, *, db: Database, timeline: Appends, sessions: Sessions) -> None:
        self._db = db
        self._timeline = timeline
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
        """Change a device's display name, which is shown with its keys. Raises NotFound."""
        found = (await self._running(requester, [device_id])).get(device_id)
        if found is None:
            raise _no_device()
        wanted = clean_device_name(name)
        if wanted != found.device_name:
            await self._timeline.append(
                [devices_changed(requester.user_id)],
                also=[SideWrite(_rename, _NewName(requester.user_id, device_id, wanted))],
            )

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


async def _rename(conn: AsyncConnection, items: Sequence[Placed[_NewName]]) -> None:
    await stored.rename_devices(conn, [item.row for item in items])
    users = sorted({item.row.user_id for item in items})
    await lists.set_changed(conn, users, max(item.position for item in items))


def _device(session: Session) -> Device:
    return Device(session.device_id, session.device_name, session.last_used_ms, session.last_ip)


def _no_device() -> NotFound:
    return NotFound("no such device", code="device_not_found")
