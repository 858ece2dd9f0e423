"""Account data, tags and filters."""

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict

from homeserver.api.matrix import schemas
from homeserver.errors import Forbidden, Invalid
from homeserver.http.body import JsonObject
from homeserver.http.routes import Call, Route
from homeserver.protocol.ids import RoomId, is_room_id
from homeserver.services.clientdata.accountdata import GLOBAL, AccountData
from homeserver.services.clientdata.filters import Filters

AnyCall = Call[Any, None]


class Tags(TypedDict):
    tags: Mapping[str, Any]


class FilterId(TypedDict):
    filter_id: str


class AccountDataCalls:
    """The handlers under user/{user_id}, for the user's own data only."""

    def __init__(self, data: AccountData, filters: Filters) -> None:
        self._data = data
        self._filters = filters

    def routes(self) -> Sequence[Route]:
        """The routes."""
        user = "/client/v3/user/{user_id}"
        room, empty = f"{user}/rooms/{{room_id}}", schemas.Empty
        everywhere, here, tag = (
            f"{user}/account_data/{{type}}",
            f"{room}/account_data/{{type}}",
            f"{room}/tags/{{tag}}",
        )
        return (
            Route("GET", everywhere, self.get, "Get account data", answer=dict[str, Any]),
            Route("PUT", everywhere, self.set, "Set account data", body=JsonObject, answer=empty),
            Route("GET", here, self.get, "Get account data of a room", answer=dict[str, Any]),
            Route("PUT", here, self.set, "Set account data of a room", body=JsonObject, answer=empty),
            Route("DELETE", _unstable(everywhere), self.remove, "Delete account data", answer=empty),
            Route("DELETE", _unstable(here), self.remove, "Delete account data of a room", answer=empty),
            Route("GET", f"{room}/tags", self.tags, "List a room's tags", answer=Tags),
            Route("PUT", tag, self.set_tag, "Set a tag of a room", body=JsonObject, answer=empty),
            Route("DELETE", tag, self.remove_tag, "Delete a tag of a room", answer=empty),
            Route("POST", f"{user}/filter", self.add, "Upload a filter", body=JsonObject, answer=FilterId),
            Route("GET", f"{user}/filter/{{filter_id}}", self.filter, "Get a filter", answer=dict[str, Any]),
        )

    async def get(self, call: AnyCall) -> dict[str, Any]:
        """`GET /_matrix/client/v3/user/{user_id}/account_data/{type}`,
        `GET /_matrix/client/v3/user/{user_id}/rooms/{room_id}/account_data/{type}`: get the user's global
        account data of a type, or that of a room.

        Spec: client-server API, "User data".
        Errors: M_FORBIDDEN (another user's), M_NOT_FOUND.
        """
        _check_own(call)
        return await self._data.get(call.requester, _where(call), call.text("type"))

    async def set(self, call: Call[JsonObject, None]) -> schemas.Empty:
        """`PUT /_matrix/client/v3/user/{user_id}/account_data/{type}`,
        `PUT /_matrix/client/v3/user/{user_id}/rooms/{room_id}/account_data/{type}`: replace the user's global
        account data of a type, or that of a room.

        Spec: client-server API, "User data".
        Errors: M_FORBIDDEN (another user's), M_BAD_JSON (405: a type that the server maintains), M_TOO_LARGE.
        """
        _check_own(call)
        await self._data.set(call.requester, _where(call), call.text("type"), call.body.root)
        return {}

    async def remove(self, call: AnyCall) -> schemas.Empty:
        """`DELETE /_matrix/client/unstable/org.matrix.msc3391/user/{user_id}/account_data/{type}`,
        `DELETE /_matrix/client/unstable/org.matrix.msc3391/user/{user_id}/rooms/{room_id}/account_data/{type}`:
        delete the user's global account data of a type, or that of a room.

        Succeeds if there is none.

        Spec: MSC3391.
        Errors: M_FORBIDDEN (another user's), M_BAD_JSON (405: a type that the server maintains).
        """
        _check_own(call)
        await self._data.remove(call.requester, _where(call), call.text("type"))
        return {}

    async def tags(self, call: AnyCall) -> Tags:
        """`GET /_matrix/client/v3/user/{user_id}/rooms/{room_id}/tags`: list the user's tags of a room, by
        name.

        Spec: client-server API, "User data".
        Errors: M_FORBIDDEN (another user's).
        """
        _check_own(call)
        return {"tags": await self._data.tags(call.requester, _room(call))}

    async def set_tag(self, call: Call[JsonObject, None]) -> schemas.Empty:
        """`PUT /_matrix/client/v3/user/{user_id}/rooms/{room_id}/tags/{tag}`: tag a room.

        The body may hold `order`, a number.

        Spec: client-server API, "User data".
        Errors: M_FORBIDDEN (another user's), M_BAD_JSON, M_TOO_LARGE.
        """
        _check_own(call)
        await self._data.set_tag(call.requester, _room(call), call.text("tag"), call.body.root)
        return {}

    async def remove_tag(self, call: AnyCall) -> schemas.Empty:
        """`DELETE /_matrix/client/v3/user/{user_id}/rooms/{room_id}/tags/{tag}`: remove a tag from a room.

        Succeeds if the room does not have it.

        Spec: client-server API, "User data".
        Errors: M_FORBIDDEN (another user's).
        """
        _check_own(call)
        await self._data.remove_tag(call.requester, _room(call), call.text("tag"))
        return {}

    async def add(self, call: Call[JsonObject, None]) -> FilterId:
        """`POST /_matrix/client/v3/user/{user_id}/filter`: store a filter for later syncs.

        The same filter gets the same id.

        Spec: client-server API, "Room participation".
        Errors: M_FORBIDDEN (another user's), M_BAD_JSON, M_TOO_LARGE.
        """
        _check_own(call)
        return {"filter_id": await self._filters.add(call.requester, call.body.root)}

    async def filter(self, call: AnyCall) -> dict[str, Any]:
        """`GET /_matrix/client/v3/user/{user_id}/filter/{filter_id}`: get a stored filter as it was uploaded.

        Spec: client-server API, "Room participation".
        Errors: M_FORBIDDEN (another user's), M_NOT_FOUND.
        """
        _check_own(call)
        return await self._filters.get(call.requester, call.text("filter_id"))


def _unstable(path: str) -> str:
    """The unstable path of MSC3391."""
    return path.replace("/v3/", "/unstable/org.matrix.msc3391/", 1)


def _check_own(call: AnyCall) -> None:
    if call.text("user_id") != call.requester.user_id:
        raise Forbidden("not your account", code="not_yours")


def _room(call: AnyCall) -> RoomId:
    room_id = call.text("room_id")
    if not is_room_id(room_id):
        raise Invalid("not a room ID", code="bad_room_id")
    return RoomId(room_id)


def _where(call: AnyCall) -> Any:
    return _room(call) if "room_id" in call.path else GLOBAL
