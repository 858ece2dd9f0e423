"""Commands for registration tokens, which new users need where `matrix.registration_needs_token` is set."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from homeserver.app import build
from homeserver.cli.common import ConfigOption, run, settings_from, show, utc
from homeserver.lifecycle import working
from homeserver.services.auth.registration import RegistrationTokens
from homeserver.settings.models import Settings
from homeserver.storage.uia import RegistrationToken

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke tokens that let people make an account.")

_DAY_S = 86_400


@asynccontextmanager
async def _tokens(settings: Settings) -> AsyncIterator[RegistrationTokens]:
    hs = build(settings)
    async with working(hs):
        yield hs.auth.registration_tokens


@app.command("create")
def create(
    token: Annotated[
        str | None, typer.Option("--token", help="The token itself; without it one is made up.")
    ] = None,
    uses: Annotated[
        int | None, typer.Option("--uses", min=1, max=1_000_000, help="How many accounts it is good for.")
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=3650, help="How long it is good; without it, for ever.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Create a token and print it, alone on standard output."""
    settings = settings_from(config)

    async def work() -> RegistrationToken:
        async with _tokens(settings) as tokens:
            ttl_s = None if days is None else days * _DAY_S
            return await tokens.create(token=token, uses=uses, ttl_s=ttl_s)

    made = run(work())
    typer.echo(made.token)
    if not settings.matrix.registration_needs_token:
        typer.echo("nobody is asked for tokens: matrix.registration_needs_token is off", err=True)


@app.command("list")
def list_tokens(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    config: ConfigOption = None,
) -> None:
    """List all tokens, the oldest first."""
    settings = settings_from(config)

    async def work() -> list[RegistrationToken]:
        async with _tokens(settings) as tokens:
            return await tokens.listing()

    rows = [_row(token) for token in run(work())]
    show(rows, ["token", "used", "of", "created", "ends"], as_json=as_json)


@app.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="The token.")],
    config: ConfigOption = None,
) -> None:
    """Revoke a token at once; accounts that were made with it stay."""
    settings = settings_from(config)

    async def work() -> None:
        async with _tokens(settings) as tokens:
            await tokens.revoke(token)

    run(work())
    typer.echo(f"{token} is revoked")


def _row(token: RegistrationToken) -> dict[str, str]:
    return {
        "token": token.token,
        "used": str(token.uses),
        "of": "any" if token.uses_allowed is None else str(token.uses_allowed),
        "created": utc(token.created_ms),
        "ends": "never" if token.expires_ms is None else utc(token.expires_ms),
    }
