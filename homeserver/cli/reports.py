"""Commands for reports, and for the reported messages."""

from typing import Annotated

import orjson
import typer

from homeserver.app import build
from homeserver.cli.common import ConfigOption, columns, run, settings_from, utc
from homeserver.lifecycle import working
from homeserver.model import Page, Person
from homeserver.protocol.ids import EventId
from homeserver.services.moderation.reports import Report

app = typer.Typer(no_args_is_help=True, help="See what people reported, and close it.")
messages = typer.Typer(no_args_is_help=True, help="Remove messages.")

MAX_LISTED = 10_000


@app.command("list")
def list_reports(
    with_closed: Annotated[bool, typer.Option("--all", help="Closed reports too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MAX_LISTED, help="Most reports to show.")] = 100,
    offset: Annotated[int, typer.Option("--offset", min=0, help="Reports to pass over.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    config: ConfigOption = None,
) -> None:
    """List open reports, the oldest first: message, sender, room and time, and who reported it."""
    settings = settings_from(config)

    async def work() -> list[Report]:
        hs = build(settings)
        async with working(hs):
            return await hs.moderation.reports.listing(
                Page(limit=limit, offset=offset), with_closed=with_closed
            )

    rows = [_row(report) for report in run(work())]
    if as_json:
        for row in rows:
            typer.echo(orjson.dumps(row))
        return
    head = ["report", "time", "sender", "name", "text", "message", "room", "title", "reporter", "reason"]
    head += ["standing", "outcome"]
    for line in columns([head, *(_cells(row) for row in rows)]):
        typer.echo(line)


@app.command("close")
def close(
    number: Annotated[int, typer.Argument(metavar="REPORT", min=1, help="Its number in the list.")],
    outcome: Annotated[str, typer.Option("--outcome", help="What came of it, for later readers.")] = "",
    config: ConfigOption = None,
) -> None:
    """Close a report; nothing happens to the message."""
    settings = settings_from(config)

    async def work() -> None:
        hs = build(settings)
        async with working(hs):
            await hs.moderation.reports.close(number, outcome)

    run(work())
    typer.echo(f"report {number} is closed")


@messages.command("remove")
def remove(
    event_id: Annotated[
        str,
        typer.Argument(metavar="MESSAGE", help="The message's event id, as the list of reports shows it."),
    ],
    config: ConfigOption = None,
) -> None:
    """Redact a message with its edits and files for all users, at once, and close the reports about it."""
    settings = settings_from(config)

    async def work() -> None:
        hs = build(settings)
        async with working(hs):
            await hs.admin.rooms.remove_message(EventId(event_id))

    run(work())
    typer.echo(f"{event_id} is removed")


def _row(report: Report) -> dict[str, str | int | None]:
    """A row of the list. `text` is None for a redacted message, `reporter` empty for a match of the word list."""
    row = report.row
    return {
        "report": row.report_id,
        "time": utc(row.created_ms),
        "sender": row.sender,
        "sender_name": _name(report.sender),
        "text": report.text,
        "event_id": row.event_id,
        "room_id": row.room_id,
        "room_name": report.room_name,
        "reporter": row.reporter,
        "reason": row.reason,
        "standing": "open" if row.closed_ms is None else f"closed {utc(row.closed_ms)}",
        "outcome": row.outcome,
    }


def _cells(row: dict[str, str | int | None]) -> list[str]:
    shown = {**row, "reporter": row["reporter"] or "(word list)"}
    what = {"!": "(the room)", "@": "(the person)"}.get(str(row["event_id"])[:1])
    if what is not None and row["text"] is None:
        shown["text"] = what
    return ["(deleted)" if value is None else str(value) for value in shown.values()]


def _name(person: Person | None) -> str:
    return person.display_name if person is not None else ""
