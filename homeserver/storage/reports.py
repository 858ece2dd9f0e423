"""Reports for the admins: messages, rooms or users reported by a user, or messages found by the word list."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.storage.dialect import Upsert
from homeserver.storage.schema.safety import reports


@dataclass(frozen=True, slots=True)
class NewReport:
    """A report to be inserted. An empty `reporter` is the word list."""

    room_id: RoomId
    event_id: EventId
    sender: UserId
    reporter: UserId
    reason: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A report; closed from `closed_ms` on, with its outcome."""

    report_id: int
    room_id: RoomId
    event_id: EventId
    sender: UserId
    reporter: UserId
    reason: str
    created_ms: int
    closed_ms: int | None
    outcome: str


_KEY = ["event_id", "reporter"]
_ADD = Upsert(reports, _KEY)
_ADD_ANEW = Upsert(reports, _KEY, ["reason", "created_ms", "closed_ms", "outcome"])
_page = select(reports).order_by(reports.c.report_id).limit(bindparam("count")).offset(bindparam("skip"))
_ALL = _page
_OPEN = _page.where(reports.c.closed_ms.is_(None))
_close = update(reports).values(closed_ms=bindparam("now_ms"), outcome=bindparam("result"))
_CLOSE = _close.where(reports.c.report_id == bindparam("of"), reports.c.closed_ms.is_(None))
_CLOSE_OF_EVENTS = _close.where(reports.c.event_id == bindparam("of"), reports.c.closed_ms.is_(None))


async def add_reports(conn: AsyncConnection, new: Sequence[NewReport]) -> None:
    """Insert reports; a user's existing report of the same thing stays unchanged."""
    await conn.execute(_ADD.on(conn), [_row(one) for one in new])


async def add_reports_anew(conn: AsyncConnection, new: Sequence[NewReport]) -> None:
    """Insert reports; an existing one is opened again, with the new reason."""
    await conn.execute(_ADD_ANEW.on(conn), [{**_row(one), "closed_ms": None, "outcome": ""} for one in new])


async def list_reports(
    conn: AsyncConnection, *, with_closed: bool, limit: int, offset: int
) -> list[ReportRow]:
    """Reports, oldest first."""
    statement = _ALL if with_closed else _OPEN
    return [_report(row) for row in await conn.execute(statement, {"count": limit, "skip": offset})]


async def close_report(conn: AsyncConnection, report_id: int, outcome: str, now_ms: int) -> bool:
    """Close an open report; False if there is no such open report."""
    values = {"of": report_id, "result": outcome, "now_ms": now_ms}
    return (await conn.execute(_CLOSE, values)).rowcount == 1


async def close_reports_of(
    conn: AsyncConnection, event_ids: Collection[EventId], outcome: str, now_ms: int
) -> None:
    """Close all open reports about these messages."""
    rows = [{"of": event_id, "result": outcome, "now_ms": now_ms} for event_id in event_ids]
    await conn.execute(_CLOSE_OF_EVENTS, rows)


def _row(new: NewReport) -> dict[str, Any]:
    return {
        "room_id": new.room_id,
        "event_id": new.event_id,
        "sender": new.sender,
        "reporter": new.reporter,
        "reason": new.reason,
        "created_ms": new.created_ms,
    }


def _report(row: Row[Any]) -> ReportRow:
    return ReportRow(
        report_id=row.report_id,
        room_id=row.room_id,
        event_id=row.event_id,
        sender=row.sender,
        reporter=row.reporter,
        reason=row.reason,
        created_ms=row.created_ms,
        closed_ms=row.closed_ms,
        outcome=row.outcome,
    )
