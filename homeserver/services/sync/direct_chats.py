"""Private conversations of the product APIs in m.direct (client-server API, "Direct Messaging").

A client adds a direct chat to m.direct itself when its user accepts an invite. Product conversations have no
invites, so the server adds them when a client first gets them.
"""

from collections.abc import Collection
from typing import Final

from homeserver.model import Requester
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.clientdata.accountdata import AccountData
from homeserver.storage import sync as stored
from homeserver.storage.db import Database
from homeserver.storage.sync import OwnRoom

_MOST: Final = 300  # rooms added at once, the newest: clients get the whole list again at each change


class DirectChats:
    """Adds them to `m.direct`, which the user's clients may change."""

    def __init__(self, db: Database, data: AccountData) -> None:
        self._db = db
        self._data = data

    async def note(self, requester: Requester, came: Collection[OwnRoom]) -> bool:
        """Add the private rooms of two among newly joined rooms; False if none is new."""
        if not came:
            return False
        newest = sorted(came, key=lambda row: row.position)[-_MOST:]
        async with self._db.read() as conn:
            others = await stored.private_others(conn, requester.user_id, [row.room_id for row in newest])
        chats: dict[UserId, list[RoomId]] = {}
        for room_id, people in others.items():
            if len(people) == 1:
                chats.setdefault(people[0], []).append(room_id)
        return bool(chats) and await self._data.add_direct(requester, chats)
