"""Rooms: make one, come in, go, and put people in and out."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from homeserver.api.matrix import schemas
from homeserver.api.matrix.schemas import NewRoom, Reason, Target
from homeserver.errors import Invalid, Unsupported
from homeserver.http.body import JsonObject, check
from homeserver.http.routes import Call, Handler, Route
from homeserver.protocol.ids import RoomId, UserId, is_room_id, is_user_id
from homeserver.services.creation import Creation, InitialState, RoomWish
from homeserver.services.membership import Membership

_OWN_KEYS = frozenset(
    {"reason", "third_party_signed"}
)  # of a join's body; what else stands there is for the event


class RoomCalls:
    """createRoom and the calls about membership."""

    def __init__(self, *, creation: Creation, membership: Membership) -> None:
        self._creation = creation
        self._membership = membership

    def routes(self) -> Sequence[Route]:
        """The table of these calls."""
        root, room = "/client/v3", "/client/v3/rooms/{room_id}"
        return (
            _post(f"{root}/createRoom", self.create, "Make a room", NewRoom, schemas.CreatedRoom),
            Route("GET", f"{root}/joined_rooms", self.joined, "Rooms one is in", answer=schemas.JoinedRooms),
            _post(f"{root}/join/{{room_id}}", self.join, "Come in", JsonObject, schemas.CreatedRoom),
            _post(f"{room}/join", self.join, "Come in", JsonObject, schemas.CreatedRoom),
            _post(f"{root}/knock/{{room_id}}", self.knock, "Ask to be let in", Reason, schemas.CreatedRoom),
            _post(f"{room}/leave", self.leave, "Go", Reason, schemas.Empty),
            _post(f"{room}/invite", self.invite, "Invite somebody", Target, schemas.Empty),
            _post(f"{room}/kick", self.kick, "Put somebody out", Target, schemas.Empty),
            _post(f"{room}/ban", self.ban, "Keep somebody out", Target, schemas.Empty),
            _post(f"{room}/unban", self.unban, "Let somebody come again", Target, schemas.Empty),
        )

    async def create(self, call: Call[NewRoom, None]) -> schemas.CreatedRoom:
        """As the body wishes; without a preset the visibility says which one."""
        body = call.body
        if body.invite_3pid:
            raise Unsupported("nobody can be invited by e-mail here", code="threepid_refused")
        preset = body.preset or ("public_chat" if body.visibility == "public" else "private_chat")
        wish = RoomWish(
            preset=preset,
            version=body.room_version,
            name=body.name,
            topic=body.topic,
            invited=[_user_id(one) for one in body.invite],
            is_direct=body.is_direct,
            creation_content=body.creation_content,
            levels=body.power_level_content_override,
            initial_state=[InitialState(one.type, one.content, one.state_key) for one in body.initial_state],
        )
        return {"room_id": await self._creation.create(call.requester, wish)}

    async def joined(self, call: Call[None, None]) -> schemas.JoinedRooms:
        """Those one is in now."""
        return {"joined_rooms": [*await self._membership.joined_rooms(call.requester)]}

    async def join(self, call: Call[JsonObject, None]) -> schemas.CreatedRoom:
        """What else stands in the body goes into the event."""
        room_id = _room_id(call)
        body = call.body.root
        extra = {name: value for name, value in body.items() if name not in _OWN_KEYS}
        await self._membership.join(call.requester, room_id, reason=check(Reason, body).reason, extra=extra)
        return {"room_id": room_id}

    async def knock(self, call: Call[Reason, None]) -> schemas.CreatedRoom:
        """Those inside see it, and may invite."""
        await self._membership.knock(call.requester, _room_id(call), reason=call.body.reason)
        return {"room_id": _room_id(call)}

    async def leave(self, call: Call[Reason, None]) -> schemas.Empty:
        """Also refuses an invite."""
        await self._membership.leave(call.requester, _room_id(call), reason=call.body.reason)
        return {}

    async def invite(self, call: Call[Target, None]) -> schemas.Empty:
        """Somebody of this server."""
        await self._membership.invite(call.requester, _room_id(call), _target(call), reason=call.body.reason)
        return {}

    async def kick(self, call: Call[Target, None]) -> schemas.Empty:
        """They may come again where the room lets them."""
        await self._membership.kick(call.requester, _room_id(call), _target(call), reason=call.body.reason)
        return {}

    async def ban(self, call: Call[Target, None]) -> schemas.Empty:
        """Until they are unbanned."""
        await self._membership.ban(call.requester, _room_id(call), _target(call), reason=call.body.reason)
        return {}

    async def unban(self, call: Call[Target, None]) -> schemas.Empty:
        """They are out, and may come again."""
        await self._membership.unban(call.requester, _room_id(call), _target(call), reason=call.body.reason)
        return {}


def _post(path: str, handler: Handler, summary: str, body: type[BaseModel], answer: Any) -> Route:
    return Route("POST", path, handler, summary, body=body, answer=answer)


def _room_id(call: Call[Any, Any]) -> RoomId:
    text = call.text("room_id")
    if not is_room_id(text):
        raise Invalid("this is no room id", code="bad_room_id")
    return RoomId(text)


def _target(call: Call[Target, None]) -> UserId:
    return _user_id(call.body.user_id)


def _user_id(text: str) -> UserId:
    if not is_user_id(text):
        raise Invalid(f"{text!r} is no user id", code="bad_user_id")
    return UserId(text)
