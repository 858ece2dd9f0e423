"""Account data carried over on a room upgrade: tags and m.direct."""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import Content
from homeserver.protocol.canonical import same_json
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.clientdata.accountdata import GLOBAL, TAGS, DataLimits
from homeserver.storage import accountdata as stored
from homeserver.storage.accountdata import DataKey
from homeserver.storage.db import Database
from homeserver.storage.members import members_of
from homeserver.timeline.entries import Appends, account_data_changed
from homeserver.timeline.submission import Placed, SideWrite

_DIRECT: Final = "m.direct"
_PAGE: Final = 200  # users whose account data is read and written at once


class _CarriedData(NamedTuple):
    """The users whose account data is carried over, and the rooms."""

    people: Collection[UserId]
    old: RoomId
    new: RoomId


class AccountDataCarryOver:
    """Carries over account data; an `upgrades.UpgradeCarryOver`."""

    def __init__(self, db: Database, timeline: Appends, limits: DataLimits) -> None:
        self._db = db
        self._timeline = timeline
        self._limits = limits

    async def carry(self, old_room: RoomId, new_room: RoomId) -> None:
        """Carry over the account data of all members of the old room; tags already set in the new room are kept."""
        async with self._db.read() as conn:
            everybody = [row.user_id for row in (await members_of(conn, [old_room]))[old_room]]
        for start in range(0, len(everybody), _PAGE):
            batch = _CarriedData(everybody[start : start + _PAGE], old_room, new_room)
            async with self._db.read() as conn:
                changes = await _changes(conn, batch)
            if changes:
                news = [
                    account_data_changed(key.user_id, new_room if key.room_id else "", key.type)
                    for key in changes
                ]
                await self._timeline.append(news, also=[SideWrite(self._carry, batch)])

    async def _carry(self, conn: AsyncConnection, items: Sequence[Placed[_CarriedData]]) -> None:
        """Write the changes; computed again, as a client may have changed the account data in the meantime.

        Whoever has no place for more is left out: the upgrade is another's.
        """
        for item in items:
            changes = await _changes(conn, item.row)
            if not changes:
                continue
            totals = await stored.totals(conn, {key.user_id for key in changes})
            rows = []
            for key, content in changes.items():
                raw = orjson.dumps(content)
                total = totals[key.user_id] + stored.size_of(key, raw)
                if self._limits.admits(raw, total):
                    totals[key.user_id] = total
                    rows.append((key, raw, item.position))
            if rows:
                await stored.set_pieces(conn, rows)


async def _changes(conn: AsyncConnection, batch: _CarriedData) -> dict[DataKey, Content]:
    people, old, new = batch
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
        if not same_json(grown, direct):
            changes[DataKey(one, GLOBAL, _DIRECT)] = grown
    return changes


def _with_room(direct: Content, old: RoomId, new: RoomId) -> Content:
    """The content of m.direct, with the new room added after the old one for each user."""
    return {
        user_id: [*those, new] if isinstance(those, list) and old in those and new not in those else those
        for user_id, those in direct.items()
    }
