"""Commands for the server itself: run, migrate, check-config, generate-config."""

import logging
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from homeserver import logs
from homeserver.cli.common import ConfigOption, fail, guarded, run, settings_from
from homeserver.lifecycle import serve
from homeserver.settings import reference
from homeserver.settings.advice import advice
from homeserver.storage import migrate
from homeserver.storage.db import database_url

log = logging.getLogger(__name__)


def run_server(config: ConfigOption = None) -> None:
    """Run the server until it gets SIGTERM or SIGINT (Ctrl-C).

    Requests in progress may finish within listen.shutdown_grace_s.
    """
    settings = settings_from(config)
    logs.setup(settings.logs, queued=True)
    for sentence in advice(settings):
        log.warning("%s", sentence)
    log.info("homeserver %s for %s starts", version("homeserver"), settings.server.name)
    guarded(lambda: uvloop.run(serve(settings)))
    log.info("stopped")


def migrate_tables(
    config: ConfigOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; status 1 if the tables are not up to date.")
    ] = False,
) -> None:
    """Upgrade the database to the newest tables.

    The upgrade happens as a whole or not at all; an SQLite file with data is first copied to a file beside it.
    """
    settings = settings_from(config)
    settings.server.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = database_url(settings.database, settings.server.data_dir)
    changed = run(migrate.upgrade(url, allowed=not check))
    typer.echo("the tables are now up to date" if changed else "the tables were up to date")


def check_config(config: ConfigOption = None) -> None:
    """Check the settings: print errors (status 2) and warnings."""
    settings = settings_from(config)
    questions = advice(settings)
    for sentence in questions:
        typer.secho(f"look again: {sentence}", fg=typer.colors.YELLOW)
    typer.secho("the settings are good", fg=typer.colors.GREEN)


def generate_config(
    server_name: Annotated[
        str, typer.Option("--server-name", metavar="NAME", help="The right half of all ids, for ever.")
    ] = "localhost",
    public_url: Annotated[
        str,
        typer.Option("--public-url", metavar="URL", help="The address under which people reach the server."),
    ] = "http://127.0.0.1:8008",
    everything: Annotated[
        bool, typer.Option("--all", help="The reference: all settings with their defaults.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="JSON Schema of the settings, for editors.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write to a new file instead of standard output."
        ),
    ] = None,
) -> None:
    """Print a minimal settings file, the reference of all settings, or their JSON Schema."""
    if everything and schema:
        fail("--all and --schema are two different files; ask for one")
    if schema:
        text = reference.schema_json()
    elif everything:
        text = reference.reference_yaml()
    else:
        text = reference.smallest_yaml(server_name, public_url)
    if output is None:
        Console(highlight=False, soft_wrap=True, markup=False, emoji=False).print(text, end="")
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror or error}")
