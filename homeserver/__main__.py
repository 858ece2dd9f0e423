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
    pretty_exceptions_enable=False,  # rich tracebacks show values of variables, which may be secrets
    help="A federated chat homeserver. Settings come from a YAML file and from HOMESERVER__SECTION__KEY variables.",
)
app.command("run")(server.run_server)
app.command("migrate")(server.migrate_tables)
app.command("check-config")(server.check_config)
app.command("generate-config")(server.generate_config)
app.command("verify-room")(rooms.verify)
app.add_typer(users.app, name="user")
app.add_typer(users.app, name="users", hidden=True)  # alias, as all other groups have plural names
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
    os.umask(0o077)  # database and media are for no other system user, whatever the folder's mode
    app()


if __name__ == "__main__":
    main()
