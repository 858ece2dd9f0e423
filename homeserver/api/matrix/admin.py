"""Moderation of accounts: sessions, suspension, locking."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import TypedDict

from homeserver.http.body import Body, Flag
from homeserver.http.routes import Call, Route
from homeserver.protocol.ids import UserId
from homeserver.services.admin.accounts import Administration, Whereabouts


class WhoIs(TypedDict):
    user_id: str
    devices: dict[str, Any]


class SuspendBody(Body):
    suspended: Flag


class LockBody(Body):
    locked: Flag


class Suspended(TypedDict):
    suspended: bool


class Locked(TypedDict):
    locked: bool


class AdminCalls:
    """The handlers under admin."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    def routes(self) -> Sequence[Route]:
        """The routes."""
        suspend, lock = "/client/v1/admin/suspend/{user_id}", "/client/v1/admin/lock/{user_id}"
        return (
            Route(
                "GET",
                "/client/v3/admin/whois/{user_id}",
                self.whois,
                "Get a user's sessions",
                answer=WhoIs,
            ),
            Route("GET", suspend, self.suspended, "Get whether a user is suspended", answer=Suspended),
            Route(
                "PUT",
                suspend,
                self.suspend,
                "Suspend or unsuspend a user",
                body=SuspendBody,
                answer=Suspended,
            ),
            Route("GET", lock, self.locked, "Get whether a user is locked", answer=Locked),
            Route("PUT", lock, self.lock, "Lock or unlock a user", body=LockBody, answer=Locked),
        )

    async def whois(self, call: Call[None, None]) -> WhoIs:
        """`GET /_matrix/client/v3/admin/whois/{user_id}`: each device's most recent connection.

        For the user and for admins.

        Spec: client-server API, "Server administration".
        Errors: M_FORBIDDEN.
        """
        user_id = _user_id(call)
        found = await self._administration.devices(call.requester, user_id)
        return {"user_id": user_id, "devices": {one.device_id: _device(one) for one in found}}

    async def suspended(self, call: Call[None, None]) -> Suspended:
        """`GET /_matrix/client/v1/admin/suspend/{user_id}`: whether a user is suspended. For admins.

        Spec: client-server API, "Server administration".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_INVALID_PARAM (a user of another server).
        """
        account = await self._administration.account(call.requester, _user_id(call))
        return {"suspended": account.suspended}

    async def suspend(self, call: Call[SuspendBody, None]) -> Suspended:
        """`PUT /_matrix/client/v1/admin/suspend/{user_id}`: suspend a user, or lift the suspension.

        For admins, and not of admins.

        Spec: client-server API, "Server administration".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_INVALID_PARAM (a user of another server).
        """
        request = call.body.suspended
        await self._administration.suspend(call.requester, _user_id(call), suspended=request)
        return {"suspended": request}

    async def locked(self, call: Call[None, None]) -> Locked:
        """`GET /_matrix/client/v1/admin/lock/{user_id}`: whether a user is locked. For admins.

        Spec: client-server API, "Server administration".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_INVALID_PARAM (a user of another server).
        """
        account = await self._administration.account(call.requester, _user_id(call))
        return {"locked": account.locked}

    async def lock(self, call: Call[LockBody, None]) -> Locked:
        """`PUT /_matrix/client/v1/admin/lock/{user_id}`: lock a user out, or unlock them.

        For admins, and not of admins.

        Spec: client-server API, "Server administration".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_INVALID_PARAM (a user of another server).
        """
        await self._administration.lock(call.requester, _user_id(call), locked=call.body.locked)
        return {"locked": call.body.locked}


def _user_id(call: Call[Any, None]) -> UserId:
    return UserId(call.text("user_id"))


def _device(device: Whereabouts) -> dict[str, Any]:
    connection: dict[str, Any] = {"last_seen": device.seen_ms}
    if device.ip:
        connection["ip"] = device.ip
    if device.agent:
        connection["user_agent"] = device.agent
    return {"sessions": [{"connections": [connection]}]}
