"""Pushers: set, listed, ended with their sessions; and what their gateways are told."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from homeserver.app import build
from homeserver.lifecycle import Running, working
from homeserver.metrics import spending
from homeserver.settings.models import Settings
from tests.api.matrix.driver import PASSWORD, Client
from tests.api.matrix.gateways import QUICK, Gateway, push_gateway
from tests.api.matrix.roomkit import create, path, say
from tests.api.matrix.synckit import judged
from tests.api.matrix.test_highlights import mention
from tests.api.matrix.test_relations import ignore
from tests.api.matrix.test_unread import answer, read
from tests.chat.world import ByIds, group, person

RULES = "pushrules/global"


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"matrix": {"enabled": True}, "push": QUICK}


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with push_gateway() as made:
        yield made


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob", initial_device_display_name="Phone")


async def keys(client: Client) -> list[str]:
    return [one["pushkey"] for one in (await client.call("GET", "pushers"))["pushers"]]


async def test_a_pusher_is_set_changed_and_taken_away(bob: Client, gateway: Gateway) -> None:
    wanted = gateway.pusher(profile_tag="xyz")
    await bob.call("POST", "pushers/set", body=wanted)
    assert (await bob.call("GET", "pushers"))["pushers"] == [wanted]
    await gateway.tell(bob, lang="de")
    (one,) = (await bob.call("GET", "pushers"))["pushers"]
    assert (one["lang"], "profile_tag" in one) == ("de", False)
    gone = {"kind": None, "app_id": "org.example.app", "pushkey": "key"}
    await bob.call("POST", "pushers/set", body=gone)
    await bob.call("POST", "pushers/set", body=gone)
    assert await keys(bob) == []


async def test_a_key_is_of_one_person_unless_more_are_wanted(
    alice: Client, bob: Client, gateway: Gateway
) -> None:
    await gateway.tell(bob)
    await gateway.tell(alice, append=True)
    assert (await keys(bob), await keys(alice)) == (["key"], ["key"])
    await gateway.tell(alice)
    assert (await keys(bob), await keys(alice)) == ([], ["key"])


BAD_PUSHERS: list[tuple[dict[str, Any], str]] = [
    ({"lang": None}, "M_MISSING_PARAM"),
    ({"data": None}, "M_MISSING_PARAM"),
    ({"data": {}}, "M_MISSING_PARAM"),
    ({"kind": "email"}, "M_INVALID_PARAM"),
    ({"data": {"url": "http://example.org/_matrix/push/v1/notify"}}, "M_INVALID_PARAM"),
    ({"data": {"url": "https://example.org/other"}}, "M_INVALID_PARAM"),
    ({"data": {"url": "https://example.org/_matrix/push/v1/notify?to=x"}}, "M_INVALID_PARAM"),
    ({"data": {"url": "https://u:p@example.org/_matrix/push/v1/notify"}}, "M_INVALID_PARAM"),
    ({"pushkey": "k" * 513}, "M_INVALID_PARAM"),
    ({"app_id": "a" * 65}, "M_INVALID_PARAM"),
]


async def test_a_bad_pusher_is_refused(bob: Client, gateway: Gateway) -> None:
    for change, code in BAD_PUSHERS:
        body = gateway.pusher(**change)
        assert await bob.errcode("POST", "pushers/set", 400, body=body) == code, change
    assert await keys(bob) == []


@pytest.mark.parametrize("overrides", [{"matrix": {"enabled": True}}])
async def test_our_own_network_is_no_gateway(bob: Client, gateway: Gateway) -> None:
    for url in (gateway.url, "https://127.0.0.1/_matrix/push/v1/notify"):
        body = gateway.pusher(data={"url": url})
        assert await bob.errcode("POST", "pushers/set", 400, body=body) == "M_INVALID_PARAM"


@pytest.mark.own_server
async def test_pushers_end_with_their_sessions(bob: Client, gateway: Gateway, server: Running) -> None:
    other, third = await bob.login("bob"), await bob.login("bob")
    for one, key in ((bob, "first"), (other, "second"), (third, "third")):
        await gateway.tell(one, key)
    await third.call("POST", "logout")
    assert await keys(bob) == ["first", "second"]
    await bob.prove("POST", "account/password", {"new_password": PASSWORD + "!"})
    assert await keys(bob) == ["first"]
    await judged(server)
    async with server.hs.core.db.read() as conn:
        assert (await conn.exec_driver_sql("SELECT count(*) FROM pushers")).scalar_one() == 1


@pytest.mark.both
async def test_what_a_gateway_is_told(alice: Client, bob: Client, gateway: Gateway) -> None:
    await gateway.tell(bob, data={"url": gateway.url, "custom": 1})
    room_id = await create(alice, name="Den", invite=[bob.user_id])
    (invited,) = await gateway.told(1)
    await bob.call("POST", path(room_id, "join"), body={})
    first = await say(alice, room_id, "hello")
    told = (await gateway.told(2))[1]
    assert (invited["type"], invited["user_is_target"], invited["room_id"]) == (
        "m.room.member",
        True,
        room_id,
    )
    assert invited["content"]["membership"] == invited["membership"] == "invite"
    device = told["devices"][0]
    assert device.pop("pushkey_ts") > 1_600_000_000
    assert device == {
        "app_id": "org.example.app",
        "pushkey": "key",
        "data": {"custom": 1},
        "tweaks": {"sound": "default"},
    }
    assert told == {
        "id": first,
        "event_id": first,
        "room_id": room_id,
        "type": "m.room.message",
        "sender": alice.user_id,
        "sender_display_name": alice.name,
        "room_name": "Den",
        "prio": "high",
        "content": {"msgtype": "m.text", "body": "hello"},
        "counts": {"unread": 1},
        "devices": [device],
    }
    await read(bob, room_id, first)
    badge = (await gateway.told(3))[2]
    assert badge["counts"] == {"unread": 0}
    assert "event_id" not in badge


async def test_a_gateway_is_told_how_a_room_without_a_name_is_called(
    alice: Client, bob: Client, gateway: Gateway
) -> None:
    alias = f"#den-{alice.name}:test.example"
    room_id = await create(alice, bob, room_alias_name=f"den-{alice.name}")
    await gateway.tell(bob, data={"url": gateway.url, "format": "org.example.cards", "cards": [1]})
    await say(alice, room_id, "hello")
    await gateway.told(1)
    await alice.call("PUT", path(room_id, "state/m.room.name/"), body={"name": "Den"})
    await say(alice, room_id, "again")
    told = await gateway.told(2)
    assert [(one["room_name"], one["room_alias"]) for one in told] == [(alias, alias), ("Den", alias)]
    assert {str(one["devices"][0]["data"]) for one in told} == {
        "{'format': 'org.example.cards', 'cards': [1]}"
    }
    assert "membership" not in told[0]


async def test_the_badge_loses_what_is_ignored(alice: Client, bob: Client, gateway: Gateway) -> None:
    carol = await alice.register("carol")
    room_id = await create(alice, bob, carol)
    await gateway.tell(bob)
    await say(alice, room_id, "one")
    await gateway.told(1)
    await say(carol, room_id, "two")
    assert (await gateway.told(2))[1]["counts"] == {"unread": 2}
    await ignore(bob, carol)
    assert (await gateway.told(3))[2]["counts"] == {"unread": 1}
    await ignore(bob, carol, alice)
    assert (await gateway.told(4))[3]["counts"] == {"unread": 0}


async def test_a_push_that_waits_is_dropped_when_its_sender_is_ignored(
    alice: Client, bob: Client, gateway: Gateway, server: Running
) -> None:
    carol = await alice.register("carol")
    room_id = await create(alice, bob, carol)
    await gateway.tell(bob)
    gateway.failures.extend([503] * 4)
    await say(carol, room_id, "unwanted")
    await gateway.told(1)
    await ignore(bob, carol)
    await judged(server)
    before = (await gateway.texts(1)).count("unwanted")
    await say(alice, room_id, "wanted")
    while gateway.failures or gateway.got[-1].get("sender") != alice.user_id:
        await gateway.told(len(gateway.got) + 1)
    assert gateway.got[-1]["counts"] == {"unread": 1}
    assert (await gateway.texts(1)).count("unwanted") <= before + 1, "one may have been on its way"


async def test_only_what_one_is_notified_of(alice: Client, bob: Client, gateway: Gateway) -> None:
    carol = await alice.register("carol")
    room_id = await create(alice, bob, carol)
    await gateway.tell(bob, data={"url": gateway.url, "format": "event_id_only"})
    await bob.call("PUT", f"{RULES}/room/{quote(room_id, safe='')}", body={"actions": []})
    at = f"user/{quote(bob.user_id)}/account_data/m.ignored_user_list"
    await bob.call("PUT", at, body={"ignored_users": {carol.user_id: {}}})
    await say(alice, room_id, "silenced")
    await say(bob, room_id, "mine")
    await mention(carol, room_id, "ignored", bob)
    await carol.call("POST", "createRoom", body={"invite": [bob.user_id]})
    event_id = await mention(alice, room_id, "you", bob)
    (told,) = await gateway.told(1)
    assert set(told) == {"event_id", "room_id", "prio", "counts", "devices"}
    assert (told["event_id"], told["prio"], told["counts"]) == (event_id, "high", {"unread": 1})
    assert told["devices"][0]["tweaks"] == {"highlight": True, "sound": "default"}
    root = await say(bob, room_id, "root")
    assert (await gateway.told(2))[1]["counts"] == {"unread": 0}
    await bob.call("DELETE", f"{RULES}/room/{quote(room_id, safe='')}")
    inside = await answer(alice, room_id, root, "inside")
    last = (await gateway.told(3))[2]
    assert (last["event_id"], last["prio"]) == (inside, "low")


async def test_a_gateway_that_is_down_is_asked_again(alice: Client, bob: Client, gateway: Gateway) -> None:
    room_id = await create(alice, bob)
    await gateway.tell(bob)
    gateway.failures.extend([500, 503, 404])
    await say(alice, room_id, "first")
    await say(alice, room_id, "second")
    assert await gateway.texts(5) == ["first"] * 4 + ["second"]
    assert await keys(bob) == ["key"]


async def test_a_rejected_device_is_told_no_more(
    alice: Client, bob: Client, gateway: Gateway, server: Running
) -> None:
    room_id = await create(alice, bob)
    await gateway.tell(bob, "old")
    await gateway.tell(bob, "new")
    gateway.gone.add("old")
    await say(alice, room_id, "first")
    await gateway.told(2)
    while await keys(bob) != ["new"]:
        pass
    await say(alice, room_id, "second")
    assert (await gateway.told(3))[2]["devices"][0]["pushkey"] == "new"


async def test_what_was_read_is_not_told(alice: Client, bob: Client, gateway: Gateway) -> None:
    room_id = await create(alice, bob)
    await gateway.tell(bob)
    gateway.failures.append(500)
    seen = await say(alice, room_id, "seen")
    await gateway.told(1)
    await read(bob, room_id, seen)
    await say(alice, room_id, "last")
    while (await gateway.texts(2))[-1] != "last":
        await gateway.told(len(gateway.got) + 1)
    assert (await gateway.texts(2)).count("seen") == 1


@pytest.mark.both
async def test_nothing_is_lost_when_the_server_stops(settings: Settings, gateway: Gateway) -> None:
    hs = build(settings)
    async with working(hs):
        alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
        room = await group(hs, alice, bob)
        await hs.notifications.pushers.set(bob, gateway.pusher(), append=False)
        gateway.failures.extend([503] * 3)
        sent = await ByIds(hs).send(alice, room.room_id, text="before")
        await gateway.told(1)
    again = build(settings)
    async with working(again):
        while gateway.failures or len(gateway.got) < 4:
            await gateway.told(len(gateway.got) + 1)
        assert {one["event_id"] for one in gateway.got} == {sent.event_id}


@pytest.mark.both
@pytest.mark.own_server
async def test_a_sender_looks_only_when_there_is_something_to_send(
    alice: Client, bob: Client, gateway: Gateway, server: Running
) -> None:
    room_id, running = await create(alice, bob), server.hs.core.tasks._running
    next(one for one, name in running.items() if name == "push gateways").cancel()
    with spending() as spent:
        sending = asyncio.create_task(server.hs.notifications._sender.run())
    for text in ("to nobody", "to nobody either"):
        await say(alice, room_id, text)
        await judged(server)
    assert spent.statements == 1, "it looked when it began"
    await gateway.tell(bob)
    await say(alice, room_id, "hello")
    assert await gateway.texts(1) == ["hello"]
    assert spent.statements > 1
    sending.cancel()
    await asyncio.wait([sending])
