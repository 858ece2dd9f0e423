"""What is kept of rooms for those outside: as it is written, and as it is made up for rooms that were there before."""

import importlib.util
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, select, update

from homeserver.app import Homeserver
from homeserver.model import Draft
from homeserver.protocol.event import Event
from homeserver.protocol.ids import UserId
from homeserver.storage.schema.directory import room_summaries
from homeserver.storage.schema.timeline import rooms

OWN = UserId("@alice:test.example")


async def make_room(hs: Homeserver, *more: tuple[str, dict[str, Any]]) -> list[Event]:
    """Answers the events of `more`."""
    drafts = [
        Draft("m.room.create", OWN, {"room_version": "11", "type": "m.space"}, state_key=""),
        Draft("m.room.member", OWN, {"membership": "join"}, state_key=OWN),
        *(Draft(kind, OWN, content, state_key="") for kind, content in more),
    ]
    written = await hs.core.timeline.create_room(drafts, version="11", kind="group")
    return [one.event for one in written.events[2:]]


def revision(name: str) -> Any:
    """The module of a revision."""
    file = Path(__file__).parents[2] / "migrations" / "versions"
    (path,) = file.glob(f"*_{name}.py")
    spec = importlib.util.spec_from_file_location("revision", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fill(connection: Connection) -> None:
    """What the revision does to rooms that are there."""
    revision("directory").fill(connection)


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


async def test_what_was_redacted_before_it_was_taken_out_of_lists_goes(hs: Homeserver) -> None:
    everything: list[tuple[str, dict[str, Any]]] = [
        ("m.room.canonical_alias", {"alias": "#secret:test.example"}),
        ("m.room.avatar", {"url": "mxc://test.example/secret"}),
        ("m.room.name", {"name": "Secret"}),
        ("m.room.topic", {"topic": "secret"}),
    ]
    whole, part = await make_room(hs, *everything), await make_room(hs, *everything, *everything)
    at_first = [Draft("m.room.redaction", OWN, {}, redacts=one.event_id) for one in part[:4]]
    await hs.core.timeline.send(part[0].room_id, at_first)  # what was set anew since stays
    tables = select(rooms.c.name, rooms.c.name_folded, rooms.c.topic, room_summaries).join_from(
        rooms, room_summaries, rooms.c.room_id == room_summaries.c.room_id
    )
    own = tables.where(rooms.c.room_id == whole[0].room_id)
    async with hs.core.db.read() as conn:
        old = (await conn.execute(own)).one()
    redactions = [Draft("m.room.redaction", OWN, {}, redacts=one.event_id) for one in whole]
    await hs.core.timeline.send(whole[0].room_id, redactions)
    async with hs.core.db.write() as conn:
        wanted = (await conn.execute(tables.order_by(rooms.c.room_id))).all()
        values = old._asdict()
        for table in (rooms, room_summaries):  # as it was left there
            held = {column.name: values[column.name] for column in table.c if column.name in values}
            await conn.execute(update(table).where(table.c.room_id == whole[0].room_id).values(held))
        assert (await conn.execute(own)).one() == old
        await conn.run_sync(revision("old_redactions").clean)
        assert (await conn.execute(tables.order_by(rooms.c.room_id))).all() == wanted
    assert "secret" not in str([row for row in wanted if row.room_id == whole[0].room_id])
    assert "secret" in str([row for row in wanted if row.room_id == part[0].room_id])
