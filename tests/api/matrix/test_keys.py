"""End-to-end encryption over the Matrix API: the rules are told in tests/e2ee, here is what goes over the wire."""

from dataclasses import replace
from typing import Any

import pytest

from homeserver.protocol.ids import UserId
from homeserver.protocol.signing import SigningKey
from homeserver.storage.e2ee.crosssigning import Usage
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create
from tests.api.matrix.slidekit import Slider
from tests.api.matrix.synckit import Follower
from tests.e2ee.world import Crossed, identity, key, signed

OLM = "signed_curve25519"


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


def one_time(client: Client, by: SigningKey, *names: str, **more: Any) -> dict[str, Any]:
    return {
        f"{OLM}:{name}": signed({"key": f"curve {name}", **more}, client.user_id, client.device_id, by)
        for name in names
    }


async def publish(client: Client, *names: str) -> SigningKey:
    """Upload device keys, one-time keys of these names and a fallback key."""
    by = key()
    body = {
        "device_keys": identity(client.user_id, client.device_id, by),
        "one_time_keys": one_time(client, by, *names),
        "fallback_keys": one_time(client, by, "last", fallback=True),
    }
    answer = await client.call("POST", "keys/upload", body=body)
    assert answer["one_time_key_counts"].get(OLM, 0) == len(names)
    return by


async def test_keys_are_found_and_each_is_given_once(alice: Client, bob: Client) -> None:
    await publish(alice, "a", "b")
    wanted: dict[str, Any] = {"device_keys": {alice.user_id: [], "@carol:elsewhere.example": []}}
    found = await bob.call("POST", "keys/query", body=wanted)
    device = found["device_keys"][alice.user_id][alice.device_id]
    assert device["user_id"] == alice.user_id
    assert list(found["failures"]) == ["elsewhere.example"]
    request = {"one_time_keys": {alice.user_id: {alice.device_id: OLM}}}
    given: list[str] = []
    for _ in range(4):
        claimed = await bob.call("POST", "keys/claim", body=request)
        given += claimed["one_time_keys"][alice.user_id][alice.device_id]
    assert given == [f"{OLM}:a", f"{OLM}:b", f"{OLM}:last", f"{OLM}:last"]
    assert (await alice.call("POST", "keys/upload", body={}))["one_time_key_counts"].get(OLM, 0) == 0


async def test_keys_that_are_refused(alice: Client, bob: Client) -> None:
    foreign = identity(bob.user_id, bob.device_id, key())
    wrong = await alice.errcode("POST", "keys/upload", 400, body={"device_keys": foreign})
    assert wrong == "M_BAD_JSON"
    for part in ("user_id", "device_id", "algorithms", "keys", "signatures"):
        lacking = identity(alice.user_id, alice.device_id, key())
        del lacking[part]
        upload = {"device_keys": lacking, "one_time_keys": {}}
        assert await alice.errcode("POST", "keys/upload", 400, body=upload) == "M_BAD_JSON", part
    for name in ("one_time_keys", "fallback_keys"):
        odd_keys: list[Any] = [{f"{OLM}:A": {"key": "x"}}, {f"{OLM}:A": 1}, {"A": "x"}, []]
        for odd in odd_keys:
            assert await alice.errcode("POST", "keys/upload", 400, body={name: odd}) == "M_BAD_JSON", odd
    assert await alice.errcode("POST", "keys/query", 400, body={"device_keys": []}) == "M_BAD_JSON"
    assert await alice.errcode("POST", "keys/claim", 400, body={}) == "M_MISSING_PARAM"


@pytest.mark.both
async def test_the_first_signing_keys_need_no_password_and_others_do(alice: Client, bob: Client) -> None:
    device = await publish(alice)
    crossed = Crossed(UserId(alice.user_id))
    names = {
        "master_key": Usage.MASTER,
        "self_signing_key": Usage.SELF_SIGNING,
        "user_signing_key": Usage.USER_SIGNING,
    }
    body = {name: crossed.body(usage) for name, usage in names.items()}
    assert await alice.call("POST", "keys/device_signing/upload", body=body) == {}
    assert await alice.call("POST", "keys/device_signing/upload", body=body) == {}
    others = Crossed(UserId(alice.user_id))
    await alice.prove(
        "POST", "keys/device_signing/upload", {name: others.body(usage) for name, usage in names.items()}
    )
    wanted: dict[str, Any] = {"device_keys": {alice.user_id: []}}
    seen = await bob.call("POST", "keys/query", body=wanted)
    public = others.master.verify_key_base64
    assert list(seen["master_keys"][alice.user_id]["keys"].values()) == [public]
    assert alice.user_id not in seen["user_signing_keys"]
    assert alice.user_id in (await alice.call("POST", "keys/query", body=wanted))["user_signing_keys"]
    mine = identity(alice.user_id, alice.device_id, device)
    good = others.sign(mine, others.self_signing)
    bad = crossed.sign(mine, crossed.self_signing)
    for one, failed in ((good, False), (bad, True)):
        answer = await alice.call(
            "POST", "keys/signatures/upload", body={alice.user_id: {alice.device_id: one}}
        )
        assert bool(answer["failures"]) is failed
    assert answer["failures"][alice.user_id][alice.device_id]["errcode"].startswith("M_")
    shown = (await bob.call("POST", "keys/query", body=wanted))["device_keys"][alice.user_id][alice.device_id]
    assert f"ed25519:{others.self_signing.verify_key_base64}" in shown["signatures"][alice.user_id]


BACKUP = {
    "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2",
    "auth_data": {"public_key": "abc", "signatures": {}},
}


def backed_up(text: str, **more: Any) -> dict[str, Any]:
    return {
        "first_message_index": 1,
        "forwarded_count": 0,
        "is_verified": True,
        "session_data": {"ciphertext": text},
        **more,
    }


async def test_a_backup_from_its_birth_to_its_end(alice: Client, bob: Client) -> None:
    root = "room_keys"
    assert await alice.errcode("GET", f"{root}/version", 404) == "M_NOT_FOUND"
    version = (await alice.call("POST", f"{root}/version", body=BACKUP))["version"]
    at = {"version": version}
    place = f"{root}/keys/!room:test.example/session"
    first = await alice.call("PUT", place, params=at, body=backed_up("one"))
    assert first["count"] == 1
    worse = backed_up("two", is_verified=False)
    assert await alice.call("PUT", place, params=at, body=worse) == first
    assert (await alice.call("GET", place, params=at))["session_data"] == {"ciphertext": "one"}
    whole = {"rooms": {"!other:test.example": {"sessions": {"s": backed_up("three")}}}}
    assert (await alice.call("PUT", f"{root}/keys", params=at, body=whole))["count"] == 2
    everything = await alice.call("GET", f"{root}/keys", params=at)
    assert set(everything["rooms"]) == {"!room:test.example", "!other:test.example"}
    one_room = await alice.call("GET", f"{root}/keys/!other:test.example", params=at)
    assert one_room["sessions"]["s"]["session_data"] == {"ciphertext": "three"}
    assert await bob.errcode("GET", f"{root}/keys", 404, params=at) == "M_NOT_FOUND"
    newer = (await alice.call("POST", f"{root}/version", body=BACKUP))["version"]
    refused = await alice.call("PUT", place, 403, params=at, body=backed_up("late"))
    assert (refused["errcode"], refused["current_version"]) == ("M_WRONG_ROOM_KEYS_VERSION", newer)
    other = {**BACKUP, "auth_data": {"public_key": "def"}}
    assert await alice.call("PUT", f"{root}/version/{newer}", body={**other, "version": newer}) == {}
    assert (await alice.call("GET", f"{root}/version"))["auth_data"] == {"public_key": "def"}
    assert (await alice.call("DELETE", place, params=at))["count"] == 1
    assert await alice.call("DELETE", f"{root}/version/{version}") == {}
    assert await alice.errcode("GET", f"{root}/version/{version}", 404) == "M_NOT_FOUND"
    assert await alice.errcode("PUT", f"{root}/keys", 400, body=whole) == "M_MISSING_PARAM"


async def test_what_a_backup_holds_is_the_clients_affair(alice: Client) -> None:
    """Any JSON: some clients send text where the specification has objects."""
    alice = replace(alice, beyond=True)
    root = "room_keys"
    everything: list[Any] = ["text", {}, [1], 1.5, False]
    for data in everything:
        version = (await alice.call("POST", f"{root}/version", body={**BACKUP, "auth_data": data}))["version"]
        shown = await alice.call("GET", f"{root}/version/{version}")
        assert shown["auth_data"] == data
        at, session = {"version": version}, backed_up("x", session_data=data)
        await alice.call("PUT", f"{root}/keys/!room:test.example/one", params=at, body=session)
        rooms = {"rooms": {"!room:test.example": {"sessions": {"two": session}}}}
        assert (await alice.call("PUT", f"{root}/keys", params=at, body=rooms))["count"] == 2
        found = (await alice.call("GET", f"{root}/keys", params=at))["rooms"]["!room:test.example"]
        assert {name: one["session_data"] for name, one in found["sessions"].items()} == {
            "one": data,
            "two": data,
        }
    refused: list[Any] = [{**BACKUP, "auth_data": None}, {"algorithm": "x"}, {"auth_data": {}}]
    for lacking in refused:
        await alice.errcode("POST", f"{root}/version", 400, body=lacking)
    sessions = {"sessions": {"s": backed_up("x", session_data=None)}}
    assert (
        await alice.errcode("PUT", f"{root}/keys/!r:test.example", 400, params=at, body=sessions)
        == "M_BAD_JSON"
    )


async def test_a_backup_changes_under_its_own_version(alice: Client) -> None:
    root = "room_keys/version"
    versions = [(await alice.call("POST", root, body=BACKUP))["version"] for _ in range(25)]
    assert versions == [str(n) for n in range(1, 26)], "nobody has to delete old ones first"
    changed: dict[str, Any] = {**BACKUP, "auth_data": {"public_key": "changed"}}
    for body in ({**changed, "version": "1"}, {**changed, "version": ""}, {**changed, "algorithm": "other"}):
        assert await alice.errcode("PUT", f"{root}/2", 400, body=body) == "M_INVALID_PARAM"
    assert await alice.errcode("PUT", f"{root}/2", 400, body={**changed, "version": 2}) == "M_BAD_JSON"
    assert await alice.errcode("PUT", f"{root}/99", 404, body=changed) == "M_NOT_FOUND"
    assert await alice.errcode("PUT", f"{root}/99", 404, body={**changed, "version": "99"}) == "M_NOT_FOUND"
    for version in ("1", "2"):
        assert (await alice.call("GET", f"{root}/{version}"))["auth_data"] == BACKUP["auth_data"]
    for said in ({}, {"version": "2"}, {"version": None}):
        body = {**changed, **said}
        assert await alice.call("PUT", f"{root}/2", body=body) == {}
    assert (await alice.call("GET", f"{root}/2"))["auth_data"] == {"public_key": "changed"}
    assert (await alice.call("GET", root))["version"] == "25"


async def test_a_backup_room_by_room(alice: Client) -> None:
    root = "room_keys"
    at = {"version": (await alice.call("POST", f"{root}/version", body=BACKUP))["version"]}
    for room in ("one", "two", "three"):
        body = {"sessions": {"s": backed_up(room), "t": backed_up(f"{room} again")}}
        kept = await alice.call("PUT", f"{root}/keys/!{room}:test.example", params=at, body=body)
    assert kept["count"] == 6
    dropped = await alice.call("DELETE", f"{root}/keys/!one:test.example", params=at)
    assert dropped["count"] == 4
    assert dropped["etag"] != kept["etag"]
    assert (await alice.call("DELETE", f"{root}/keys", params=at))["count"] == 0
    assert await alice.call("GET", f"{root}/keys", params=at) == {"rooms": {}}


async def test_whose_devices_changed(alice: Client, bob: Client) -> None:
    await create(alice, bob)
    before = (await alice.call("GET", "sync"))["next_batch"]
    await publish(bob)
    after = (await alice.call("GET", "sync", params={"since": before}))["next_batch"]
    changed = await alice.call("GET", "keys/changes", params={"from": before, "to": after})
    assert changed == {"changed": [bob.user_id], "left": []}
    assert await alice.errcode("GET", "keys/changes", 400) == "M_MISSING_PARAM"


async def claim(by: Client, of: Client) -> None:
    wanted = {"one_time_keys": {of.user_id: {of.device_id: OLM}}}
    assert (await by.call("POST", "keys/claim", body=wanted))["one_time_keys"][of.user_id]


async def test_whoever_is_told_of_fewer_keys_gets_a_new_token(alice: Client, bob: Client) -> None:
    """matrix-nio drops an answer with the token that it has already."""
    await publish(bob, "a", "b")
    his, slider = Follower(bob), Slider(bob, {"extensions": {"e2ee": {"enabled": True}}})
    for one in (his, slider):
        await one.sync()
        await one.sync()
    seen = []
    for _ in range(4):
        tokens = his.token, slider.pos
        told, slid = await his.sync(), (await slider.sync())["extensions"]["e2ee"]
        assert (his.token, slider.pos) == tokens, "nothing happened"
        await claim(alice, bob)
        told, slid = await his.sync(), (await slider.sync())["extensions"]["e2ee"]
        keys = told["device_one_time_keys_count"].get(OLM, 0), told["device_unused_fallback_key_types"]
        assert (
            slid["device_one_time_keys_count"].get(OLM, 0),
            slid["device_unused_fallback_key_types"],
        ) == keys
        seen.append((*keys, his.token != tokens[0], slider.pos != tokens[1]))
    told_of = [(1, [OLM], True, True), (0, [OLM], True, True), (0, [], True, True), (0, [], False, False)]
    assert seen == told_of, "the last claim changes nothing: the fallback key was used before"


async def test_whatever_says_something_has_a_new_token(alice: Client, bob: Client) -> None:
    await create(alice, bob)
    his = Follower(bob)
    await his.sync()
    await his.sync()
    for _ in range(3):
        before = his.token
        assert (await his.sync(full_state="true"))["rooms"]["join"]
        assert his.token != before
        before = his.token
        await his.sync()
        assert his.token == before


async def test_messages_between_devices(alice: Client, bob: Client) -> None:
    since = (await bob.call("GET", "sync"))["next_batch"]
    body = {"messages": {bob.user_id: {"*": {"secret": "one"}}}}
    for _ in range(2):
        assert await alice.call("PUT", "sendToDevice/a.b/1", body=body) == {}
    found = await bob.call("GET", "sync", params={"since": since})
    sent = {"type": "a.b", "sender": alice.user_id, "content": {"secret": "one"}}
    assert found["to_device"]["events"] == [sent]
    after = await bob.call("GET", "sync", params={"since": found["next_batch"], "timeout": 0})
    assert not after.get("to_device", {}).get("events")
    assert await alice.errcode("PUT", "sendToDevice/a.b/2", 400, body={"messages": 5}) == "M_BAD_JSON"


@pytest.mark.parametrize("root", ["r0", "unstable"])
async def test_older_names_of_the_same_calls(alice: Client, bob: Client, root: str) -> None:
    """Clients knew these calls before they were in the specification."""
    root = f"/_matrix/client/{root}"
    before = (await bob.call("GET", "sync"))["next_batch"]
    by = key()
    keys = {
        "device_keys": identity(alice.user_id, alice.device_id, by),
        "one_time_keys": one_time(alice, by, "a"),
    }
    assert (await alice.call("POST", f"{root}/keys/upload", body=keys))["one_time_key_counts"] == {OLM: 1}
    wanted: dict[str, Any] = {"device_keys": {alice.user_id: []}}
    found = await bob.call("POST", f"{root}/keys/query", body=wanted)
    assert list(found["device_keys"][alice.user_id]) == [alice.device_id]
    wanted = {"one_time_keys": {alice.user_id: {alice.device_id: OLM}}}
    assert await bob.call("POST", f"{root}/keys/claim", body=wanted)
    assert await bob.call("GET", f"{root}/keys/changes", params={"from": before, "to": before})
    crossed = Crossed(UserId(alice.user_id))
    master = {"master_key": crossed.body(Usage.MASTER)}
    assert await alice.call("POST", f"{root}/keys/device_signing/upload", body=master) == {}
    assert await alice.call("POST", f"{root}/keys/signatures/upload", body={}) == {"failures": {}}
    version = await alice.call("POST", f"{root}/room_keys/version", body=BACKUP)
    assert (await alice.call("GET", f"{root}/room_keys/keys", params=version)) == {"rooms": {}}
    message: dict[str, Any] = {"messages": {bob.user_id: {"*": {}}}}
    assert await alice.call("PUT", f"{root}/sendToDevice/a.b/1", body=message) == {}
    assert await alice.call("GET", f"{root}/account/3pid") == {"threepids": []}
    assert (await alice.call("GET", f"{root}/devices/{alice.device_id}"))["device_id"] == alice.device_id
    assert await alice.errcode("GET", f"{root}/keys/none", 404) == "M_UNRECOGNIZED"
    assert await alice.errcode("GET", f"{root}/keys/query", 405) == "M_UNRECOGNIZED"
