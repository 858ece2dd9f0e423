"""Tables of outgoing requests that wait to be sent: their statements, built once for each table.

Such a table has a row for each thing to be sent: its destination, its position (rows of a destination are sent in
this order), `tries` and `due_ms`, and the columns of its kind. Destination and position are the key.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, bindparam, delete, exists, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LogPosition
from homeserver.storage.dialect import Upsert


class Key(NamedTuple):
    """Key of a row: one thing to be sent to one destination."""

    destination: str
    position: LogPosition


class Claim(NamedTuple):
    """A claimed row. `tries` counts the try that begins now."""

    key: Key
    tries: int


class Postponed(NamedTuple):
    """A row whose try failed, and when the next try is due."""

    claim: Claim
    due_ms: int


class Outbox:
    """The statements of a table. `destination`: the column with the destination's name.

    Only the oldest row of a destination is ever due, so things arrive in order, one at a time, and a destination that
    is slow or down delays no other.
    """

    def __init__(self, table: Table, *, destination: str) -> None:
        self._table = table
        self._destination = destination
        to, position, due_ms, tries = table.c[destination], table.c.position, table.c.due_ms, table.c.tries
        older = table.alias("older")
        is_first = ~exists().where(older.c[destination] == to, older.c.position < position)
        due = (
            select(to, position)
            .where(due_ms <= bindparam("now_ms"), is_first)
            .order_by(due_ms)
            .limit(bindparam("count"))
            .with_for_update(of=table, skip_locked=True)  # rows that another worker is claiming are skipped
        )
        one = (to == bindparam("of"), position == bindparam("at"))
        self._next_due = select(func.min(due_ms)).where(is_first)
        self._claim = (
            update(table)
            .where(tuple_(to, position).in_(due))
            .values(due_ms=bindparam("until_ms"), tries=tries + 1)
            .returning(to, position, tries)
        )
        self._drop = delete(table).where(*one)
        self._postpone = (
            update(table).where(*one, tries == bindparam("tried")).values(due_ms=bindparam("until_ms"))
        )
        self._count = select(to, func.count()).where(to.in_(bindparam("wanted", expanding=True))).group_by(to)
        self._behind = (
            select(position)
            .where(to == bindparam("of"), position > bindparam("at"))
            .order_by(position)
            .limit(bindparam("count"))
        )
        self._add = Upsert(table, [destination, "position"])

    async def add(self, conn: AsyncConnection, new: Sequence[tuple[Key, int, Mapping[str, Any]]]) -> None:
        """Insert rows, given as key, `due_ms` and the other columns; existing ones stay unchanged."""
        rows = [
            {
                self._destination: key.destination,
                "position": key.position,
                "due_ms": due_ms,
                "tries": 0,
                **more,
            }
            for key, due_ms, more in new
        ]
        await conn.execute(self._add.on(conn), rows)

    async def next_due_ms(self, conn: AsyncConnection) -> int | None:
        """When the next row that is the oldest of its destination is due; None if none waits."""
        return cast("int | None", (await conn.execute(self._next_due)).scalar_one())

    async def claim_due(
        self, conn: AsyncConnection, *, now_ms: int, until_ms: int, limit: int
    ) -> list[Claim]:
        """Claim due rows, the oldest of each destination, counting a try; no one else gets them before `until_ms`."""
        values = {"now_ms": now_ms, "until_ms": until_ms, "count": limit}
        rows = await conn.execute(self._claim, values)
        return [Claim(Key(destination, position), tries) for destination, position, tries in rows]

    async def behind(self, conn: AsyncConnection, first: Key, limit: int) -> list[Key]:
        """Keys that wait behind the first of a destination, oldest first: its claimant may send more with it."""
        values = {"of": first.destination, "at": first.position, "count": limit}
        rows = await conn.execute(self._behind, values)
        return [Key(first.destination, row.position) for row in rows]

    async def count_waiting(self, conn: AsyncConnection, destinations: Collection[str]) -> dict[str, int]:
        """How many rows wait for each of these destinations; those with none are missing."""
        rows = await conn.execute(self._count, {"wanted": list(destinations)})
        return {row[0]: row[1] for row in rows}

    async def drop(self, conn: AsyncConnection, keys: Collection[Key]) -> None:
        """Delete rows that were sent or are given up. All workers lock rows in one order, so there is no deadlock."""
        await conn.execute(self._drop, [{"of": key.destination, "at": key.position} for key in sorted(keys)])

    async def postpone(self, conn: AsyncConnection, postponed: Sequence[Postponed]) -> None:
        """Set when rows are tried again; not those that another worker has claimed since."""
        rows = [
            {"of": key.destination, "at": key.position, "tried": tries, "until_ms": due_ms}
            for (key, tries), due_ms in sorted(postponed)
        ]
        await conn.execute(self._postpone, rows)
