"""Finding people."""

from typing import Any
from urllib.parse import quote

import pytest

from homeserver.lifecycle import Running
from homeserver.protocol.ids import UserId
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path

pytestmark = [pytest.mark.both, pytest.mark.own_server]


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


async def call(client: Client, name: str) -> None:
    await client.call("PUT", f"profile/{quote(client.user_id)}/displayname", body={"displayname": name})


async def find(client: Client, term: str, **more: Any) -> list[str]:
    found = await client.call("POST", "user_directory/search", body={"search_term": term, **more})
    return [one["user_id"] for one in found["results"]]


async def test_people_of_common_rooms_are_found(nobody: Client, alice: Client, bob: Client) -> None:
    await call(bob, "Ёлка Müller")
    assert await find(alice, "bob") == []
    room_id = await create(alice, bob)
    for term in ("bob", "BOB", "@bob", bob.user_id, "елка", "müller", "MÜLLER ёлка", "ller"):
        assert await find(alice, term) == [bob.user_id], term
    for term in ("", "  ", "%", "bo_", "test.example", "alice", "bob nobody"):
        assert await find(alice, term) == [], term
    found = await alice.call("POST", "user_directory/search", body={"search_term": "bob"})
    assert found == {"results": [{"user_id": bob.user_id, "display_name": "Ёлка Müller"}], "limited": False}
    await bob.call("POST", path(room_id, "leave"), body={})
    assert await find(alice, "bob") == []


async def test_people_are_found_with_and_without_vowel_signs(alice: Client, bob: Client) -> None:
    await create(alice, bob)
    for name, terms in (
        ("مُحَمَّد", ("محمد", "مُحَمَّد", "حم")),
        ("हिन्दी", ("हिन्दी", "न्दी")),
        ("東京👍🏽", ("京", "👍", "東京")),
    ):
        await call(bob, name)
        for term in terms:
            assert await find(alice, term) == [bob.user_id], term


@pytest.mark.parametrize("kind", ["public", "world_readable", "private"])
async def test_people_of_open_rooms_are_found_by_everybody(alice: Client, bob: Client, kind: str) -> None:
    visible = {"type": "m.room.history_visibility", "content": {"history_visibility": kind}}
    requests: dict[str, dict[str, Any]] = {
        "public": {"preset": "public_chat"},
        "world_readable": {"initial_state": [visible]},
        "private": {},
    }
    room_id = await create(bob, **requests[kind])
    assert await find(alice, "bob") == ([] if kind == "private" else [bob.user_id])
    await bob.call("POST", path(room_id, "leave"), body={})
    assert await find(alice, "bob") == []


async def test_a_name_of_one_room_is_nothing_for_others(nobody: Client, alice: Client, bob: Client) -> None:
    await create(alice, bob)
    private = await create(bob)
    member = {"membership": "join", "displayname": "Secret Agent"}
    await bob.call("PUT", path(private, f"state/m.room.member/{quote(bob.user_id)}"), body=member)
    assert await find(alice, "secret") == []
    assert await find(alice, "bob") == [bob.user_id]


async def test_a_list_of_people_is_bounded(nobody: Client, alice: Client) -> None:
    friends = [await nobody.register(f"friend{number}") for number in range(3)]
    xfriend = await nobody.register("afriend")
    await create(alice, *friends, xfriend)
    found = await alice.call("POST", "user_directory/search", body={"search_term": "friend", "limit": 2})
    assert [one["user_id"] for one in found["results"]] == [friends[0].user_id, friends[1].user_id]
    assert found["limited"] is True
    assert len(await find(alice, "friend", limit=4)) == 4
    assert (await find(alice, "friend"))[-1] == xfriend.user_id
    body = {"search_term": "friend", "limit": -1}
    assert await alice.errcode("POST", "user_directory/search", 400, body=body) == "M_BAD_JSON"


async def test_who_is_gone_is_not_found(server: Running, alice: Client, bob: Client) -> None:
    await create(alice, bob)
    await server.hs.accounts.accounts.suspend(UserId(bob.user_id))
    assert await find(alice, "bob") == []


@pytest.mark.parametrize("overrides", [{"matrix": {"enabled": True}, "user_directory": {"all_users": True}}])
async def test_everybody_can_be_found_where_that_is_wished(alice: Client, bob: Client) -> None:
    assert await find(alice, "bob") == [bob.user_id]
    assert await find(alice, "alice") == []
