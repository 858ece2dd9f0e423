"""Devices: the sessions of a person, as their clients named them."""

from collections.abc import Sequence

from homeserver.api.matrix import schemas
from homeserver.api.matrix.schemas import DeviceChange
from homeserver.api.matrix.uia import Passwords
from homeserver.http.body import JsonObject, check
from homeserver.http.routes import Call, Route
from homeserver.protocol.ids import DeviceId
from homeserver.services.auth.devices import Device, Devices


class DeviceCalls:
    """The calls under devices, and delete_devices."""

    def __init__(self, *, devices: Devices, passwords: Passwords) -> None:
        self._devices = devices
        self._passwords = passwords

    def routes(self) -> Sequence[Route]:
        """The table of these calls."""
        one = "/client/v3/devices/{device_id}"
        return (
            Route(
                "GET",
                "/client/v3/devices",
                self.listing,
                "Own devices",
                answer=schemas.DeviceList,
                guests=True,
            ),
            Route("GET", one, self.one, "One of the own devices", answer=schemas.Device, guests=True),
            Route(
                "PUT",
                one,
                self.rename,
                "Rename a device",
                body=DeviceChange,
                answer=schemas.Empty,
                guests=True,
            ),
            Route(
                "DELETE",
                one,
                self.delete,
                "End the session of a device",
                body=JsonObject,
                answer=schemas.Empty,
            ),
            Route(
                "POST",
                "/client/v3/delete_devices",
                self.delete_many,
                "End the sessions of devices",
                body=JsonObject,
                answer=schemas.Empty,
            ),
        )

    async def listing(self, call: Call[None, None]) -> schemas.DeviceList:
        """The last used first."""
        return {"devices": [_shape(one) for one in await self._devices.listing(call.requester)]}

    async def one(self, call: Call[None, None]) -> schemas.Device:
        """By its id."""
        return _shape(await self._devices.one(call.requester, _device_id(call)))

    async def rename(self, call: Call[DeviceChange, None]) -> schemas.Empty:
        """An absent name changes nothing; the device must be there all the same."""
        if call.body.display_name is None:
            await self._devices.one(call.requester, _device_id(call))
        else:
            await self._devices.rename(call.requester, _device_id(call), call.body.display_name)
        return {}

    async def delete(self, call: Call[JsonObject, None]) -> schemas.Empty:
        """Asks for the password."""
        device_id = _device_id(call)
        await self._passwords.prove(call, f"DELETE devices/{device_id}")
        await self._devices.end(call.requester, [device_id])
        return {}

    async def delete_many(self, call: Call[JsonObject, None]) -> schemas.Empty:
        """Asks for the password, once for all."""
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
        "last_seen_ip": device.last_ip,  # empty where not known: clients refuse the whole list where it is absent
        "last_seen_ts": device.last_used_ms,
    }
