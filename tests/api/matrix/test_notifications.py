"""The list of what one was notified of."""

from typing import Any
from urllib.parse import quote

import pytest

from homeserver.lifecycle import Running
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say
from tests.api.matrix.synckit import judged
from tests.api.matrix.test_highlights import mention
from tests.api.matrix.test_relations import ignore
from tests.api.matrix.test_unread import read


async def listed(client: Client, **query: Any) -> list[tuple[str, bool]]:
    """The texts, and whether they are read."""
    found = await client.call("GET", "notifications", params=query)
    return [(one["event"]["content"]["body"], one["read"]) for one in found["notifications"]]


@pytest.mark.both
async def test_what_one_was_notified_of(alice: Client, bob: Client, server: Running) -> None:
    one, other = await create(alice, bob), await create(alice, bob)
    first = await say(alice, one, "first")
    await say(bob, one, "mine")
    await say(alice, one, "notice", msgtype="m.notice")
    await mention(alice, other, "you", bob)
    gone = await say(alice, other, "gone")
    await alice.call("PUT", path(other, f"redact/{quote(gone)}/1"), body={})
    await bob.call("PUT", f"pushrules/global/room/{quote(other, safe='')}", body={"actions": []})
    await say(alice, other, "silenced")
    await mention(alice, other, "you again", bob)
    await judged(server)
    assert await listed(bob) == [("you again", False), ("you", False), ("first", True)]
    assert await listed(bob, only="highlight") == [("you again", False), ("you", False)]
    found = await bob.call("GET", "notifications", params={"limit": 1})
    (newest,) = found["notifications"]
    assert (newest["room_id"], newest["actions"]) == (other, ["notify", {"set_tweak": "highlight"}])
    assert newest["ts"] == newest["event"]["origin_server_ts"]
    texts, token = [newest["event"]["content"]["body"]], found["next_token"]
    while token:
        found = await bob.call("GET", "notifications", params={"limit": 1, "from": token})
        texts += [entry["event"]["content"]["body"] for entry in found["notifications"]]
        token = found.get("next_token")
    assert texts == ["you again", "you", "first"]
    await read(bob, other, newest["event"]["event_id"])
    assert await listed(bob, limit=1) == [("you again", True)]
    assert first in str(await bob.call("GET", "notifications"))
    assert await bob.errcode("GET", "notifications", 400, params={"from": "x"}) == "M_INVALID_PARAM"
    assert await listed(alice) == [("mine", True)]
    await ignore(bob, alice)
    assert await listed(bob) == []


async def test_a_change_of_name_hides_no_notifications(alice: Client, bob: Client, server: Running) -> None:
    room_id = await create(alice)
    await say(alice, room_id, "before bob")
    await alice.call("POST", path(room_id, "invite"), body={"user_id": bob.user_id})
    await say(alice, room_id, "while invited")
    await bob.call("POST", path(room_id, "join"), body={})
    for number in range(3):
        await say(alice, room_id, f"message {number}")
    await bob.call("PUT", f"profile/{quote(bob.user_id)}/displayname", body={"displayname": "Robert"})
    own = path(room_id, f"state/m.room.member/{quote(bob.user_id)}")
    await bob.call("PUT", own, body={"membership": "join", "displayname": "Bobby"})
    await say(alice, room_id, "message 3")
    await judged(server)
    assert await listed(bob) == [(f"message {number}", False) for number in (3, 2, 1, 0)]
    assert {one["profile_tag"] for one in (await bob.call("GET", "notifications"))["notifications"]} == {""}
    await bob.call("POST", path(room_id, "leave"), body={})
    assert await listed(bob) == []
    await alice.call("POST", path(room_id, "invite"), body={"user_id": bob.user_id})
    await bob.call("POST", path(room_id, "join"), body={})
    await say(alice, room_id, "after the return")
    await judged(server)
    assert await listed(bob) == [("after the return", False)]
