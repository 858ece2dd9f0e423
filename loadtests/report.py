"""Results as a table for people and as JSON for machines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from loadtests.figures import Result, Spread
from loadtests.procs import Machine

_PLACES = {"messages/s": 0, "p50 ms": 1, "p99 ms": 1, "CPU s/1000": 2, "generator CPU %": 0}


def show(machine: Machine, results: Sequence[Result], idle_mib: dict[str, float]) -> None:
    """Print the machine and the figures: medians of the rounds, with the least and the greatest."""
    console = Console(width=150)
    console.print(
        f"{machine.cores} cores ({machine.processor}), load average at start {machine.load_average:.1f}"
    )
    table = Table(title="median (least-greatest) of the rounds; CPU of the server with its database")
    for name in ("scenario", "database", *_PLACES, "events/commit", "statements/msg", "RSS MiB", "peak"):
        table.add_column(name, justify="left" if name in ("scenario", "database") else "right")
    for one in results:
        table.add_row(*_row(one))
    console.print(table)
    for database, mib in idle_mib.items():
        console.print(f"{database}: {mib:.0f} MiB resident after the start, before any request")
    for one in results:
        for note in one.notes:
            console.print(f"{one.scenario} on {one.database}: {note}")
        for problem in one.problems:
            console.print(f"[red]{one.scenario} on {one.database}: {problem}")


def write_json(path: Path, machine: Machine, results: Sequence[Result], idle_mib: dict[str, float]) -> None:
    """The same for machines."""
    path.write_bytes(
        orjson.dumps(
            {
                "machine": {
                    "cores": machine.cores,
                    "load_average": machine.load_average,
                    "processor": machine.processor,
                },
                "idle_mib": idle_mib,
                "results": [_record(one) for one in results],
            },
            option=orjson.OPT_INDENT_2,
        )
    )


def _row(one: Result) -> list[str]:
    spreads = one.spreads()
    figures = [_text(spreads[name], places) if name in spreads else "-" for name, places in _PLACES.items()]
    now, peak = one.memory_mib
    return [
        one.scenario,
        one.database,
        *figures,
        f"{one.events_per_transaction:.1f}",
        f"{one.statements_per_message:.2f}",
        f"{now:.0f}",
        f"{peak:.0f}",
    ]


def _text(spread: Spread, places: int) -> str:
    median, low, high = (f"{value:,.{places}f}" for value in spread)
    return f"{median} ({low}-{high})"


def _record(one: Result) -> dict[str, Any]:
    return {
        "scenario": one.scenario,
        "database": one.database,
        "figures": {name: spread._asdict() for name, spread in one.spreads().items()},
        "events_per_transaction": one.events_per_transaction,
        "statements_per_message": one.statements_per_message,
        "memory_mib": {"now": one.memory_mib[0], "peak": one.memory_mib[1]},
        "problems": one.problems,
        "notes": one.notes,
    }
