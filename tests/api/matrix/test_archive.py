"""Rooms that one has left, and what was before one came: by sync, by pages, by members, by time."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from homeserver.services.events import history
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, set_state, texts
from tests.api.matrix.synckit import Follower, joined

VISIBLE_TO_MEMBERS = {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}


def archive(limit: int = 20) -> str:
    return json.dumps({"room": {"include_leave": True, "timeline": {"limit": limit}}})


def left(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.get("rooms", {}).get("leave", {})
    return found


async def leave(client: Client, room_id: str) -> None:
    await client.call("POST", path(room_id, "leave"), body={})


async def come(client: Client, room_id: str) -> None:
    await client.call("POST", path(room_id, "join"), body={})


def told(room: Any) -> list[Any]:
    """State and timeline of a room."""
    return [*room["state"]["events"], *room["timeline"]["events"]]


@pytest.mark.both
async def test_left_rooms_are_told_where_they_are_news_or_asked_for(alice: Client, bob: Client) -> None:
    old, new = [await create(alice, bob, initial_state=[VISIBLE_TO_MEMBERS]) for _ in range(2)]
    start = await Follower(bob).sync()
    await leave(bob, old)
    middle = await Follower(bob).sync()
    assert not left(middle)
    await leave(bob, new)
    for number in range(4):
        await say(alice, new, f"secret {number}")
        await set_state(alice, new, "m.room.name", {"name": f"secret {number}"})
    await alice.call("POST", path(new, "invite"), body={"user_id": bob.user_id})
    await leave(bob, new)  # an invite that is turned down is told as a leaving too
    wanted: list[tuple[str, dict[str, str], set[str]]] = [
        ("", {}, set()),
        ("", {"filter": archive()}, {old, new}),
        ("", {"filter": archive(1)}, {old, new}),
        (start["next_batch"], {}, {old, new}),
        (start["next_batch"], {"filter": archive(1)}, {old, new}),
        (middle["next_batch"], {}, {new}),
        (middle["next_batch"], {"filter": archive()}, {new}),
        (middle["next_batch"], {"filter": archive(), "full_state": "true"}, {old, new}),
    ]
    for token, query, rooms in wanted:
        answer = await Follower(bob, token, {**query}).sync()
        assert left(answer).keys() == rooms, (token, query)
        for room in left(answer).values():
            own = [one for one in told(room) if one.get("state_key") == bob.user_id]
            assert own[-1]["content"]["membership"] == "leave"
            assert "secret" not in str(room)
        if token == "" and rooms:
            state = {one["type"] for one in told(left(answer)[old])}
            assert {"m.room.create", "m.room.power_levels", "m.room.history_visibility"} <= state


async def test_an_archived_room_ends_where_one_left(alice: Client, bob: Client, carol: Client) -> None:
    room_id = await create(alice, bob, name="then", preset="public_chat")
    await say(alice, room_id, "first")
    since = (await Follower(bob).sync())["next_batch"]
    await say(alice, room_id, "before")
    await leave(bob, room_id)
    await set_state(alice, room_id, "m.room.name", {"name": "now"})
    await come(carol, room_id)
    await say(alice, room_id, "after")
    room = left(await Follower(bob).sync(filter=archive()))[room_id]
    assert texts(room["timeline"]["events"]) == ["first", "before"]
    room = left(await Follower(bob, since).sync())[room_id]
    assert texts(room["timeline"]["events"]) == ["before"]
    back = {"dir": "b", "from": room["timeline"]["prev_batch"]}
    assert texts((await bob.call("GET", path(room_id, "messages"), params=back))["chunk"]) == ["first"]
    state = await bob.call("GET", path(room_id, "state"))
    assert {"name": "then"} in [one["content"] for one in state]
    people = {
        one["state_key"]: one["content"]["membership"] for one in state if one["type"] == "m.room.member"
    }
    assert people == {alice.user_id: "join", bob.user_id: "leave"}
    members = (await bob.call("GET", path(room_id, "members")))["chunk"]
    assert {one["state_key"]: one["content"]["membership"] for one in members} == people
    forward = await bob.call("GET", path(room_id, "messages"), params={"dir": "f", "from": since})
    assert texts(forward["chunk"]) == ["before"]
    end = forward.get("end")
    for _ in range(3):
        if end is None:
            break
        page = await bob.call("GET", path(room_id, "messages"), params={"dir": "f", "from": end})
        assert page["chunk"] == []
        end = page.get("end")


async def test_coming_and_going_and_coming_again(alice: Client, bob: Client) -> None:
    """Each event says what the reader was in the room when it came (MSC4115)."""
    room_id = await create(alice, preset="public_chat")
    await say(alice, room_id, "before")
    his = Follower(bob)
    await his.sync()
    for number in range(2):
        await come(bob, room_id)
        await say(alice, room_id, f"inside {number}")
        assert f"inside {number}" in texts(joined(await his.sync(), room_id)["timeline"]["events"])
        await leave(bob, room_id)
        await say(alice, room_id, f"outside {number}")
        assert texts(left(await his.sync())[room_id]["timeline"]["events"]) == []
    await come(bob, room_id)
    room = joined(await his.sync(), room_id)
    page = await bob.call("GET", path(room_id, "messages"), params={"dir": "f", "limit": 50})
    expected = {"before": "leave"} | {
        f"{where}side {number}": membership
        for number in range(2)
        for where, membership in (("in", "join"), ("out", "leave"))
    }
    for events in (room["timeline"]["events"], page["chunk"]):
        said = {one["content"]["body"]: one for one in events if one["type"] == "m.room.message"}
        assert {text: one["unsigned"]["membership"] for text, one in said.items()} == expected
        own = [one for one in events if one.get("state_key") == bob.user_id]
        assert [one["unsigned"]["membership"] for one in own] == ["join", "leave", "join", "leave", "join"]
    asked = await create(alice, invite=[bob.user_id])
    await his.sync()
    await leave(bob, asked)
    assert asked in left(await his.sync())
    await alice.call("POST", path(asked, "invite"), body={"user_id": bob.user_id})
    await come(bob, asked)
    assert joined(await his.sync(), asked)["timeline"]["events"][-1]["content"]["membership"] == "join"


async def test_members_by_time_and_by_membership(alice: Client, bob: Client, carol: Client) -> None:
    room_id = await create(alice, bob)
    before = joined(await alice.call("GET", "sync"), room_id)
    token = (await alice.call("GET", "sync"))["next_batch"]
    await alice.call("POST", path(room_id, "invite"), body={"user_id": carol.user_id})
    await alice.call("POST", path(room_id, "ban"), body={"user_id": bob.user_id})
    a, b, c = alice.user_id, bob.user_id, carol.user_id
    for query, people in (
        ({}, {a, b, c}),
        ({"membership": "join"}, {a}),
        ({"membership": "invite"}, {c}),
        ({"membership": "ban"}, {b}),
        ({"not_membership": "join"}, {b, c}),
        ({"not_membership": "ban"}, {a, c}),
        ({"membership": "join", "not_membership": "ban"}, {a, c}),  # either suffices
        ({"membership": "ban", "not_membership": "ban"}, {a, b, c}),
        ({"at": token}, {a, b}),
        ({"at": token, "not_membership": "join"}, set()),
        ({"at": before["timeline"]["prev_batch"]}, set()),
    ):
        found = (await alice.call("GET", path(room_id, "members"), params=query))["chunk"]
        assert {one["state_key"] for one in found} == people, query
    assert await alice.errcode("GET", path(room_id, "members?at=x"), 400) == "M_INVALID_PARAM"
    assert await alice.errcode("GET", path(room_id, "members?membership=x"), 400) == "M_INVALID_PARAM"


async def test_pages_by_filters(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    await say(alice, room_id, "text")
    await say(bob, room_id, "file", msgtype="m.file", url="mxc://test.example/abc")
    await set_state(alice, room_id, "m.room.topic", {"topic": "new"})
    root = await say(alice, room_id, "root")
    await say(bob, room_id, "reply", **{"m.relates_to": {"rel_type": "m.thread", "event_id": root}})
    for request, wanted in (
        ({"types": ["m.room.message"]}, {"text", "file", "root", "reply"}),
        ({"types": ["m.room.mess*"], "not_senders": [bob.user_id]}, {"text", "root"}),
        ({"types": ["m.room.*"], "not_types": ["m.room.message"]}, set()),
        ({"senders": [bob.user_id]}, {"file", "reply"}),
        ({"senders": []}, set()),
        ({"contains_url": True}, {"file"}),
        ({"contains_url": False, "senders": [bob.user_id]}, {"reply"}),
        ({"related_by_rel_types": ["m.thread"]}, {"root"}),
        ({"related_by_senders": [alice.user_id]}, set()),
        ({"related_by_rel_types": ["m.thread"], "related_by_senders": [bob.user_id]}, {"root"}),
        ({"not_rooms": [room_id]}, set()),
        ({"rooms": [room_id], "types": ["m.room.message"]}, {"text", "file", "root", "reply"}),
    ):
        query = {"dir": "b", "limit": 50, "filter": json.dumps(request)}
        page = await alice.call("GET", path(room_id, "messages"), params=query)
        assert set(texts(page["chunk"])) == wanted, request
    lazy = {"dir": "b", "limit": 1, "filter": json.dumps({"lazy_load_members": True})}
    page = await alice.call("GET", path(room_id, "messages"), params=lazy)
    assert [one["state_key"] for one in page["state"]] == [bob.user_id]


@pytest.mark.both
async def test_a_jump_lands_on_what_one_may_see(
    alice: Client, bob: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_NEAR", 2)  # more than so many events that one may not see lie between
    room_id = await create(alice, initial_state=[VISIBLE_TO_MEMBERS])
    at = path(room_id, "timestamp_to_event", "v1")
    hidden = [await say(alice, room_id, f"before {number}") for number in range(4)]
    assert await bob.errcode("GET", at, 403, params={"ts": 0, "dir": "f"}) == "M_FORBIDDEN"
    await alice.call("POST", path(room_id, "invite"), body={"user_id": bob.user_id})
    await come(bob, room_id)
    inside = await say(alice, room_id, "inside")
    await leave(bob, room_id)
    hidden += [await say(alice, room_id, f"after {number}") for number in range(4)]
    whole = (await alice.call("GET", path(room_id, "messages"), params={"dir": "f", "limit": 50}))["chunk"]
    times = {one["event_id"]: one["origin_server_ts"] for one in whole}
    kinds = {one["event_id"]: (one["type"], one["content"].get("membership")) for one in whole}

    async def jump(client: Client, ts: int, way: str) -> str:
        found = await client.call("GET", at, params={"ts": ts, "dir": way})
        assert found["origin_server_ts"] == times[found["event_id"]]
        return str(found["event_id"])

    assert kinds[await jump(bob, times[hidden[1]], "f")] == ("m.room.member", "join")
    assert kinds[await jump(bob, 2**50, "b")] == ("m.room.member", "leave")
    assert times[await jump(bob, times[inside], "f")] == times[inside]
    for client in (alice, bob):
        assert kinds[await jump(client, 0, "f")][0] == "m.room.create"
        for ts, way in ((2**50, "f"), (1, "b")):
            assert await client.errcode("GET", at, 404, params={"ts": ts, "dir": way}) == "M_NOT_FOUND"
    assert await jump(alice, 2**50, "b") == hidden[-1]
    assert await jump(alice, times[hidden[1]], "f") in hidden
    back = await jump(bob, times[hidden[3]], "b")
    assert back not in hidden
    around = await bob.call("GET", path(room_id, f"context/{quote(back)}"), params={"limit": 50})
    assert texts([*around["events_before"], *around["events_after"]]) in ([], ["inside"])
