"""Rooms as those outside see them: summaries, the trees of spaces, and rooms in common."""

from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, set_state
from tests.names import fresh, room_alias

pytestmark = pytest.mark.both

SPACE = {"creation_content": {"type": "m.space"}}


async def space(client: Client, **body: Any) -> str:
    return await create(client, **{"visibility": "public", **SPACE, **body})


async def link(client: Client, parent: str, child: str, **more: Any) -> None:
    await set_state(client, parent, "m.space.child", {"via": ["test.example"], **more}, child)


async def tree(client: Client, room_id: str, **params: Any) -> Any:
    return await client.call("GET", path(room_id, "hierarchy", "v1"), params=params)


def ids(answer: Any) -> list[str]:
    return [one["room_id"] for one in answer["rooms"]]


def summary(room: str) -> str:
    return f"/_matrix/client/v1/room_summary/{quote(room, safe='')}"


async def test_the_tree_of_a_space(alice: Client, bob: Client) -> None:
    root, below = await space(alice, name="Root"), await space(alice, name="Below")
    rooms = {name: await create(alice, visibility="public", name=name) for name in "abcd"}
    await link(alice, root, rooms["b"], order="2")
    await link(alice, root, rooms["a"], order="1", suggested=True)
    await link(alice, root, below, order="3", suggested=True)
    await link(alice, root, rooms["c"])
    await link(alice, below, rooms["d"])
    await link(alice, below, root)  # round in a circle
    await set_state(alice, root, "m.space.child", {}, rooms["d"])  # no link any more
    await link(alice, root, "!unknown:elsewhere.example")
    whole = await tree(bob, root)
    order = [root, rooms["a"], rooms["b"], below, rooms["d"], rooms["c"]]
    assert (ids(whole), "next_batch" in whole) == (order, False)
    shown = whole["rooms"][0]
    assert (shown["name"], shown["room_type"], shown["join_rule"]) == ("Root", "m.space", "public")
    first = shown["children_state"][0]
    assert set(first) == {"type", "state_key", "content", "sender", "origin_server_ts"}
    assert [one["state_key"] for one in shown["children_state"]] == [
        *(rooms["a"], rooms["b"], below, rooms["c"], "!unknown:elsewhere.example")
    ]
    assert whole["rooms"][1]["children_state"] == []
    assert ids(await tree(bob, root, suggested_only="true")) == [root, rooms["a"], below]
    assert ids(await tree(bob, root, max_depth=0)) == [root]
    assert ids(await tree(bob, root, max_depth=1)) == [one for one in order if one != rooms["d"]]
    pages: list[list[str]] = []
    params: dict[str, Any] = {"limit": 2}
    while len(pages) < 5:
        page = await tree(bob, root, **params)
        pages.append(ids(page))
        if "next_batch" not in page:
            break
        params["from"] = page["next_batch"]
    assert pages == [order[:2], order[2:4], order[4:]]
    at = path(root, "hierarchy", "v1")
    for wrong in ({**params, "max_depth": 1}, {**params, "suggested_only": "true"}, {"from": "nonsense"}):
        assert await bob.errcode("GET", at, 400, params=wrong) == "M_INVALID_PARAM"
    for wrong in ({"limit": 0}, {"max_depth": -1}, {"limit": "x"}):
        assert (await bob.call("GET", at, 400, params=wrong))["errcode"] == "M_INVALID_PARAM"


async def test_what_may_not_be_seen_is_left_out(alice: Client, bob: Client) -> None:
    root, hidden = await space(alice), await create(alice)
    club = await create(alice, visibility="public")
    allow = [{"type": "m.room_membership", "room_id": club}]
    rules = {"restricted": {"join_rule": "restricted", "allow": allow}, "knock": {"join_rule": "knock"}}
    for_members, for_knockers = [
        await create(alice, initial_state=[{"type": "m.room.join_rules", "content": rules[name]}])
        for name in ("restricted", "knock")
    ]
    for at, room_id in enumerate((hidden, for_members, for_knockers)):
        await link(alice, root, room_id, order=str(at))
    assert ids(await tree(bob, root)) == [root, for_knockers]
    assert ids(await tree(alice, root)) == [root, hidden, for_members, for_knockers]
    await bob.call("POST", path(club, "join"), body={})
    found = await tree(bob, root)
    assert ids(found) == [root, for_members, for_knockers]
    assert found["rooms"][1]["allowed_room_ids"] == [club]
    assert "allowed_room_ids" not in found["rooms"][2]
    await bob.call("POST", path(club, "leave"), body={})
    await alice.call("POST", path(hidden, "invite"), body={"user_id": bob.user_id})
    assert ids(await tree(bob, root)) == [root, hidden, for_knockers]
    private = path(await create(alice, **SPACE), "hierarchy", "v1")
    assert await bob.errcode("GET", private, 403) == "M_FORBIDDEN"
    assert await bob.errcode("GET", path("!unknown:a.b", "hierarchy", "v1"), 403) == "M_FORBIDDEN"
    await alice.call("POST", path(root, "ban"), body={"user_id": bob.user_id})
    assert await bob.errcode("GET", path(root, "hierarchy", "v1"), 403) == "M_FORBIDDEN"


@pytest.mark.parametrize(
    "overrides", [{"matrix": {"enabled": True, "max_space_rooms": 10, "max_space_depth": 3}}]
)
async def test_trees_are_bounded(alice: Client) -> None:
    root = await space(alice)
    for at in range(12):
        await link(alice, root, await create(alice), order=f"{at:02}")
    assert len(ids(await tree(alice, root))) == 10
    chain = [await space(alice) for _ in range(5)]
    for parent, child in pairwise(chain):
        await link(alice, parent, child)
    assert ids(await tree(alice, chain[0], max_depth=100)) == chain[:4]


async def test_the_summary_of_a_room(nobody: Client, alice: Client, bob: Client) -> None:
    encryption = {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    request = {"visibility": "public", "name": "Cheese", "initial_state": [encryption], "room_version": "11"}
    room_id = await create(alice, room_alias_name=fresh("cheese"), **request)
    told = {
        "room_id": room_id,
        "name": "Cheese",
        "canonical_alias": room_alias("cheese"),
        "num_joined_members": 1,
        "join_rule": "public",
        "world_readable": False,
        "guest_can_join": False,
        "room_version": "11",
        "encryption": "m.megolm.v1.aes-sha2",
    }
    assert await bob.call("GET", summary(room_alias("cheese"))) == {**told, "membership": "leave"}
    nheko = f"/_matrix/client/unstable/im.nheko.summary/summary/{quote(room_id, safe='')}"
    assert (await alice.call("GET", nheko))["membership"] == "join"
    assert await nobody.errcode("GET", summary(room_id), 401) == "M_MISSING_TOKEN"
    hidden = await create(alice)
    assert await bob.errcode("GET", summary(hidden), 404) == "M_NOT_FOUND"
    assert await bob.errcode("GET", summary("!unknown:test.example"), 404) == "M_NOT_FOUND"
    assert await bob.errcode("GET", summary("#unknown:test.example"), 404) == "M_NOT_FOUND"
    assert await bob.errcode("GET", summary("nonsense"), 400) == "M_INVALID_PARAM"
    await alice.call("POST", path(hidden, "invite"), body={"user_id": bob.user_id})
    assert (await bob.call("GET", summary(hidden)))["membership"] == "invite"


async def test_rooms_in_common(alice: Client, bob: Client, carol: Client) -> None:
    shared = [await create(alice, bob, name=name) for name in "ab"]
    await create(alice, carol)
    left = await create(alice, bob)
    await bob.call("POST", path(left, "leave"), body={})
    at = "/_matrix/client/v1/mutual_rooms"
    for where in (at, "/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms"):
        found = await alice.call("GET", where, params={"user_id": bob.user_id})
        assert found == {"joined": shared, "count": 2}
    none = {"joined": [], "count": 0}
    assert await bob.call("GET", at, params={"user_id": carol.user_id}) == none
    assert await bob.call("GET", at, params={"user_id": "@unknown:test.example"}) == none
    for params in ({"user_id": bob.user_id}, {"user_id": "bob"}, {"user_id": alice.user_id, "from": "x"}):
        assert await bob.errcode("GET", at, 400, params=params) == "M_INVALID_PARAM"
    assert await bob.errcode("GET", at, 400) == "M_MISSING_PARAM"
