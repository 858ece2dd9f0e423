"""Messages over REST."""

from typing import Any
from uuid import uuid4

import pytest

from homeserver.api.university import schemas
from tests.api.driver import User
from tests.api.messenger.wire import line
from tests.api.university.test_conversations import UTC_TIME, conforms
from tests.faces.hands import place


@pytest.mark.both
async def test_a_message_is_answered_whole_and_read_by_the_other(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    sent = await alice.say(group, "Привет, Боб! 👋", sender_id=alice.id)
    conforms(schemas.Message, sent)
    assert sent == {
        "id": sent["id"],
        "conversation_id": group["id"],
        "sender_id": alice.id,
        "text": "Привет, Боб! 👋",
        "reply_to": None,
        "is_edited": False,
        "created_at": sent["created_at"],
        "attachments": [],
        "read_by_count": 0,
        "client_id": None,
    }
    assert UTC_TIME.fullmatch(sent["created_at"])
    assert await bob.chat("GET", f"messages/{group['id']}") == [sent]


async def test_nobody_sends_in_anothers_name(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    body = {"conversation_id": group["id"], "text": "x", "sender_id": bob.id}
    assert await alice.code("POST", "/api/unet-chat/messages/", 403, json=body) == "wrong_sender"
    assert await bob.texts(group) == []


async def test_a_retry_of_what_was_deleted_answers_the_deleted_message(alice: User, bob: User) -> None:
    """By each API and by a socket, which says at once that it is gone; nothing new is sent."""
    group = await alice.group(bob)
    sent = await alice.say(group, "once", client_id="c")
    await alice.chat("DELETE", f"messages/{sent['id']}", 204)
    again = await alice.say(group, "once", client_id="c")
    assert again == {**sent, "text": again["text"]}
    assert not again["text"]
    chat = place(group["id"])
    body = {"chat_id": chat, "type": "text", "content": "once", "client_id": "c"}
    shown = await alice.call("POST", "/api/v1/messages", 201, json=body)
    assert shown["id"] == place(sent["id"])
    async with alice.socket(group) as ear, line(alice) as hers:
        await ear.say("message:new", text="once", client_id="c")
        assert await ear.until("message:new") == again
        assert (await ear.until("message:deleted"))["id"] == sent["id"]
        await hers.say("message.send", **body)
        assert (await hers.until("message.created"))["id"] == shown["id"]
        assert await hers.until("message.deleted") == {"id": shown["id"], "chat_id": chat}
    assert await bob.texts(group) == []


async def test_a_retry_with_the_same_client_id_sends_nothing_twice(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    first = await alice.say(group, "once", client_id="c-1")
    again = await alice.say(group, "once", client_id="c-1")
    assert again == first
    assert first["client_id"] == "c-1"
    await bob.say(group, "mine", client_id="c-1")  # somebody else's c-1 is another one
    assert await bob.texts(group) == ["once", "mine"]


async def test_a_reply_names_its_message(alice: User, bob: User) -> None:
    group, other = await alice.group(bob), await alice.group(bob)
    first = await alice.say(group, "question")
    reply = await bob.say(group, "answer", reply_to=first["id"])
    assert reply["reply_to"] == first["id"]
    assert (await alice.chat("GET", f"messages/{group['id']}"))[1]["reply_to"] == first["id"]
    assert (await alice.say(group, "x", reply_to=""))["reply_to"] is None
    path, body = "/api/unet-chat/messages/", {"conversation_id": other["id"], "text": "x"}
    assert await bob.code("POST", path, 400, json={**body, "reply_to": first["id"]}) == "reply_elsewhere"
    await bob.chat("POST", "messages/", 404, json={**body, "reply_to": str(uuid4())})
    await bob.chat("POST", "messages/", 422, json={**body, "reply_to": "first"})


REFUSED: tuple[tuple[Any, int], ...] = (
    ({}, 400),
    ({"text": None}, 400),
    ({"text": ""}, 400),
    ({"text": " \n\t "}, 400),
    ({"text": 5}, 422),
    ({"text": "x" * 10_001}, 413),
    ({"text": "a\x00b"}, 422),
    ({"text": "x", "client_id": ""}, 422),
    ({"text": "x", "client_id": "c" * 256}, 422),
    ({"text": "x", "sender_id": "1"}, 422),
)


async def test_messages_that_are_refused(alice: User) -> None:
    group = await alice.group()
    for more, status in REFUSED:
        await alice.chat("POST", "messages/", status, json={"conversation_id": group["id"], **more})
    assert await alice.texts(group) == []


async def test_the_longest_text_is_taken(alice: User) -> None:
    group = await alice.group()
    await alice.say(group, "я" * 10_000)
    assert await alice.texts(group) == ["я" * 10_000]


async def test_pages_by_offset_and_next_to_a_message(alice: User) -> None:
    group = await alice.group()
    sent = [await alice.say(group, str(n)) for n in range(7)]
    at = [f"={message['id']}" for message in sent]
    assert await alice.texts(group, "?limit=3") == ["4", "5", "6"]
    assert await alice.texts(group, "?limit=3&offset=3") == ["1", "2", "3"]
    assert await alice.texts(group, "?limit=3&offset=6") == ["0"]
    assert await alice.texts(group, "?offset=7") == []
    assert await alice.texts(group, f"?before{at[5]}&limit=2") == ["3", "4"]
    assert await alice.texts(group, f"?after{at[2]}&limit=2") == ["3", "4"]
    assert await alice.texts(group, f"?after{at[2]}") == ["3", "4", "5", "6"]
    assert await alice.texts(group, f"?before{at[0]}") == []
    assert await alice.texts(group, f"?after{at[6]}") == []
    await alice.chat("DELETE", f"messages/{sent[3]['id']}", 204)
    assert await alice.texts(group, f"?after{at[3]}") == ["4", "5", "6"], "a deleted message is still a place"
    assert await alice.texts(group, f"?before{at[3]}") == ["0", "1", "2"]


async def test_bad_pages(alice: User, bob: User) -> None:
    group, other = await alice.group(), await alice.group()
    mine = await alice.say(other, "elsewhere")
    path = f"messages/{group['id']}"
    for bad in (
        "limit=0",
        "limit=201",
        "limit=x",
        "offset=-1",
        "before=x",
        f"before={uuid4()}&after={uuid4()}",
    ):
        await alice.chat("GET", f"{path}?{bad}", 422)
    for unknown in (str(uuid4()), mine["id"], group["id"]):
        await alice.chat("GET", f"{path}?before={unknown}", 404)
        await alice.chat("GET", f"{path}?after={unknown}", 404)
    await bob.chat("GET", path, 404)


async def test_the_default_page_has_fifty(alice: User) -> None:
    group = await alice.group()
    for n in range(53):
        await alice.say(group, str(n))
    assert await alice.texts(group) == [str(n) for n in range(3, 53)]


async def test_only_the_author_edits(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    sent = await alice.say(group, "tpyo")
    path = f"messages/{sent['id']}"
    edited = await alice.chat("PUT", path, json={"text": "typo"})
    conforms(schemas.Message, edited)
    assert edited == {**sent, "text": "typo", "is_edited": True}
    assert await bob.chat("GET", f"messages/{group['id']}") == [edited]
    assert (await bob.chat("GET", "conversations/"))[0]["last_message"]["text"] == "typo"
    assert await bob.code("PUT", f"/api/unet-chat/{path}", 403, json={"text": "x"}) == "not_author"
    for body, status in (
        ({}, 422),
        ({"text": None}, 422),
        ({"text": " "}, 400),
        ({"text": "x" * 10_001}, 413),
    ):
        await alice.chat("PUT", path, status, json=body)


async def test_author_and_admins_delete(alice: User, bob: User, carol: User) -> None:
    group = await alice.group(bob, carol)
    first, second = await bob.say(group, "one"), await bob.say(group, "two")
    assert await carol.code("DELETE", f"/api/unet-chat/messages/{first['id']}", 403) == "not_author"
    await bob.chat("DELETE", f"messages/{first['id']}", 204)
    await alice.chat("DELETE", f"messages/{second['id']}/", 204)
    assert await carol.texts(group) == []
    await bob.chat("DELETE", f"messages/{first['id']}", 404)
    await bob.chat("PUT", f"messages/{first['id']}", 404, json={"text": "x"})
    assert (await carol.chat("GET", "conversations/"))[0]["last_message"] is None


async def test_texts_are_kept_as_they_were_typed(alice: User) -> None:
    group = await alice.group()
    texts = ["<script>alert(1)</script>", "  spaces  ", "line\nline\r\n", "\u202eabc", '"quotes" & \\', "🇰🇬"]
    for text in texts:
        await alice.say(group, text)
    assert await alice.texts(group) == texts
