"""What is kept of rooms for those outside: as it is written, and as it was made up for rooms that were there before."""

import importlib.util
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, select

from homeserver.app import Homeserver
from homeserver.model import Draft
from homeserver.protocol.ids import UserId
from homeserver.storage.schema import room_summaries

OWN = UserId("@alice:test.example")


async def make_room(hs: Homeserver, *more: tuple[str, dict[str, Any]]) -> None:
    drafts = [
        Draft("m.room.create", OWN, {"room_version": "11", "type": "m.space"}, state_key=""),
        Draft("m.room.member", OWN, {"membership": "join"}, state_key=OWN),
        *(Draft(kind, OWN, content, state_key="") for kind, content in more),
    ]
    await hs.core.timeline.create_room(drafts, version="11", kind="group")


def fill(connection: Connection) -> None:
    """What the revision does to rooms that are there."""
    file = Path(__file__).parents[2] / "migrations" / "versions"
    (path,) = file.glob("*_directory.py")
    spec = importlib.util.spec_from_file_location("revision", path)
    assert spec is not None
    assert spec.loader is not None
    revision = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(revision)
    revision.fill(connection)


async def test_rooms_that_were_there_before_get_the_same(hs: Homeserver) -> None:
    allow = [{"type": "m.room_membership", "room_id": "!club:test.example"}, "nonsense"]
    await make_room(hs)
    await make_room(
        hs,
        ("m.room.join_rules", {"join_rule": "public"}),
        ("m.room.join_rules", {"join_rule": "restricted", "allow": allow}),
        ("m.room.history_visibility", {"history_visibility": "world_readable"}),
        ("m.room.guest_access", {"guest_access": "can_join"}),
        ("m.room.canonical_alias", {"alias": "#ÄB:test.example"}),
        ("m.room.avatar", {"url": "mxc://test.example/a"}),
        ("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"}),
        ("m.room.name", {"name": "Ёлка"}),
        ("m.room.topic", {"topic": "T"}),
    )
    await make_room(hs, ("m.room.join_rules", {"join_rule": 1}), ("m.room.avatar", {"url": ["x"]}))
    everything = select(room_summaries).order_by(room_summaries.c.room_id)
    async with hs.core.db.write() as conn:
        written = (await conn.execute(everything)).all()
        await conn.execute(delete(room_summaries))
        await conn.run_sync(fill)
        filled = (await conn.execute(everything)).all()
    assert len(written) == 3
    assert filled == written
