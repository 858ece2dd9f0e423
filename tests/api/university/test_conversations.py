"""Conversations and participants."""

import asyncio
import re
from typing import Any

import pytest
from pydantic import TypeAdapter

from homeserver.api.university import schemas
from tests.api.driver import User
from tests.api.messenger.wire import line

UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def conforms(kind: Any, value: Any) -> None:
    """The value has exactly the documented keys and types."""
    TypeAdapter(kind).validate_python(value, strict=True, extra="forbid")


async def test_a_group_is_made_with_its_maker_as_admin(alice: User, bob: User) -> None:
    made = await alice.group(bob, title="Физика")
    conforms(schemas.Conversation, made)
    assert made["type"] == "group"
    assert made["title"] == "Физика"
    assert made["created_by"] == alice.id
    assert UTC_TIME.fullmatch(made["created_at"])
    assert made["member_count"] == 2
    assert (made["last_message"], made["unread_count"]) == (None, 0)
    got = await bob.chat("GET", f"conversations/{made['id']}")
    conforms(schemas.Conversation, got)
    roles = {one["user_id"]: one["role"] for one in got["participants"]}
    assert roles == {alice.id: "admin", bob.id: "member"}
    names = {one["user_id"]: one["first_name"] for one in got["participants"]}
    assert names == {alice.id: "Alice", bob.id: "Bob"}


async def test_naming_oneself_or_somebody_twice_changes_nothing(alice: User, bob: User) -> None:
    body = {"type": "group", "title": "x", "participant_ids": [alice.id, bob.id, bob.id]}
    made = await alice.chat("POST", "conversations/", json=body)
    assert made["member_count"] == 2
    alone = await alice.chat("POST", "conversations", json={"type": "group"})
    assert (alone["member_count"], alone["title"]) == (1, None)


async def test_two_people_have_one_private_conversation(alice: User, bob: User) -> None:
    first = await alice.private(bob)
    assert (await alice.private(bob))["id"] == first["id"]
    assert (await bob.private(alice))["id"] == first["id"]
    assert first["type"] == "private"
    assert first["title"] == "Bob"
    assert (await bob.chat("GET", f"conversations/{first['id']}"))["title"] == "Alice"


@pytest.mark.both
async def test_at_the_same_moment_too(alice: User, bob: User) -> None:
    made = await asyncio.gather(*(one.private(other) for one, other in ((alice, bob), (bob, alice)) * 3))
    assert len({one["id"] for one in made}) == 1


async def test_one_group_for_an_object_of_a_service(alice: User, bob: User, carol: User) -> None:
    body = {"type": "group", "title": "Course", "service": "course", "service_id": "42"}
    made = await alice.chat("POST", "conversations/", json=body)
    assert (made["service"], made["service_id"]) == ("course", "42")
    joined = await bob.chat("POST", "conversations/", json={**body, "title": "Mine", "service_id": 42})
    assert (joined["id"], joined["title"]) == (made["id"], "Course")
    other = await alice.chat("POST", "conversations/", json={**body, "service_id": "43"})
    assert other["id"] != made["id"]
    found = await alice.chat("GET", "conversations/?service=course&service_id=42")
    assert [one["id"] for one in found] == [made["id"]]
    assert len(await alice.chat("GET", "conversations/?service=course")) == 2
    assert await alice.chat("GET", "conversations/?service=exam") == []
    assert await carol.chat("GET", "conversations/?service=course") == []


async def test_a_private_conversation_per_object(alice: User, bob: User) -> None:
    body = {"type": "private", "participant_ids": [bob.id], "service": "thesis", "service_id": "7"}
    linked = await alice.chat("POST", "conversations/", json=body)
    assert linked["id"] != (await alice.private(bob))["id"]
    assert (await alice.chat("POST", "conversations/", json=body))["id"] == linked["id"]


BAD_WISHES: tuple[tuple[Any, int], ...] = (
    ({}, 422),
    ({"type": "secret"}, 422),
    ({"type": "group", "participant_ids": ["1"]}, 422),
    ({"type": "group", "participant_ids": [1.5]}, 422),
    ({"type": "group", "participant_ids": [True]}, 422),
    ({"type": "group", "participant_ids": [0]}, 422),
    ({"type": "group", "participant_ids": 1}, 422),
    ({"type": "group", "participant_ids": [999_999]}, 400),
    ({"type": "group", "title": 5}, 422),
    ({"type": "group", "title": "x" * 201}, 413),
    ({"type": "group", "service": "course"}, 422),
    ({"type": "group", "service_id": "1"}, 422),
    ({"type": "group", "service": "course", "service_id": ""}, 422),
    ({"type": "private"}, 400),
    ({"type": "private", "participant_ids": []}, 400),
)


async def test_bad_wishes(alice: User) -> None:
    for body, status in BAD_WISHES:
        await alice.chat("POST", "conversations/", status, json=body)
    assert await alice.chat("GET", "conversations/") == []


async def test_blanks_ask_for_nothing(alice: User, bob: User) -> None:
    """As a form sends them that nobody filled in."""
    linked = await alice.group(bob, service="course", service_id="42")
    blank = {"type": "private", "participant_ids": [bob.id], "service": "", "service_id": " ", "title": None}
    private = await alice.chat("POST", "conversations/", json=blank)
    assert (private["service"], private["service_id"]) == (None, None)
    assert (await alice.private(bob))["id"] == private["id"]
    listed = await alice.chat("GET", "conversations/?service=&service_id=&limit=&offset=&search=")
    assert [one["id"] for one in listed] == [private["id"], linked["id"]]
    said = await alice.say(private, "x", reply_to="", sender_id=None, client_id=None)
    await bob.chat("POST", f"conversations/{private['id']}/read", 204, json={"message_id": ""})
    page = await bob.chat("GET", f"messages/{private['id']}?limit=&offset=&before=&after=")
    assert [(one["id"], one["read_by_count"]) for one in page] == [(said["id"], 1)]


@pytest.mark.both
async def test_the_list_shows_what_happened_last_first(alice: User, bob: User) -> None:
    first = await alice.group(bob, title="first")
    second = await alice.group(bob, title="second")
    assert [one["title"] for one in await bob.chat("GET", "conversations/")] == ["second", "first"]
    message = await alice.say(first, "news")
    listed = await bob.chat("GET", "conversations")
    assert [one["id"] for one in listed] == [first["id"], second["id"]]
    for one in listed:
        conforms(schemas.Conversation, one)
    assert listed[0]["unread_count"] == 1
    assert listed[0]["last_message"] == {
        "id": message["id"],
        "sender_id": alice.id,
        "text": "news",
        "created_at": message["created_at"],
    }
    assert (await alice.chat("GET", "conversations/"))[0]["unread_count"] == 0


async def test_the_list_in_pages_and_by_words(alice: User, bob: User) -> None:
    for n in range(5):
        await alice.group(title=f"Group {n}")
    await alice.private(bob)
    titles = [one["title"] for one in await alice.chat("GET", "conversations/?limit=2&offset=1")]
    assert titles == ["Group 4", "Group 3"]
    assert [one["title"] for one in await alice.chat("GET", "conversations/?search=group%203")] == ["Group 3"]
    assert [one["title"] for one in await alice.chat("GET", "conversations/?search=bob")] == ["Bob"]
    assert await alice.chat("GET", "conversations/?search=%25") == []
    for bad in ("limit=0", "limit=201", "limit=x", "offset=-1", "limit=1.5"):
        await alice.chat("GET", f"conversations/?{bad}", 422)


async def test_admins_change_title_and_description(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    path = f"conversations/{group['id']}"
    changed = await alice.chat("PATCH", path, json={"title": "New", "description": "About"})
    assert (changed["title"], changed["description"]) == ("New", "About")
    changed = await alice.chat("PATCH", path, json={"title": None, "description": ""})
    assert (changed["title"], changed["description"]) == ("New", "")
    assert await bob.code("PATCH", f"/api/unet-chat/{path}", 403, json={"title": "Mine"}) == "not_admin"
    await alice.chat("PATCH", path, 413, json={"title": "x" * 201})
    assert (await bob.chat("GET", path))["title"] == "New"


async def test_a_member_leaves_and_an_admin_closes(alice: User, bob: User, carol: User) -> None:
    group = await alice.group(bob, carol)
    path = f"conversations/{group['id']}"
    await bob.chat("DELETE", path, 204)
    await bob.chat("GET", path, 404)
    assert await bob.chat("GET", "conversations/") == []
    assert (await carol.chat("GET", path))["member_count"] == 2
    await alice.chat("DELETE", path, 204)
    for person in (alice, carol):
        await person.chat("GET", path, 404)
        assert await person.chat("GET", "conversations/") == []
        await person.chat("POST", "messages/", 404, json={"conversation_id": group["id"], "text": "x"})


async def test_admins_add_and_remove_participants(alice: User, bob: User, carol: User) -> None:
    group = await alice.group(bob)
    people = f"conversations/{group['id']}/participants"
    added = await alice.chat("POST", f"{people}/", json={"user_id": carol.id})
    conforms(schemas.Participant, added)
    assert (added["user_id"], added["role"]) == (carol.id, "member")
    listed = await carol.chat("GET", people)
    assert [one["user_id"] for one in listed] == [alice.id, bob.id, carol.id]
    assert (await alice.chat("POST", people, json={"user_id": carol.id}))["user_id"] == carol.id
    await bob.chat("DELETE", f"{people}/{carol.id}", 403)
    await bob.chat("POST", people, 403, json={"user_id": carol.id})
    await alice.chat("DELETE", f"{people}/{carol.id}", 204)
    await carol.chat("GET", people, 404)
    await alice.chat("DELETE", f"{people}/{carol.id}", 404)
    await alice.chat("POST", people, 404, json={"user_id": 999_999})
    await bob.chat("DELETE", f"{people}/{bob.id}/", 204)
    assert [one["user_id"] for one in await alice.chat("GET", people)] == [alice.id]


async def test_a_second_admin(alice: User, bob: User, carol: User) -> None:
    group = await alice.group(bob)
    people = f"conversations/{group['id']}/participants"
    added = await alice.chat("POST", people, json={"user_id": carol.id, "role": "admin"})
    assert added["role"] == "admin"
    await carol.chat("DELETE", f"{people}/{bob.id}", 204)


async def test_a_member_becomes_an_admin_and_steps_back(alice: User, bob: User, carol: User) -> None:
    group = await alice.group(bob, carol)
    people = f"conversations/{group['id']}/participants"

    async def change(who: User, whom: User, role: str | None, status: int = 200) -> Any:
        return await who.chat("POST", people, status, json={"user_id": whom.id, "role": role})

    async def roles() -> list[str]:
        return [one["role"] for one in await carol.chat("GET", people)]

    assert (await change(bob, carol, "admin", 403))["code"] == "not_admin"
    async with carol.socket(group) as ear:
        for _ in range(2):
            assert (await change(alice, bob, "admin"))["role"] == "admin"
        await ear.until("conversation:updated")
    assert (await change(alice, bob, None))["role"] == "admin", "who names no role changes none"
    assert await roles() == ["admin", "admin", "member"]
    assert (await change(bob, alice, "member", 403))["code"] == "low_power"
    assert (await change(bob, carol, "admin"))["role"] == "admin"
    for one in (bob, carol):
        assert (await change(one, one, "member"))["role"] == "member"
    assert (await change(alice, alice, "member", 403))["code"] == "last_admin"
    assert await roles() == ["admin", "member", "member"]
    private = await alice.private(bob)
    body = {"user_id": bob.id, "role": "admin"}
    await alice.chat("POST", f"conversations/{private['id']}/participants", 400, json=body)


async def test_who_stays_in_a_private_conversation(alice: User, bob: User) -> None:
    """It keeps the other's name, says that nobody is there, and makes way for a new one."""
    private = await alice.private(bob)
    said = await alice.say(private, "hello")
    async with line(alice) as hers:
        await bob.chat("DELETE", f"conversations/{private['id']}", 204)
        assert (await hers.until("chat.updated"))["title"] == "Alice & Bob"
    for shown in (
        await alice.chat("GET", f"conversations/{private['id']}"),
        *await alice.chat("GET", "conversations/"),
    ):
        assert shown["title"] == "Bob"
    (chat,) = await alice.call("GET", "/api/v1/chats/")
    assert chat["title"] == "Alice & Bob"
    body = {"conversation_id": private["id"], "text": "are you there?"}
    assert (await alice.chat("POST", "messages/", 403, json=body))["code"] == "other_left"
    body = {"chat_id": chat["id"], "type": "text", "content": "are you there?"}
    assert (await alice.call("POST", "/api/v1/messages", 403, json=body))["code"] == "other_left"
    await alice.chat("PUT", f"messages/{said['id']}", json={"text": "hello?"})
    again = await alice.private(bob)
    assert again["id"] != private["id"]
    await alice.say(again, "here then")
    assert await bob.texts(again) == ["here then"]


async def test_a_private_conversation_stays_between_two(alice: User, bob: User, carol: User) -> None:
    private = await alice.private(bob)
    people = f"conversations/{private['id']}/participants/"
    await alice.chat("POST", people, 400, json={"user_id": carol.id})


async def test_reading_moves_the_mark(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    path = f"conversations/{group['id']}"
    messages = [await alice.say(group, str(n)) for n in range(3)]
    assert (await bob.chat("GET", path))["unread_count"] == 3
    await bob.chat("POST", f"{path}/read", 204, json={"message_id": messages[1]["id"]})
    assert (await bob.chat("GET", path))["unread_count"] == 1
    shown = await alice.chat("GET", f"messages/{group['id']}")
    assert [one["read_by_count"] for one in shown] == [1, 1, 0]
    await bob.chat("POST", f"{path}/read/", 204)  # no body: all of it
    assert (await bob.chat("GET", path))["unread_count"] == 0
    await bob.chat("POST", f"{path}/read", 204, json={"message_id": messages[0]["id"]})
    assert (await bob.chat("GET", path))["unread_count"] == 0, "a mark moves forward only"
    elsewhere = await alice.say(await alice.group(bob), "other")
    assert await bob.code("POST", f"/api/unet-chat/{path}/read", 400, json={"message_id": elsewhere["id"]})


async def test_reading_up_to_a_message_that_was_just_deleted(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    path = f"conversations/{group['id']}"
    _, last = [await alice.say(group, str(n)) for n in range(2)]
    await alice.chat("DELETE", f"messages/{last['id']}", 204)
    await bob.chat("POST", f"{path}/read", 204, json={"message_id": last["id"]})
    assert (await bob.chat("GET", path))["unread_count"] == 0
