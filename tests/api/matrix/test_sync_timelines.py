"""What a room of /sync holds: how much of its timeline, which of its state, and whom of its members."""

import json
from typing import Any

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, set_state, texts
from tests.api.matrix.synckit import Follower, joined


def query(*, state: Any = None, timeline: Any = None) -> dict[str, str]:
    """A filter of the parts of rooms."""
    parts = {"state": state or {}, "timeline": timeline or {}}
    return {"filter": json.dumps({"room": parts})}


def states(room: Any) -> dict[tuple[str, str], Any]:
    return {(one["type"], one["state_key"]): one["content"] for one in room["state"]["events"]}


def people(room: Any) -> set[str]:
    """Whose member events are told beside the timeline."""
    return {key for kind, key in states(room) if kind == "m.room.member"}


async def rename(client: Client, room_id: str, name: str) -> None:
    """Another display name, in this room only."""
    content = {"membership": "join", "displayname": name}
    await set_state(client, room_id, "m.room.member", content, client.user_id)


@pytest.mark.both
async def test_no_timeline_is_asked_for(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob, name="Hall")
    await say(alice, room_id, "one")
    his = Follower(bob, query=query(timeline={"limit": 0}))
    room = joined(await his.sync(), room_id)
    assert (room["timeline"]["events"], room["timeline"]["limited"]) == ([], True)
    assert states(room)["m.room.name", ""] == {"name": "Hall"}
    for at in (room["timeline"]["prev_batch"], his.token):
        page = await bob.call("GET", path(room_id, "messages"), params={"dir": "b", "from": at, "limit": "1"})
        assert texts(page["chunk"]) == ["one"]
    await set_state(alice, room_id, "m.room.topic", {"topic": "new"})
    await say(alice, room_id, "two")
    room = joined(await his.sync(), room_id)
    assert (room["timeline"]["events"], states(room)) == ([], {("m.room.topic", ""): {"topic": "new"}})
    page = {"dir": "b", "from": room["timeline"]["prev_batch"], "limit": "1"}
    assert texts((await bob.call("GET", path(room_id, "messages"), params=page))["chunk"]) == ["two"]
    uploaded = await bob.call("POST", f"user/{bob.user_id}/filter", body=json.loads(his.query["filter"]))
    assert (await Follower(bob, query={"filter": uploaded["filter_id"]}).sync())["rooms"]["join"]
    for limit in (-1, "0", 1.5):
        bad = query(timeline={"limit": limit})
        assert await bob.errcode("GET", "sync", 400, params=bad) in ("M_BAD_JSON", "M_INVALID_PARAM")


@pytest.mark.both
async def test_a_room_that_one_came_into_is_told_as_cut_off_unless_it_is_all_there(
    alice: Client, bob: Client
) -> None:
    hidden = [{"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}]
    closed = await create(alice, preset="public_chat", initial_state=hidden)
    await say(alice, closed, "unheard")
    whole = await create(alice, preset="public_chat")
    his = Follower(bob)
    await his.sync()
    for room_id in (closed, whole):
        await bob.call("POST", path(room_id, "join"), body={})
    answer = await his.sync()
    assert joined(answer, whole)["timeline"]["limited"] is False
    assert joined(answer, whole)["timeline"]["events"][0]["type"] == "m.room.create"
    part = joined(answer, closed)["timeline"]
    assert (texts(part["events"]), part["limited"]) == ([], True)
    # His client may have a timeline of an earlier stay, of which this is no continuation.
    await bob.call("POST", path(whole, "leave"), body={})
    await his.sync()
    for number in range(25):
        await say(alice, whole, f"meanwhile {number}")
    await bob.call("POST", path(whole, "join"), body={})
    room = joined(await his.sync(), whole)["timeline"]
    assert room["limited"] is True
    assert texts(room["events"])[-1] == "meanwhile 24"


@pytest.mark.both
async def test_state_that_holds_stays_in_the_timeline_though_history_is_hidden(
    alice: Client, bob: Client
) -> None:
    room_id = await create(
        alice,
        preset="public_chat",
        initial_state=[{"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}],
    )
    for topic in ("of old", "of now"):
        await set_state(alice, room_id, "m.room.topic", {"topic": topic})
    await say(alice, room_id, "unheard")
    his = Follower(bob)
    before = (await his.sync())["next_batch"]
    await bob.call("POST", path(room_id, "join"), body={})
    for token in (before, ""):
        for more in ({}, {"use_state_after": "true"}):
            room = joined(await Follower(bob, token, more).sync(), room_id)
            shown = [one for one in room["timeline"]["events"] if one["type"] == "m.room.topic"]
            assert [one["content"] for one in shown] == [{"topic": "of now"}]
            assert shown[0]["unsigned"]["membership"] == "leave"
            assert "of old" not in json.dumps(room)
            assert "unheard" not in json.dumps(room)
            assert room["timeline"]["events"][-1]["state_key"] == bob.user_id


async def test_a_known_member_is_not_told_again(alice: Client, bob: Client, nobody: Client) -> None:
    carol = await nobody.register("carol")
    room_id = await create(alice, bob, carol, preset="public_chat", name="Hall")
    lazy = {"lazy_load_members": True}
    his = Follower(bob, query=query(state=lazy, timeline={"limit": 1}))
    await say(alice, room_id, "one")
    assert people(joined(await his.sync(), room_id)) == {alice.user_id, bob.user_id}
    await say(alice, room_id, "two")
    assert people(joined(await his.sync(), room_id)) == set()
    await say(carol, room_id, "three")
    lost = his.token
    assert people(joined(await his.sync(), room_id)) == {carol.user_id}
    # The answer was lost: it is given again, and is no reason to leave anybody out.
    his.token = lost
    assert people(joined(await his.sync(), room_id)) == {carol.user_id}
    await say(carol, room_id, "four")
    assert people(joined(await his.sync(), room_id)) == set()
    # Who changes is told by that; who begins anew has forgotten all.
    await rename(carol, room_id, "C.")
    await say(alice, room_id, "five")
    room = joined(await his.sync(), room_id)
    assert states(room)["m.room.member", carol.user_id]["displayname"] == "C."
    await say(carol, room_id, "six")
    redundant = query(state={**lazy, "include_redundant_members": True})
    for token, more, told in (
        (his.token, redundant, {carol.user_id}),
        (his.token, {**his.query, "full_state": "true"}, {bob.user_id, carol.user_id}),
        ("", his.query, {bob.user_id, carol.user_id}),
    ):
        assert people(joined(await Follower(bob, token, more).sync(), room_id)) == told


async def test_two_processes_of_a_device_are_told_each(alice: Client, bob: Client, carol: Client) -> None:
    """As an app and its extension that fetches notifications: each has a chain of syncs of its own."""
    room_id = await create(alice, bob, carol, name="Hall")
    await say(bob, room_id, "one")
    lazy = query(state={"lazy_load_members": True}, timeline={"limit": 1})
    app, extension = Follower(bob, query=lazy), Follower(bob, query=lazy)
    await extension.sync()
    await say(bob, room_id, "two")
    await app.sync()
    await say(carol, room_id, "three")
    assert people(joined(await app.sync(), room_id)) == {carol.user_id}
    await say(bob, room_id, "four")
    assert people(joined(await extension.sync(), room_id)) == set()
    await say(carol, room_id, "five")
    assert people(joined(await app.sync(), room_id)) == set()
    assert people(joined(await extension.sync(), room_id)) == {carol.user_id}


async def test_who_comes_back_is_told_of_all_members_again(alice: Client, bob: Client, carol: Client) -> None:
    room_id = await create(alice, bob, carol, preset="public_chat", name="Hall")
    his = Follower(bob, query=query(state={"lazy_load_members": True}, timeline={"limit": 1}))
    for client in (carol, alice):
        await say(client, room_id, "one")
        await his.sync()
    await bob.call("POST", path(room_id, "leave"), body={})
    await his.sync()
    for client in (carol, alice):
        await rename(client, room_id, "Renamed")
    await bob.call("POST", path(room_id, "join"), body={})
    for client in (alice, carol):
        await say(client, room_id, "two")
        room = joined(await his.sync(), room_id)
        assert states(room)["m.room.member", client.user_id]["displayname"] == "Renamed"


async def test_events_as_servers_get_them(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob, name="Hall")
    await set_state(alice, room_id, "m.room.name", {"name": "Lobby"})
    gone = await say(alice, room_id, "secret")
    await alice.call("PUT", path(room_id, f"redact/{gone}/1"), body={})
    await say(alice, room_id, "hello")
    raw = {"event_format": "federation", "room": {"timeline": {"limit": 3}}}
    room = joined(await Follower(bob, query={"filter": json.dumps(raw)}).sync(), room_id)
    told = [*room["timeline"]["events"], *room["state"]["events"]]
    for event in told:
        assert {"auth_events", "prev_events", "depth", "hashes", "signatures", "unsigned"} <= set(event)
        assert event["room_id"] == room_id or event["type"] == "m.room.create"
        assert event["event_id"].startswith("$")
    assert texts(room["timeline"]["events"]) == ["", "hello"]
    assert "secret" not in json.dumps(room)
    raw["event_fields"] = ["content.body"]
    room = joined(await Follower(bob, query={"filter": json.dumps(raw)}).sync(), room_id)
    assert texts(room["timeline"]["events"]) == ["", "hello"]
    assert "auth_events" not in room["timeline"]["events"][-1]
    assert "room_id" not in joined(await Follower(bob).sync(), room_id)["timeline"]["events"][-1]
