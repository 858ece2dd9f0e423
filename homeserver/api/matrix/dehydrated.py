"""A dehydrated device (MSC3814): it lies encrypted here and gathers messages while its person is logged in nowhere."""

from collections.abc import Sequence
from typing import Any

import orjson
from typing_extensions import TypedDict

from homeserver.api.matrix.keyschemas import KeyUpload
from homeserver.api.matrix.tokens import position_of, token_at
from homeserver.http.body import Body, JsonObject, Text
from homeserver.http.routes import Call, Route
from homeserver.services.e2ee import devicekeys
from homeserver.services.e2ee.dehydrated import DehydratedDevices

PATH = "/client/unstable/org.matrix.msc3814.v1/dehydrated_device"


class DehydratedDeviceUpload(KeyUpload):
    device_id: Text
    device_data: JsonObject
    initial_device_display_name: Text = ""


class DehydratedEventsBody(Body):
    next_batch: Text | None = None


class Named(TypedDict):
    device_id: str


class DehydratedDevice(Named):
    device_data: dict[str, Any]


class DehydratedEvents(TypedDict):
    events: list[Any]
    next_batch: str


class DehydratedCalls:
    """The calls under dehydrated_device."""

    def __init__(self, devices: DehydratedDevices) -> None:
        self._devices = devices

    def routes(self) -> Sequence[Route]:
        """The table of these calls."""
        events = f"{PATH}/{{device_id}}/events"
        return (
            Route("PUT", PATH, self.put, "Lay a device to sleep", body=DehydratedDeviceUpload, answer=Named),
            Route("GET", PATH, self.find, "The device that sleeps", answer=DehydratedDevice),
            Route("DELETE", PATH, self.delete, "Let no device sleep", answer=Named),
            Route(
                "POST",
                events,
                self.events,
                "What it was sent",
                body=DehydratedEventsBody,
                answer=DehydratedEvents,
            ),
        )

    async def put(self, call: Call[DehydratedDeviceUpload, None]) -> Named:
        """In the place of the one that slept before."""
        request = call.body
        keys = devicekeys.KeyUpload(request.device_keys, request.one_time_keys, request.fallback_keys)
        await self._devices.put(
            call.requester,
            request.device_id,
            dict(request.device_data.root),
            keys,
            name=request.initial_device_display_name,
        )
        return {"device_id": request.device_id}

    async def find(self, call: Call[None, None]) -> DehydratedDevice:
        """Its data as they were given: only its person's clients can read them."""
        found = await self._devices.find(call.requester)
        return {"device_id": found.device.device_id, "device_data": {**found.device_data}}

    async def delete(self, call: Call[None, None]) -> Named:
        """With its keys and messages."""
        return {"device_id": await self._devices.delete(call.requester)}

    async def events(self, call: Call[DehydratedEventsBody, None]) -> DehydratedEvents:
        """A page; they stay until the device goes, so that a reader who fails can begin again."""
        since = position_of(call.body.next_batch) or 0
        found = await self._devices.events(call.requester, call.text("device_id"), since=since)
        return {
            "events": [orjson.Fragment(body) for body in found.bodies],
            "next_batch": token_at(found.position),
        }
