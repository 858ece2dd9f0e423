"""What clients keep with the server: account data, tags, filters, read markers."""

from typing import Any
from urllib.parse import quote

import pytest

from homeserver.storage import accountdata
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say
from tests.api.matrix.synckit import Follower, joined, types

MSC3391 = "/_matrix/client/unstable/org.matrix.msc3391/"


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


def own(client: Client, rest: str) -> str:
    return f"user/{quote(client.user_id, safe='')}/{rest}"


async def test_account_data_and_tags(alice: Client, bob: Client) -> None:
    room_id = await create(alice)
    here = own(alice, f"rooms/{quote(room_id, safe='')}")
    assert await alice.errcode("GET", own(alice, "account_data/m.direct"), 404) == "M_NOT_FOUND"
    await alice.call("PUT", own(alice, "account_data/m.direct"), body={"@bob:x": ["!a:x"]})
    await alice.call("PUT", f"{here}/account_data/org.example", body={"color": "red"})
    assert await alice.call("GET", own(alice, "account_data/m.direct")) == {"@bob:x": ["!a:x"]}
    assert await alice.call("GET", f"{here}/account_data/org.example") == {"color": "red"}
    assert await alice.errcode("GET", own(alice, "account_data/org.example"), 404) == "M_NOT_FOUND"
    for kind in ("m.fully_read", "m.push_rules"):
        put = f"{here}/account_data/{kind}"
        assert await alice.errcode("PUT", put, 405, body={"event_id": "$a"}) == "M_BAD_JSON"
    assert await bob.errcode("GET", own(alice, "account_data/m.direct"), 403) == "M_FORBIDDEN"
    assert (
        await alice.errcode("PUT", f"{here}/account_data/a", 413, body={"a": "x" * 70_000}) == "M_TOO_LARGE"
    )

    await alice.call("PUT", f"{here}/tags/u.work", body={"order": 0.25})
    await alice.call("PUT", f"{here}/tags/m.favourite", body={})
    await alice.call("DELETE", f"{here}/tags/u.work")
    assert await alice.call("GET", f"{here}/tags") == {"tags": {"m.favourite": {}}}
    assert await alice.call("GET", f"{here}/account_data/m.tag") == {"tags": {"m.favourite": {}}}


@pytest.mark.both
async def test_what_is_taken_away_is_gone(
    nobody: Client, alice: Client, bob: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accountdata, "_GONE_KEPT", 3)
    room_id = await create(alice)
    places = [f"account_data/org.{word}" for word in ("one", "two", "three")]
    places.append(f"rooms/{quote(room_id, safe='')}/account_data/org.here")
    nothing_yet = Follower(alice)
    await nothing_yet.sync()
    for place in places:
        await alice.call("PUT", own(alice, place), body={"a": 1})
    hers = Follower(alice)
    await hers.sync()
    for place in places:
        await alice.call("DELETE", MSC3391 + own(alice, place))
        assert await alice.errcode("GET", own(alice, place), 404) == "M_NOT_FOUND"
        await alice.call("DELETE", MSC3391 + own(alice, place))
    told = await hers.sync()
    events = told["account_data"]["events"]
    assert [(one["type"], one["content"]) for one in events] == [("org.two", {}), ("org.three", {})], (
        "the latest"
    )
    assert joined(told, room_id)["account_data"]["events"] == [{"type": "org.here", "content": {}}]
    assert "account_data" not in await hers.sync()
    assert types((await Follower(alice).sync())["account_data"]) == ["m.push_rules"]
    whole = (await nothing_yet.sync(full_state="true"))["account_data"]["events"]
    assert [one["type"] for one in whole if one["content"] == {}] == ["org.two", "org.three"]
    await alice.call("DELETE", MSC3391 + own(alice, places[0]))
    assert "account_data" not in await hers.sync()
    await alice.call("PUT", own(alice, places[0]), body={})  # matrix-js-sdk waits for what it has set
    told = (await hers.sync())["account_data"]["events"]
    assert told == [{"type": "org.one", "content": {}}]
    for kind in ("m.fully_read", "m.push_rules"):
        at = MSC3391 + own(alice, f"account_data/{kind}")
        assert await alice.errcode("DELETE", at, 405) == "M_BAD_JSON"
    assert await bob.errcode("DELETE", MSC3391 + own(alice, places[0]), 403) == "M_FORBIDDEN"


async def test_settings_of_a_device_go_with_it(nobody: Client, alice: Client) -> None:
    """Of its own notifications (MSC3890), however it ends."""
    phone, laptop = await nobody.login("alice"), await nobody.login("alice")
    at = {
        one.device_id: f"account_data/{prefix}.local_notification_settings.{one.device_id}"
        for one, prefix in ((alice, "m"), (phone, "m"), (laptop, "org.matrix.msc3890"))
    }
    for place in at.values():
        await alice.call("PUT", own(alice, place), body={"is_silenced": True})
    hers = Follower(alice)
    await hers.sync()
    await phone.call("POST", "logout", body={})
    await alice.prove("POST", "delete_devices", {"devices": [laptop.device_id]})
    events = (await hers.sync())["account_data"]["events"]
    gone: dict[str, Any] = {at[one.device_id].removeprefix("account_data/"): {} for one in (phone, laptop)}
    assert {one["type"]: one["content"] for one in events} == gone
    assert await alice.call("GET", own(alice, at[alice.device_id])) == {"is_silenced": True}
    assert await alice.errcode("GET", own(alice, at[phone.device_id]), 404) == "M_NOT_FOUND"


async def test_filters_are_kept_by_what_they_say(alice: Client, bob: Client) -> None:
    request = {"room": {"timeline": {"limit": 3}}}
    first = (await alice.call("POST", own(alice, "filter"), body=request))["filter_id"]
    assert (await alice.call("POST", own(alice, "filter"), body=request))["filter_id"] == first
    assert await alice.call("GET", own(alice, f"filter/{first}")) == request
    assert await bob.errcode("GET", own(bob, f"filter/{first}"), 404) == "M_NOT_FOUND"
    assert await alice.errcode("POST", own(alice, "filter"), 400, body={"room": []}) == "M_BAD_JSON"


async def test_markers_need_a_member_and_an_event(alice: Client, bob: Client) -> None:
    room_id = await create(alice)
    other = await create(bob)
    event_id = quote(await say(alice, room_id, "hello"))
    for kind in ("m.read", "m.read.private", "m.fully_read"):
        await alice.call("POST", path(room_id, f"receipt/{kind}/{event_id}"), body={})
        assert await bob.errcode("POST", path(room_id, f"receipt/{kind}/{event_id}"), 403) == "M_FORBIDDEN"
    assert await bob.errcode("POST", path(other, f"receipt/m.read/{event_id}"), 404) == "M_NOT_FOUND"
    bad = path(room_id, f"receipt/m.other/{event_id}")
    assert await alice.errcode("POST", bad, 400, body={}) == "M_INVALID_PARAM"
    typing = path(room_id, f"typing/{quote(bob.user_id, safe='')}")
    for somebody in (alice, bob):
        assert await somebody.errcode("PUT", typing, 403, body={"typing": True}) == "M_FORBIDDEN"
