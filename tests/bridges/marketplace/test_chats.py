"""Chats by REST: the rows, who may do what, and what the others see of a guest."""

from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from bridges.marketplace import schemas
from tests.api.driver import User, register
from tests.api.university.test_conversations import conforms
from tests.bridges.marketplace.people import (
    API,
    BUYER,
    LISTING,
    SELLER,
    Shopper,
    guest,
    registered,
)


async def test_a_registered_buyer_opens_a_chat(buyer: Shopper) -> None:
    body = {"iphone_id": LISTING, "seller_id": SELLER, "buyer_id": str(BUYER), "buyer_is_registered": True}
    made = await buyer.call("POST", "chats", json=body)
    conforms(schemas.Chat, made)
    assert (made["iphone_id"], made["seller_id"], made["buyer_id"]) == (LISTING, SELLER, str(BUYER))
    assert made["buyer_is_registered"] is True
    assert made["buyer_name"] == f"user{BUYER}"
    assert made["anonymous_buyer_number"] is None
    assert made["last_message"] is None
    assert await buyer.call("POST", "chats", json={**body, "buyer_id": BUYER}) == made
    assert await buyer.open() == made
    assert (await buyer.open(LISTING + 1))["id"] != made["id"]
    assert (await buyer.open(seller=SELLER + 1))["id"] == made["id"], "one chat per listing and buyer"


async def test_a_guest_without_cookies_goes_through_the_whole_widget(
    visitor: Shopper, seller: Shopper
) -> None:
    body = {"iphone_id": LISTING, "seller_id": SELLER, "buyer_id": visitor.name, "buyer_is_registered": False}
    chat = await visitor.call("POST", "chats", json=body)
    assert (chat["buyer_id"], chat["buyer_is_registered"], chat["anonymous_buyer_number"]) == (
        visitor.name,
        False,
        1,
    )
    assert chat["buyer_name"] is None
    sent = await visitor.say(chat, "Привет, товар еще актуален?", sender_is_registered=False)
    conforms(schemas.Message, sent)
    assert (sent["sender_id"], sent["sender_is_registered"], sent["is_read"]) == (visitor.name, False, False)
    inbox = await seller.mine(is_seller=True)
    assert [(one["id"], one["unread_count"], one["last_message"]) for one in inbox] == [
        (chat["id"], 1, "Привет, товар еще актуален?")
    ]
    await seller.say(chat, "Да, актуален!")
    assert await seller.post(chat, "read") == {"marked_as_read": 0}, "who answers has read"
    assert await visitor.post(chat, "read") == {"marked_as_read": 1}
    assert [(one["message_text"], one["is_read"]) for one in await visitor.messages(chat)] == [
        ("Привет, товар еще актуален?", True),
        ("Да, актуален!", True),
    ]
    assert [one["unread_count"] for one in await visitor.mine(is_seller=False)] == [0]


async def test_nobody_else_ever_sees_a_guests_uuid(visitor: Shopper, seller: Shopper) -> None:
    chat = await visitor.open()
    await visitor.say(chat, "hello")
    shown = [
        *await seller.mine(is_seller=True),
        await seller.call("GET", f"chats/seller/{SELLER}/grouped"),
        await seller.call("GET", f"chats/{chat['id']}"),
        await seller.call("GET", f"chats/{chat['id']}/info"),
        await seller.messages(chat),
    ]
    assert visitor.name not in str(shown)
    alias = shown[0]["buyer_id"]
    assert UUID(alias).version == 8
    assert shown[-1][0]["sender_id"] == alias
    for path in (f"chats/my?user_id={alias}", f"chats/{chat['id']}/info?user_id={alias}"):
        assert await Shopper(seller.session, alias).call("GET", path, 400) == "bad_guest_id"
    assert await Shopper(seller.session, alias).open(status=400) == "bad_guest_id"


async def test_a_sellers_guests_are_counted(client: aiohttp.ClientSession) -> None:
    one, two, three = guest(client), guest(client), guest(client)
    assert (await one.open())["anonymous_buyer_number"] == 1
    assert (await two.open())["anonymous_buyer_number"] == 2
    assert (await one.open(LISTING + 1))["anonymous_buyer_number"] == 1, "the same guest"
    assert (await three.open(LISTING + 1))["anonymous_buyer_number"] == 3
    assert (await three.open(99, 5))["anonymous_buyer_number"] == 1, "another seller"


@pytest.mark.both
async def test_lists(buyer: Shopper, visitor: Shopper, seller: Shopper) -> None:
    first, second, third = await buyer.open(1), await visitor.open(1), await buyer.open(2)
    await visitor.say(second, "newest")
    assert [one["id"] for one in await seller.mine(is_seller=True)] == [
        second["id"],
        third["id"],
        first["id"],
    ]
    assert [one["id"] for one in await buyer.mine(is_seller=False)] == [third["id"], first["id"]]
    assert await seller.mine(is_seller=False) == await buyer.mine(is_seller=True) == []
    grouped = await seller.call("GET", f"chats/seller/{SELLER}/grouped")
    assert {listing: [one["id"] for one in chats] for listing, chats in grouped.items()} == {
        "1": [second["id"], first["id"]],
        "2": [third["id"]],
    }
    page = await seller.call("GET", f"chats/my?user_id={SELLER}&is_seller=true&limit=1&offset=1")
    assert [one["id"] for one in page] == [third["id"]]
    assert await guest(buyer.session).mine(is_seller=False) == [], "a widget asks before it has a chat"


async def test_a_chat_with_its_messages(buyer: Shopper) -> None:
    chat = await buyer.open()
    for n in range(5):
        await buyer.say(chat, str(n))
    whole = await buyer.call("GET", f"chats/{chat['id']}")
    conforms(schemas.ChatWithMessages, whole)
    assert [one["message_text"] for one in whole["messages"]] == ["0", "1", "2", "3", "4"]
    assert [one["message_text"] for one in await buyer.messages(chat, limit=2)] == ["0", "1"]
    page = await buyer.messages(chat, limit=2, offset=2)
    assert [one["message_text"] for one in page] == ["2", "3"], "what comes after the two one has"
    assert [one["message_text"] for one in await buyer.messages(chat, offset=4)] == ["4"]
    assert await buyer.messages(chat, offset=5) == []
    newest = await buyer.messages(chat, limit=2, before=2**53 - 1)
    assert [one["message_text"] for one in newest] == ["3", "4"]
    older = await buyer.messages(chat, limit=2, before=newest[0]["id"])
    assert [one["message_text"] for one in older] == ["1", "2"]
    for bad in (0, 501, "x"):
        assert await buyer.call("GET", f"chats/{chat['id']}/messages?limit={bad}", 422) == "invalid_param"


@pytest.mark.both
async def test_hidden_until_something_new_is_said(buyer: Shopper, seller: Shopper) -> None:
    chat = await buyer.open()
    await buyer.say(chat, "hello")
    assert "message" in await seller.post(chat, "hide")
    assert await seller.mine(is_seller=True) == []
    assert await seller.call("GET", f"chats/seller/{SELLER}/grouped") == {}
    shown = (await buyer.mine(is_seller=False))[0]
    assert (shown["is_hidden_by_seller"], shown["is_hidden_by_buyer"]) == (True, False)
    await buyer.say(chat, "still there?")
    assert [one["is_hidden_by_seller"] for one in await seller.mine(is_seller=True)] == [False]


async def test_an_order_that_is_done_hides_the_chat_for_both(
    buyer: Shopper, visitor: Shopper, seller: Shopper, backend: Shopper
) -> None:
    await buyer.open()
    await visitor.open()
    alias = next(
        one["buyer_id"] for one in await seller.mine(is_seller=True) if not one["buyer_is_registered"]
    )
    path = f"chats/hide-for-order?post_id={LISTING}&buyer_id="
    for headers in ({}, {"X-Service-Key": "guess"}, {"X-Service-Key": ""}):
        assert await seller.call("POST", f"{path}{BUYER}", 401, headers=headers) == "bad_service_key"
    assert (await backend.call("POST", f"{path}{BUYER}"))["hidden_count"] == 1
    assert await buyer.mine(is_seller=False) == []
    assert len(await seller.mine(is_seller=True)) == 1
    assert (await backend.call("POST", f"{path}{alias}"))["hidden_count"] == 1
    assert (await backend.call("POST", f"{path}{visitor.name}"))["hidden_count"] == 1
    assert await seller.mine(is_seller=True) == []
    for nobody in ("999", str(uuid4())):
        assert (await backend.call("POST", f"{path}{nobody}"))["hidden_count"] == 0


async def test_deleting_is_for_the_two_sides(buyer: Shopper, seller: Shopper, stranger: Shopper) -> None:
    chat = await buyer.open()
    await buyer.say(chat, "old")
    assert await stranger.call("DELETE", f"chats/{chat['id']}", 404) == "room_not_found"
    assert await seller.call("DELETE", f"chats/{chat['id']}") == {"deleted": True}
    assert await buyer.call("GET", f"chats/{chat['id']}/info", 404) == "room_not_found"
    assert await buyer.mine(is_seller=False) == []
    again = await buyer.open()
    assert again["id"] != chat["id"]
    assert await buyer.messages(again) == []
    assert await buyer.call("DELETE", f"chats/{again['id']}") == {"deleted": True}


async def test_both_prefixes_and_both_slashes(buyer: Shopper) -> None:
    chat = await buyer.open()
    for path in (f"/api/v1/chat/chats/{chat['id']}/info", f"{API}/chats/{chat['id']}/info/"):
        async with buyer.session.get(path, headers=buyer.headers, allow_redirects=False) as answer:
            assert (answer.status, (await answer.json())["id"]) == (200, chat["id"])


async def test_health(client: aiohttp.ClientSession) -> None:
    async with client.get("/health") as answer:
        said = await answer.json()
        assert (said["status"], said["service"]) == ("healthy", "chat")
    async with client.head("/health") as answer:
        assert answer.status == 200


async def test_ids_of_chats_can_be_guessed_to_no_use(
    buyer: Shopper, visitor: Shopper, stranger: Shopper, client: aiohttp.ClientSession
) -> None:
    chats = [await buyer.open(), await visitor.open()]
    spy = guest(client)
    await spy.open(LISTING + 9)
    for chat in [*chats, {"id": 1}, {"id": 10**15}]:
        for method, path in (
            ("GET", ""),
            ("GET", "/info"),
            ("GET", "/messages"),
            ("POST", "/read"),
            ("POST", "/hide"),
            ("POST", "/invite-support"),
            ("DELETE", ""),
        ):
            for who in (stranger, spy):
                query = {"user_id": who.name}
                code = await who.call(method, f"chats/{chat['id']}{path}", 404, params=query)
                assert code == "room_not_found", (method, path)
        assert await stranger.say(chat, "let me in", 404) == "room_not_found"
        async with client.get(f"{API}/chats/{chat['id']}/messages") as answer:
            assert answer.status == 401


async def test_who_names_somebody_else_is_refused(buyer: Shopper, seller: Shopper, visitor: Shopper) -> None:
    chat = await buyer.open()
    as_seller = Shopper(buyer.session, str(SELLER), buyer.headers)
    assert await as_seller.call("GET", f"chats/my?user_id={SELLER}&is_seller=true", 403) == "wrong_user"
    assert await as_seller.call("GET", f"chats/seller/{SELLER}/grouped", 403) == "wrong_user"
    for verb in ("read", "hide", "invite-support"):
        assert await as_seller.post(chat, verb, 403) == "wrong_user"
    assert await as_seller.open(status=403) == "wrong_user"
    assert await as_seller.say(chat, "as the seller", 403) == "wrong_user"
    own = await visitor.open()
    body = {"message_text": "x", "sender_id": str(SELLER)}
    path = f"chats/{own['id']}/messages?user_id={visitor.name}"
    assert await visitor.call("POST", path, 403, json=body) == "wrong_user"
    nobody = Shopper(buyer.session, str(BUYER))
    assert await nobody.call("GET", f"chats/my?user_id={BUYER}", 401) == "missing_token"
    assert await nobody.open(status=401) == "missing_token"


async def test_bad_bodies_and_queries(buyer: Shopper) -> None:
    good: dict[str, Any] = {
        "iphone_id": 1,
        "seller_id": SELLER,
        "buyer_id": str(BUYER),
        "buyer_is_registered": True,
    }
    for name in ("iphone_id", "seller_id", "buyer_id"):
        left = {key: value for key, value in good.items() if key != name}
        assert await buyer.call("POST", "chats", 422, json=left) == "missing_param"
    for name, value in (
        ("iphone_id", 0),
        ("iphone_id", "1"),
        ("seller_id", -1),
        ("buyer_is_registered", "yes"),
    ):
        assert await buyer.call("POST", "chats", 422, json={**good, name: value}) == "invalid_param"
    assert (
        await buyer.call("POST", "chats", 422, json={**good, "buyer_is_registered": False}) == "invalid_param"
    )
    assert await buyer.call("POST", "chats", 400, json={**good, "seller_id": BUYER}) == "own_object"
    assert await buyer.call("POST", "chats", 404, json={**good, "seller_id": 2**52 + 1}) == "user_not_found"
    assert await buyer.call("GET", "chats/find?iphone_id=1", 422) == "missing_param"
    assert await buyer.call("GET", "chats/my", 422) == "missing_param"
    chat = await buyer.open()
    assert await buyer.say(chat, "x" * 2001, 422) == "invalid_param"
    assert await buyer.say(chat, "   ", 400) == "empty_text"
    assert len((await buyer.say(chat, "x" * 2000))["message_text"]) == 2000


async def test_markup_stays_as_it_was_typed(buyer: Shopper) -> None:
    chat = await buyer.open()
    text = "<img src=x onerror=alert(1)> & \"quotes\" 'too'"
    assert (await buyer.say(chat, text))["message_text"] == text


async def test_other_rooms_are_no_chats(buyer: Shopper, client: aiohttp.ClientSession) -> None:
    await buyer.open()
    user = User(client, buyer.headers["Authorization"].removeprefix("Bearer "), BUYER)
    body = {
        "type": "group",
        "title": "G",
        "participant_ids": [],
        "service": "marketplace",
        "service_id": "31",
    }
    await user.chat("POST", "conversations/", json=body)
    listed = await user.chat("GET", "conversations/?service=marketplace")
    assert len(listed) == 2
    assert len(await buyer.mine(is_seller=False)) == 1
    found = [await client.get(f"{API}/chats/{n}/info", headers=buyer.headers) for n in range(1, 25)]
    assert sorted(one.status for one in found)[:2] == [200, 404]


@pytest.mark.both
async def test_what_is_said_here_is_seen_in_the_other_apis(
    buyer: Shopper, client: aiohttp.ClientSession
) -> None:
    chat = await buyer.open()
    await buyer.say(chat, "from the widget")
    user = User(client, buyer.headers["Authorization"].removeprefix("Bearer "), BUYER)
    listed = await user.chat("GET", "conversations/?service=marketplace&service_id=31")
    assert [(one["type"], one["last_message"]["text"]) for one in listed] == [("private", "from the widget")]
    sent = await user.say(listed[0], "from the portal")
    await user.chat("PUT", f"messages/{sent['id']}", json={"text": "from the portal, edited"})
    assert [one["message_text"] for one in await buyer.messages(chat)] == [
        "from the widget",
        "from the portal, edited",
    ]


async def test_support_joins_and_leaves(
    visitor: Shopper, seller: Shopper, support: Shopper, stranger: Shopper
) -> None:
    chat = await visitor.open()
    assert await support.post(chat, "join-support", 400, "support_user_id") == "help_not_called"
    assert (await visitor.post(chat, "invite-support"))["success"] is True
    for who in (visitor, seller):
        assert await who.post(chat, "invite-support", 400) == "help_called"
    for path in ("chats/support/pending", f"chats/support/pending?support_user_id={SELLER}"):
        assert await seller.call("GET", path, 403) == "not_staff"
    assert await stranger.post(chat, "join-support", 403, "support_user_id") == "not_staff"
    waiting = await support.call("GET", "chats/support/pending")
    assert [one["id"] for one in waiting] == [chat["id"]]
    assert waiting[0]["buyer_id"] != visitor.name
    assert await support.call("GET", f"chats/{chat['id']}/messages", 404) == "room_not_found"
    assert (await support.post(chat, "join-support", who="support_user_id"))["success"] is True
    assert await support.call("GET", "chats/support/pending") == []
    shown = await seller.call("GET", f"chats/{chat['id']}/info")
    assert (shown["support_joined"], shown["support_user_id"]) == (True, int(support.name))
    await support.say(chat, "How can I help?")
    other = registered(seller.session, 901, user_type="admin")
    assert await other.post(chat, "leave-support", 403, "support_user_id") == "not_helper"
    assert (await support.post(chat, "leave-support", who="support_user_id"))["success"] is True
    assert await support.call("GET", f"chats/{chat['id']}/messages", 404) == "room_not_found"
    seen = [(one["message_type"], one["sender_id"]) for one in await seller.messages(chat)]
    assert seen == [("system", "system"), ("system", "system"), ("text", support.name), ("system", "system")]
    assert (await visitor.post(chat, "invite-support"))["success"] is True, "support can be called again"


async def test_a_person_cannot_speak_as_the_system(buyer: Shopper) -> None:
    chat = await buyer.open()
    assert await buyer.say(chat, "I am the system", 422, message_type="system") == "invalid_param"
    body = {"message_text": "x", "sender_id": "system"}
    assert await buyer.call("POST", f"chats/{chat['id']}/messages", 403, json=body) == "wrong_user"


@pytest.mark.parametrize("market", [{"issuer": ""}])
@pytest.mark.parametrize("more", [{"issuers": []}])
async def test_without_an_issuer_the_people_are_those_with_accounts_here(
    client: aiohttp.ClientSession,
) -> None:
    alice, bob = await register(client, "Alice"), await register(client, "Bob")
    own = Shopper(client, str(bob.id), bob.headers)
    chat = await own.open(seller=alice.id)
    assert (chat["seller_id"], chat["buyer_id"]) == (alice.id, str(bob.id))
    assert await own.open(5, 77, 404) == "user_not_found"
