"""Rooms: make one, come in, go, and put people in and out."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from homeserver.api.matrix import schemas
from homeserver.api.matrix.directoryschemas import Replacement, Upgrade
from homeserver.api.matrix.schemas import NewRoom, Reason, Target
from homeserver.api.matrix.targets import room_called, room_id_in, user_id_in
from homeserver.errors import Unsupported
from homeserver.http.body import JsonObject, check
from homeserver.http.routes import Call, Handler, Route
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.rooms.aliases import Aliases
from homeserver.services.rooms.create import CreateRoomRequest, InitialState, RoomCreation
from homeserver.services.rooms.membership import Membership
from homeserver.services.rooms.upgrades import Upgrades

_OWN_KEYS = frozenset(
    {"reason", "third_party_signed"}
)  # of a join's body; what else stands there is for the event


class RoomCalls:
    """createRoom and the calls about membership."""

    def __init__(
        self, *, creation: RoomCreation, membership: Membership, aliases: Aliases, upgrades: Upgrades
    ) -> None:
        self._creation = creation
        self._aliases = aliases
        self._upgrades = upgrades
        self._membership = membership

    def routes(self) -> Sequence[Route]:
        """The table of these calls."""
        root, room = "/client/v3", "/client/v3/rooms/{room_id}"
        return (
            _post(f"{root}/createRoom", self.create, "Make a room", NewRoom, schemas.CreatedRoom),
            Route("GET", f"{root}/joined_rooms", self.joined, "Rooms one is in", answer=schemas.JoinedRooms),
            _post(
                f"{root}/join/{{room}}",
                self.join_called,
                "Come in",
                JsonObject,
                schemas.CreatedRoom,
                guests=True,
            ),
            _post(f"{room}/join", self.join, "Come in", JsonObject, schemas.CreatedRoom, guests=True),
            _post(f"{root}/knock/{{room}}", self.knock, "Ask to be let in", Reason, schemas.CreatedRoom),
            _post(f"{room}/leave", self.leave, "Go", Reason, schemas.Empty, guests=True),
            _post(f"{room}/forget", self.forget, "Know no more of it", JsonObject, schemas.Empty),
            _post(f"{room}/upgrade", self.upgrade, "Put a new room in its place", Upgrade, Replacement),
            _post(f"{room}/invite", self.invite, "Invite somebody", schemas.Invitation, schemas.Empty),
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
        request = CreateRoomRequest(
            preset=preset,
            version=body.room_version,
            name=body.name,
            topic=body.topic,
            alias=body.room_alias_name,
            published=body.visibility == "public",
            invited=[user_id_in(one) for one in body.invite],
            is_direct=body.is_direct,
            creation_content=body.creation_content,
            levels=body.power_level_content_override,
            initial_state=[InitialState(one.type, one.content, one.state_key) for one in body.initial_state],
        )
        return {"room_id": await self._creation.create(call.requester, request)}

    async def joined(self, call: Call[None, None]) -> schemas.JoinedRooms:
        """Those one is in now."""
        return {"joined_rooms": [*await self._membership.joined_rooms(call.requester)]}

    async def join(self, call: Call[JsonObject, None]) -> schemas.CreatedRoom:
        """What else stands in the body goes into the event."""
        return await self._join(call, _room_id(call))

    async def join_called(self, call: Call[JsonObject, None]) -> schemas.CreatedRoom:
        """By the room's id or a name; servers to go by are not needed, as all rooms are here."""
        return await self._join(call, await room_called(self._aliases, call.text("room")))

    async def knock(self, call: Call[Reason, None]) -> schemas.CreatedRoom:
        """Those inside see it, and may invite."""
        room_id = await room_called(self._aliases, call.text("room"))
        await self._membership.knock(call.requester, room_id, reason=call.body.reason)
        return {"room_id": room_id}

    async def leave(self, call: Call[Reason, None]) -> schemas.Empty:
        """Also refuses an invite."""
        await self._membership.leave(call.requester, _room_id(call), reason=call.body.reason)
        return {}

    async def forget(self, call: Call[JsonObject, None]) -> schemas.Empty:
        """For who is not in it."""
        await self._membership.forget(call.requester, _room_id(call))
        return {}

    async def upgrade(self, call: Call[Upgrade, None]) -> Replacement:
        """Who is in the old room comes into the new one by themselves."""
        body = call.body
        made = await self._upgrades.upgrade(
            call.requester, _room_id(call), body.new_version, body.additional_creators
        )
        return {"replacement_room": made}

    async def invite(self, call: Call[schemas.Invitation, None]) -> schemas.Empty:
        """Somebody of this server."""
        body = call.body
        if body.user_id is None:
            raise Unsupported("people are invited by their user id here", code="threepid_refused")
        target = user_id_in(body.user_id)
        await self._membership.invite(call.requester, _room_id(call), target, reason=body.reason)
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

    async def _join(self, call: Call[JsonObject, None], room_id: RoomId) -> schemas.CreatedRoom:
        body = call.body.root
        extra = {name: value for name, value in body.items() if name not in _OWN_KEYS}
        await self._membership.join(call.requester, room_id, reason=check(Reason, body).reason, extra=extra)
        return {"room_id": room_id}


def _post(
    path: str, handler: Handler, summary: str, body: type[BaseModel], answer: Any, *, guests: bool = False
) -> Route:
    return Route("POST", path, handler, summary, body=body, answer=answer, guests=guests)


def _room_id(call: Call[Any, Any]) -> RoomId:
    return room_id_in(call.text("room_id"))


def _target(call: Call[Target, None]) -> UserId:
    return user_id_in(call.body.user_id)
