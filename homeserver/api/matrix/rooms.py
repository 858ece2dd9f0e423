"""Creating and upgrading rooms, and membership."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from homeserver.api.matrix import schemas
from homeserver.api.matrix.directoryschemas import Upgrade, UpgradedRoom
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

_OWN_KEYS = frozenset({"reason", "third_party_signed"})  # keys of a join's body that do not go into the event


class RoomCalls:
    """The handlers for creation, upgrade and membership."""

    def __init__(
        self, *, creation: RoomCreation, membership: Membership, aliases: Aliases, upgrades: Upgrades
    ) -> None:
        self._creation = creation
        self._aliases = aliases
        self._upgrades = upgrades
        self._membership = membership

    def routes(self) -> Sequence[Route]:
        """The routes."""
        root, room = "/client/v3", "/client/v3/rooms/{room_id}"
        return (
            _post(f"{root}/createRoom", self.create, "Create a room", NewRoom, schemas.CreatedRoom),
            Route(
                "GET",
                f"{root}/joined_rooms",
                self.joined,
                "List the joined rooms",
                answer=schemas.JoinedRooms,
            ),
            _post(
                f"{root}/join/{{room}}",
                self.join_by_id_or_alias,
                "Join a room by ID or alias",
                JsonObject,
                schemas.CreatedRoom,
                guests=True,
            ),
            _post(f"{room}/join", self.join, "Join a room", JsonObject, schemas.CreatedRoom, guests=True),
            _post(f"{root}/knock/{{room}}", self.knock, "Knock on a room", Reason, schemas.CreatedRoom),
            _post(f"{room}/leave", self.leave, "Leave a room", Reason, schemas.Empty, guests=True),
            _post(f"{room}/forget", self.forget, "Forget a room", JsonObject, schemas.Empty),
            _post(f"{room}/upgrade", self.upgrade, "Upgrade a room", Upgrade, UpgradedRoom),
            _post(f"{room}/invite", self.invite, "Invite a user", schemas.Invitation, schemas.Empty),
            _post(f"{room}/kick", self.kick, "Kick a user", Target, schemas.Empty),
            _post(f"{room}/ban", self.ban, "Ban a user", Target, schemas.Empty),
            _post(f"{room}/unban", self.unban, "Unban a user", Target, schemas.Empty),
        )

    async def create(self, call: Call[NewRoom, None]) -> schemas.CreatedRoom:
        """`POST /_matrix/client/v3/createRoom`: create a room, with the state that the body describes, and
        invite users.

        Without a preset the visibility chooses one.

        Spec: client-server API, "Room creation".
        Errors: M_ROOM_IN_USE (the alias is taken), M_INVALID_ROOM_STATE, M_UNSUPPORTED_ROOM_VERSION,
          M_INVALID_PARAM, M_THREEPID_DENIED (`invite_3pid`).
        """
        body = call.body
        if body.invite_3pid:
            raise Unsupported("inviting by third-party identifier is not supported", code="threepid_refused")
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
        """`GET /_matrix/client/v3/joined_rooms`: list the rooms that the user is joined to.

        Spec: client-server API, "Room membership".
        """
        return {"joined_rooms": [*await self._membership.joined_rooms(call.requester)]}

    async def join(self, call: Call[JsonObject, None]) -> schemas.CreatedRoom:
        """`POST /_matrix/client/v3/rooms/{room_id}/join`: join a room.

        Keys of the body other than `reason` and `third_party_signed` go into the content of the member event.

        Spec: client-server API, "Room membership".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_INVALID_PARAM (not a room ID), M_GUEST_ACCESS_FORBIDDEN.
        """
        return await self._join(call, _room_id(call))

    async def join_by_id_or_alias(self, call: Call[JsonObject, None]) -> schemas.CreatedRoom:
        """`POST /_matrix/client/v3/join/{room}`: join a room.

        All rooms are on this server, so no servers to join through are needed.
        Keys of the body other than `reason` and `third_party_signed` go into the content of the member event.

        Spec: client-server API, "Room membership".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_INVALID_PARAM (neither an ID nor an alias),
          M_GUEST_ACCESS_FORBIDDEN.
        """
        return await self._join(call, await room_called(self._aliases, call.text("room")))

    async def knock(self, call: Call[Reason, None]) -> schemas.CreatedRoom:
        """`POST /_matrix/client/v3/knock/{room}`: ask to be invited; members with the power to invite see it.

        Spec: client-server API, "Room membership".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_INVALID_PARAM (neither an ID nor an alias).
        """
        room_id = await room_called(self._aliases, call.text("room"))
        await self._membership.knock(call.requester, room_id, reason=call.body.reason)
        return {"room_id": room_id}

    async def leave(self, call: Call[Reason, None]) -> schemas.Empty:
        """`POST /_matrix/client/v3/rooms/{room_id}/leave`: leave a room, reject an invite or retract a knock.

        Spec: client-server API, "Room membership".
        Errors: M_NOT_FOUND, M_CANNOT_LEAVE_SERVER_NOTICE_ROOM.
        """
        await self._membership.leave(call.requester, _room_id(call), reason=call.body.reason)
        return {}

    async def forget(self, call: Call[JsonObject, None]) -> schemas.Empty:
        """`POST /_matrix/client/v3/rooms/{room_id}/forget`: forget a room that the user has left; its history
        is no longer visible to them.

        Spec: client-server API, "Room membership".
        Errors: M_NOT_FOUND, M_UNKNOWN (the user is still in the room).
        """
        await self._membership.forget(call.requester, _room_id(call))
        return {}

    async def upgrade(self, call: Call[Upgrade, None]) -> UpgradedRoom:
        """`POST /_matrix/client/v3/rooms/{room_id}/upgrade`: replace a room by a new one of another version.

        Members of the old room are moved into the new one.

        Spec: client-server API, "Room upgrades".
        Errors: M_FORBIDDEN, M_UNSUPPORTED_ROOM_VERSION, M_NOT_FOUND, M_INVALID_PARAM, M_TOO_LARGE (too much
          state).
        """
        body = call.body
        made = await self._upgrades.upgrade(
            call.requester, _room_id(call), body.new_version, body.additional_creators
        )
        return {"replacement_room": made}

    async def invite(self, call: Call[schemas.Invitation, None]) -> schemas.Empty:
        """`POST /_matrix/client/v3/rooms/{room_id}/invite`: invite a user of this server.

        Invites by third-party identifier are refused.

        Spec: client-server API, "Room membership".
        Errors: M_FORBIDDEN, M_NOT_FOUND (no such room or user), M_INVALID_PARAM, M_THREEPID_DENIED.
        """
        body = call.body
        if body.user_id is None:
            raise Unsupported(
                "inviting by third-party identifier is not supported; use user_id", code="threepid_refused"
            )
        target = user_id_in(body.user_id)
        await self._membership.invite(call.requester, _room_id(call), target, reason=body.reason)
        return {}

    async def kick(self, call: Call[Target, None]) -> schemas.Empty:
        """`POST /_matrix/client/v3/rooms/{room_id}/kick`: remove a user from a room, or withdraw their invite
        or knock.

        They may join again if the join rules allow it.

        Spec: client-server API, "Room membership".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_INVALID_PARAM.
        """
        await self._membership.kick(call.requester, _room_id(call), _target(call), reason=call.body.reason)
        return {}

    async def ban(self, call: Call[Target, None]) -> schemas.Empty:
        """`POST /_matrix/client/v3/rooms/{room_id}/ban`: remove a user from a room and keep them from joining
        until they are unbanned.

        Spec: client-server API, "Room membership".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_INVALID_PARAM.
        """
        await self._membership.ban(call.requester, _room_id(call), _target(call), reason=call.body.reason)
        return {}

    async def unban(self, call: Call[Target, None]) -> schemas.Empty:
        """`POST /_matrix/client/v3/rooms/{room_id}/unban`: lift a ban.

        The user's membership is `leave` afterwards.

        Spec: client-server API, "Room membership".
        Errors: M_FORBIDDEN (also where the user is not banned), M_NOT_FOUND, M_INVALID_PARAM.
        """
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
