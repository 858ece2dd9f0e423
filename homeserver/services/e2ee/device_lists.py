"""Whose keys a client must look up anew: the people it shares a room with, as they change and come and go."""

from typing import NamedTuple

from homeserver.model import Requester
from homeserver.protocol.ids import UserId
from homeserver.services.e2ee import validation
from homeserver.storage.db import Database
from homeserver.storage.e2ee import crosssigning, lists
from homeserver.storage.members import sharing_a_room


class ListChanges(NamedTuple):
    """`changed`: look these people's keys up anew. `left`: nothing is shared with these any more."""

    changed: frozenset[UserId]
    left: frozenset[UserId]


class DeviceLists:
    """Answers what changed since a position of the log."""

    def __init__(self, *, db: Database) -> None:
        self._db = db

    async def changes(self, requester: Requester, after: int) -> ListChanges:
        """What changed for the requester after a position, up to now.

        Nothing that matters is missing; somebody may be in `changed` who only has a new name. It can only be other
        than empty after a log entry DEVICES, KEYS_SIGNED or SESSION_ENDED, or a member event.
        """
        reader = requester.user_id
        validation.checked_position(after)
        async with self._db.read() as conn:
            changed = await lists.changed_since(conn, reader, after)
            changed |= await crosssigning.signed_since(conn, reader, after)
            moves = await lists.moves_since(conn, reader, after)
            own = await lists.own_moves_since(conn, reader, after)
            changed |= {move.user_id for move in moves if move.membership == "join"}
            gone = {move.user_id for move in moves if move.membership != "join"}
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
