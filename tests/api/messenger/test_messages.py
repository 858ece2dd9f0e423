"""Messages: sent, paged, edited, deleted; kinds and payloads."""

import re
from typing import Any

import pytest

from homeserver.api.messenger import schemas
from homeserver.lifecycle import Running
from homeserver.model import CALLED_KEY, PAYLOAD_KEY, Draft
from tests.api.driver import User
from tests.api.messenger.test_chats import conforms
from tests.api.messenger.wire import contents, direct, group, say, v1

MICROS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
PAYLOAD = {"lat": 42.87, "tags": ["a", {"b": None}], "big": 2**60, "текст": "😀"}


async def test_a_message_and_its_end(alice: User, bob: User) -> None:
    chat = await direct(alice, bob)
    sent = await say(alice, chat, "Привет!")
    conforms(schemas.Message, sent)
    assert MICROS.fullmatch(sent["ts"])
    facts = (sent["chat_id"], sent["author_id"], sent["type"], sent["payload"], sent["edited_at"])
    assert facts == (chat["id"], alice.id, "text", None, None)
    assert await v1(bob, "GET", f"chats/{chat['id']}/messages/") == [sent]
    edited = await v1(alice, "PATCH", f"messages/{sent['id']}", json={"content": "Салам!"})
    assert MICROS.fullmatch(edited["edited_at"])
    assert edited == {**sent, "content": "Салам!", "edited_at": edited["edited_at"]}
    assert await v1(bob, "GET", f"chats/{chat['id']}/messages") == [edited]
    await v1(alice, "DELETE", f"messages/{sent['id']}/", 204)
    assert await contents(bob, chat) == []
    await v1(alice, "DELETE", f"messages/{sent['id']}", 404)
    await v1(alice, "PATCH", f"messages/{sent['id']}", 404, json={"content": "x"})


async def test_only_the_author_edits_and_only_they_or_an_admin_delete(alice: User, bob: User) -> None:
    chat = await group(alice, bob)
    hers, his = await say(alice, chat, "hers"), await say(bob, chat, "his")
    answer = await v1(bob, "PATCH", f"messages/{hers['id']}", 403, json={"content": "x"})
    assert answer["code"] == "not_author"
    assert (await v1(bob, "DELETE", f"messages/{hers['id']}", 403))["code"] == "not_author"
    await v1(alice, "PATCH", f"messages/{his['id']}", 403, json={"content": "x"})
    await v1(alice, "DELETE", f"messages/{his['id']}", 204)
    assert await contents(bob, chat) == ["hers"]


@pytest.mark.both
async def test_pages(alice: User, bob: User) -> None:
    chat, other = await direct(alice, bob), await group(alice, bob)
    sent = []
    for n in range(5):
        sent.append(await say(alice, chat, str(n)))
        await say(alice, other, "elsewhere")
    assert await contents(bob, chat, "?limit=2") == ["3", "4"]
    assert await contents(bob, chat, f"?limit=2&before={sent[3]['id']}") == ["1", "2"]
    await v1(alice, "DELETE", f"messages/{sent[2]['id']}", 204)
    assert await contents(bob, chat, f"?before={sent[2]['id']}") == ["0", "1"], "a place stays a place"
    assert await contents(bob, chat, f"?before={sent[0]['id']}") == []
    for bad in ("limit=0", "limit=201", "limit=x", "before=x", "before=0"):
        await v1(alice, "GET", f"chats/{chat['id']}/messages?{bad}", 422)


@pytest.mark.both
async def test_a_repeated_client_id_sends_nothing_twice(alice: User, bob: User) -> None:
    chat = await direct(alice, bob)
    first = await say(alice, chat, "once", client_id="c1")
    assert await say(alice, chat, "once", client_id="c1") == first
    assert await contents(bob, chat) == ["once"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"chat_id": None}, 422, "invalid_param"),
        ({"chat_id": "1"}, 422, "invalid_param"),
        ({"chat_id": 10**9}, 404, "room_not_found"),
        ({"type": "dance"}, 422, "invalid_param"),
        ({"type": "system"}, 403, "system_message"),
        ({"content": " "}, 400, "empty_text"),
        ({"content": 5}, 422, "invalid_param"),
        ({"content": None}, 400, "empty_text"),
        ({"content": "a\x00b"}, 422, "invalid_param"),
        ({"content": "x" * 10_001}, 413, "text_too_long"),
        ({"payload": "text"}, 422, "invalid_param"),
        ({"payload": {"x": "y" * 70_000}}, 413, "event_too_large"),
        ({"type": "image", "content": ""}, 400, "empty_text"),
        ({"type": "image", "payload": {"url": "javascript:alert(1)"}}, 400, "bad_file_url"),
        ({"type": "file", "payload": {"url": "data:text/html,x"}}, 400, "bad_file_url"),
        ({"type": "file", "payload": {"url": "//evil.example/x"}}, 400, "bad_file_url"),
        ({"type": "file", "payload": {"url": 'https://x.example/"onerror="'}}, 400, "bad_file_url"),
        ({"client_id": ""}, 422, "invalid_param"),
    ],
)
async def test_messages_that_are_not_sent(
    alice: User, bob: User, change: dict[str, Any], status: int, code: str
) -> None:
    chat = await direct(alice, bob)
    body = {"chat_id": chat["id"], "type": "text", "content": "x", **change}
    assert (await v1(alice, "POST", "messages", status, json=body))["code"] == code
    assert await contents(bob, chat) == []


async def test_bad_edits(alice: User, bob: User) -> None:
    sent = await say(alice, await direct(alice, bob), "x")
    for body, status in (
        ({}, 422),
        ({"content": 5}, 422),
        ({"content": " "}, 400),
        ({"content": "x" * 10_001}, 413),
    ):
        await v1(alice, "PATCH", f"messages/{sent['id']}", status, json=body)


async def test_a_payload_comes_back_as_it_was_given_also_after_an_edit(alice: User, bob: User) -> None:
    chat = await direct(alice, bob)
    sent = await say(alice, chat, "here", payload=PAYLOAD)
    assert sent["payload"] == PAYLOAD
    edited = await v1(alice, "PATCH", f"messages/{sent['id']}", json={"content": "there"})
    assert (edited["payload"], edited["content"]) == (PAYLOAD, "there")
    assert await v1(bob, "GET", f"chats/{chat['id']}/messages") == [edited]
    empty = await say(alice, chat, "empty", payload={})
    assert empty["payload"] == {}


@pytest.mark.both
async def test_a_file_that_a_payload_tells_of_is_one_on_every_face(alice: User, bob: User) -> None:
    chat = await direct(alice, bob)
    payload = {
        "url": "https://files.example/pics/cat.png?x=1",
        "size": 123,
        "width": 40,
        "height": 30,
        "blur": 0.5,
    }
    sent = await say(alice, chat, "look", type="image", payload=payload)
    assert (sent["type"], sent["content"], sent["payload"]) == ("image", "look", payload)
    conversation = (await bob.chat("GET", "conversations/"))[0]
    (seen,) = await bob.chat("GET", f"messages/{conversation['id']}")
    (file,) = seen["attachments"]
    facts = (
        seen["text"],
        file["file_url"],
        file["file_type"],
        file["name"],
        file["file_size"],
        file["width"],
    )
    assert facts == ("look", payload["url"], "image", "cat.png", 123, 40)
    plain = await say(alice, chat, "https://files.example/a.pdf", type="file")
    assert (plain["type"], plain["content"]) == ("file", "https://files.example/a.pdf")
    assert (plain["payload"]["url"], plain["payload"]["name"]) == ("https://files.example/a.pdf", "a.pdf")


async def test_a_picture_without_an_address_is_still_called_one(alice: User, bob: User) -> None:
    chat = await direct(alice, bob)
    sent = await say(alice, chat, "cat.png", type="image", payload={"file_id": 7})
    assert (sent["type"], sent["content"], sent["payload"]) == ("image", "cat.png", {"file_id": 7})
    edited = await v1(alice, "PATCH", f"messages/{sent['id']}", json={"content": "dog.png"})
    assert (edited["type"], edited["content"]) == ("image", "dog.png")
    conversation = (await bob.chat("GET", "conversations/"))[0]
    assert await bob.texts(conversation) == ["dog.png"], "others see what it says"


async def test_what_others_write_under_our_keys_harms_nobody(alice: User, bob: User, server: Running) -> None:
    chat = await direct(alice, bob)
    hs = server.hs
    requester = await hs.auth.sessions.authenticate(alice.token, "")
    room_id = (await hs.events.access.room_by_number(requester, chat["id"])).room_id
    for wild in ("{", "[1]", 5, "system", None, {"a": 1}):
        content = {"msgtype": "m.text", "body": "x", PAYLOAD_KEY: wild, CALLED_KEY: wild}
        await hs.core.timeline.send(room_id, [Draft("m.room.message", requester.user_id, content)])
    page = await v1(bob, "GET", f"chats/{chat['id']}/messages")
    assert [(one["type"], one["payload"]) for one in page] == [("text", None)] * 6
