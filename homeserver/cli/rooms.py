"""Commands for rooms."""

from typing import Annotated

import typer

from homeserver.app import build
from homeserver.cli.common import ConfigOption, fail, run, settings_from
from homeserver.lifecycle import working
from homeserver.protocol.ids import RoomId
from homeserver.settings.models import Settings
from homeserver.settings.secrets import open_keys
from homeserver.storage.db import Database, database_url
from homeserver.storage.migrate import upgrade
from homeserver.timeline.verify import verify_room

MAX_FAULTS_SHOWN = 100

app = typer.Typer(no_args_is_help=True, help="Close rooms.")

RoomArgument = Annotated[
    str, typer.Argument(metavar="ROOM_ID", help="The room's Matrix id, e.g. '!abc:example.org'.")
]


def verify(
    room_id: RoomArgument,
    config: ConfigOption = None,
) -> None:
    """Check a room's whole history: ids, hashes, signatures, permissions and stored state.

    Changes nothing and may run beside the server. Status 1 if anything is wrong.
    """
    settings = settings_from(config)
    count = run(_verify(settings, RoomId(room_id)))
    if count:
        fail(f"{room_id}: {count} {'fault' if count == 1 else 'faults'}")
    typer.echo(f"{room_id}: all is well")


async def _verify(settings: Settings, room_id: RoomId) -> int:
    """Print the first faults as they are found; returns the number of all faults."""
    data_dir = settings.server.data_dir
    keys = open_keys(data_dir)
    own = {key.key_id: key.verify_key for key in (keys.signing, *(old.key for old in keys.old_signing))}
    db = Database(database_url(settings.database, data_dir), settings.database)
    count = 0
    try:
        await upgrade(db.url, allowed=False)
        async for fault in verify_room(db, room_id, {settings.server.name: own}):
            count += 1
            if count <= MAX_FAULTS_SHOWN:
                typer.echo(f"{fault.event_id or room_id}: {fault.what}")
    finally:
        await db.close()
    return count


@app.command("close")
def close(
    room_id: RoomArgument,
    config: ConfigOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Close a room for all its members, at once and for good. Its messages are not deleted."""
    settings = settings_from(config)
    if not yes:
        typer.confirm(f"Close {room_id} for good?", abort=True)

    async def work() -> None:
        hs = build(settings)
        async with working(hs):
            await hs.admin.rooms.close_room(RoomId(room_id))

    run(work())
    typer.echo(f"{room_id} is closed")
