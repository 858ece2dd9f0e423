"""What sliding sync tells beside rooms: messages to the device, keys, account data, receipts, typing."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from homeserver.lifecycle import Running
from homeserver.protocol.ids import DeviceId, UserId
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say
from tests.api.matrix.slidekit import Slider, a_list
from tests.api.matrix.synckit import judged
from tests.e2ee.world import identity, key

ON: dict[str, Any] = {"enabled": True}


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


def extension(answer: Any, name: str) -> Any:
    return answer["extensions"][name]


async def read(slider: Slider, since: str) -> Any:
    """A page of the messages to the device."""
    request = {"to_device": {**ON, "since": since, "limit": 2}}
    return extension(await slider.sync(extensions=request), "to_device")


@pytest.mark.both
async def test_messages_to_devices_come_once(alice: Client, bob: Client) -> None:
    await create(alice, bob)
    request = {"to_device": ON, "e2ee": ON}
    his = Slider(bob, {"conn_id": "encryption", "extensions": request})
    first = await his.sync()
    assert extension(first, "to_device")["events"] == []
    assert extension(first, "e2ee") == {
        "device_one_time_keys_count": {},
        "device_unused_fallback_key_types": [],
    }
    waiting = asyncio.create_task(his.until(lambda answer: extension(answer, "to_device")["events"]))
    for number in range(3):
        body = {"messages": {bob.user_id: {"*": {"number": number}}}}
        await alice.call("PUT", f"sendToDevice/org.example/{number}", body=body)
    assert (await waiting)[0] == {
        "type": "org.example",
        "sender": alice.user_id,
        "content": {"number": 0},
    }
    since = "0"
    for expected, has_come in (([0, 1], False), ([0, 1], True), ([2], True), ([], False)):
        page = await read(his, since)
        numbers = [one["content"]["number"] for one in page["events"]]
        assert numbers == expected
        since = page["next_batch"] if has_come else since
    assert await read(his, since) == {"next_batch": since, "events": []}


async def test_changed_keys_are_told_though_they_were_not_asked_for(alice: Client, bob: Client) -> None:
    await create(alice, bob)
    his = Slider(bob, {"extensions": {"e2ee": ON}, "lists": {"all": a_list([0, 9])}})
    await his.sync()
    keys = identity(UserId(alice.user_id), DeviceId(alice.device_id), key())
    await alice.call("POST", "keys/upload", body={"device_keys": keys})
    room_id = await create(alice, bob)
    assert room_id in (await his.sync(extensions={}))["rooms"]
    changed = await his.until(lambda answer: extension(answer, "e2ee").get("device_lists"))
    assert alice.user_id in changed["changed"]
    assert "device_lists" not in extension(await his.sync(), "e2ee")


@pytest.mark.both
async def test_account_data(alice: Client, bob: Client) -> None:
    rooms = [await create(alice, bob) for _ in range(2)]
    mine = f"user/{quote(bob.user_id)}"
    await bob.call("PUT", f"{mine}/account_data/org.one", body={"a": 1})
    for room_id in rooms:
        await bob.call("PUT", f"{mine}/rooms/{quote(room_id)}/tags/u.work", body={"order": 0.5})
    his = Slider(bob, {"lists": {"top": a_list([0, 0])}, "extensions": {"account_data": ON}})
    first = extension(await his.sync(), "account_data")
    assert {"type": "org.one", "content": {"a": 1}} in first["global"]
    assert "m.push_rules" in [one["type"] for one in first["global"]]
    tagged = [{"type": "m.tag", "content": {"tags": {"u.work": {"order": 0.5}}}}]
    assert first["rooms"] == {rooms[1]: tagged}

    waiting = asyncio.create_task(his.sync(5000))
    await bob.call("PUT", f"{mine}/account_data/org.two", body={"b": 1})
    assert extension(await waiting, "account_data") == {
        "global": [{"type": "org.two", "content": {"b": 1}}],
        "rooms": {},
    }
    await bob.call("PUT", f"{mine}/account_data/org.two", body={"b": 2})
    await bob.call("PUT", f"{mine}/rooms/{quote(rooms[1])}/account_data/org.here", body={"c": 3})
    silent = await his.sync(extensions={})
    assert silent["extensions"] == {}
    await say(alice, rooms[1], "news")
    assert (await his.sync(extensions={}))["rooms"]
    later = extension(await his.sync(), "account_data")
    assert {"type": "org.two", "content": {"b": 2}} in later["global"]
    assert {"type": "org.here", "content": {"c": 3}} in later["rooms"][rooms[1]]
    wide = extension(await his.sync(lists={"top": a_list([0, 1])}), "account_data")
    assert wide == {"global": [], "rooms": {rooms[0]: tagged}}
    await bob.call("PUT", f"{mine}/rooms/{quote(rooms[0])}/tags/u.old", body={})
    assert extension(await his.sync(), "account_data")["rooms"] == {}
    back = extension(await his.sync(lists={"top": a_list([0, 1])}), "account_data")["rooms"]
    assert set(back[rooms[0]][0]["content"]["tags"]) == {"u.work", "u.old"}


async def test_account_data_that_is_taken_away(alice: Client) -> None:
    room_id = await create(alice)
    mine = f"user/{quote(alice.user_id)}"
    places = [f"{at}/account_data/org.mine" for at in (mine, f"{mine}/rooms/{quote(room_id)}")]
    request = {"lists": {"all": a_list([0, 9])}, "extensions": {"account_data": ON}}
    for content in ({"a": 1}, {}):
        for place in places:
            await alice.call("PUT", place, body=content)
        if content:
            hers = Slider(alice, request)
            assert "org.mine" in str(await hers.sync())
    gone = [{"type": "org.mine", "content": {}}]
    assert extension(await hers.sync(), "account_data") == {"global": gone, "rooms": {room_id: gone}}
    assert "org.mine" not in str(await Slider(alice, request).sync())


async def test_receipts(nobody: Client, alice: Client, bob: Client) -> None:
    carol = await nobody.register("carol")
    room_id = await create(alice, bob, carol)
    other = await create(alice, bob)
    old, event_id = await say(alice, room_id, "one"), await say(alice, room_id, "two")
    await bob.call("POST", path(room_id, f"receipt/m.read/{quote(old)}"), body={})
    await carol.call("POST", path(room_id, f"receipt/m.read/{quote(event_id)}"), body={})
    await bob.call("POST", path(room_id, f"receipt/m.read.private/{quote(event_id)}"), body={})
    request = {"lists": {"all": a_list([0, 9], limit=1)}, "extensions": {"receipts": ON}}
    hers, his = Slider(alice, request), Slider(bob, request)
    shown = extension(await hers.sync(), "receipts")["rooms"]
    assert shown[room_id] == {
        "type": "m.receipt",
        "content": {
            event_id: {
                "m.read": {carol.user_id: shown[room_id]["content"][event_id]["m.read"][carol.user_id]}
            }
        },
    }
    own = extension(await his.sync(), "receipts")["rooms"][room_id]["content"]
    assert set(own[event_id]) == {"m.read", "m.read.private"}
    assert bob.user_id in own[old]["m.read"]

    await bob.call("POST", path(room_id, f"receipt/m.read/{quote(event_id)}"), body={})
    told = extension(
        await hers.until(lambda answer: extension(answer, "receipts")["rooms"] and answer), "receipts"
    )
    assert list(told["rooms"][room_id]["content"][event_id]["m.read"]) == [bob.user_id]
    event_id = await say(alice, other, "read me")
    assert (await his.sync())["rooms"][other]["notification_count"] == 1
    await bob.call("POST", path(other, f"receipt/m.read.private/{quote(event_id)}"), body={})
    assert (await his.sync())["rooms"][other]["notification_count"] == 0
    assert bob.user_id not in str(extension(await hers.sync(), "receipts"))


@pytest.mark.both
async def test_typing(alice: Client, bob: Client) -> None:
    here, there = await create(alice, bob), await create(alice, bob)
    request = {"typing": {**ON, "lists": []}}
    subscribed = {here: {"timeline_limit": 0, "required_state": []}}
    hers = Slider(alice, {"lists": {"all": a_list([0, 9])}, "extensions": {"typing": ON}})
    hers_here = Slider(
        alice, {**hers.body, "room_subscriptions": subscribed, "extensions": request, "conn_id": "2"}
    )
    await hers.sync()
    await hers_here.sync()
    for is_typing, people in ((True, [bob.user_id]), (False, [])):
        waiting = asyncio.create_task(hers.until(lambda answer: extension(answer, "typing")["rooms"]))
        for room_id in (there, here):
            at = path(room_id, f"typing/{quote(bob.user_id)}")
            await bob.call("PUT", at, body={"typing": is_typing, "timeout": 30_000})
        found = await waiting
        while here not in found:
            found.update(await hers.until(lambda answer: extension(answer, "typing")["rooms"]))
        assert found[here] == {"type": "m.typing", "content": {"user_ids": people}}
        only = extension(await hers_here.sync(), "typing")["rooms"]
        assert set(only) == {here}


async def test_ignored_people_are_not_heard(server: Running, alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    his = Slider(bob, {"lists": {"all": a_list([0, 9])}})
    await his.sync()
    ignored: dict[str, Any] = {"ignored_users": {alice.user_id: {}}}
    await bob.call("PUT", f"user/{quote(bob.user_id)}/account_data/m.ignored_user_list", body=ignored)
    await say(alice, room_id, "unheard")
    asked = await create(alice, invite=[bob.user_id])
    await judged(server)  # else its counts may be told by either of the answers
    answer = await his.sync()
    told = answer["rooms"].pop(room_id, {})  # that nothing of it counts as unread may be told
    assert "timeline" not in told
    assert "unheard" not in str(answer)
    assert (answer["rooms"], answer["lists"]["all"]["count"]) == ({}, 1)
    subscribed = {asked: {"timeline_limit": 1, "required_state": []}}
    assert (await his.sync(room_subscriptions=subscribed))["rooms"] == {}
