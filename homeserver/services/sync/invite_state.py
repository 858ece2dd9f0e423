"""Stripped state of rooms to which a user is invited or on which the user has knocked."""

from collections.abc import Collection
from typing import Final

from homeserver.protocol.canonical import JsonObject
from homeserver.protocol.clientevents import event_in_full, stripped
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage import events as stored_events
from homeserver.storage import state as stored
from homeserver.storage.db import Database
from homeserver.storage.sync import OwnRoom

PENDING: Final = frozenset({"invite", "knock"})
_SHOWN: Final = (
    "m.room.create",
    "m.room.join_rules",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.canonical_alias",
    "m.room.encryption",
)


async def previews(db: Database, reader: UserId, rows: Collection[OwnRoom]) -> dict[RoomId, list[JsonObject]]:
    """The stripped state of each room at the invite or knock; of the members only the reader and the inviter."""
    if not rows:
        return {}
    people = {reader, *(row.sender for row in rows)}
    async with db.read() as conn:
        found = await stored_events.events_by_id(conn, [row.event_id for row in rows])
        ids = [one.state_id for one in found.values()]
        states = await stored.states_at(conn, ids, types=_SHOWN, user_ids=people)
    return {
        row.room_id: [
            event_in_full(event) if event.type == "m.room.create" else stripped(event)
            for (kind, key), event in states[found[row.event_id].state_id].items()
            if (key in (reader, row.sender) if kind == "m.room.member" else key == "")
        ]
        for row in rows
    }
