"""History that was fetched: below all that was there, and never in the log. It is paged through as any other."""

from collections.abc import Sequence
from urllib.parse import quote

import pytest
from sqlalchemy import delete, select, update

from homeserver.app import Homeserver
from homeserver.protocol.ids import EventId
from homeserver.storage import events as stored
from homeserver.storage.schema.timeline import events, log, relations
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, texts

OLD = ["o0", "o1", "o2", "o3", "o4"]
NEW = ["n0", "n1", "n2"]


async def make_fetched(hs: Homeserver, event_ids: Sequence[str]) -> None:
    """Turn a room's events into history that was fetched afterwards, in their order."""
    async with hs.core.db.write() as conn:
        found = await conn.execute(
            select(events.c.event_id, events.c.position)
            .where(events.c.event_id.in_(event_ids))
            .order_by(events.c.position.desc())
        )
        for place, row in enumerate(found.all(), 1):
            await conn.execute(
                update(events)
                .where(events.c.event_id == row.event_id)
                .values(position=None, timeline_order=-place, shown=False)
            )
            await conn.execute(
                update(relations).where(relations.c.event_id == row.event_id).values(position=-place)
            )
            await conn.execute(delete(log).where(log.c.position == row.position))


@pytest.fixture
async def room(hs: Homeserver, alice: Client) -> tuple[str, dict[str, str]]:
    """A room of which all that is old was fetched; the ids of its messages by their texts."""
    room_id = await create(alice)
    ids = {text: await say(alice, room_id, text) for text in OLD}
    async with hs.core.db.read() as conn:
        first = (await conn.execute(select(events.c.event_id).where(events.c.room_id == room_id))).scalars()
        fetched = list(first)
    ids |= {text: await say(alice, room_id, text) for text in NEW}
    await make_fetched(hs, fetched)
    return room_id, ids


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_pages_lead_back_and_forth_through_it(
    alice: Client, room: tuple[str, dict[str, str]], limit: int
) -> None:
    room_id, _ = room
    for direction, wanted in (("b", [*OLD, *NEW][::-1]), ("f", [*OLD, *NEW])):
        read: list[str] = []
        token: dict[str, str] = {}
        while True:
            query = {"dir": direction, "limit": limit, **token}
            page = await alice.call("GET", path(room_id, "messages"), params=query)
            read += texts(page["chunk"])
            if "end" not in page:
                break
            token = {"from": page["end"]}
        assert read == wanted


async def test_an_old_event_is_found_with_what_is_around_it(
    alice: Client, room: tuple[str, dict[str, str]]
) -> None:
    room_id, ids = room
    around = await alice.call("GET", path(room_id, f"context/{quote(ids['o4'])}"), params={"limit": 4})
    assert texts([around["event"]]) == ["o4"]
    assert texts(around["events_before"]) == ["o3", "o2"]
    assert texts(around["events_after"]) == ["n0", "n1"]
    earlier = {"dir": "b", "from": around["start"], "limit": 2}
    assert texts((await alice.call("GET", path(room_id, "messages"), params=earlier))["chunk"]) == [
        "o1",
        "o0",
    ]
    later = {"dir": "f", "from": around["end"]}
    assert texts((await alice.call("GET", path(room_id, "messages"), params=later))["chunk"]) == ["n2"]


async def test_a_client_that_begins_sees_it_and_one_that_goes_on_hears_nothing_of_it(
    hs: Homeserver, alice: Client, room: tuple[str, dict[str, str]]
) -> None:
    room_id, ids = room
    first = await alice.call("GET", "sync", params={"filter": '{"room":{"timeline":{"limit":4}}}'})
    timeline = first["rooms"]["join"][room_id]["timeline"]
    assert texts(timeline["events"]) == ["o4", *NEW]
    earlier = {"dir": "b", "from": timeline["prev_batch"], "limit": 2}
    assert texts((await alice.call("GET", path(room_id, "messages"), params=earlier))["chunk"]) == [
        "o3",
        "o2",
    ]
    await say(alice, room_id, "n3")
    then = await alice.call("GET", "sync", params={"since": first["next_batch"]})
    assert texts(then["rooms"]["join"][room_id]["timeline"]["events"]) == ["n3"]
    async with hs.core.db.read() as conn:
        found = await stored.events_by_id(conn, [EventId(one) for one in ids.values()])
    assert {one.event.content["body"] for one in found.values() if one.position is None} == set(OLD)


async def test_it_is_read_already(alice: Client, room: tuple[str, dict[str, str]]) -> None:
    room_id, ids = room
    for kind in ("m.read", "m.read.private", "m.fully_read"):
        await alice.call("POST", path(room_id, f"receipt/{kind}/{quote(ids['o1'])}"), body={})
    read = {"m.fully_read": ids["o1"], "m.read": ids["o2"]}
    await alice.call("POST", path(room_id, "read_markers"), body=read)


async def test_it_can_be_edited_and_redacted(alice: Client, room: tuple[str, dict[str, str]]) -> None:
    room_id, ids = room
    edit = {"m.new_content": {"msgtype": "m.text", "body": "better"}}
    relation = {"m.relates_to": {"rel_type": "m.replace", "event_id": ids["o1"]}}
    await say(alice, room_id, "* better", **edit, **relation)
    event = await alice.call("GET", path(room_id, f"event/{quote(ids['o1'])}"))
    bundled = event["unsigned"]["m.relations"]["m.replace"]
    assert bundled["content"]["m.new_content"]["body"] == "better"
    for text in ("o1", "o2"):
        await alice.call("PUT", path(room_id, f"redact/{quote(ids[text])}/t{text}"), body={})
        gone = await alice.call("GET", path(room_id, f"event/{quote(ids[text])}"))
        assert gone["content"] == {}


async def test_the_replies_of_a_fetched_thread_keep_their_order(hs: Homeserver, alice: Client) -> None:
    room_id = await create(alice)
    root = await say(alice, room_id, "root")
    thread = {"m.relates_to": {"rel_type": "m.thread", "event_id": root}}
    old = [await say(alice, room_id, text, **thread) for text in OLD]
    await make_fetched(hs, [root, *old])
    event = await alice.call("GET", path(room_id, f"event/{quote(root)}"))
    summary = event["unsigned"]["m.relations"]["m.thread"]
    assert (summary["count"], texts([summary["latest_event"]])) == (len(OLD), OLD[-1:]), (
        "all of it was fetched"
    )
    for text in NEW:
        await say(alice, room_id, text, **thread)
    related = path(room_id, f"relations/{quote(root)}/m.thread", "v1")
    for direction, wanted in (("b", [*OLD, *NEW][::-1]), ("f", [*OLD, *NEW])):
        read: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = await alice.call("GET", related, params={"dir": direction, "limit": 2, **token})
            read += texts(page["chunk"])
            if "next_batch" not in page:
                break
            token = {"from": page["next_batch"]}
        assert read == wanted
    threads = await alice.call("GET", path(room_id, "threads", "v1"))
    assert texts(threads["chunk"]) == ["root"]
