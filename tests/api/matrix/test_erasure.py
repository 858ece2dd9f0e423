"""Who closes their account and wants it erased: those who come later see that something was said, and not what."""

from dataclasses import replace
from typing import Any

import pytest

from homeserver.app import build
from homeserver.lifecycle import Running, working
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say
from tests.api.matrix.slidekit import Slider, a_list
from tests.api.matrix.synckit import Follower, joined
from tests.api.matrix.test_search import indexed, search


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"matrix": {"search_gather_s": 0}}


def said(events: list[Any], sender: Client) -> list[Any]:
    """What messages of somebody say, oldest first."""
    mine = [one for one in events if one["sender"] == sender.user_id and one["type"] == "m.room.message"]
    return [one["content"].get("body") for one in sorted(mine, key=lambda one: int(one["origin_server_ts"]))]


async def history(client: Client, room_id: str) -> list[Any]:
    answer = await client.call("GET", path(room_id, "messages"), params={"dir": "b", "limit": "50"})
    return list(answer["chunk"])


async def sees_no_content_of(bob: Client, carol: Client, room_id: str, root: str, secret: str) -> None:
    """Neither by the event's id, nor beside another event, nor as the latest of a thread."""
    one = await carol.call("GET", path(room_id, f"event/{secret}"))
    assert one["content"] == {}
    assert "m.relations" not in one.get("unsigned", {})
    around = await carol.call("GET", path(room_id, f"context/{root}"))
    thread = around["event"]["unsigned"]["m.relations"]["m.thread"]["latest_event"]
    assert (thread["sender"], thread["content"]) == (bob.user_id, {})
    assert set(said(around["events_after"], bob)) == {None}


@pytest.mark.both
@pytest.mark.own_server
async def test_those_who_come_later_are_not_told(
    alice: Client, bob: Client, nobody: Client, server: Running
) -> None:
    room_id = await create(alice, bob, preset="public_chat", topic="Cheese")
    root = await say(alice, room_id, "Who likes cheese?")
    secret = await say(bob, room_id, "My name is Robert, and I do")
    edit = {"m.new_content": {"msgtype": "m.text", "body": "I am Robert"}}
    await say(
        bob,
        room_id,
        "* I am Robert",
        **edit,
        **{"m.relates_to": {"rel_type": "m.replace", "event_id": secret}},
    )
    await say(bob, room_id, "in a thread", **{"m.relates_to": {"rel_type": "m.thread", "event_id": root}})
    kept = await create(bob, alice, preset="public_chat")
    await say(bob, kept, "another account of mine closes without being erased")
    seen = await history(alice, room_id)
    await bob.prove("POST", "account/deactivate", {"erase": True})

    assert said(await history(alice, room_id), bob) == said(seen, bob), "who was there sees all of it"
    # What is left of messages has no content, which no schema of messages fits.
    carol = replace(await nobody.register("carol"), beyond=True)
    hers, slider = Follower(carol), Slider(carol, {"lists": {"all": a_list([0, 9], limit=20)}})
    await carol.call("POST", path(room_id, "join"), body={})
    assert set(said(await history(carol, room_id), bob)) == {None}
    assert said(await history(carol, room_id), alice) == ["Who likes cheese?"]
    assert set(said(joined(await hers.sync(), room_id)["timeline"]["events"], bob)) <= {None}
    assert set(said((await slider.sync())["rooms"][room_id]["timeline"], bob)) <= {None}
    await sees_no_content_of(bob, carol, room_id, root, secret)
    await indexed(server)
    assert (await search(alice, "Robert"))["count"] == 1
    assert (await search(carol, "Robert"))["count"] == 0
    assert (await search(carol, "cheese"))["count"] >= 1

    second = build(server.hs.settings, clock=server.hs.core.clock)
    async with working(second):
        assert second.events.visibility._erased == {bob.user_id}, "a restart forgets nobody"


async def test_what_is_not_erased_stays(alice: Client, bob: Client, nobody: Client) -> None:
    room_id = await create(alice, bob, preset="public_chat")
    await say(bob, room_id, "I was here")
    await bob.prove("POST", "account/deactivate", {})
    carol = await nobody.register("carol")
    await carol.call("POST", path(room_id, "join"), body={})
    assert said(await history(carol, room_id), bob) == ["I was here"]
