"""Dehydrated devices (MSC3814): stored encrypted, they receive to-device messages while the user is logged out."""

from collections.abc import Sequence
from typing import Any, NotRequired

import orjson
from pydantic import Field
from typing_extensions import TypedDict

from homeserver.api.matrix.keyschemas import KeyUpload
from homeserver.api.matrix.tokens import position_of, token_at
from homeserver.http.body import Body, JsonObject, Query, QueryInt, Text
from homeserver.http.routes import Call, Route
from homeserver.model import LOG_START
from homeserver.services.e2ee import devicekeys
from homeserver.services.e2ee.dehydrated import DehydratedDevices
from homeserver.services.e2ee.todevice import Delivery

PATH = "/client/unstable/org.matrix.msc3814.v1/dehydrated_device"


class DehydratedDeviceUpload(KeyUpload):
    device_id: Text
    device_data: JsonObject
    initial_device_display_name: Text = ""


class DehydratedEventsBody(Body):
    next_batch: Text | None = None


class DehydratedEventsQuery(Query):
    from_: str | None = Field(default=None, max_length=200, alias="from")
    limit: QueryInt | None = Field(default=None, ge=1)


class DehydratedDeviceId(TypedDict):
    device_id: str


class DehydratedDevice(DehydratedDeviceId):
    device_data: dict[str, Any]


class DehydratedEvents(TypedDict):
    events: list[Any]
    next_batch: NotRequired[str]


class DehydratedCalls:
    """The handlers under dehydrated_device."""

    def __init__(self, devices: DehydratedDevices) -> None:
        self._devices = devices

    def routes(self) -> Sequence[Route]:
        """The routes."""
        events = f"{PATH}/{{device_id}}/events"
        return (
            Route(
                "PUT",
                PATH,
                self.put,
                "Upload a dehydrated device",
                body=DehydratedDeviceUpload,
                answer=DehydratedDeviceId,
            ),
            Route("GET", PATH, self.find, "Get the dehydrated device", answer=DehydratedDevice),
            Route("DELETE", PATH, self.delete, "Delete the dehydrated device", answer=DehydratedDeviceId),
            Route(
                "GET",
                events,
                self.events,
                "Get a page of the dehydrated device's to-device messages",
                query=DehydratedEventsQuery,
                answer=DehydratedEvents,
            ),
            Route(
                "POST",
                events,
                self.events_by_post,
                "Get the dehydrated device's to-device messages",
                body=DehydratedEventsBody,
                answer=DehydratedEvents,
            ),
        )

    async def put(self, call: Call[DehydratedDeviceUpload, None]) -> DehydratedDeviceId:
        """`PUT /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`: upload a dehydrated device
        with its keys; it replaces the previous one.

        Spec: MSC3814.
        Errors: M_BAD_JSON (malformed keys), M_CONFLICT (the id is in use).
        """
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
        """`GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`: get the id and the
        encrypted data of the dehydrated device.

        Only the user's clients can decrypt the data.

        Spec: MSC3814.
        Errors: M_NOT_FOUND.
        """
        found = await self._devices.find(call.requester)
        return {"device_id": found.device.device_id, "device_data": {**found.device_data}}

    async def delete(self, call: Call[None, None]) -> DehydratedDeviceId:
        """`DELETE /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`: delete the dehydrated
        device, its keys and its messages.

        Spec: MSC3814.
        Errors: M_NOT_FOUND.
        """
        return {"device_id": await self._devices.delete(call.requester)}

    async def events(self, call: Call[None, DehydratedEventsQuery]) -> DehydratedEvents:
        """`GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events`: a page of
        the messages that the dehydrated device received; the last page has no `next_batch`.

        They are kept until the device is deleted, so that a client that fails can read them again.

        Spec: MSC3814.
        Errors: M_FORBIDDEN (not the dehydrated device), M_NOT_FOUND, M_INVALID_PARAM (not a token).
        """
        found = await self._page(call, call.query.from_, call.query.limit)
        page: DehydratedEvents = {"events": _events(found)}
        if found.more:
            page["next_batch"] = token_at(found.position)
        return page

    async def events_by_post(self, call: Call[DehydratedEventsBody, None]) -> DehydratedEvents:
        """`POST /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events`: the same
        for older clients, for which the last page is the empty one.

        Spec: MSC3814.
        Errors: M_FORBIDDEN (not the dehydrated device), M_NOT_FOUND, M_INVALID_PARAM (not a token).
        """
        found = await self._page(call, call.body.next_batch, None)
        return {"events": _events(found), "next_batch": token_at(found.position)}

    async def _page(self, call: Call[Any, Any], token: str | None, limit: int | None) -> Delivery:
        since = position_of(token) or LOG_START
        return await self._devices.events(call.requester, call.text("device_id"), since=since, limit=limit)


def _events(found: Delivery) -> list[Any]:
    return [orjson.Fragment(body) for body in found.bodies]
