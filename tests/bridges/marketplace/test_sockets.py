"""The socket of a chat and the seller's inbox."""

from typing import Any

import pytest

from bridges.marketplace import schemas
from homeserver.lifecycle import Running
from tests.api.university.test_conversations import conforms
from tests.bridges.marketplace.people import API, SELLER, Ear, Shopper, registered
from tests.http.kit import until


async def greeted(ear: Ear) -> list[str]:
    frame = await ear.next()
    assert frame["type"] == "online_users"
    users: list[str] = frame["users"]
    return users


async def test_all_sockets_of_a_chat_hear_a_message(visitor: Shopper, seller: Shopper) -> None:
    chat = await visitor.open()
    async with visitor.socket(chat) as guest_ear, visitor.socket(chat) as second, seller.socket(chat) as ear:
        for one in (guest_ear, second, ear):
            await greeted(one)
        await guest_ear.say("message", message_text="Привет", sender_is_registered=False)
        own, again, shown = [(await one.until("message"))["message"] for one in (guest_ear, second, ear)]
        conforms(schemas.Message, own)
        assert own == again
        assert own["sender_id"] == visitor.name
        assert shown["sender_id"] != visitor.name
        assert {**shown, "sender_id": ""} == {**own, "sender_id": ""}
        assert (await visitor.messages(chat)) == [own]
        assert (await seller.messages(chat)) == [shown]
        sent = await seller.say(chat, "by REST")
        assert (await guest_ear.until("message"))["message"] == sent
    assert visitor.name not in str(ear.seen)


async def test_who_is_there(visitor: Shopper, seller: Shopper) -> None:
    chat = await visitor.open()
    async with visitor.socket(chat) as ear:
        assert await greeted(ear) == [visitor.name]
        async with seller.socket(chat) as other:
            assert len(await greeted(other)) == 2
            assert (await ear.next()) == {"type": "user_connected", "user_id": str(SELLER)}
        assert (await ear.until("user_disconnected"))["user_id"] == str(SELLER)
    assert visitor.name not in str(other.seen)


async def test_typing_and_reading_are_told_to_the_others(visitor: Shopper, seller: Shopper) -> None:
    chat = await visitor.open()
    await visitor.say(chat, "one")
    await visitor.say(chat, "two")
    async with visitor.socket(chat) as ear, seller.socket(chat) as other:
        await greeted(ear)
        await greeted(other)
        await other.say("typing", is_typing=True)
        told = await ear.until("typing")
        assert told == {"type": "typing", "user_id": str(SELLER), "is_typing": True}
        await other.say("read")
        assert await ear.until("messages_read") == {
            "type": "messages_read",
            "user_id": str(SELLER),
            "count": 2,
        }
        await other.say("message", message_text="done")
        await other.until("message")
        assert not [one for one in other.seen if one["type"] in ("typing", "messages_read")]


async def test_support_is_called_by_a_frame(visitor: Shopper, seller: Shopper, support: Shopper) -> None:
    chat = await visitor.open()
    async with visitor.socket(chat) as ear, seller.socket(chat) as other:
        await ear.say("invite_support")
        for one in (ear, other):
            message = (await one.until("message"))["message"]
            assert (message["message_type"], message["sender_id"]) == ("system", "system")
            assert (await one.until("support_invited"))["message"] == message
        await ear.say("invite_support")
        assert (await ear.until("error"))["code"] == "help_called"
        await support.post(chat, "join-support", who="support_user_id")
        async with support.socket(chat) as helper:
            await greeted(helper)
            await helper.say("message", message_text="I am here")
            assert await other.until("message", lambda one: one["message"]["sender_id"] == support.name)
            await support.post(chat, "leave-support", who="support_user_id")
            assert await helper.closed() == 1008


async def test_a_frame_sent_again_is_answered_by_the_first_message(visitor: Shopper, seller: Shopper) -> None:
    chat = await visitor.open()
    async with visitor.socket(chat) as ear, seller.socket(chat) as other:
        first: list[Any] = []
        for _ in range(3):
            await ear.say("message", message_text="once", client_id="a")
            first.append(await ear.until("message"))
        assert first == [first[0]] * 3
        await ear.say("message", message_text="", client_id="b")
        await ear.say("no such", client_id="c")
        await ear.say("message", message_text="good", client_id="d")
        assert [(await ear.next()).get("client_id") for _ in range(2)] == ["b", "c"]
        assert (await ear.next())["message"]["message_text"] == "good"
        told = [(await other.until("message"))["message"]["message_text"] for _ in range(2)]
        assert told == ["once", "good"], "the others hear of each once"


async def test_a_file_without_words(visitor: Shopper, seller: Shopper) -> None:
    """The original widgets say null, and a client of forms nothing at all."""
    chat = await visitor.open()
    file: dict[str, Any] = {
        "message_type": "file",
        "file_url": "https://files.example/a.pdf",
        "file_name": "a.pdf",
    }
    async with visitor.socket(chat) as ear, seller.socket(chat) as other:
        for text in (None, ""):
            await ear.say("message", message_text=text, **file, sender_is_registered=False)
            sent = await visitor.say(chat, "", 200, **{**file, "message_text": text})
            for one in (ear, other):
                frames = [(await one.until("message"))["message"] for _ in range(2)]
                assert [frame["message_text"] for frame in frames] == [None, None]
                assert sent["id"] in [frame["id"] for frame in frames]
            assert sent["message_text"] is None
    assert {one["message_text"] for one in await seller.messages(chat)} == {None}


async def test_frames_that_are_refused(visitor: Shopper) -> None:
    chat = await visitor.open()
    async with visitor.socket(chat) as ear:
        await greeted(ear)
        for raw in ("", "nonsense", "[]", "{}", '{"type": 5}', '{"type": "no such"}', '{"type":"typing"}'):
            await ear.ws.send_str(raw)
            frame = await ear.next()
            assert (frame["type"], bool(frame["detail"])) == ("error", True), raw
        bad: tuple[dict[str, Any], ...] = (
            {"message_text": ""},
            {"message_text": "x" * 2001},
            {"message_text": "x", "message_type": "system"},
            {"message_text": "x", "sender_id": str(SELLER)},
            {"message_text": "x", "file_url": "javascript:alert(1)", "message_type": "image"},
        )
        for fields in bad:
            await ear.say("message", **fields)
            assert (await ear.next())["type"] == "error", fields
        await ear.ws.send_str("ping")
        assert await ear.next() == {"type": "pong"}
        await ear.say("message", message_text="still here")
        assert (await ear.next())["message"]["message_text"] == "still here"
    assert len(await visitor.messages(chat)) == 1


async def test_who_may_not_listen_is_told_by_1008(
    buyer: Shopper, stranger: Shopper, visitor: Shopper
) -> None:
    chat = await buyer.open()
    await visitor.open()
    nobody = Shopper(buyer.session, buyer.name)
    for who, number, query in (
        (buyer, 10**15, None),
        (buyer, "x", None),
        (stranger, chat["id"], None),
        (stranger, chat["id"], f"user_id={buyer.name}"),
        (visitor, chat["id"], None),
        (nobody, chat["id"], None),
        (nobody, chat["id"], ""),
    ):
        async with who.socket({"id": number}, query) as ear:
            assert await ear.closed() == 1008
            assert ear.seen == []
    assert await buyer.call("GET", f"ws/{chat['id']}", 400) == "websocket_expected"


@pytest.mark.both
async def test_the_inbox_hears_what_others_say_in_every_chat(
    visitor: Shopper, buyer: Shopper, seller: Shopper
) -> None:
    old = await visitor.open()
    async with seller.inbox() as ear:
        assert await ear.next() == {"type": "connected"}
        await visitor.say(old, "in an old chat")
        first = (await ear.until("message"))["message"]
        assert (first["chat_id"], first["message_text"]) == (old["id"], "in an old chat")
        fresh = await buyer.open()
        await buyer.say(fresh, "in a chat made since")
        second = (await ear.until("message"))["message"]
        assert (second["chat_id"], second["sender_id"]) == (fresh["id"], buyer.name)
        await seller.say(fresh, "the seller's own")
        await buyer.say(fresh, "after it")
        assert (await ear.until("message"))["message"]["message_text"] == "after it"
        await seller.post(old, "read")
        told = await ear.until("messages_read", lambda one: one["chat_id"] == old["id"])
        assert (told["user_id"], told["count"]) == (str(SELLER), 1)
        await ear.ws.send_str("ping")
        assert (await ear.until("pong")) == {"type": "pong"}
        messages = f"/api/v1/messages/{second['id']}"
        change = {"content": "said otherwise"}
        await buyer.session.patch(messages, json=change, headers=buyer.headers)
        edited = (await ear.until("message_edited"))["message"]
        assert (edited["id"], edited["message_text"]) == (second["id"], "said otherwise")
        await buyer.session.delete(messages, headers=buyer.headers)
        gone = await ear.until("message_deleted")
        assert (gone["id"], gone["chat_id"]) == (second["id"], fresh["id"])
        async with seller.socket(fresh) as beside:
            await greeted(beside)
            await buyer.call("DELETE", f"chats/{fresh['id']}")
            assert await beside.closed() == 1008
        assert (await ear.until("chat_deleted"))["chat_id"] == fresh["id"]
        await ear.say("message", message_text="this socket only listens")
        assert (await ear.until("error"))["code"] == "unknown_type"
    assert visitor.name not in str(ear.seen)


async def test_the_inbox_is_the_sellers_alone(buyer: Shopper, stranger: Shopper, visitor: Shopper) -> None:
    await buyer.open()
    await visitor.open()
    for who in (buyer, stranger, visitor, Shopper(buyer.session, str(SELLER))):
        async with who.inbox(str(SELLER)) as ear:
            assert await ear.closed() == 1008
            assert ear.seen == []


async def test_chats_of_others_are_not_in_the_inbox(client: Any, buyer: Shopper, seller: Shopper) -> None:
    other = registered(client, 3)
    theirs = await buyer.open(50, 3)
    mine = await buyer.open(51, SELLER)
    async with seller.inbox() as ear, other.inbox() as other_ear:
        for one in (ear, other_ear):
            assert (await one.next())["type"] == "connected"
        await buyer.say(theirs, "for the other")
        await buyer.say(mine, "for the seller")
        assert (await ear.until("message"))["message"]["message_text"] == "for the seller"
        assert (await other_ear.until("message"))["message"]["message_text"] == "for the other"


async def test_nothing_is_kept_for_sockets_that_closed(
    server: Running, visitor: Shopper, seller: Shopper
) -> None:
    chat = await visitor.open()
    async with visitor.socket(chat) as ear, seller.inbox() as inbox:
        await greeted(ear)
        await inbox.next()
    await until(lambda: len(server.hub) == 0)
    watcher = next(
        one for one in server.hs.realtime.feed._watchers if type(one).__module__.startswith("bridges")
    )
    assert not watcher._chats  # type: ignore[attr-defined]  # looked at from inside
    assert not watcher._inboxes  # type: ignore[attr-defined]
    assert not watcher._sellers  # type: ignore[attr-defined]


@pytest.mark.parametrize("prefix", ["/api/v1/chat", API])
async def test_sockets_under_both_prefixes(visitor: Shopper, prefix: str) -> None:
    chat = await visitor.open()
    visitor.prefix = prefix
    async with visitor.socket(chat) as ear:
        await greeted(ear)
