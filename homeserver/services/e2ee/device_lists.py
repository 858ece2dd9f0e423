"""Device list updates (client-server API, "Tracking the device list for a user"): for users who share a room."""

from typing import Final, NamedTuple

from homeserver.model import LogPosition, Requester
from homeserver.protocol.ids import UserId
from homeserver.services.e2ee import validation
from homeserver.storage.db import Database
from homeserver.storage.e2ee import crosssigning, lists
from homeserver.storage.members import sharing_a_room

_GONE: Final = ("leave", "ban")


class ListChanges(NamedTuple):
    """`changed`: users whose keys must be queried again. `left`: users that no longer share a room with the reader."""

    changed: frozenset[UserId]
    left: frozenset[UserId]


class DeviceLists:
    """Computes device list changes since a log position."""

    def __init__(self, *, db: Database) -> None:
        self._db = db

    async def changes(self, requester: Requester, after: LogPosition) -> ListChanges:
        """Device list changes for the requester after a log position, up to now.

        People who were invited, or knocked, are among the changed: what is said now may be for them too.

        No relevant change is missing; `changed` may include users who only changed their display name. Only log
        entries DEVICES, KEYS_SIGNED and SESSION_ENDED and member events can make the result non-empty.
        """
        reader = requester.user_id
        validation.checked_position(after)
        async with self._db.read() as conn:
            changed = await lists.changed_since(conn, reader, after)
            changed |= await crosssigning.signed_since(conn, reader, after)
            moves = await lists.moves_since(conn, reader, after)
            own = await lists.own_moves_since(conn, reader, after)
            changed |= {move.user_id for move in moves if move.membership not in _GONE}
            gone = {move.user_id for move in moves if move.membership in _GONE}
            if own:
                were_in = await lists.rooms_joined_at(conn, reader, {move.room_id for move in own}, after)
                entered = {
                    move.room_id for move in own if move.membership == "join" and move.room_id not in were_in
                }
                left = {move.room_id for move in own if move.membership != "join" and move.room_id in were_in}
                if entered:
                    changed |= await lists.joined_in(conn, entered) - {reader}
                if left:
                    gone |= await lists.left_behind(conn, reader, left)
            gone -= {reader}
            still = await sharing_a_room(conn, reader, gone) if gone else set()
        return ListChanges(frozenset(changed), frozenset(gone - still))
