"""A relation holds within one room: whoever names an event of another room learns nothing and changes nothing."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say
from tests.api.matrix.synckit import Follower, joined

SECRET = "the secret of the first room"
MALICE = "written by somebody who is not in the first room"


@dataclass
class Rooms:
    """Alice's room with a thread, a reaction and an edit; Mallory's room, from where she aims at Alice's."""

    alice: Client
    mallory: Client
    hers: str
    root: str
    answer: str
    mallorys: str

    async def get(self, client: Client, room_id: str, rest: str, version: str = "v1", **query: Any) -> Any:
        return await client.call("GET", path(room_id, rest, version), params=query)

    async def event(self, event_id: str) -> Any:
        return await self.get(self.alice, self.hers, f"event/{quote(event_id)}", "v3")


@pytest.fixture
async def rooms(nobody: Client) -> Rooms:
    alice, mallory = await nobody.register("alice"), await nobody.register("mallory")
    hers, mallorys = await create(alice), await create(mallory)
    root = await say(alice, hers, SECRET)
    answer = await say(alice, hers, "the answer", **aim("m.thread", root))
    return Rooms(alice, mallory, hers, root, answer, mallorys)


def aim(rel_type: str, event_id: str) -> dict[str, Any]:
    return {"m.relates_to": {"rel_type": rel_type, "event_id": event_id}}


def edit(event_id: str) -> dict[str, Any]:
    return {**aim("m.replace", event_id), "m.new_content": {"msgtype": "m.text", "body": MALICE}}


async def test_threads_of_a_room_begin_in_it(rooms: Rooms) -> None:
    await say(rooms.mallory, rooms.mallorys, MALICE, **aim("m.thread", rooms.root))
    await say(rooms.mallory, rooms.mallorys, "once more", **aim("m.thread", rooms.answer))
    for include in ("all", "participated"):
        told = await rooms.get(rooms.mallory, rooms.mallorys, "threads", include=include)
        assert told["chunk"] == [], include
    own = await say(rooms.mallory, rooms.mallorys, "a root of her own")
    await say(rooms.mallory, rooms.mallorys, "its answer", **aim("m.thread", own))
    told = await rooms.get(rooms.mallory, rooms.mallorys, "threads", include="participated")
    assert [one["event_id"] for one in told["chunk"]] == [own]


async def test_nothing_from_elsewhere_is_bundled_with_an_event(rooms: Rooms) -> None:
    before = await rooms.event(rooms.root)
    for rel_type in ("m.thread", "m.reference", "m.annotation", "org.example.other"):
        await say(rooms.mallory, rooms.mallorys, MALICE, **aim(rel_type, rooms.root))
    await say(rooms.mallory, rooms.mallorys, MALICE, **edit(rooms.root))
    after = await rooms.event(rooms.root)
    assert set(after["unsigned"]["m.relations"]) == set(before["unsigned"]["m.relations"]) == {"m.thread"}
    thread = after["unsigned"]["m.relations"]["m.thread"]
    assert (thread["count"], thread["latest_event"]["event_id"]) == (1, rooms.answer)
    threads = await rooms.get(rooms.alice, rooms.hers, "threads")
    assert [one["event_id"] for one in threads["chunk"]] == [rooms.root]
    assert MALICE not in str(threads)


@pytest.mark.parametrize("recurse", ["true", "false"])
@pytest.mark.parametrize("kind", ["", "/m.thread", "/m.thread/m.room.message"])
async def test_a_page_of_relations_has_those_of_the_room(rooms: Rooms, kind: str, recurse: str) -> None:
    foreign = await say(rooms.mallory, rooms.mallorys, MALICE, **aim("m.thread", rooms.root))
    await say(rooms.mallory, rooms.mallorys, MALICE, **aim("m.reference", foreign))
    await say(rooms.mallory, rooms.mallorys, MALICE, **aim("m.reference", rooms.answer))
    for way in ("f", "b"):
        at = f"relations/{quote(rooms.root)}{kind}"
        told = await rooms.get(rooms.alice, rooms.hers, at, recurse=recurse, dir=way)
        assert [one["event_id"] for one in told["chunk"]] == [rooms.answer]


async def test_a_filter_by_relations_asks_for_those_of_the_room(rooms: Rooms) -> None:
    plain = await say(rooms.alice, rooms.hers, "nobody answers this")
    await say(rooms.mallory, rooms.mallorys, MALICE, **aim("m.reference", plain))
    wanted = '{"related_by_rel_types": ["m.reference"]}'
    told = await rooms.get(rooms.alice, rooms.hers, "messages", "v3", dir="b", filter=wanted)
    assert told["chunk"] == []


async def test_a_thread_is_not_found_through_another_room(rooms: Rooms) -> None:
    """Mallory's event relates to Alice's answer, which is in a thread; Mallory's is in none."""
    stray = await say(rooms.mallory, rooms.mallorys, MALICE, **aim("m.reference", rooms.answer))
    body = {"thread_id": rooms.root}
    at = path(rooms.mallorys, f"receipt/m.read/{quote(stray)}")
    assert await rooms.mallory.errcode("POST", at, 400, body=body) == "M_INVALID_PARAM"


async def test_who_counts_threads_counts_no_foreign_ones(rooms: Rooms, nobody: Client) -> None:
    bob = await nobody.register("bob")
    await rooms.mallory.call("POST", path(rooms.mallorys, "invite"), body={"user_id": bob.user_id})
    await bob.call("POST", path(rooms.mallorys, "join"), body={})
    follower = Follower(bob, query={"filter": '{"room":{"timeline":{"unread_thread_notifications":true}}}'})
    await follower.sync()
    await say(rooms.mallory, rooms.mallorys, MALICE, **aim("m.thread", rooms.root))
    room = joined(await follower.sync(5000), rooms.mallorys)
    assert rooms.root not in room.get("unread_thread_notifications", {})
    assert room["unread_notifications"]["notification_count"] == 1


async def test_redactions_and_edits_stay_in_their_room(rooms: Rooms) -> None:
    at = path(rooms.mallorys, f"redact/{quote(rooms.root)}/1")
    assert await rooms.mallory.errcode("PUT", at, 404, body={}) == "M_NOT_FOUND"
    second = await create(rooms.alice)
    await say(rooms.alice, second, MALICE, **edit(rooms.root))  # her own words, but from another room
    assert (await rooms.event(rooms.root))["content"]["body"] == SECRET
