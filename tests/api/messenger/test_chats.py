"""Chats: direct ones, groups, lists, people who come and go, read marks."""

import asyncio
from typing import Any

import pytest
from pydantic import TypeAdapter

from homeserver.api.messenger import schemas
from tests.api.driver import User, email
from tests.api.messenger.wire import direct, group, say, v1


def conforms(kind: Any, value: Any) -> None:
    """The value has exactly the documented keys and types."""
    TypeAdapter(kind).validate_python(value, strict=True, extra="forbid")


def ids(chat: Any) -> list[int]:
    return [one["id"] for one in chat["participants"]]


async def test_two_people_have_one_direct_chat(alice: User, bob: User) -> None:
    made = await direct(alice, bob)
    conforms(schemas.Chat, made)
    assert (made["title"], made["is_group"]) == ("Alice & Bob", False)
    assert (made["last_message"], made["unread_count"]) == (None, 0)
    assert ids(made) == [alice.id, bob.id]
    assert [one["email"] for one in made["participants"]] == [email("Alice"), email("Bob")]
    assert await direct(alice, bob) == made
    assert await direct(bob, alice) == made, "one title for both"
    assert await v1(bob, "GET", f"chats/{made['id']}/") == made
    assert await v1(bob, "GET", "chats/") == [made]


@pytest.mark.both
async def test_both_asking_at_once_get_the_same_chat(alice: User, bob: User) -> None:
    made = await asyncio.gather(*(direct(one, other) for one, other in ((alice, bob), (bob, alice)) * 3))
    assert len({one["id"] for one in made}) == 1


async def test_a_group_is_made_with_its_maker_as_admin(alice: User, bob: User, carol: User) -> None:
    made = await group(alice, bob, carol, title="Поход")
    conforms(schemas.Chat, made)
    assert (made["title"], made["is_group"]) == ("Поход", True)
    assert ids(made) == [alice.id, bob.id, carol.id]
    roles = (await alice.chat("GET", "conversations/"))[0]
    assert roles["created_by"] == alice.id


async def test_chats_that_are_not_made(alice: User, bob: User) -> None:
    for path, body, status, code in (
        ("direct", {}, 422, "missing_param"),
        ("direct", {"user_id": "2"}, 422, "invalid_param"),
        ("direct", {"user_id": 0}, 422, "invalid_param"),
        ("direct", {"user_id": 999_999}, 404, "unknown_people"),
        ("direct", {"user_id": alice.id}, 400, "private_needs_two"),
        ("group", {"title": "x"}, 422, "missing_param"),
        ("group", {"user_ids": [bob.id]}, 422, "missing_param"),
        ("group", {"title": "", "user_ids": []}, 422, "invalid_param"),
        ("group", {"title": "x" * 201, "user_ids": []}, 413, "title_too_long"),
        ("group", {"title": "a\x00b", "user_ids": []}, 422, "invalid_param"),
        ("group", {"title": "x", "user_ids": [bob.id, 999_999]}, 404, "unknown_people"),
        ("group", {"title": "x", "user_ids": "all"}, 422, "invalid_param"),
    ):
        assert (await v1(alice, "POST", f"chats/{path}", status, json=body))["code"] == code, (path, body)
    assert await v1(alice, "GET", "chats/") == []


async def test_the_list_shows_the_latest_first_with_its_people(alice: User, bob: User, carol: User) -> None:
    first, second = await direct(alice, bob), await group(alice, bob, carol)
    sent = await say(bob, first, "hello")
    listed = await v1(alice, "GET", "chats")
    assert [one["id"] for one in listed] == [first["id"], second["id"]]
    for one in listed:
        conforms(schemas.Chat, one)
    assert listed[0] == {**first, "last_message": sent, "unread_count": 1}
    assert ids(listed[1]) == [alice.id, bob.id, carol.id]
    assert [one["id"] for one in await v1(alice, "GET", "chats?limit=1&offset=1")] == [second["id"]]
    assert [one["id"] for one in await v1(alice, "GET", "chats/?search=grou")] == [second["id"]]
    for bad in ("limit=0", "limit=201", "limit=x", "offset=-1"):
        await v1(alice, "GET", f"chats/?{bad}", 422)


@pytest.mark.parametrize("overrides", [{"messenger": {"listed_participants": 2}}])
async def test_a_list_shows_the_first_people_of_large_groups(alice: User, bob: User, carol: User) -> None:
    made = await group(alice, bob, carol)
    assert len(made["participants"]) == 3
    (listed,) = await v1(carol, "GET", "chats/")
    assert ids(listed) == [alice.id, bob.id]
    assert len((await v1(carol, "GET", f"chats/{made['id']}"))["participants"]) == 3


async def test_a_group_without_a_title_is_named_after_its_people(alice: User, bob: User) -> None:
    made = await alice.chat("POST", "conversations/", json={"type": "group", "participant_ids": [bob.id]})
    assert made["title"] is None
    (listed,) = await v1(bob, "GET", "chats/")
    assert listed["title"] == "Alice, Bob"


async def test_people_are_added_and_removed(alice: User, bob: User, carol: User) -> None:
    made = await group(alice, bob)
    people = f"chats/{made['id']}/members"
    added = await v1(alice, "POST", f"{people}/{carol.id}")
    conforms(schemas.Chat, added)
    assert ids(added) == [alice.id, bob.id, carol.id]
    assert await v1(alice, "POST", f"{people}/{carol.id}/") == added, "twice changes nothing"
    assert ids(await v1(carol, "GET", f"chats/{made['id']}")) == [alice.id, bob.id, carol.id]
    await v1(alice, "DELETE", f"{people}/{carol.id}", 204)
    await v1(carol, "GET", f"chats/{made['id']}", 404)
    await v1(alice, "DELETE", f"{people}/{carol.id}", 404)
    await v1(bob, "DELETE", f"{people}/{bob.id}/", 204)  # oneself
    assert await v1(bob, "GET", "chats") == []


async def test_only_admins_add_and_remove(alice: User, bob: User, carol: User) -> None:
    made = await group(alice, bob)
    people = f"chats/{made['id']}/members"
    assert (await v1(bob, "POST", f"{people}/{carol.id}", 403))["code"] == "not_admin"
    assert (await v1(bob, "DELETE", f"{people}/{alice.id}", 403))["code"] == "not_admin"
    assert (await v1(alice, "POST", f"{people}/999999", 404))["code"] == "user_not_found"
    pair = await direct(alice, bob)
    for method, who in (("POST", carol), ("DELETE", bob)):
        answer = await v1(alice, method, f"chats/{pair['id']}/members/{who.id}", 400)
        assert answer["code"] == "private_room"


@pytest.mark.both
async def test_a_read_mark_moves_the_count(alice: User, bob: User) -> None:
    made = await direct(alice, bob)
    sent = [await say(alice, made, str(n)) for n in range(3)]
    path = f"chats/{made['id']}"

    async def unread() -> int:
        return int((await v1(bob, "GET", path))["unread_count"])

    assert await unread() == 3
    await v1(bob, "POST", f"{path}/read", 204, json={"message_id": sent[1]["id"]})
    assert await unread() == 1
    await v1(bob, "POST", f"{path}/read/", 204, json={"message_id": sent[0]["id"]})
    assert await unread() == 1, "a mark never goes back"
    await v1(bob, "POST", f"{path}/read", 204, json={})
    assert await unread() == 0
    elsewhere = await say(alice, await group(alice, bob), "elsewhere")
    answer = await v1(bob, "POST", f"{path}/read", 400, json={"message_id": elsewhere["id"]})
    assert answer["code"] == "message_elsewhere"
    for bad in ("1", 0, 1.5, True):
        await v1(bob, "POST", f"{path}/read", 422, json={"message_id": bad})
    await v1(bob, "POST", f"{path}/read", 404, json={"message_id": 10**9})
