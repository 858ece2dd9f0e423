"""Events that wait to be sent: steering them, what becomes of them, and whose they are."""

import asyncio
from typing import Any

import aiohttp
import pytest

from homeserver.lifecycle import running
from homeserver.settings.models import Settings
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, texts
from tests.api.matrix.synckit import Follower

pytestmark = pytest.mark.both

DELAYED = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events"
LONG = 100_000


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"matrix": {"enabled": True, "max_delayed_events": 3}}


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


def after(delay_ms: int) -> dict[str, Any]:
    return {"org.matrix.msc4140.delay": str(delay_ms)}


async def later(client: Client, room_id: str, text: str, delay_ms: int) -> str:
    at = path(room_id, f"send/m.room.message/{text}")
    body = {"msgtype": "m.text", "body": text}
    return str((await client.call("PUT", at, body=body, params=after(delay_ms)))["delay_id"])


async def set_later(client: Client, room_id: str, key: str, value: str, delay_ms: int) -> str:
    at = path(room_id, f"state/a.test/{key}")
    return str((await client.call("PUT", at, body={"is": value}, params=after(delay_ms)))["delay_id"])


async def waiting(client: Client) -> list[Any]:
    found: list[Any] = (await client.call("GET", DELAYED))["delayed_events"]
    return found


async def none_waits(client: Client) -> None:
    async with asyncio.timeout(30):
        while await waiting(client):
            await asyncio.sleep(0.01)


async def test_they_are_sent_in_their_order_when_their_time_comes(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    assert await waiting(alice) == []
    follower = Follower(bob)
    await follower.sync()
    second = await later(alice, room_id, "second", 1200)
    await later(alice, room_id, "first", 100)
    assert await later(alice, room_id, "second", 1200) == second
    assert await waiting(bob) == []
    shown = {one["delay_id"]: one for one in await waiting(alice)}[second]
    assert (shown["room_id"], shown["type"], shown["delay"]) == (room_id, "m.room.message", 1200)
    assert shown["content"] == {"msgtype": "m.text", "body": "second"}
    event = await follower.until_text(room_id, "second")
    assert event["sender"] == alice.user_id
    assert texts(follower.events[room_id])[-2:] == ["first", "second"]
    await none_waits(alice)
    assert await later(alice, room_id, "second", 1200) == second
    assert await waiting(alice) == []


async def test_they_can_be_called_off_put_off_and_sent_at_once(
    nobody: Client, alice: Client, bob: Client
) -> None:
    room_id = await create(alice, bob)
    off = await set_later(alice, room_id, "off", "never", LONG)
    at_once = await set_later(alice, room_id, "now", "sent", LONG)
    put_off = await set_later(alice, room_id, "later", "sent", LONG)
    before = {one["delay_id"]: one["running_since"] for one in await waiting(alice)}
    await nobody.call("POST", f"{DELAYED}/{off}/cancel", body={})
    await alice.call("POST", f"{DELAYED}/{at_once}", body={"action": "send"})
    await alice.call("POST", f"{DELAYED}/{put_off}/restart", body={})
    left = await waiting(alice)
    assert [(one["delay_id"], one["state_key"]) for one in left] == [(put_off, "later")]
    assert left[0]["running_since"] >= before[put_off]
    assert await bob.call("GET", path(room_id, "state/a.test/now")) == {"is": "sent"}
    assert await bob.errcode("GET", path(room_id, "state/a.test/off"), 404) == "M_NOT_FOUND"
    await alice.call("POST", f"{DELAYED}/{off}/cancel", body={})
    assert await alice.errcode("POST", f"{DELAYED}/{off}/send", 409, body={}) == "M_CONFLICT"
    assert await alice.errcode("POST", f"{DELAYED}/{at_once}/restart", 409, body={}) == "M_CONFLICT"


async def test_bad_wishes_are_refused(nobody: Client, alice: Client, bob: Client) -> None:
    room_id = await create(alice)
    at = path(room_id, "send/m.room.message/1")
    too_long = await alice.call("PUT", at, 400, body={}, params=after(7 * 24 * 3600 * 1000 + 1))
    assert too_long["org.matrix.msc4140.errcode"] == "M_MAX_DELAY_EXCEEDED"
    assert too_long["org.matrix.msc4140.max_delay"] == 7 * 24 * 3600 * 1000
    for bad in ("0", "-1", "soon", "1.5"):
        params = {"org.matrix.msc4140.delay": bad}
        assert await alice.errcode("PUT", at, 400, body={}, params=params) == "M_INVALID_PARAM"
    assert await bob.errcode("PUT", at, 403, body={}, params=after(LONG)) == "M_FORBIDDEN"
    assert await alice.errcode("PUT", at, 400, body={"a": 1.5}, params=after(LONG)) == "M_BAD_JSON"
    big = {"body": "x" * 66_000}
    assert await alice.errcode("PUT", at, 413, body=big, params=after(LONG)) == "M_TOO_LARGE"
    assert await waiting(alice) == []
    for number in range(3):
        await later(alice, room_id, f"m{number}", LONG)
    too_many = await alice.call("PUT", at, 400, body={}, params=after(LONG))
    assert too_many["org.matrix.msc4140.errcode"] == "M_MAX_DELAYED_EVENTS_EXCEEDED"
    assert await nobody.errcode("GET", DELAYED, 401) == "M_MISSING_TOKEN"
    assert await nobody.errcode("POST", f"{DELAYED}/abc", 400, body={}) == "M_MISSING_PARAM"
    assert await nobody.errcode("POST", f"{DELAYED}/abc", 400, body={"action": "oops"}) == "M_BAD_JSON"
    assert await nobody.errcode("POST", f"{DELAYED}/abc/oops", 404, body={}) == "M_UNRECOGNIZED"
    for action in ("cancel", "restart", "send"):
        assert await nobody.errcode("POST", f"{DELAYED}/abc/{action}", 404, body={}) == "M_NOT_FOUND"


async def test_they_are_sent_by_the_rules_of_their_time(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob, power_level_content_override={"events": {"a.test": 0}})
    gone = await later(bob, room_id, "gone", LONG)
    await set_later(alice, room_id, "status", "mine", 300)
    await bob.call("PUT", path(room_id, "state/a.test/status"), body={"is": "his"})
    await alice.call("POST", path(room_id, "kick"), body={"user_id": bob.user_id})
    assert await bob.errcode("POST", f"{DELAYED}/{gone}/send", 403, body={}) == "M_FORBIDDEN"
    assert await waiting(bob) == []
    await none_waits(alice)
    assert await alice.call("GET", path(room_id, "state/a.test/status")) == {"is": "his"}


async def test_they_outlive_a_restart(settings: Settings) -> None:
    async with running(settings) as first, aiohttp.ClientSession(first.url) as session:
        alice = await Client(session).register("alice")
        room_id = await create(alice)
        await set_later(alice, room_id, "key", "kept", 10)
        await none_waits(alice)
        await set_later(alice, room_id, "soon", "kept", 2000)
        await set_later(alice, room_id, "long", "kept", LONG)
    async with running(settings) as second, aiohttp.ClientSession(second.url) as session:
        alice = Client(session, alice.token, alice.user_id, alice.device_id)
        async with asyncio.timeout(30):
            while [one["state_key"] for one in await waiting(alice)] != ["long"]:
                await asyncio.sleep(0.01)
        history = await alice.call("GET", path(room_id, "messages"), params={"dir": "f", "limit": 100})
        sent = [one["state_key"] for one in history["chunk"] if one["type"] == "a.test"]
        assert sent == ["key", "soon"]
