"""Reading rooms by the Matrix API: who may see what, page by page and event by event."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, texts
from tests.api.matrix.synckit import Follower, joined


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


async def history(client: Client, room_id: str, **query: Any) -> list[str]:
    found = await client.call("GET", path(room_id, "messages"), params={"dir": "f", "limit": 100, **query})
    return texts(found["chunk"])


def visible(value: str) -> dict[str, Any]:
    return {"type": "m.room.history_visibility", "content": {"history_visibility": value}}


@pytest.mark.parametrize(
    ("visibility", "seen_inside", "seen_after"),
    [
        ("shared", ["before", "invited", "joined"], ["before", "invited", "joined"]),
        ("invited", ["invited", "joined"], ["invited", "joined"]),
        ("joined", ["joined"], ["joined"]),
        ("world_readable", ["before", "invited", "joined"], ["before", "invited", "joined", "gone"]),
    ],
)
@pytest.mark.both
async def test_history_visibility(
    alice: Client, bob: Client, visibility: str, seen_inside: list[str], seen_after: list[str]
) -> None:
    room_id = await create(alice, initial_state=[visible(visibility)])
    sent = {"before": await say(alice, room_id, "before")}
    await alice.call("POST", path(room_id, "invite"), body={"user_id": bob.user_id})
    sent["invited"] = await say(alice, room_id, "invited")
    if visibility != "world_readable":
        assert await bob.errcode("GET", path(room_id, "messages?dir=b"), 403) == "M_FORBIDDEN"
    await bob.call("POST", path(room_id, "join"), body={})
    sent["joined"] = await say(alice, room_id, "joined")
    assert await history(bob, room_id) == seen_inside
    await bob.call("POST", path(room_id, "leave"), body={})
    sent["gone"] = await say(alice, room_id, "gone")
    assert await history(bob, room_id) == seen_after
    for text, event_id in sent.items():
        at = path(room_id, f"event/{quote(event_id)}")
        if text in seen_after:
            assert (await bob.call("GET", at))["content"]["body"] == text
        else:
            assert await bob.errcode("GET", at, 404) == "M_NOT_FOUND"
            context = path(room_id, f"context/{quote(event_id)}")
            assert await bob.errcode("GET", context, 404) == "M_NOT_FOUND"


async def test_a_stranger_learns_nothing(nobody: Client, alice: Client, bob: Client) -> None:
    room_id = await create(alice)
    event_id = await say(alice, room_id, "secret")
    for rest in ("messages?dir=b", "state", "members", "joined_members", "state/m.room.name"):
        assert await bob.errcode("GET", path(room_id, rest), 403) == "M_FORBIDDEN"
    assert await bob.errcode("GET", path(room_id, f"event/{quote(event_id)}"), 404) == "M_NOT_FOUND"
    other = await create(bob)
    assert await bob.errcode("GET", path(other, f"event/{quote(event_id)}"), 404) == "M_NOT_FOUND"
    for rest in ("threads", "timestamp_to_event?ts=0&dir=f"):
        assert await bob.errcode("GET", path(room_id, rest, "v1"), 403) == "M_FORBIDDEN"
    related = path(room_id, f"relations/{quote(event_id)}", "v1")
    assert await bob.errcode("GET", related, 404) == "M_NOT_FOUND"
    assert await nobody.errcode("GET", path(room_id, "state"), 401) == "M_MISSING_TOKEN"


async def test_who_left_sees_the_state_of_then(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob, name="First")
    await bob.call("POST", path(room_id, "leave"), body={})
    await alice.call("PUT", path(room_id, "state/m.room.name"), body={"name": "Second"})
    assert await bob.call("GET", path(room_id, "state/m.room.name")) == {"name": "First"}
    assert await alice.call("GET", path(room_id, "state/m.room.name/")) == {"name": "Second"}
    state = await bob.call("GET", path(room_id, "state"))
    member = next(one for one in state if one["type"] == "m.room.member" and one["state_key"] == bob.user_id)
    assert member["content"]["membership"] == "leave"
    assert await bob.errcode("GET", path(room_id, "joined_members"), 403) == "M_FORBIDDEN"


async def test_pages_lead_through_the_whole_room(alice: Client) -> None:
    room_id = await create(alice)
    for number in range(7):
        await say(alice, room_id, f"m{number}")
    seen: list[str] = []
    query: dict[str, Any] = {"dir": "b", "limit": 3}
    while True:
        page = await alice.call("GET", path(room_id, "messages"), params=query)
        seen += [one["event_id"] for one in page["chunk"]]
        if "end" not in page:
            break
        query["from"] = page["end"]
    forward = await alice.call("GET", path(room_id, "messages"), params={"dir": "f", "limit": 100})
    assert seen == [one["event_id"] for one in forward["chunk"]][::-1]
    assert len(set(seen)) == len(seen)
    assert texts(forward["chunk"]) == [f"m{number}" for number in range(7)]
    assert await alice.errcode("GET", path(room_id, "messages?dir=b&from=nonsense"), 400) == "M_INVALID_PARAM"
    assert await alice.errcode("GET", path(room_id, "messages"), 400) == "M_MISSING_PARAM"


@pytest.mark.both
async def test_a_page_at_the_end_leads_on(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    await say(alice, room_id, "one")
    messages = path(room_id, "messages")

    async def page(client: Client, way: str, start: str = "", **more: str) -> Any:
        query = {"dir": way, "limit": "100", **({"from": start} if start else {}), **more}
        return await client.call("GET", messages, params=query)

    forward = await page(bob, "f")
    assert texts(forward["chunk"]) == ["one"]
    assert "end" not in await page(bob, "f", forward["end"])
    await say(alice, room_id, "two")
    forward = await page(bob, "f", forward["end"])
    assert texts(forward["chunk"]) == ["two"]
    assert "end" in forward
    assert "end" not in await page(bob, "f", forward["start"], to=forward["start"])

    backward = await page(bob, "b")
    assert backward["chunk"][-1]["type"] == "m.room.create"
    last = await page(bob, "b", backward["end"])
    assert (last["chunk"], "end" in last) == ([], False)
    again = await page(bob, "f", backward["end"])
    assert [one["event_id"] for one in again["chunk"]] == [one["event_id"] for one in backward["chunk"]][::-1]

    await bob.call("POST", path(room_id, "leave"), body={})
    await say(alice, room_id, "unheard")
    farewell = await page(bob, "f", forward["end"])
    assert [one["content"]["membership"] for one in farewell["chunk"]] == ["leave"]
    assert "end" not in farewell


async def test_no_events_are_asked_for(alice: Client) -> None:
    room_id = await create(alice)
    said = await say(alice, room_id, "hello")
    messages = path(room_id, "messages")
    for way in ("b", "f"):
        page = await alice.call("GET", messages, params={"dir": way, "limit": "0"})
        assert (page["chunk"], page["end"]) == ([], page["start"])
        page = await alice.call("GET", messages, params={"dir": way, "limit": "99", "from": page["end"]})
        assert texts(page["chunk"]) == ["hello"]
    for rest in ("threads", f"relations/{quote(said)}"):
        await alice.errcode("GET", path(room_id, rest, "v1"), 400, params={"limit": "0"})
    search = {"search_categories": {"room_events": {"search_term": "hello", "filter": {"limit": 0}}}}
    found = (await alice.call("POST", "search", body=search))["search_categories"]["room_events"]
    assert (found["results"], found["count"], "next_batch" in found) == ([], 1, False)


async def test_a_whole_timeline_begins_where_the_room_does(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    await say(alice, room_id, "one")
    timeline = joined(await Follower(bob).sync(), room_id)["timeline"]
    assert timeline["limited"] is False
    query = {"from": timeline["prev_batch"], "limit": "100"}
    back = await bob.call("GET", path(room_id, "messages"), params={**query, "dir": "b"})
    assert back["chunk"] == []
    on = await bob.call("GET", path(room_id, "messages"), params={**query, "dir": "f"})
    assert [one["event_id"] for one in on["chunk"]] == [one["event_id"] for one in timeline["events"]]


async def test_filters_and_lazy_members(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    await say(alice, room_id, "hers")
    await say(bob, room_id, "his")
    only = '{"types": ["m.room.message"], "senders": ["' + bob.user_id + '"], "lazy_load_members": true}'
    params = {"dir": "b", "limit": 100, "filter": only}
    page = await alice.call("GET", path(room_id, "messages"), params=params)
    assert texts(page["chunk"]) == ["his"]
    assert [one["state_key"] for one in page["state"]] == [bob.user_id]
    bad = {"dir": "b", "filter": '{"types": 5}'}
    assert await alice.errcode("GET", path(room_id, "messages"), 400, params=bad) == "M_BAD_JSON"


async def test_around_an_event(alice: Client) -> None:
    room_id = await create(alice)
    ids = [await say(alice, room_id, f"m{number}") for number in range(5)]
    found = await alice.call("GET", path(room_id, f"context/{quote(ids[2])}"), params={"limit": 2})
    assert found["event"]["event_id"] == ids[2]
    assert texts(found["events_before"]) == ["m1"]
    assert texts(found["events_after"]) == ["m3"]
    assert any(one["type"] == "m.room.create" for one in found["state"])
    older = await alice.call("GET", path(room_id, "messages"), params={"dir": "b", "from": found["start"]})
    assert texts(older["chunk"])[0] == "m0"
    newer = await alice.call("GET", path(room_id, "messages"), params={"dir": "f", "from": found["end"]})
    assert texts(newer["chunk"]) == ["m4"]


async def test_members(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    before = await alice.call("GET", path(room_id, "messages"), params={"dir": "b", "limit": 1})
    await bob.call("POST", path(room_id, "leave"), body={})
    joined = await alice.call("GET", path(room_id, "joined_members"))
    assert list(joined["joined"]) == [alice.user_id]
    for query, wanted in (
        ({"membership": "leave"}, {bob.user_id}),
        ({"not_membership": "leave"}, {alice.user_id}),
        ({"at": before["start"], "membership": "join"}, {alice.user_id, bob.user_id}),
    ):
        found = await alice.call("GET", path(room_id, "members"), params=query)
        assert {one["state_key"] for one in found["chunk"]} == wanted


async def test_what_is_said_beside_an_event(nobody: Client, alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob, name="First")
    event_id = await say(alice, room_id, "hello")
    at = path(room_id, f"event/{quote(event_id)}")
    hers = (await alice.call("GET", at))["unsigned"]
    assert (hers["transaction_id"], hers["membership"]) == ("hello", "join")
    assert "transaction_id" not in (await bob.call("GET", at))["unsigned"]
    assert "transaction_id" not in (await (await nobody.login("alice")).call("GET", at))["unsigned"]
    await alice.call("PUT", path(room_id, "state/m.room.name"), body={"name": "Second"})
    named = await alice.call("GET", path(room_id, "state/m.room.name?format=event"))
    page = await alice.call("GET", path(room_id, "messages"), params={"dir": "b", "limit": 1})
    assert page["chunk"][0]["unsigned"]["prev_content"] == {"name": "First"}
    assert page["chunk"][0]["event_id"] == named["event_id"]
    done = await alice.call("PUT", path(room_id, f"redact/{quote(event_id)}/1"), body={"reason": "typo"})
    gone = await bob.call("GET", at)
    assert gone["content"] == {}
    assert gone["unsigned"]["redacted_because"]["event_id"] == done["event_id"]
    assert gone["unsigned"]["redacted_because"]["content"]["reason"] == "typo"


@pytest.mark.both
async def test_edits_references_and_threads(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    root = await say(alice, room_id, "root")
    at = path(room_id, f"event/{quote(root)}")
    edit = {"rel_type": "m.replace", "event_id": root}
    new = {"msgtype": "m.text", "body": "better"}
    edited = await say(alice, room_id, "* better", **{"m.new_content": new, "m.relates_to": edit})
    thread = {"rel_type": "m.thread", "event_id": root}
    answers = [await say(bob, room_id, text, **{"m.relates_to": thread}) for text in ("one", "two")]
    other = await say(alice, room_id, "other")
    await say(alice, room_id, "in other", **{"m.relates_to": {"rel_type": "m.thread", "event_id": other}})
    reference = {"m.relates_to": {"rel_type": "m.reference", "event_id": root}}
    referring = (await bob.call("PUT", path(room_id, "send/a.b/ref"), body=reference))["event_id"]
    bundle = (await bob.call("GET", at))["unsigned"]["m.relations"]
    assert bundle["m.replace"]["event_id"] == edited
    assert bundle["m.reference"] == {"chunk": [{"event_id": referring}]}
    summary = bundle["m.thread"]
    assert (summary["count"], summary["latest_event"]["event_id"]) == (2, answers[1])
    assert summary["current_user_participated"] is True
    related = path(room_id, f"relations/{quote(root)}", "v1")
    assert len((await bob.call("GET", related))["chunk"]) == 4
    first = await bob.call("GET", f"{related}/m.thread", params={"limit": 1})
    assert [one["event_id"] for one in first["chunk"]] == [answers[1]]
    rest = await bob.call("GET", f"{related}/m.thread", params={"from": first["next_batch"]})
    assert [one["event_id"] for one in rest["chunk"]] == [answers[0]]
    assert (await bob.call("GET", f"{related}/m.thread/m.sticker"))["chunk"] == []
    threads = await bob.call("GET", path(room_id, "threads", "v1"))
    assert [one["event_id"] for one in threads["chunk"]] == [other, root]
    await say(alice, room_id, "later in the first", **{"m.relates_to": thread})
    threads = await bob.call("GET", path(room_id, "threads", "v1"))
    assert [one["event_id"] for one in threads["chunk"]] == [root, other]
    own = await bob.call("GET", path(room_id, "threads", "v1"), params={"include": "participated"})
    assert [one["event_id"] for one in own["chunk"]] == [root]


async def test_jumping_to_a_date(alice: Client) -> None:
    room_id = await create(alice)
    event_id = await say(alice, room_id, "now")
    at = path(room_id, "timestamp_to_event", "v1")
    ts = (await alice.call("GET", path(room_id, f"event/{quote(event_id)}")))["origin_server_ts"]
    found = await alice.call("GET", at, params={"ts": ts + 1, "dir": "b"})
    assert found == {"event_id": event_id, "origin_server_ts": ts}
    assert await alice.errcode("GET", at, 404, params={"ts": ts + 1, "dir": "f"}) == "M_NOT_FOUND"
