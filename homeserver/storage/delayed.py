"""Delayed events (MSC4140), waiting and finished ones."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import BigInteger, Row, bindparam, case, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage.dialect import Upsert
from homeserver.storage.schema.delayed import delayed_events


@dataclass(frozen=True, slots=True)
class DelayedRow:
    """An event that is sent at `due_ms`. `content` is JSON; `outcome` is empty while the event waits."""

    delay_id: str
    user_id: UserId
    room_id: RoomId
    type: str
    state_key: str | None
    content: bytes
    txn_key: str
    delay_ms: int
    created_ms: int
    started_ms: int
    due_ms: int
    done_ms: int | None = None
    outcome: str = ""


_c = delayed_events.c
_waits = _c.done_ms.is_(None)
_ADD = Upsert(delayed_events, ["user_id", "txn_key"])
_BY_TXN = select(delayed_events).where(_c.user_id == bindparam("of_user"), _c.txn_key == bindparam("txn"))
_BY_ID = select(delayed_events).where(_c.delay_id == bindparam("of"))
_OF = (
    select(delayed_events)
    .where(_c.user_id == bindparam("of_user"), _waits)
    .order_by(_c.started_ms, _c.delay_id)
    .limit(bindparam("count"))
)
_COUNT = select(func.count()).where(_c.user_id == bindparam("of_user"), _waits)
_NEXT_DUE = select(func.min(_c.due_ms)).where(_waits)
_due = (
    select(_c.delay_id)
    .where(_waits, _c.due_ms <= bindparam("now_ms"))
    .order_by(_c.due_ms)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
)
_own_time = _c.started_ms + _c.delay_ms
_until = bindparam("until_ms", type_=BigInteger)
_claim = (
    update(delayed_events)
    .values(due_ms=case((_until == _own_time, _until + 1), else_=_until))  # any time but its own
    .returning(delayed_events)
)
_CLAIM_DUE = _claim.where(_c.delay_id.in_(_due))
_CLAIM_ONE = _claim.where(_c.delay_id == bindparam("of"), _waits)
_RELEASE = update(delayed_events).where(_c.delay_id == bindparam("of"), _waits).values(due_ms=_own_time)
# Nobody is sending it: it has its own time, or whoever claimed it did not send it in time.
_is_free = or_(_c.due_ms == _own_time, _c.due_ms <= bindparam("now_ms"))
_RESTART = (
    update(delayed_events)
    .where(_c.delay_id == bindparam("of"), _waits, _is_free)
    .values(started_ms=bindparam("now_ms"), due_ms=bindparam("now_ms") + _c.delay_ms)
)
_FINISH = (
    update(delayed_events)
    .where(_c.delay_id == bindparam("of"), _waits)
    .values(done_ms=bindparam("now_ms"), outcome=bindparam("result"))
)
_CANCEL = _FINISH.where(_is_free)
_old = select(_c.delay_id).where(_c.done_ms < bindparam("before_ms")).limit(bindparam("count"))
_DROP = delete(delayed_events).where(_c.delay_id.in_(_old))
_DROP_OF_USERS = delete(delayed_events).where(_c.user_id.in_(bindparam("user_ids", expanding=True)))


async def add(conn: AsyncConnection, row: DelayedRow) -> DelayedRow:
    """Insert a delayed event; returns it, or the one that the same transaction id made before."""
    values = {name: getattr(row, name) for name in DelayedRow.__slots__}
    await conn.execute(_ADD.on(conn), [values])
    found = await by_txn(conn, row.user_id, row.txn_key)
    if found is None:
        raise LookupError("a delayed event is not there right after it was written")
    return found


async def by_txn(conn: AsyncConnection, user_id: UserId, txn_key: str) -> DelayedRow | None:
    """The delayed event that a transaction id of a user made."""
    row = (await conn.execute(_BY_TXN, {"of_user": user_id, "txn": txn_key})).one_or_none()
    return None if row is None else _row(row)


async def find(conn: AsyncConnection, delay_id: str) -> DelayedRow | None:
    """A delayed event by its id, waiting or finished."""
    row = (await conn.execute(_BY_ID, {"of": delay_id})).one_or_none()
    return None if row is None else _row(row)


async def waiting_of(conn: AsyncConnection, user_id: UserId, limit: int) -> list[DelayedRow]:
    """A user's waiting delayed events, in the order in which their delays began."""
    return [_row(row) for row in await conn.execute(_OF, {"of_user": user_id, "count": limit})]


async def count_waiting(conn: AsyncConnection, user_id: UserId) -> int:
    """How many delayed events of a user wait."""
    return (await conn.execute(_COUNT, {"of_user": user_id})).scalar_one()


async def next_due_ms(conn: AsyncConnection) -> int | None:
    """When the next delayed event of all is due; None if none waits."""
    return cast("int | None", (await conn.execute(_NEXT_DUE)).scalar_one())


async def claim_due(conn: AsyncConnection, *, now_ms: int, until_ms: int, limit: int) -> list[DelayedRow]:
    """Claim due events and return them as they were; no other worker gets them before `until_ms`."""
    rows = await conn.execute(_CLAIM_DUE, {"now_ms": now_ms, "until_ms": until_ms, "count": limit})
    return sorted(
        (_row(row) for row in rows), key=lambda row: (row.started_ms + row.delay_ms, row.created_ms)
    )


async def claim(conn: AsyncConnection, delay_id: str, until_ms: int) -> DelayedRow | None:
    """Claim an event before it is due; None if it does not wait any more."""
    row = (await conn.execute(_CLAIM_ONE, {"of": delay_id, "until_ms": until_ms})).one_or_none()
    return None if row is None else _row(row)


async def release(conn: AsyncConnection, delay_id: str) -> None:
    """Give up a claim: the event is due again when it was before."""
    await conn.execute(_RELEASE, {"of": delay_id})


async def restart(conn: AsyncConnection, delay_id: str, now_ms: int) -> bool:
    """Restart an event's delay; False if it does not wait any more, or is being sent."""
    return (await conn.execute(_RESTART, {"of": delay_id, "now_ms": now_ms})).rowcount == 1


async def cancel(conn: AsyncConnection, delay_id: str, outcome: str, now_ms: int) -> bool:
    """Store that an event was cancelled; False if it does not wait any more, or is being sent."""
    values = {"of": delay_id, "result": outcome, "now_ms": now_ms}
    return (await conn.execute(_CANCEL, values)).rowcount == 1


async def finish(conn: AsyncConnection, delay_id: str, outcome: str, now_ms: int) -> None:
    """Store the outcome of an event, if it still waits."""
    await conn.execute(_FINISH, {"of": delay_id, "result": outcome, "now_ms": now_ms})


async def drop_before(conn: AsyncConnection, before_ms: int, limit: int) -> None:
    """Delete up to `limit` events that finished before a time."""
    await conn.execute(_DROP, {"before_ms": before_ms, "count": limit})


async def drop_of_users(conn: AsyncConnection, user_ids: Collection[UserId]) -> None:
    """Delete all delayed events of these users, waiting or finished."""
    await conn.execute(_DROP_OF_USERS, {"user_ids": list(user_ids)})


def _row(row: Row[*tuple[Any, ...]]) -> DelayedRow:
    return DelayedRow(*row)
