"""Rooms as those outside see them, on the wire."""

from typing import cast

from homeserver.api.matrix.directoryschemas import Branch, PublicRoom, RoomSummary
from homeserver.protocol.clientevents import stripped
from homeserver.services.rooms import spaces
from homeserver.services.rooms.spaces import Summary


def listed(room: Summary) -> PublicRoom:
    """A room in the list of published ones. What it does not have is left out.

    There is no more in it than the specification names: matrix-nio refuses the whole list for one key that it does
    not know.
    """
    shown: PublicRoom = {
        "room_id": room.room_id,
        "num_joined_members": room.member_count,
        "world_readable": room.world_readable,
        "guest_can_join": room.guests_can_join,
        "join_rule": room.join_rule,
    }
    if room.name:
        shown["name"] = room.name
    if room.topic:
        shown["topic"] = room.topic
    if room.canonical_alias:
        shown["canonical_alias"] = room.canonical_alias
    if room.avatar_url:
        shown["avatar_url"] = room.avatar_url
    if room.room_type is not None:
        shown["room_type"] = room.room_type
    return shown


def summarised(room: Summary) -> RoomSummary:
    """The same with what is told of one room only."""
    shown = cast(RoomSummary, {**listed(room), "room_version": room.version})
    if room.allowed_rooms:
        shown["allowed_room_ids"] = [*room.allowed_rooms]
    if room.encryption:
        shown["encryption"] = room.encryption
    return shown


def branch(one: spaces.Branch) -> Branch:
    """A room of a tree."""
    links = [{**stripped(link), "origin_server_ts": link.origin_server_ts} for link in one.links]
    return {**summarised(one.room), "children_state": links}
