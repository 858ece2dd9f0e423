"""Dehydrated devices over the Matrix API (MSC3814); their rules are told in tests/e2ee/test_dehydrated.py."""

from typing import Any

import pytest

from tests.api.matrix.driver import Client
from tests.e2ee.world import identity, key, signed

PATH = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"
OLM = "signed_curve25519"
DATA = {"algorithm": "org.matrix.msc3814.v2", "device_pickle": "sealed"}


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


def sleeper(owner: Client, name: str) -> dict[str, Any]:
    by = key()
    return {
        "device_id": name,
        "device_data": DATA,
        "initial_device_display_name": "Asleep",
        "device_keys": identity(owner.user_id, name, by, dehydrated=True),
        "one_time_keys": {f"{OLM}:A": signed({"key": "curve"}, owner.user_id, name, by)},
    }


@pytest.mark.both
async def test_a_device_sleeps_and_gathers_what_it_is_sent(
    alice: Client, bob: Client, nobody: Client
) -> None:
    assert await bob.errcode("GET", PATH, 404) == "M_NOT_FOUND"
    assert await bob.call("PUT", PATH, body=sleeper(bob, "dry")) == {"device_id": "dry"}
    assert await bob.call("GET", PATH) == {"device_id": "dry", "device_data": DATA}
    await bob.call("POST", "logout", body={})
    for number in range(2):
        body = {"messages": {bob.user_id: {"*": {"number": number}}}}
        await alice.call("PUT", f"sendToDevice/m.room_key/{number}", body=body)

    later = await nobody.login("bob")
    found = await later.call("POST", f"{PATH}/dry/events", body={})
    assert [one["content"]["number"] for one in found["events"]] == [0, 1]
    assert {(one["type"], one["sender"]) for one in found["events"]} == {("m.room_key", alice.user_id)}
    rest = await later.call("POST", f"{PATH}/dry/events", body={"next_batch": found["next_batch"]})
    assert rest["events"] == []
    assert await later.call("DELETE", PATH) == {"device_id": "dry"}
    assert await later.errcode("POST", f"{PATH}/dry/events", 404, body={}) == "M_NOT_FOUND"


async def test_what_it_was_sent_is_read_in_pages(alice: Client, bob: Client, nobody: Client) -> None:
    """By GET, as clients do now: the last page is the one without `next_batch`. By POST the empty page is the last."""
    await bob.call("PUT", PATH, body=sleeper(bob, "dry/1"))
    events = f"{PATH}/dry%2F1/events"
    assert await bob.call("GET", events) == {"events": []}
    for number in range(5):
        body = {"messages": {bob.user_id: {"dry/1": {"number": number}}}}
        await alice.call("PUT", f"sendToDevice/m.room_key/{number}", body=body)
    later = await nobody.login("bob")
    for _ in range(2):  # whoever breaks off begins anew
        pages: list[list[int]] = []
        query = "?limit=2"
        while True:
            page = await later.call("GET", f"{events}{query}")
            pages.append([one["content"]["number"] for one in page["events"]])
            if "next_batch" not in page:
                break
            query = f"?limit=2&from={page['next_batch']}"
        assert pages == [[0, 1], [2, 3], [4]]
    whole = await later.call("GET", events)
    assert [one["content"]["number"] for one in whole["events"]] == [0, 1, 2, 3, 4]
    assert "next_batch" not in whole
    assert "next_batch" in await later.call("POST", events, body={})
    assert await later.errcode("GET", f"{events}?from=x", 400) == "M_INVALID_PARAM"
    assert await later.errcode("GET", f"{PATH}/{later.device_id}/events", 403) == "M_FORBIDDEN"
    assert await alice.errcode("GET", events, 404) == "M_NOT_FOUND"
    assert await nobody.errcode("GET", events, 401) == "M_MISSING_TOKEN"


async def test_it_is_its_persons_alone(alice: Client, bob: Client, nobody: Client) -> None:
    await bob.call("PUT", PATH, body=sleeper(bob, "dry"))
    assert await alice.errcode("GET", PATH, 404) == "M_NOT_FOUND"
    assert await alice.errcode("POST", f"{PATH}/dry/events", 404, body={}) == "M_NOT_FOUND"
    assert await nobody.errcode("GET", PATH, 401) == "M_MISSING_TOKEN"
    assert await bob.errcode("POST", f"{PATH}/{bob.device_id}/events", 403, body={}) == "M_FORBIDDEN"
    assert await bob.errcode("POST", f"{PATH}/dry/events", 400, body={"next_batch": "x"}) == "M_INVALID_PARAM"
    for bad in (sleeper(alice, "other"), {**sleeper(bob, "other"), "device_keys": None}, {"device_id": "x"}):
        await bob.errcode("PUT", PATH, 400, body=bad)
    assert (await bob.call("GET", PATH))["device_id"] == "dry"
