"""Blocks and reports on the university's API, and what the limits say."""

import pytest

from homeserver.lifecycle import Running
from homeserver.model import Page
from tests.api.driver import User
from tests.api.messenger import wire as messenger


@pytest.mark.both
async def test_a_block_holds_on_every_api(alice: User, bob: User) -> None:
    room = await alice.private(bob)
    said = await alice.say(room, "before")
    async with alice.socket(room) as hers, bob.socket(room) as his:
        assert (await hers.until("presence"))["user_id"] == bob.id
        await alice.chat("POST", f"users/{bob.id}/block", 204)
        for ear in (hers, his):
            await ear.say("message:new", text="?", client_id="c1")
            refused = await ear.until("error")
            assert (refused["code"], refused["client_id"]) == ("blocked", "c1")
            await ear.say("typing", is_typing=True)
            assert (await ear.until("error"))["code"] == "blocked"
    body = {"conversation_id": room["id"], "text": "?"}
    for who, other in ((alice, bob), (bob, alice)):
        assert await who.code("POST", "/api/unet-chat/messages/", 403, json=body) == "blocked"
        assert (await who.private(other))["id"] == room["id"]
        async with who.socket(room):
            pass
    assert "typing" not in str(his.seen)
    (chat,) = await messenger.v1(bob, "GET", "chats/")
    frame = {"chat_id": chat["id"], "type": "text", "content": "?"}
    assert await bob.code("POST", "/api/v1/messages", 403, json=frame) == "blocked"
    async with messenger.line(bob) as line:
        await line.say("message.send", **frame)
        assert (await line.until("error"))["code"] == "blocked"
        await line.say("typing", chat_id=chat["id"], is_typing=True)
        assert (await line.until("error"))["code"] == "blocked"
        async with messenger.line(alice), alice.socket(room):
            await line.settled()
        assert "presence" not in str(line.seen)
    assert [one["id"] for one in await alice.chat("GET", "users/blocked/")] == [bob.id]
    assert await bob.chat("GET", "users/blocked/") == []
    await alice.chat("DELETE", f"users/{bob.id}/block/", 204)
    assert await bob.texts(room) == [said["text"]]
    await bob.say(room, "friends again")
    assert await alice.code("POST", f"/api/unet-chat/users/{alice.id}/block", 400) == "own_block"
    assert await alice.code("POST", "/api/unet-chat/users/999999/block", 404) == "user_not_found"


@pytest.mark.own_server
async def test_a_report_reaches_the_admins_and_nobody_else(
    server: Running, alice: User, bob: User, carol: User
) -> None:
    room = await alice.group(bob)
    said = await bob.say(room, "something bad")
    report = f"/api/unet-chat/messages/{said['id']}/report"
    async with bob.socket(room) as ear:
        for reason in ({"reason": "rude"}, {}):
            await alice.call("POST", report, 204, json=reason)
        assert await bob.code("POST", report, 400, json={}) == "own_message"
        assert await carol.code("POST", report, 404, json={}) == "message_not_found"
        assert await alice.code("POST", report, 413, json={"reason": "x" * 501}) == "reason_too_long"
        await alice.say(room, "after it")
        await ear.until("message:new")
        assert "report" not in str(ear.seen)
    (found,) = await server.hs.moderation.reports.listing(Page(9))
    assert (found.text, found.row.reason) == ("something bad", "rude")


LIMITS = {
    "rate_limits": {
        "enabled": True,
        "send": {"per_second": 0.01, "burst": 100},
        "send_address": {"per_second": 0.01, "burst": 5},
    },
    "moderation": {"repeat_count": 2, "repeat_window_s": 100},
}


@pytest.mark.parametrize("overrides", [LIMITS])
async def test_refusals_say_how_long_to_wait(alice: User, bob: User) -> None:
    room = await alice.group(bob)
    body = {"conversation_id": room["id"], "text": "same"}
    for _ in range(2):
        await alice.chat("POST", "messages/", json=body)
    headers = alice.headers
    async with alice.session.post("/api/unet-chat/messages/", json=body, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (429, "repeated_message")
        assert 90 <= int(answer.headers["Retry-After"]) <= 100
    async with alice.socket(room) as hers, bob.socket(room) as his:
        await hers.say("message:new", text="same")
        told = await hers.until("error")
        assert told["code"] == "repeated_message"
        assert 90_000 <= told["retry_ms"] <= 100_000
        await his.say("message:new", text="the fifth from this address")
        await his.until("message:new")
        await his.say("message:new", text="the sixth")
        told = await his.until("error")
        assert (told["code"], told["retry_ms"] > 10_000) == ("rate_limited", True)
