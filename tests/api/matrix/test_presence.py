"""Who is online, for those who share a room with them, and for themselves."""

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say
from tests.api.matrix.synckit import WAIT_MS, Follower

IDLE_S = 1


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"matrix": {"enabled": True, "presence_idle_s": IDLE_S}, "push": {"poll_interval_s": 60}}


def told(answer: Any) -> dict[str, str]:
    """The presence of each user that a sync tells of."""
    events = answer.get("presence", {}).get("events", [])
    return {one["sender"]: one["content"]["presence"] for one in events}


def status_of(client: Client) -> str:
    return f"presence/{quote(client.user_id)}/status"


async def until(follower: Follower, client: Client, presence: str) -> None:
    """Sync on until somebody is told to be so."""
    await follower.until(lambda answer: told(answer).get(client.user_id) == presence)


async def test_who_is_online(alice: Client, bob: Client, carol: Client) -> None:
    await create(alice, bob)
    hers, his = Follower(alice), Follower(bob, query={"set_presence": "offline"})
    assert told(await hers.sync()) == {alice.user_id: "online"}
    assert told(await his.sync()) == {alice.user_id: "online"}
    assert (await alice.call("GET", status_of(bob)))["presence"] == "offline"
    waiting = asyncio.create_task(hers.until(lambda answer: bob.user_id in told(answer)))
    await bob.call("PUT", status_of(bob), body={"presence": "unavailable", "status_msg": "at lunch"})
    await waiting
    found = await alice.call("GET", status_of(bob))
    assert (found["presence"], found["status_msg"]) == ("unavailable", "at lunch")
    assert told(await Follower(carol).sync()) == {carol.user_id: "online"}
    assert await carol.errcode("GET", status_of(bob), 403) == "M_FORBIDDEN"
    assert await carol.errcode("PUT", status_of(bob), 403, body={"presence": "online"}) == "M_FORBIDDEN"


async def test_ones_own_presence_is_told_to_ones_devices(alice: Client, nobody: Client) -> None:
    phone = Follower(await nobody.login(alice.user_id))
    assert told(await phone.sync()) == {alice.user_id: "online"}
    waiting = asyncio.create_task(phone.sync(WAIT_MS))
    await alice.call("PUT", status_of(alice), body={"presence": "online", "status_msg": "hello"})
    assert told(await waiting) == {alice.user_id: "online"}
    # One device is in use and another lies there: that is no change each time that one of them syncs.
    desk = Follower(alice, query={"set_presence": "unavailable"})
    await desk.sync()
    for _ in range(3):
        assert told(await phone.sync()) == {}
        assert told(await desk.sync()) == {}
    nothing = Follower(alice, query={"filter": json.dumps({"presence": {"not_senders": [alice.user_id]}})})
    assert told(await nothing.sync()) == {}


async def test_who_meets_hears_of_each_other(alice: Client, bob: Client, carol: Client) -> None:
    """Also of who is offline: bob syncs with set_presence=offline, and carol never syncs."""
    room_id = await create(alice, carol, preset="public_chat")
    hers, his = Follower(alice), Follower(bob, query={"set_presence": "offline"})
    await hers.sync()
    await his.sync()
    await bob.call("POST", path(room_id, "join"), body={})
    assert told(await his.sync()) == {alice.user_id: "online", carol.user_id: "offline"}
    assert told(await hers.sync()) == {bob.user_id: "offline"}
    for follower in (hers, his):
        assert told(await follower.sync()) == {}
    assert told(await Follower(bob).sync()) == {alice.user_id: "online", bob.user_id: "online"}


async def test_of_ignored_people_nothing_is_told(alice: Client, bob: Client) -> None:
    ignored: dict[str, Any] = {"ignored_users": {alice.user_id: {}}}
    await bob.call("PUT", f"user/{quote(bob.user_id)}/account_data/m.ignored_user_list", body=ignored)
    room_id = await create(alice, preset="public_chat")
    his = Follower(bob)
    await his.sync()
    await bob.call("POST", path(room_id, "join"), body={})
    await say(alice, room_id, "hello")
    assert alice.user_id not in told(await his.sync())


@pytest.mark.parametrize("act", ["says", "reads", "types"])
async def test_who_acts_without_syncing_is_active(alice: Client, bob: Client, act: str) -> None:
    room_id = await create(alice, bob)
    event_id = await say(bob, room_id, "hello")
    his = Follower(bob)
    await his.sync()
    assert (await bob.call("GET", status_of(alice)))["presence"] == "offline"
    match act:
        case "says":
            await say(alice, room_id, "hello to you")
        case "reads":
            await alice.call("POST", path(room_id, f"receipt/m.read/{quote(event_id)}"), body={})
        case "types":
            typing = {"typing": True, "timeout": 30_000}
            await alice.call("PUT", path(room_id, f"typing/{quote(alice.user_id)}"), body=typing)
    await until(his, alice, "online")
    found = await bob.call("GET", status_of(alice))
    assert found["last_active_ago"] < 10_000
    assert found["currently_active"] is True
    await until(his, alice, "unavailable")
    assert "currently_active" not in await bob.call("GET", status_of(alice))


async def test_who_syncs_and_does_nothing_is_unavailable_until_they_act(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    hers, his = Follower(alice), Follower(bob, query={"set_presence": "offline"})
    await hers.sync()
    await his.sync()
    await until(his, alice, "unavailable")
    await hers.sync()  # the client is there, and she is not
    assert (await bob.call("GET", status_of(alice)))["presence"] == "unavailable"
    await say(alice, room_id, "here")
    await until(his, alice, "online")
    await until(his, alice, "unavailable")
    await alice.call("PUT", status_of(alice), body={"presence": "online"})
    await until(his, alice, "online")


async def test_who_chose_to_be_offline_may_act(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    hers = Follower(alice)
    await hers.sync()
    await Follower(bob, query={"set_presence": "offline"}).sync()
    await say(bob, room_id, "unseen")
    await hers.until_text(room_id, "unseen")
    assert (await alice.call("GET", status_of(bob)))["presence"] == "offline"


async def test_a_token_from_before_a_restart_misses_nothing(alice: Client, bob: Client) -> None:
    """Presence and typing are counted by each process; a token may name the counts of an earlier one."""
    room_id = await create(alice, bob)
    his = Follower(bob)
    await his.sync()
    await Follower(alice).sync()
    typing = {"typing": True, "timeout": 60_000}
    await alice.call("PUT", path(room_id, f"typing/{quote(alice.user_id)}"), body=typing)
    await his.until(lambda answer: answer.get("rooms"))
    position, device, *counts = his.token.split("_")
    earlier = [
        str(min(int(count), 1_000_000)) for count in counts[:2]
    ]  # that came as far as this one, or not
    his.token = "_".join([position, device, *earlier, *counts[2:]])
    answer = await his.sync()
    assert told(answer)[alice.user_id] == "online"
    assert answer["rooms"]["join"][room_id]["ephemeral"]["events"][0]["content"]["user_ids"] == [
        alice.user_id
    ]
