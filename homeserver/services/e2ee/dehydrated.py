"""Dehydrated devices (MSC3814): a device stored encrypted on the server, which receives to-device messages while its
user is not logged in. A later log-in reads them and then replaces the device."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Conflict, Forbidden, Invalid, NotFound
from homeserver.kit.text import one_line
from homeserver.model import LOG_START, Content, LogPosition, Requester
from homeserver.protocol.ids import DeviceId, UserId
from homeserver.services.e2ee import validation
from homeserver.services.e2ee.devicekeys import KeyUpload, checked_upload
from homeserver.services.e2ee.key_uploads import Upload, Uploads
from homeserver.services.e2ee.todevice import Delivery, delivery, page_size
from homeserver.settings.models import EncryptionSettings
from homeserver.storage import sessions as stored_sessions
from homeserver.storage.db import Database
from homeserver.storage.e2ee import crosssigning, inbox, lists
from homeserver.storage.e2ee import dehydrated as stored
from homeserver.storage.e2ee.dehydrated import Dehydrated
from homeserver.storage.e2ee.devices import Device
from homeserver.storage.e2ee.ending import drop_devices
from homeserver.timeline.entries import Appends, devices_changed
from homeserver.timeline.submission import Placed, SideWrite

_MAX_NAME_CHARS = 100


class _Replacing(NamedTuple):
    """A replacement of a user's dehydrated device; without `new` it is deleted."""

    user_id: UserId
    new: Dehydrated | None = None
    upload: Upload | None = None


class DehydratedDevices:
    """Stores at most one dehydrated device per user."""

    def __init__(
        self, *, db: Database, timeline: Appends, clock: Clock, settings: EncryptionSettings
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._clock = clock
        self._settings = settings
        self._uploads = Uploads(settings)

    async def put(
        self, requester: Requester, device_id: str, device_data: Content, keys: KeyUpload, *, name: str = ""
    ) -> None:
        """Store a device; the one before is deleted with its keys and messages.

        Raises Forbidden("no_device"), Conflict("device_in_use") for the id of a session, Invalid, TooLarge.
        """
        validation.device_of(requester)
        device = Device(requester.user_id, validation.checked_device(device_id))
        validation.check_size(device_data, self._settings.max_dehydrated_bytes)
        if keys.device_keys is None:
            raise Invalid("device_keys is required", code="bad_device_keys")
        upload = checked_upload(device, keys, self._settings, self._clock.now_ms(), is_dehydrated=True)
        async with self._db.read() as conn:
            await _check_free(conn, device)
        new = Dehydrated(device, one_line(name)[:_MAX_NAME_CHARS], device_data)
        await self._append(_Replacing(requester.user_id, new, upload))

    async def find(self, requester: Requester) -> Dehydrated:
        """The requester's dehydrated device. Raises NotFound("no_dehydrated_device")."""
        async with self._db.read() as conn:
            found = (await stored.dehydrated_of(conn, [requester.user_id])).get(requester.user_id)
        if found is None:
            raise NotFound("no dehydrated device", code="no_dehydrated_device")
        return found

    async def delete(self, requester: Requester) -> DeviceId:
        """Delete the device with its keys and messages; returns its id. Raises NotFound("no_dehydrated_device")."""
        found = await self.find(requester)
        await self._append(_Replacing(requester.user_id))
        return found.device.device_id

    async def events(
        self,
        requester: Requester,
        device_id: str,
        *,
        since: LogPosition = LOG_START,
        limit: int | None = None,
    ) -> Delivery:
        """The device's messages after `since`; they are kept, so that another client can restart if this one fails.

        Raises NotFound("no_dehydrated_device"), Forbidden("not_dehydrated") for any other device.
        """
        found = await self.find(requester)
        if found.device.device_id != device_id:
            raise Forbidden("not the dehydrated device", code="not_dehydrated")
        most = page_size(limit, self._settings.max_page)
        async with self._db.read() as conn:
            messages = await inbox.messages_after(
                conn, found.device, validation.checked_position(since), most + 1
            )
        return delivery(messages, since, most)

    async def _append(self, replacing: _Replacing) -> None:
        await self._timeline.append(
            [devices_changed(replacing.user_id)], also=[SideWrite(self._write, replacing)]
        )

    async def _write(self, conn: AsyncConnection, items: Sequence[Placed[_Replacing]]) -> None:
        latest = {item.row.user_id: item.row for item in items}
        old = await stored.dehydrated_of(conn, latest)
        if old:
            await drop_devices(conn, [one.device for one in old.values()])
        gone = [row.user_id for row in latest.values() if row.new is None]
        if gone:
            await stored.drop_dehydrated(conn, gone)
        new = [row.new for row in latest.values() if row.new is not None]
        if new:
            await stored.set_dehydrated(conn, new)
            await self._uploads.write(conn, [row.upload for row in latest.values() if row.upload is not None])
        await lists.set_changed(conn, sorted(latest), max(item.position for item in items))


async def _check_free(conn: AsyncConnection, device: Device) -> None:
    """Raise Conflict if a session or a cross-signing key has this id already."""
    user_id, name = device
    crossed = (await crosssigning.cross_keys_of(conn, [user_id]))[user_id]
    taken = await stored_sessions.sessions_on(conn, user_id, [name])
    if taken or any(key.public_key == name for key in crossed.values()):
        raise Conflict("this id is in use by another device or key", code="device_in_use")
