"""What people's clients keep of a room, carried over to the one that takes its place: tags and m.direct."""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import Content
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.clientdata.accountdata import GLOBAL, TAGS
from homeserver.storage import accountdata as stored
from homeserver.storage.accountdata import DataKey
from homeserver.storage.db import Database
from homeserver.storage.members import members_of
from homeserver.timeline.entries import Appends, account_data_changed
from homeserver.timeline.submission import Placed, SideWrite

_DIRECT: Final = "m.direct"
_PAGE: Final = 200  # people of whom the data is read and written at once


class _Bequest(NamedTuple):
    """Whose data is to be carried."""

    people: Collection[UserId]
    old: RoomId
    new: RoomId


class AccountDataCarryOver:
    """Carries the account data; an `upgrades.Heir`."""

    def __init__(self, db: Database, timeline: Appends) -> None:
        self._db = db
        self._timeline = timeline

    async def carry(self, old_room: RoomId, new_room: RoomId) -> None:
        """Carry it for all who are in the old room; what they keep of the new one already stays."""
        async with self._db.read() as conn:
            everybody = [row.user_id for row in (await members_of(conn, [old_room]))[old_room]]
        for start in range(0, len(everybody), _PAGE):
            bequest = _Bequest(everybody[start : start + _PAGE], old_room, new_room)
            async with self._db.read() as conn:
                changes = await _changes(conn, bequest)
            if changes:
                news = [
                    account_data_changed(key.user_id, new_room if key.room_id else "", key.type)
                    for key in changes
                ]
                await self._timeline.append(news, also=[SideWrite(_carry, bequest)])


async def _carry(conn: AsyncConnection, items: Sequence[Placed[_Bequest]]) -> None:
    """Looked at once more, for a client may have changed it since."""
    for item in items:
        changes = await _changes(conn, item.row)
        rows = [(key, orjson.dumps(content), item.position) for key, content in changes.items()]
        if rows:
            await stored.set_pieces(conn, rows)


async def _changes(conn: AsyncConnection, bequest: _Bequest) -> dict[DataKey, Content]:
    people, old, new = bequest
    wanted = [
        key
        for one in people
        for key in (DataKey(one, old, TAGS), DataKey(one, new, TAGS), DataKey(one, GLOBAL, _DIRECT))
    ]
    found = {key: orjson.loads(raw) for key, raw in (await stored.pieces(conn, wanted)).items()}
    changes: dict[DataKey, Content] = {}
    for one in people:
        tags, ready = found.get(DataKey(one, old, TAGS)), DataKey(one, new, TAGS)
        if tags is not None and ready not in found:
            changes[ready] = tags
        direct = found.get(DataKey(one, GLOBAL, _DIRECT), {})
        grown = _with_room(direct, old, new)
        if grown != direct:
            changes[DataKey(one, GLOBAL, _DIRECT)] = grown
    return changes


def _with_room(direct: Content, old: RoomId, new: RoomId) -> Content:
    """The direct rooms by person, with the new one wherever the old one stands."""
    return {
        user_id: [*those, new] if isinstance(those, list) and old in those and new not in those else those
        for user_id, those in direct.items()
    }
