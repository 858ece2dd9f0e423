"""Following by /sync: first all, then what is new, and nothing twice."""

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest

from homeserver.lifecycle import Running
from homeserver.protocol.ids import DeviceId, UserId
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, texts
from tests.api.matrix.synckit import Follower, joined, judged, spent, types
from tests.e2ee.world import identity, key

pytestmark = pytest.mark.both


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


async def test_a_conversation(alice: Client, bob: Client) -> None:
    room_id = await create(alice, name="Lunch", invite=[bob.user_id])
    hers, his = Follower(alice), Follower(bob)
    first = await his.sync()
    invite = first["rooms"]["invite"][room_id]["invite_state"]
    assert {"m.room.create", "m.room.name", "m.room.member"} <= set(types(invite))
    assert "join" not in first["rooms"]
    assert joined(await hers.sync(), room_id)["summary"] == {
        "m.joined_member_count": 1,
        "m.invited_member_count": 1,
    }

    await bob.call("POST", path(room_id, "join"), body={})
    room = joined(await his.sync(), room_id)
    assert room["timeline"]["events"][-1]["content"]["membership"] == "join"
    assert his.state[room_id]["m.room.name", ""]["content"] == {"name": "Lunch"}
    waiting = asyncio.create_task(hers.until_text(room_id, "hello"))
    sent = await say(bob, room_id, "hello")
    heard = await waiting
    assert (heard["event_id"], heard["sender"]) == (sent, bob.user_id)
    assert "transaction_id" not in heard["unsigned"]
    assert "room_id" not in heard
    own = await his.until_text(room_id, "hello")
    assert own["unsigned"]["transaction_id"] == "hello"

    before = hers.token
    await hers.sync()
    silent = await hers.sync(50)
    assert silent["next_batch"] == hers.token
    assert "rooms" not in silent
    again = Follower(alice, token=before)
    assert joined(await again.sync(full_state="true"), room_id)["state"]["events"]
    assert await alice.errcode("GET", "sync?since=nonsense", 400) == "M_INVALID_PARAM"


async def test_a_gap_is_told_and_can_be_filled(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    his = Follower(bob, query={"filter": json.dumps({"room": {"timeline": {"limit": 2}}})})
    first = joined(await his.sync(), room_id)
    assert first["timeline"]["limited"]
    assert {"m.room.create", "m.room.power_levels"} <= set(types(first["state"]))
    await alice.call("PUT", path(room_id, "state/m.room.topic"), body={"topic": "gap"})
    sent = [str(number) for number in range(5)]
    for text in sent:
        await say(alice, room_id, text)
    room = joined(await his.sync(), room_id)
    assert (texts(room["timeline"]["events"]), room["timeline"]["limited"]) == (sent[3:], True)
    assert types(room["state"]) == ["m.room.topic"]
    back = {"dir": "b", "from": room["timeline"]["prev_batch"], "limit": "3"}
    earlier = await bob.call("GET", path(room_id, "messages"), params=back)
    assert texts(earlier["chunk"]) == ["2", "1", "0"]


@pytest.mark.parametrize("section", ["state", "state_after"])
async def test_who_left_is_told_of_a_ban(alice: Client, bob: Client, section: str) -> None:
    """matrix-js-sdk asks for the state after the timeline, and believes nothing else."""
    room_id = await create(alice, bob)
    his = Follower(bob, query={"use_state_after": "true"} if section == "state_after" else {})
    await his.sync()
    for call, membership in (("kick", "leave"), ("ban", "ban")):
        await alice.call("POST", path(room_id, call), body={"user_id": bob.user_id})
        await alice.call("PUT", path(room_id, "state/m.room.topic"), body={"topic": f"after a {call}"})
        room = (await his.sync())["rooms"]["leave"][room_id]
        told = [*room[section]["events"], *room["timeline"]["events"]]
        assert {one["content"].get("membership") for one in told} == {membership}
        assert (section == "state") == (room[section]["events"] == [])


async def test_going_and_being_put_out(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    his = Follower(bob)
    await his.sync()
    await say(alice, room_id, "last")
    await alice.call("POST", path(room_id, "kick"), body={"user_id": bob.user_id})
    await say(alice, room_id, "secret")
    gone = (await his.sync())["rooms"]["leave"][room_id]
    assert texts(gone["timeline"]["events"]) == ["last"]
    assert gone["timeline"]["events"][-1]["content"]["membership"] == "leave"
    assert "rooms" not in await his.sync()
    assert "rooms" not in await Follower(bob).sync()
    archive = json.dumps({"room": {"include_leave": True}})
    assert room_id in (await Follower(bob).sync(filter=archive))["rooms"]["leave"]
    await alice.call("POST", path(room_id, "invite"), body={"user_id": bob.user_id})
    assert room_id in (await his.sync())["rooms"]["invite"]
    await bob.call("POST", path(room_id, "join"), body={})
    assert (
        his.state[room_id].keys()
        <= {(one["type"], one["state_key"]) for one in joined(await his.sync(), room_id)["state"]["events"]}
        | his.state[room_id].keys()
    )


async def test_what_is_read_and_typed_and_kept(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    hers, his = Follower(alice), Follower(bob)
    await hers.sync()
    await his.sync()
    event_id = await say(alice, room_id, "read me")
    room = joined(await his.sync(), room_id)
    assert room["unread_notifications"] == {"notification_count": 1, "highlight_count": 0}
    await hers.sync()
    await bob.call("POST", path(room_id, f"receipt/m.read.private/{quote(event_id)}"), body={})
    room = joined(await his.sync(), room_id)
    assert room["unread_notifications"]["notification_count"] == 0
    assert room["ephemeral"]["events"][0]["content"][event_id]["m.read.private"][bob.user_id]["ts"]
    assert "rooms" not in await hers.sync()

    await bob.call("POST", path(room_id, f"receipt/m.read/{quote(event_id)}"), body={"thread_id": "main"})
    told = joined(await hers.sync(5000), room_id)["ephemeral"]["events"]
    assert told[0]["content"][event_id]["m.read"][bob.user_id]["thread_id"] == "main"
    typing = path(room_id, f"typing/{quote(bob.user_id)}")
    for is_typing, people in ((True, [bob.user_id]), (False, [])):
        await bob.call("PUT", typing, body={"typing": is_typing, "timeout": 30_000})
        told = joined(await hers.sync(5000), room_id)["ephemeral"]["events"]
        assert told == [{"type": "m.typing", "content": {"user_ids": people}}]

    waiting = asyncio.create_task(his.until(lambda answer: answer.get("account_data")))
    await bob.call("PUT", f"user/{quote(bob.user_id)}/account_data/m.direct", body={"a": ["b"]})
    assert (await waiting)["events"] == [{"type": "m.direct", "content": {"a": ["b"]}}]
    await bob.call("POST", path(room_id, "read_markers"), body={"m.fully_read": event_id})
    kept = joined(await his.sync(), room_id)["account_data"]["events"]
    assert kept == [{"type": "m.fully_read", "content": {"event_id": event_id}}]
    tag = f"user/{quote(bob.user_id)}/rooms/{quote(room_id)}/tags/u.work"
    await bob.call("PUT", tag, body={"order": 0.5})
    kept = joined(await his.sync(), room_id)["account_data"]["events"]
    assert kept == [{"type": "m.tag", "content": {"tags": {"u.work": {"order": 0.5}}}}]
    ignored: dict[str, Any] = {"ignored_users": {alice.user_id: {}}}
    await bob.call("PUT", f"user/{quote(bob.user_id)}/account_data/m.ignored_user_list", body=ignored)
    await his.sync()
    await say(alice, room_id, "unheard")
    other = await create(alice, invite=[bob.user_id])
    assert other not in str((await his.sync()).get("rooms", {}))
    assert "unheard" not in texts(his.events[room_id])


async def test_members_are_loaded_lazily(nobody: Client, alice: Client, bob: Client) -> None:
    carol = await nobody.register("carol")
    room_id = await create(alice, bob, carol, preset="public_chat", name="Hall")
    await say(bob, room_id, "one")
    lazy = json.dumps({"room": {"state": {"lazy_load_members": True}, "timeline": {"limit": 1}}})
    hers = Follower(alice, query={"filter": lazy})
    room = joined(await hers.sync(), room_id)
    known = {one["state_key"] for one in room["state"]["events"] if one["type"] == "m.room.member"}
    assert known == {alice.user_id, bob.user_id}
    assert room["summary"]["m.joined_member_count"] == 3
    await say(carol, room_id, "two")
    room = joined(await hers.sync(), room_id)
    assert [one["state_key"] for one in room["state"]["events"]] == [carol.user_id]
    dora = await nobody.register("dora")
    await dora.call("POST", path(room_id, "join"), body={})
    await say(carol, room_id, "in the gap")
    await say(bob, room_id, "three")
    for section, query in (("state_after", {"use_state_after": "true"}), ("state", {})):
        follower = Follower(alice, hers.token, {**hers.query, **query})
        room = joined(await follower.sync(), room_id)
        assert (texts(room["timeline"]["events"]), room["timeline"]["limited"]) == (["three"], True)
        assert {one["state_key"] for one in room[section]["events"]} == {dora.user_id}  # bob is known


async def test_a_room_without_a_name_is_called_after_its_people(nobody: Client, alice: Client) -> None:
    others = [await nobody.register(f"other{number}") for number in range(6)]
    names = [one.user_id for one in others]
    room_id = await create(alice, others[5], name="Club", invite=names)
    hers = Follower(alice)
    counts = {"m.joined_member_count": 2, "m.invited_member_count": 5}
    assert joined(await hers.sync(), room_id)["summary"] == counts
    await alice.call("PUT", path(room_id, "state/m.room.name"), body={"name": ""})
    for follower in (hers, Follower(alice)):
        summary = joined(await follower.sync(), room_id)["summary"]
        heroes = summary.pop("m.heroes")
        assert (len(set(heroes)), summary) == (5, counts)
        assert set(heroes) < set(names)
    await alice.call("POST", path(room_id, "kick"), body={"user_id": heroes[0]})
    summary = joined(await hers.sync(), room_id)["summary"]
    assert (set(summary["m.heroes"]), summary["m.invited_member_count"]) == ({*names} - {heroes[0]}, 4)
    for name in set(names) - {heroes[0]}:
        await alice.call("POST", path(room_id, "kick"), body={"user_id": name})
    summary = joined(await hers.sync(), room_id)["summary"]
    gone = summary.pop("m.heroes")
    assert summary == {"m.joined_member_count": 1, "m.invited_member_count": 0}
    assert (len(set(gone)), set(gone) < set(names)) == (5, True)


@pytest.mark.own_server
async def test_many_rooms_cost_as_many_statements_as_one(server: Running, alice: Client, bob: Client) -> None:
    counts = []
    await Follower(bob).sync()  # whom he ignores is in memory from now on
    for rooms in (1, 5):
        for _ in range(rooms):
            await say(alice, await create(alice, bob), "hello")
        await judged(server)
        before = spent(server)
        answer = await Follower(bob).sync()
        counts.append(spent(server) - before)
    assert len(answer["rooms"]["join"]) == 6
    assert 0 < counts[0] == counts[1]


async def test_who_never_came_in_learns_nothing(alice: Client, bob: Client) -> None:
    room_id = await create(alice, topic="secret topic", invite=[bob.user_id])
    his = Follower(bob)
    await his.sync()
    await alice.call("PUT", path(room_id, "state/org.secret"), body={"secret": 1})
    await say(alice, room_id, "secret words")
    await bob.call("POST", path(room_id, "leave"), body={})
    before = his.token
    archive = {"filter": json.dumps({"room": {"include_leave": True}})}
    for query in ({}, {"full_state": "true"}, {"use_state_after": "true"}):
        for token in (before, ""):
            answer = await Follower(bob, token, {**archive, **query}).sync()
            left = answer["rooms"]["leave"][room_id]
            assert "secret" not in str(left)
            assert [one["content"]["membership"] for one in left["timeline"]["events"]][-1] == "leave"


async def test_a_filter_looks_further_back(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    for text in ("one", "two"):
        await say(alice, room_id, text)
    await alice.call("PUT", path(room_id, "state/m.room.topic"), body={"topic": "new"})
    request = {"room": {"timeline": {"limit": 1, "types": ["m.room.message"]}}}
    his = Follower(bob, query={"filter": json.dumps(request)})
    room = joined(await his.sync(), room_id)
    assert (texts(room["timeline"]["events"]), room["timeline"]["limited"]) == (["two"], True)
    assert his.state[room_id]["m.room.topic", ""]["content"] == {"topic": "new"}
    back = {"dir": "b", "from": room["timeline"]["prev_batch"], "limit": "1"}
    assert texts((await bob.call("GET", path(room_id, "messages"), params=back))["chunk"]) == ["one"]
    after = joined(await Follower(bob).sync(use_state_after="true"), room_id)["state_after"]["events"]
    assert {"topic": "new"} in [one["content"] for one in after if one["type"] == "m.room.topic"]


async def test_messages_to_devices_come_once(alice: Client, bob: Client) -> None:
    await create(alice, bob)
    his = Follower(bob)
    first = await his.sync()
    assert first["device_one_time_keys_count"] == {}
    waiting = asyncio.create_task(his.until(lambda answer: answer.get("to_device")))
    body = {"messages": {bob.user_id: {"*": {"secret": 1}}}}
    await alice.call("PUT", "sendToDevice/org.example/1", body=body)
    (told,) = (await waiting)["events"]
    assert told == {"type": "org.example", "sender": alice.user_id, "content": {"secret": 1}}
    assert "to_device" not in await his.sync()
    keys = identity(UserId(alice.user_id), DeviceId(alice.device_id), key())
    waiting = asyncio.create_task(his.until(lambda answer: answer.get("device_lists")))
    await alice.call("POST", "keys/upload", body={"device_keys": keys})
    assert alice.user_id in (await waiting)["changed"]
