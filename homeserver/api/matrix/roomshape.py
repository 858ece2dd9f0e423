"""JSON of room summaries: the directory, the summary call, the space hierarchy."""

from typing import cast

from homeserver.api.matrix.directoryschemas import HierarchyRoom, PublicRoom, RoomSummary
from homeserver.protocol.clientevents import stripped
from homeserver.services.rooms import spaces
from homeserver.services.rooms.spaces import Summary


def listed(room: Summary) -> PublicRoom:
    """A room in the directory. Unset fields are left out.

    Only keys of the specification: matrix-nio refuses the whole list for one key that it does
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
    """A room in a summary: the directory's fields and those of a summary only."""
    shown = cast(RoomSummary, {**listed(room), "room_version": room.version})
    if room.allowed_rooms:
        shown["allowed_room_ids"] = [*room.allowed_rooms]
    if room.encryption:
        shown["encryption"] = room.encryption
    return shown


def hierarchy_room(one: spaces.Branch) -> HierarchyRoom:
    """A room of a space hierarchy."""
    links = [{**stripped(link), "origin_server_ts": link.origin_server_ts} for link in one.links]
    return {**summarised(one.room), "children_state": links}
