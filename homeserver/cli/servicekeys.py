"""Commands for service keys: credentials of host applications' servers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from homeserver.app import build
from homeserver.cli.common import ConfigOption, run, settings_from, show, utc
from homeserver.lifecycle import working
from homeserver.model import Page
from homeserver.services.auth.servicekeys import NewKey, ServiceKeys
from homeserver.settings.models import Settings
from homeserver.storage.servicekeys import ServiceKey

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke keys of host applications' own servers.")

MAX_LISTED = 10_000


@asynccontextmanager
async def _service_keys(settings: Settings) -> AsyncIterator[ServiceKeys]:
    """The service, with the log open; a running server learns of revoked keys."""
    hs = build(settings)
    async with working(hs):
        yield hs.auth.service_keys


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="For people: which server has the key.")],
    scope: Annotated[
        str, typer.Option("--scope", help="What it is good for: university, messenger, or a bridge's name.")
    ],
    config: ConfigOption = None,
) -> None:
    """Create a key and print it, alone on standard output. It is never shown again."""
    settings = settings_from(config)

    async def work() -> NewKey:
        async with _service_keys(settings) as keys:
            return await keys.create(name, scope)

    made = run(work())
    typer.echo(made.secret)
    typer.echo(
        f"Key {made.stored.key_id} is good for {scope}. Keep it now: only its hash is stored.", err=True
    )


@app.command("list")
def list_keys(
    limit: Annotated[int, typer.Option("--limit", min=1, max=MAX_LISTED, help="Most keys to show.")] = 100,
    offset: Annotated[int, typer.Option("--offset", min=0, help="Keys to pass over.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    config: ConfigOption = None,
) -> None:
    """List all keys, revoked ones included, the oldest first. The secrets are not stored."""
    settings = settings_from(config)

    async def work() -> list[ServiceKey]:
        async with _service_keys(settings) as keys:
            return await keys.listing(Page(limit=limit, offset=offset))

    rows = [_row(key) for key in run(work())]
    show(rows, ["key", "name", "scope", "created", "last used", "standing"], as_json=as_json)


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, as the list shows it.")],
    config: ConfigOption = None,
) -> None:
    """Revoke a key. Running servers reject it within about a second."""
    settings = settings_from(config)

    async def work() -> None:
        async with _service_keys(settings) as keys:
            await keys.revoke(key_id)

    run(work())
    typer.echo(f"{key_id} is revoked")


def _row(key: ServiceKey) -> dict[str, str]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scope": key.scope,
        "created": utc(key.created_ms),
        "last_used": "" if key.used_ms is None else utc(key.used_ms),
        "standing": "active" if key.revoked_ms is None else "revoked",
    }
