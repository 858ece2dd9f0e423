"""Shared by all commands: reading the settings, running async work, and reporting errors without a traceback."""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import orjson
import typer
from sqlalchemy.exc import DBAPIError

from homeserver import logs
from homeserver.errors import HomeserverError
from homeserver.settings.load import Unreadable, load, read_secret
from homeserver.settings.models import LogSettings, Settings
from homeserver.settings.tree import SettingsError

log = logging.getLogger(__name__)

T = TypeVar("T")

BAD_SETTINGS = 2
FAILED = 1
MAX_PASSWORD_LINE = 4096

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Settings file; without it homeserver.yaml of this folder, if there is one.",
        show_default=False,
    ),
]
PasswordFileOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="File with the password on its first line; - for standard input. Without it you are asked.",
        show_default=False,
    ),
]


def settings_from(path: Path | None) -> Settings:
    """The settings; errors in them are printed, and the program exits with status 2."""
    try:
        return load(path)
    except SettingsError as error:
        for problem in error.problems:
            typer.secho(str(problem), err=True, fg=typer.colors.RED)
        raise typer.Exit(BAD_SETTINGS) from None


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine. Log warnings of the services go to standard error."""
    logs.setup(LogSettings(level="warning"))
    return guarded(lambda: asyncio.run(work))


def guarded(work: Callable[[], T]) -> T:
    """Call `work`; known errors are printed in a sentence, others are logged with a traceback. Exit status 1."""
    try:
        return work()
    except HomeserverError as error:
        fail(error.message)
    except DBAPIError as error:
        fail(f"the database cannot be used: {logs.redact(str(error.orig).strip())}")
    except OSError as error:
        fail(logs.redact(str(error)))
    except Exception:
        log.exception("a bug")
        raise typer.Exit(FAILED) from None


def fail(message: str) -> NoReturn:
    """Print an error and exit with status 1."""
    typer.secho(message, err=True, fg=typer.colors.RED)
    raise typer.Exit(FAILED)


def new_password(path: Path | None) -> str:
    """A password from a file, standard input or a prompt (asked twice), never from the command line."""
    if path is None:
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt="Again"))
    if str(path) == "-":
        text = sys.stdin.readline(MAX_PASSWORD_LINE)
    else:
        try:
            text = read_secret(path)
        except Unreadable as error:
            fail(f"{path} {error}")
    password = text.splitlines()[0] if text else ""
    if not password:
        fail("the password is empty")
    return password


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines with aligned columns. Nothing is cut: the output may be read by a program."""
    lines = [[logs.one_line(cell) for cell in row] for row in rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def show(rows: Sequence[Mapping[str, object]], head: Sequence[str], *, as_json: bool) -> None:
    """Print a list: one JSON object per line for programs, or columns below their headings."""
    if as_json:
        for row in rows:
            typer.echo(orjson.dumps(row))
        return
    for line in columns([head, *([str(value) for value in row.values()] for row in rows)]):
        typer.echo(line)


def utc(ms: int) -> str:
    """A timestamp as lists show it, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
