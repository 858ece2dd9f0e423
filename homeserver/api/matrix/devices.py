"""Devices of a user."""

from collections.abc import Sequence

from homeserver.api.matrix import schemas
from homeserver.api.matrix.schemas import DeviceChange
from homeserver.api.matrix.uia import Passwords
from homeserver.http.body import JsonObject, check
from homeserver.http.routes import Call, Route
from homeserver.protocol.ids import DeviceId
from homeserver.services.auth.devices import Device, Devices


class DeviceCalls:
    """The handlers under devices, and of delete_devices."""

    def __init__(self, *, devices: Devices, passwords: Passwords) -> None:
        self._devices = devices
        self._passwords = passwords

    def routes(self) -> Sequence[Route]:
        """The routes."""
        one = "/client/v3/devices/{device_id}"
        return (
            Route(
                "GET",
                "/client/v3/devices",
                self.listing,
                "List the user's devices",
                answer=schemas.DeviceList,
                guests=True,
            ),
            Route("GET", one, self.get, "Get a device", answer=schemas.Device, guests=True),
            Route(
                "PUT",
                one,
                self.rename,
                "Update a device",
                body=DeviceChange,
                answer=schemas.Empty,
                guests=True,
            ),
            Route(
                "DELETE",
                one,
                self.delete,
                "Delete a device",
                body=JsonObject,
                answer=schemas.Empty,
            ),
            Route(
                "POST",
                "/client/v3/delete_devices",
                self.delete_many,
                "Delete several devices",
                body=JsonObject,
                answer=schemas.Empty,
            ),
        )

    async def listing(self, call: Call[None, None]) -> schemas.DeviceList:
        """`GET /_matrix/client/v3/devices`: list the user's devices, most recently used first.

        Spec: client-server API, "Device management".
        """
        return {"devices": [_shape(one) for one in await self._devices.listing(call.requester)]}

    async def get(self, call: Call[None, None]) -> schemas.Device:
        """`GET /_matrix/client/v3/devices/{device_id}`: get one of the user's devices.

        Spec: client-server API, "Device management".
        Errors: M_NOT_FOUND.
        """
        return _shape(await self._devices.one(call.requester, _device_id(call)))

    async def rename(self, call: Call[DeviceChange, None]) -> schemas.Empty:
        """`PUT /_matrix/client/v3/devices/{device_id}`: set a device's display name.

        Without a name nothing changes, but the device must exist.

        Spec: client-server API, "Device management".
        Errors: M_NOT_FOUND.
        """
        if call.body.display_name is None:
            await self._devices.one(call.requester, _device_id(call))
        else:
            await self._devices.rename(call.requester, _device_id(call), call.body.display_name)
        return {}

    async def delete(self, call: Call[JsonObject, None]) -> schemas.Empty:
        """`DELETE /_matrix/client/v3/devices/{device_id}`: delete a device and end its session.

        Asks for the password (UIA).

        Spec: client-server API, "Device management".
        Errors: 401 with `flows` (UIA).
        """
        device_id = _device_id(call)
        await self._passwords.prove(call, f"DELETE devices/{device_id}")
        await self._devices.end(call.requester, [device_id])
        return {}

    async def delete_many(self, call: Call[JsonObject, None]) -> schemas.Empty:
        """`POST /_matrix/client/v3/delete_devices`: delete devices and end their sessions.

        Asks for the password (UIA), once for all.

        Spec: client-server API, "Device management".
        Errors: 401 with `flows` (UIA).
        """
        proven = await self._passwords.prove(call, "POST delete_devices")
        request = check(schemas.Devices, proven.params)
        await self._devices.end(call.requester, [DeviceId(one) for one in request.devices])
        return {}


def _device_id(call: Call[JsonObject, None] | Call[DeviceChange, None] | Call[None, None]) -> DeviceId:
    return DeviceId(call.text("device_id"))


def _shape(device: Device) -> schemas.Device:
    return {
        "device_id": device.device_id,
        "display_name": device.name,
        "last_seen_ip": device.last_ip,  # empty where unknown: clients refuse the whole list if it is absent
        "last_seen_ts": device.last_used_ms,
    }
