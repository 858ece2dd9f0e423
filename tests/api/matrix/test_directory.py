"""The list of published rooms."""

from typing import Any
from urllib.parse import quote

import pytest

from homeserver.lifecycle import Running
from homeserver.metrics import spending
from homeserver.services.rooms.directory import PublicRoomsRequest
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, set_state

pytestmark = [pytest.mark.both, pytest.mark.own_server]


def listed(room_id: str) -> str:
    return f"directory/list/room/{quote(room_id, safe='')}"


def ids(answer: Any) -> list[str]:
    return [one["room_id"] for one in answer["chunk"]]


async def test_a_room_is_published_and_withdrawn(nobody: Client, alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    assert await nobody.call("GET", listed(room_id)) == {"visibility": "private"}
    assert ids(await nobody.call("GET", "publicRooms")) == []
    assert await bob.errcode("PUT", listed(room_id), 403, body={"visibility": "public"}) == "M_FORBIDDEN"
    await alice.call("PUT", listed(room_id), body={})
    assert await nobody.call("GET", listed(room_id)) == {"visibility": "public"}
    found = await nobody.call("GET", "publicRooms")
    assert (ids(found), found["total_room_count_estimate"]) == ([room_id], 1)
    assert await alice.errcode("PUT", listed(room_id), 400, body={"visibility": "x"}) == "M_BAD_JSON"
    await alice.call("PUT", listed(room_id), body={"visibility": "private"})
    assert ids(await nobody.call("GET", "publicRooms")) == []
    unknown = listed("!unknown:test.example")
    assert await nobody.errcode("GET", unknown, 404) == "M_NOT_FOUND"
    assert await alice.errcode("PUT", unknown, 404, body={}) == "M_NOT_FOUND"
    network = f"directory/list/appservice/irc/{quote(room_id, safe='')}"
    assert await alice.errcode("PUT", network, 403, body={"visibility": "public"}) == "M_FORBIDDEN"


async def test_what_is_shown_of_a_room(nobody: Client, alice: Client, bob: Client) -> None:
    room_id = await create(
        alice, bob, visibility="public", name="Cheese", topic="Tasty", room_alias_name="cheese"
    )
    await set_state(alice, room_id, "m.room.avatar", {"url": "mxc://test.example/brie"})
    await set_state(alice, room_id, "m.room.join_rules", {"join_rule": "knock"})
    await set_state(alice, room_id, "m.room.guest_access", {"guest_access": "can_join"})
    await set_state(alice, room_id, "m.room.history_visibility", {"history_visibility": "world_readable"})
    (shown,) = (await nobody.call("GET", "publicRooms"))["chunk"]
    assert shown == {
        "room_id": room_id,
        "name": "Cheese",
        "topic": "Tasty",
        "canonical_alias": "#cheese:test.example",
        "avatar_url": "mxc://test.example/brie",
        "num_joined_members": 2,
        "join_rule": "knock",
        "world_readable": True,
        "guest_can_join": True,
    }
    await bob.call("POST", path(room_id, "leave"), body={})
    for kind in ("avatar", "name", "topic", "canonical_alias"):
        await set_state(alice, room_id, f"m.room.{kind}", {})
    await set_state(alice, room_id, "m.room.join_rules", {"join_rule": "knock_restricted", "allow": "x"})
    (shown,) = (await nobody.call("GET", "publicRooms"))["chunk"]
    assert shown == {
        "room_id": room_id,
        "num_joined_members": 1,
        "join_rule": "knock_restricted",
        "world_readable": True,
        "guest_can_join": True,
    }


async def test_searching(alice: Client) -> None:
    cheese = await create(alice, visibility="public", name="Käse und Brot")
    topic = await create(alice, visibility="public", topic="Alles über KÄSE")
    alias = await create(alice, visibility="public", room_alias_name="käse-laden")
    space = await create(alice, visibility="public", name="100%", creation_content={"type": "m.space"})
    await create(alice, name="Käse, geheim")

    async def find(**body: Any) -> set[str]:
        return set(ids(await alice.call("POST", "publicRooms", body=body)))

    assert await find(filter={"generic_search_term": "käse"}) == {cheese, topic, alias}
    assert await find(filter={"generic_search_term": "0%"}) == {space}
    assert await find(filter={"generic_search_term": "%"}) == {space}
    assert await find(filter={"generic_search_term": " "}) == {cheese, topic, alias, space}
    assert await find(filter={"room_types": ["m.space"]}) == {space}
    assert await find(filter={"room_types": [None]}) == {cheese, topic, alias}
    assert await find(filter={"room_types": [None, "m.space"]}) == {cheese, topic, alias, space}
    assert await find(filter={"room_types": []}) == set()
    assert await find(include_all_networks=True) == {cheese, topic, alias, space}
    assert await find(third_party_instance_id="irc") == set()
    both = {"third_party_instance_id": "irc", "include_all_networks": True}
    assert await alice.errcode("POST", "publicRooms", 400, body=both) == "M_BAD_JSON"


async def test_paging(nobody: Client, alice: Client, bob: Client, server: Running) -> None:
    small = [await create(alice, visibility="public") for _ in range(4)]
    large = await create(alice, bob, visibility="public")
    wanted = [large, *small]
    pages, params = [], {"limit": "2"}
    while True:
        page = await nobody.call("GET", "publicRooms", params=params)
        assert page["total_room_count_estimate"] == 5
        pages.append(page)
        if "next_batch" not in page:
            break
        params["since"] = page["next_batch"]
    assert [ids(page) for page in pages] == [wanted[:2], wanted[2:4], wanted[4:]]
    assert "prev_batch" not in pages[0]
    body = {"limit": 2, "since": pages[2]["prev_batch"]}
    back = await alice.call("POST", "publicRooms", body=body)
    assert ids(back) == wanted[2:4]
    first = await nobody.call("GET", "publicRooms", params={"limit": "2", "since": back["prev_batch"]})
    assert (ids(first), "prev_batch" in first, "next_batch" in first) == (wanted[:2], False, True)
    params = {"since": "nonsense"}
    assert await nobody.errcode("GET", "publicRooms", 400, params=params) == "M_INVALID_PARAM"
    with spending() as spent:
        await server.hs.rooms.directory.page(PublicRoomsRequest(), asker="")
    assert spent.statements == 2


async def test_other_servers_are_not_asked(nobody: Client, alice: Client) -> None:
    here, there = {"server": "test.example"}, {"server": "elsewhere.example"}
    assert ids(await nobody.call("GET", "publicRooms", params=here)) == []
    for method, client in (("GET", nobody), ("POST", alice)):
        body: Any = {} if method == "POST" else None
        code = await client.errcode(method, "publicRooms", 400, params=there, body=body)
        assert code == "M_UNKNOWN"
    assert await nobody.errcode("POST", "publicRooms", 401, body={}) == "M_MISSING_TOKEN"
