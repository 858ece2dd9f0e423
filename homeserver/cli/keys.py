"""Commands for the server's own keys."""

from enum import StrEnum
from typing import Annotated

import typer

from homeserver.cli.common import ConfigOption, fail, settings_from
from homeserver.settings import secrets
from homeserver.settings.secrets import BadKeys, ServerKeys

app = typer.Typer(no_args_is_help=True, help="Show or replace the server's own keys (in data_dir/keys).")


class KeyName(StrEnum):
    """The keys that can be rotated."""

    SIGNING = "signing"
    ACCESS = "access-token"
    MEDIA_URL = "media-url"


_ROTATE = {
    KeyName.SIGNING: (secrets.rotate_signing, "Events are signed with a new key; the old one stays known."),
    KeyName.ACCESS: (
        secrets.rotate_access_token,
        "All access and refresh tokens are refused from then on: everybody must log in again.",
    ),
    KeyName.MEDIA_URL: (
        secrets.rotate_media_url,
        "All addresses of files that were given out are refused from then on; clients get new ones with the messages.",
    ),
}


@app.command("show")
def show(config: ConfigOption = None) -> None:
    """Print the ids and public halves of the signing keys; secrets are never printed.

    Makes the keys if there are none yet.
    """
    settings = settings_from(config)
    try:
        keys = secrets.open_keys(settings.server.data_dir)
    except BadKeys as error:
        fail(error.message)
    _print(keys)


@app.command("rotate")
def rotate(
    name: Annotated[KeyName, typer.Argument(help="Which key.")],
    config: ConfigOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Replace a key. A running server uses it from its next start on."""
    settings = settings_from(config)
    replace, consequence = _ROTATE[name]
    typer.echo(consequence)
    if not yes:
        typer.confirm("Replace it?", abort=True)
    try:
        keys = replace(settings.server.data_dir)
    except BadKeys as error:
        fail(error.message)
    typer.echo("Replaced; start the server anew to use it.")
    _print(keys)


def _print(keys: ServerKeys) -> None:
    typer.echo(f"{keys.signing.key_id} {keys.signing.verify_key_base64} (signs)")
    for old in keys.old_signing:
        typer.echo(f"{old.key.key_id} {old.key.verify_key_base64} (old)")
