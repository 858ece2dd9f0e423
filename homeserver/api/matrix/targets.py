"""Rooms and people as calls name them."""

from homeserver.errors import Invalid
from homeserver.protocol.ids import RoomId, UserId, is_room_id, is_user_id
from homeserver.services.rooms.aliases import Aliases


def room_id_in(text: str) -> RoomId:
    """A room's id. Raises Invalid("bad_room_id")."""
    if not is_room_id(text):
        raise Invalid("this is no room id", code="bad_room_id")
    return RoomId(text)


async def room_called(aliases: Aliases, text: str) -> RoomId:
    """The room of an id or a name. Raises Invalid("bad_room_id", "bad_alias"), NotFound("alias_not_found")."""
    return await aliases.resolve(text) if text[:1] == "#" else room_id_in(text)


def user_id_in(text: str) -> UserId:
    """A person's id. Raises Invalid("bad_user_id")."""
    if not is_user_id(text):
        raise Invalid(f"{text!r} is no user id", code="bad_user_id")
    return UserId(text)
