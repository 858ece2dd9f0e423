"""The command line: `homeserver VERB`, or `python -m homeserver VERB`."""

import os
from importlib.metadata import version
from typing import Annotated

import typer

from homeserver.cli import keys, registrationtokens, reports, rooms, server, servicekeys, users

app = typer.Typer(
    name="homeserver",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # their boxes show the values of variables, and those may be secrets
    help="A federated chat homeserver. Settings come from a YAML file and from HOMESERVER__SECTION__KEY variables.",
)
app.command("run")(server.run_server)
app.command("migrate")(server.migrate_tables)
app.command("check-config")(server.check_config)
app.command("generate-config")(server.generate_config)
app.command("verify-room")(rooms.verify)
app.add_typer(users.app, name="user")
app.add_typer(users.app, name="users", hidden=True)  # the other groups are named in the plural
app.add_typer(rooms.app, name="rooms")
app.add_typer(reports.messages, name="messages")
app.add_typer(reports.app, name="reports")
app.add_typer(keys.app, name="keys")
app.add_typer(servicekeys.app, name="service-keys")
app.add_typer(registrationtokens.app, name="registration-tokens")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("homeserver"))
        raise typer.Exit


@app.callback()
def _all_verbs(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end."),
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Entry point of the `homeserver` script."""
    os.umask(0o077)  # the database and people's files are for nobody else, whatever the folder allows
    app()


if __name__ == "__main__":
    main()
