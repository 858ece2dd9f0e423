"""Messages to devices: to one or to all of a person, each once, in order, within bounds."""

from collections.abc import Mapping

import orjson
import pytest

from homeserver.app import Homeserver
from homeserver.errors import HomeserverError, Invalid, RateLimited, TooLarge
from homeserver.metrics import spending
from homeserver.model import LOG_START, Content, EntryKind, LogPosition
from homeserver.protocol.ids import DeviceId, UserId
from homeserver.services.e2ee.todevice import Delivery
from tests.chat.world import person
from tests.e2ee.world import Phone, log_in, phone

ALL = DeviceId("*")


async def send(hs: Homeserver, by: Phone, to: Mapping[UserId, Mapping[DeviceId, Content]], txn: str) -> None:
    await hs.e2ee.to_device.send(by.requester, "m.secret", to, txn)


async def read(
    hs: Homeserver, by: Phone, since: LogPosition = LOG_START, limit: int | None = None
) -> tuple[list[object], LogPosition]:
    found = await hs.e2ee.to_device.read(by.requester, since=since, limit=limit)
    return [orjson.loads(body)["content"]["n"] for body in found.bodies], found.position


async def test_a_message_arrives_once(hs: Homeserver, elsewhere: Homeserver) -> None:
    alice, bob = await phone(hs, "Alice"), await phone(hs, "Bob")
    laptop, phone_id = await log_in(hs, bob.person), bob.device_id
    before = hs.core.live.position
    to = {
        bob.user_id: {ALL: {"n": "all"}, phone_id: {"n": "phone"}, DeviceId("GONE"): {"n": "?"}},
        alice.user_id: {alice.device_id: {"n": "self"}},
        UserId("@nobody:test.example"): {ALL: {"n": "?"}},
        UserId("@zoe:other.example"): {ALL: {"n": "?"}},
    }
    await send(hs, alice, to, "t1")
    await send(hs, alice, to, "t1")
    await send(elsewhere, alice, to, "t1")
    news = hs.core.live.recent(before, 10)
    assert news is not None
    told = {one.user_id: set((one.body or {})["device_ids"]) for one in news}
    assert [one.kind for one in news] == [EntryKind.TO_DEVICE] * 2, "one entry for each person"
    assert told == {bob.user_id: {phone_id, laptop.device_id}, alice.user_id: {alice.device_id}}

    found = await hs.e2ee.to_device.read(bob.requester, since=before)
    message = {"type": "m.secret", "sender": alice.user_id, "content": {"n": "phone"}}
    assert [orjson.loads(body) for body in found.bodies] == [message]
    assert not found.more
    assert await read(hs, bob, before) == (["phone"], found.position), "until it says that it has it"
    assert await read(elsewhere, bob, found.position) == ([], found.position)
    assert await read(hs, bob, before) == ([], before), "then it is gone"
    assert (await read(hs, laptop))[0] == ["all"]
    assert (await read(hs, alice))[0] == ["self"]
    await send(hs, alice, {bob.user_id: {ALL: {"n": "more"}}}, "t2")
    await hs.e2ee.to_device.send(alice.requester, "m.other", {bob.user_id: {ALL: {"n": "type"}}}, "t2")
    await send(hs, await log_in(hs, alice.person), {bob.user_id: {ALL: {"n": "device"}}}, "t2")
    assert (await read(hs, bob, found.position))[0] == ["more", "type", "device"], "ids of other sends"


async def test_messages_come_in_pages(hs: Homeserver) -> None:
    alice, bob = await phone(hs, "Alice"), await phone(hs, "Bob")
    for n in range(5):
        await send(hs, alice, {bob.user_id: {ALL: {"n": n}}}, str(n))
    first = await hs.e2ee.to_device.read(bob.requester, since=LOG_START, limit=2)
    assert first.more
    assert await read(hs, bob, LOG_START, 2) == ([0, 1], first.position)
    second = await hs.e2ee.to_device.read(bob.requester, since=first.position, limit=2)
    assert [orjson.loads(body)["content"]["n"] for body in second.bodies] == [2, 3]
    last, position = await read(hs, bob, second.position, 2)
    assert last == [4]
    with spending() as first_look:
        assert await read(hs, bob, position) == ([], position)
    with spending() as next_look:
        assert await read(hs, bob, position) == ([], position)
    assert next_look.statements == 1 < first_look.statements, "who has read all costs one look"
    guest = await person(hs, "Hosted")
    assert await hs.e2ee.to_device.read(guest, since=LogPosition(7)) == Delivery(
        (), LogPosition(7), more=False
    )


@pytest.mark.parametrize(
    "overrides",
    [{"e2ee": {"max_inbox_messages": 100, "max_items": 100, "max_message_bytes": 1024}}],
)
async def test_an_inbox_has_a_bound_and_the_newest_stay(hs: Homeserver) -> None:
    alice, bob = await phone(hs, "Alice"), await phone(hs, "Bob")
    for n in range(101):
        await send(hs, alice, {bob.user_id: {bob.device_id: {"n": n}}}, str(n))
    numbers, _ = await read(hs, bob)
    assert numbers == list(range(11, 101)), "a tenth makes room at a time"
    for n in range(101, 111):
        await send(hs, alice, {bob.user_id: {bob.device_id: {"n": n}}}, str(n))
    assert len((await read(hs, bob))[0]) == 100, "the count was right"

    async def refusal(kind: str, to: Mapping[UserId, Mapping[DeviceId, Content]], txn: str) -> str:
        with pytest.raises(HomeserverError) as error:
            await hs.e2ee.to_device.send(alice.requester, kind, to, txn)
        assert isinstance(error.value, Invalid | TooLarge)
        return error.value.code

    to = {bob.user_id: {ALL: {"n": 0}}}
    assert await refusal("m.x", {bob.user_id: {ALL: {"n": "x" * 1024}}}, "a") == "message_too_large"
    assert await refusal("m.x", {bob.user_id: {DeviceId(str(n)): {} for n in range(101)}}, "a") == "too_many"
    assert await refusal("m.x", {UserId("bob"): {ALL: {}}}, "a") == "bad_user_id"
    assert await refusal("m.x", {bob.user_id: {DeviceId("\0"): {}}}, "a") == "bad_name"
    assert await refusal("", to, "a") == await refusal("m.x", to, "\0") == "bad_name"
    with pytest.raises(Invalid):
        await hs.e2ee.to_device.read(bob.requester, since=LogPosition(2**63))


@pytest.mark.parametrize(
    "overrides", [{"rate_limits": {"enabled": True, "encryption": {"per_second": 0.001, "burst": 1}}}]
)
async def test_sending_is_limited(hs: Homeserver) -> None:
    alice = await phone(hs, "Alice")
    await send(hs, alice, {}, "a")
    with pytest.raises(RateLimited):
        await send(hs, alice, {}, "b")
