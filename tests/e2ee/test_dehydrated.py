"""A dehydrated device: one of each person, with keys of its own, whose messages wait until it is replaced."""

import orjson
import pytest

from homeserver.app import Homeserver
from homeserver.errors import Conflict, Forbidden, HomeserverError, Invalid, NotFound
from homeserver.model import LOG_START, LogPosition
from homeserver.protocol.ids import DeviceId
from homeserver.services.e2ee.devicekeys import KeyUpload
from tests.e2ee.world import OLM, Phone, identity, key, phone, signed

ALL = DeviceId("*")


def sleeping(owner: Phone, name: str) -> KeyUpload:
    by = key()
    one_time = signed({"key": name}, owner.user_id, name, by)
    return KeyUpload(identity(owner.user_id, name, by, dehydrated=True), {f"{OLM}:A": one_time})


async def texts(
    hs: Homeserver, owner: Phone, name: str, since: LogPosition = LOG_START
) -> tuple[list[str], LogPosition]:
    found = await hs.e2ee.dehydrated.events(owner.requester, name, since=since, limit=2)
    return [orjson.loads(body)["content"]["n"] for body in found.bodies], found.position


async def test_it_gathers_messages_until_it_is_replaced(hs: Homeserver) -> None:
    alice, bob, store = await phone(hs, "Alice"), await phone(hs, "Bob"), hs.e2ee.dehydrated
    for call in (store.find(bob.requester), store.delete(bob.requester), store.events(bob.requester, "X")):
        with pytest.raises(NotFound):
            await call
    start = hs.core.live.position
    await store.put(bob.requester, "dry/1+", {"algorithm": "a"}, sleeping(bob, "dry/1+"), name="Asleep")
    found = await store.find(bob.requester)
    assert (found.device.device_id, found.device_data) == ("dry/1+", {"algorithm": "a"})
    assert (await hs.e2ee.lists.changes(bob.requester, start)).changed == {bob.user_id}
    seen = await hs.e2ee.device_keys.query(alice.requester, {bob.user_id: []})
    assert seen.devices[bob.user_id]["dry/1+"]["unsigned"] == {"device_display_name": "Asleep"}  # type: ignore[index]
    await hs.auth.sessions.end(bob.requester)
    for n in ("one", "two", "three"):
        await hs.e2ee.to_device.send(alice.requester, "m.x", {bob.user_id: {ALL: {"n": n}}}, n)
    for _ in range(2):  # a reader that fails leaves all to the next one
        first, position = await texts(hs, bob, "dry/1+")
        second, last = await texts(hs, bob, "dry/1+", position)
        assert (first, second) == (["one", "two"], ["three"])
        assert await texts(hs, bob, "dry/1+", last) == ([], last)
    with pytest.raises(Forbidden):
        await store.events(bob.requester, bob.device_id)

    await store.put(bob.requester, "dry2", {}, sleeping(bob, "dry2"))
    assert await texts(hs, bob, "dry2") == ([], 0)
    seen = await hs.e2ee.device_keys.query(alice.requester, {bob.user_id: []})
    assert set(seen.devices[bob.user_id]) == {"dry2"}
    claimed = await hs.e2ee.device_keys.claim(alice.requester, {bob.user_id: {DeviceId("dry2"): OLM}})
    assert set(claimed.keys[bob.user_id]) == {"dry2"}
    assert await store.delete(bob.requester) == "dry2"
    seen = await hs.e2ee.device_keys.query(alice.requester, {bob.user_id: []})
    assert seen.devices[bob.user_id] == {}


async def test_what_cannot_sleep_here_is_refused(hs: Homeserver) -> None:
    alice, store = await phone(hs, "Alice"), hs.e2ee.dehydrated

    async def refusal(name: str, keys: KeyUpload, data: dict[str, object] | None = None) -> str:
        with pytest.raises(HomeserverError) as error:
            await store.put(alice.requester, name, data or {}, keys)
        return error.value.code

    assert await refusal("dry", KeyUpload()) == "bad_device_keys"
    assert await refusal("dry", sleeping(alice, "other")) == "bad_device_keys"
    assert await refusal("\0", sleeping(alice, "\0")) == "bad_name"
    assert await refusal(alice.device_id, KeyUpload(alice.identity())) == "device_in_use"
    assert await refusal("dry", sleeping(alice, "dry"), {"x": "x" * 2**20}) == "key_too_large"
    assert issubclass(Conflict, HomeserverError)
    with pytest.raises(NotFound):
        await store.find(alice.requester)
    await store.put(alice.requester, "dry", {}, sleeping(alice, "dry"))
    with pytest.raises(Invalid):
        await store.events(alice.requester, "dry", since=LogPosition(-1))
