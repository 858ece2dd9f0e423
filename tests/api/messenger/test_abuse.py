"""Blocks and reports on the messenger's API."""

from pathlib import Path

import pytest

from homeserver.lifecycle import Running
from homeserver.model import Page
from tests.api.driver import User
from tests.api.messenger.wire import contents, direct, group, line, say, v1


@pytest.mark.both
async def test_who_is_blocked_is_not_reached(alice: User, bob: User, carol: User) -> None:
    chat, together = await direct(alice, bob), await group(carol, alice, bob)
    said = await say(bob, chat, "before")
    await v1(alice, "POST", f"users/{bob.id}/block", 204)
    for who, other in ((alice, bob), (bob, alice)):
        body = {"chat_id": chat["id"], "type": "text", "content": "?"}
        assert (await v1(who, "POST", "messages", 403, json=body))["code"] == "blocked"
        body = {"title": "Come here", "user_ids": [other.id, carol.id]}
        assert (await v1(who, "POST", "chats/group", 403, json=body))["code"] == "blocked"
        mine = await group(who)
        refused = await v1(who, "POST", f"chats/{mine['id']}/members/{other.id}", 403)
        assert refused["code"] == "blocked"
        await say(who, together, "in a group nothing is different")
        assert (await direct(who, other))["id"] == chat["id"]
    refused = await v1(bob, "PATCH", f"messages/{said['id']}", 403, json={"content": "?"})
    assert refused["code"] == "blocked"
    await v1(bob, "DELETE", f"messages/{said['id']}", 204)
    assert [one["display_name"] for one in await v1(alice, "GET", "users/blocked")] == ["Bob"]
    await v1(alice, "DELETE", f"users/{bob.id}/block", 204)
    await say(bob, chat, "friends again")
    await v1(carol, "POST", f"users/{bob.id}/block", 204)
    assert (await v1(bob, "POST", "chats/direct", 403, json={"user_id": carol.id}))["code"] == "blocked"


@pytest.fixture
def overrides(tmp_path: Path) -> dict[str, object]:
    words = tmp_path / "words.txt"
    words.write_text("казино\n")
    return {"moderation": {"word_list": words}}


@pytest.mark.own_server
async def test_reports_and_words_that_are_refused(
    server: Running, alice: User, bob: User, carol: User
) -> None:
    chat = await group(alice, bob)
    said = await say(bob, chat, "something bad")
    for _ in range(2):
        await v1(alice, "POST", f"messages/{said['id']}/report", 204, json={"reason": "rude"})
    assert (await v1(carol, "POST", f"messages/{said['id']}/report", 404))["code"] == "message_not_found"
    (found,) = await server.hs.moderation.reports.listing(Page(9))
    assert (found.text, found.row.reason) == ("something bad", "rude")
    body = {"chat_id": chat["id"], "type": "text", "content": "в КАЗИНО!"}
    assert (await v1(alice, "POST", "messages", 403, json=body))["code"] == "word_refused"
    async with line(alice) as ear:
        await ear.say("message.send", **body, client_id="c1")
        refused = await ear.until("error")
        assert (refused["code"], refused["client_id"]) == ("word_refused", "c1")
    assert await contents(bob, chat) == ["something bad"]
