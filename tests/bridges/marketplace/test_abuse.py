"""Floods of guests, blocks between buyer and seller, reports, and the word list."""

from pathlib import Path

import aiohttp
import pytest

from homeserver.lifecycle import Running
from homeserver.model import Page
from tests.bridges.marketplace.people import API, SELLER, Shopper, guest

FLOOD = {
    "rate_limits": {
        "enabled": True,
        "guests": {"per_second": 100, "burst": 1000},
        "send_guests": {"per_second": 0.05, "burst": 6},
        "send_guest": {"per_second": 0.05, "burst": 4},
    }
}


@pytest.mark.parametrize("more", [FLOOD])
async def test_many_guests_of_one_address_cannot_flood(
    client: aiohttp.ClientSession, buyer: Shopper, seller: Shopper
) -> None:
    chatty = guest(client)
    chat = await chatty.open()
    for n in range(4):
        await chatty.say(chat, f"hello {n}")
    async with client.post(
        f"{API}/chats/{chat['id']}/messages", json={"message_text": "?", "sender_id": chatty.name}
    ) as answer:
        assert (answer.status, (await answer.json())["code"]) == (429, "rate_limited")
        assert 1 <= int(answer.headers["Retry-After"]) <= 20
    others = [guest(client) for _ in range(4)]
    for n, fresh in enumerate(others):
        theirs = await fresh.open()
        await fresh.say(theirs, f"from a fresh one {n}", 429 if n else 200)
        async with fresh.socket(theirs) as ear:
            await ear.say("message", message_text="by a frame")
            if not n:
                await ear.until("message")
            else:
                told = await ear.until("error")
                assert (told["code"], told["retry_ms"] > 1000) == ("rate_limited", True)
    await buyer.say(await buyer.open(), "a person with an account still gets through")
    await seller.say(chat, "and the seller may answer")


@pytest.mark.both
async def test_a_blocked_guest_does_not_reach_the_seller(
    visitor: Shopper, seller: Shopper, buyer: Shopper, stranger: Shopper
) -> None:
    chat, other = await visitor.open(), await buyer.open()
    await visitor.say(chat, "before")
    assert await stranger.call("POST", f"chats/{chat['id']}/block", 404, params={"user_id": stranger.name})
    async with visitor.socket(chat) as ear:
        assert (await seller.post(chat, "block"))["success"] is True
        for who in (visitor, seller):
            assert await who.say(chat, "?", 403) == "blocked"
        for frame in ({"message_text": "?"}, {"message_text": "", "file_url": "https://f.example/a.png"}):
            await ear.say("message", **frame)
            assert (await ear.until("error"))["code"] == "blocked"
        await ear.say("typing", is_typing=True)
        assert (await ear.until("error"))["code"] == "blocked"
        async with seller.socket(chat) as theirs:
            assert (await theirs.next())["users"] == [seller.name]
        await ear.ws.send_str("ping")
        await ear.until("pong")
    assert "user_connected" not in str(ear.seen)
    assert await visitor.open(99, SELLER, 403) == "blocked"
    assert (await visitor.open())["id"] == chat["id"], "what is there may be read"
    await seller.say(other, "others are not blocked")
    query = {"user_id": seller.name}
    await seller.call("DELETE", f"chats/{chat['id']}/block", params=query)
    await visitor.say(chat, "thank you")
    await visitor.post(chat, "block")
    assert await seller.say(chat, "?", 403) == "blocked", "guests can block as well"


async def test_support_stands_between_the_two(visitor: Shopper, seller: Shopper, support: Shopper) -> None:
    chat = await visitor.open()
    await seller.post(chat, "block")
    await visitor.post(chat, "invite-support")
    await support.post(chat, "join-support", who="support_user_id")
    assert await support.post(chat, "block", 403) == "not_a_side"
    for who in (support, visitor, seller):
        await who.say(chat, "let us talk")
    await support.post(chat, "leave-support", who="support_user_id")
    assert await visitor.say(chat, "?", 403) == "blocked"


async def test_a_block_goes_over_to_the_account(visitor: Shopper, seller: Shopper, buyer: Shopper) -> None:
    chat = await visitor.open()
    await seller.post(chat, "block")
    await buyer.call("POST", "guests/claim", json={"guest_id": visitor.name})
    assert await buyer.say(chat, "it is me again", 403) == "blocked"
    assert await buyer.open(99, SELLER, 403) == "blocked"


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("казино\nreport: взлом\n")
    return path


@pytest.fixture
def more(words: Path) -> dict[str, object]:
    return {"moderation": {"word_list": words}}


async def test_reports_and_listed_words(
    server: Running, visitor: Shopper, seller: Shopper, buyer: Shopper
) -> None:
    chat, other = await visitor.open(), await buyer.open()
    said = await visitor.say(chat, "Взлом недорого")
    assert await visitor.say(chat, "Казино!", 403) == "word_refused"
    path, mine = f"chats/{chat['id']}/report", {"user_id": seller.name}
    body = {"message_id": said["id"], "reason": "rude"}
    async with visitor.socket(chat) as ear:
        for _ in range(2):
            assert (await seller.call("POST", path, params=mine, json=body))["success"] is True
        elsewhere = f"chats/{other['id']}/report"
        assert await seller.call("POST", elsewhere, 404, params=mine, json=body) == "message_not_found"
        assert await seller.call("POST", path, 422, params=mine, json={}) == "missing_param"
        theirs = {"user_id": buyer.name}
        assert await buyer.call("POST", path, 404, params=theirs, json=body) == "room_not_found"
        own = {"user_id": visitor.name}
        assert await visitor.call("POST", path, 400, params=own, json=body) == "own_message"
        await ear.ws.send_str("ping")
        await ear.until("pong")
    assert "report" not in str(ear.seen)
    found = await server.hs.moderation.reports.listing(Page(9))
    assert [(one.text, one.row.reason, one.reporter is None) for one in found] == [
        ("Взлом недорого", "word list: взлом", True),
        ("Взлом недорого", "rude", False),
    ]
