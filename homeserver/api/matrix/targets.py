"""Room IDs, aliases and user IDs in requests."""

from homeserver.errors import Invalid
from homeserver.protocol.ids import RoomId, UserId, is_room_id, is_user_id
from homeserver.services.rooms.aliases import Aliases


def room_id_in(text: str) -> RoomId:
    """Check a room ID. Raises Invalid("bad_room_id")."""
    if not is_room_id(text):
        raise Invalid("not a room ID", code="bad_room_id")
    return RoomId(text)


async def room_called(aliases: Aliases, text: str) -> RoomId:
    """The room of an ID or an alias. Raises Invalid("bad_room_id", "bad_alias"), NotFound("alias_not_found")."""
    return await aliases.resolve(text) if text[:1] == "#" else room_id_in(text)


def user_id_in(text: str) -> UserId:
    """Check a user ID. Raises Invalid("bad_user_id")."""
    if not is_user_id(text):
        raise Invalid(f"{text!r} is not a user ID", code="bad_user_id")
    return UserId(text)
