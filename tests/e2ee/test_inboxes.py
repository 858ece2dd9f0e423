"""Inboxes are bounded, whoever sends: a body is stored once, and nobody pushes out what others sent."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select

from homeserver.app import Homeserver
from homeserver.errors import RateLimited
from homeserver.model import LOG_START, LogPosition
from homeserver.protocol.ids import DeviceId
from homeserver.storage.schema.e2ee import device_inboxes, device_messages, shared_bodies
from tests.e2ee.world import Phone, log_in, phone

ALL = DeviceId("*")
LARGE = "x" * 60_000


async def send(hs: Homeserver, by: Phone, to: Phone, txn: str, device_id: str = ALL, **content: Any) -> None:
    messages = {to.user_id: {DeviceId(device_id): {"txn": txn, **content}}}
    await hs.e2ee.to_device.send(by.requester, "m.secret", messages, txn)


async def read(hs: Homeserver, by: Phone, since: LogPosition = LOG_START) -> tuple[list[str], LogPosition]:
    """The transaction ids of the messages after a position, in pages."""
    found = await hs.e2ee.to_device.read(by.requester, since=since)
    texts = [orjson.loads(body)["content"]["txn"] for body in found.bodies]
    if found.more:
        rest, last = await read(hs, by, found.position)
        return texts + rest, last
    return texts, found.position


async def stored_bytes(hs: Homeserver) -> int:
    """Of all bodies."""
    async with hs.core.db.read() as conn:
        sizes = [
            (await conn.execute(select(func.sum(func.length(table.c.body))))).scalar_one() or 0
            for table in (device_messages, shared_bodies)
        ]
    return sum(sizes)


async def devices(hs: Homeserver, name: str, count: int) -> list[Phone]:
    first = await phone(hs, name)
    return [first, *[await log_in(hs, first.person) for _ in range(count - 1)]]


async def counted(hs: Homeserver, of: Sequence[Phone]) -> dict[str, int]:
    """The bytes that the inboxes are counted to have."""
    async with hs.core.db.read() as conn:
        rows = await conn.execute(select(device_inboxes.c.device_id, device_inboxes.c.bytes))
        found = {row.device_id: row.bytes for row in rows}
    return {one.device_id: found.get(one.device_id, 0) for one in of}


async def test_a_message_to_all_devices_is_stored_once(hs: Homeserver, elsewhere: Homeserver) -> None:
    alice, bobs = await phone(hs, "Alice"), await devices(hs, "Bob", 12)
    await send(hs, alice, bobs[0], "a", text=LARGE)
    await send(hs, alice, bobs[0], "b", bobs[0].device_id, text=LARGE)
    assert 120_000 < await stored_bytes(hs) < 121_000
    assert await read(hs, bobs[0]) == (["a", "b"], hs.core.live.position)
    positions = [(await read(hs, one))[1] for one in bobs]
    assert [(await read(hs, one))[0] for one in bobs[1:]] == [["a"]] * 11

    await hs.auth.sessions.end(bobs[0].requester)  # a device that goes takes only its own along
    await hs.auth.sessions.end(bobs[2].requester)
    assert 60_000 < await stored_bytes(hs) < 61_000
    left = [(bobs[n], positions[n]) for n in (1, *range(3, 12))]
    workers = (hs, elsewhere)
    acknowledged = [read(workers[n % 2], one, position) for n, (one, position) in enumerate(left)]
    assert [texts for texts, _ in await asyncio.gather(*acknowledged)] == [[]] * 10
    assert await stored_bytes(hs) == 0, "the last one takes the body along"


@pytest.mark.parametrize("overrides", [{"e2ee": {"max_inbox_messages": 100}}])
async def test_a_flood_pushes_out_itself(hs: Homeserver) -> None:
    alice, mallory, bobs = await phone(hs, "Alice"), await phone(hs, "Mallory"), await devices(hs, "Bob", 2)
    for n in range(20):
        await send(hs, alice, bobs[0], f"a{n}", key="k" * 1500)
    for n in range(150):
        await send(hs, mallory, bobs[0], f"m{n}")
    for n in range(20, 30):
        await send(hs, alice, bobs[0], f"a{n}", key="k" * 1500)
    for one in bobs:
        texts, position = await read(hs, one)
        assert [text for text in texts if text.startswith("a")] == [f"a{n}" for n in range(30)]
        others = [text for text in texts if text.startswith("m")]
        assert others == [f"m{n}" for n in range(150 - len(others), 150)], "their newest"
        assert len(texts) <= 100
        assert await read(hs, one, position) == ([], position)
    assert await stored_bytes(hs) == 0
    assert set((await counted(hs, bobs)).values()) == {0}


@pytest.mark.parametrize(
    "overrides", [{"e2ee": {"max_inbox_bytes": 4 * 2**20, "max_user_inbox_bytes": 4 * 2**20}}]
)
async def test_many_devices_have_no_more_than_one(hs: Homeserver) -> None:
    """All inboxes of a person together are bounded; each device has its share."""
    alice, bobs, carol = await phone(hs, "Alice"), await devices(hs, "Bob", 8), await phone(hs, "Carol")
    for n in range(20):
        await send(hs, alice, carol, f"c{n}", text=LARGE)
        for one in bobs:
            await send(hs, alice, one, f"{one.device_id}{n}", one.device_id, text=LARGE)
    sizes = await counted(hs, [*bobs, carol])
    assert sizes.pop(carol.device_id) > 20 * 60_000, "one device may have as much as all"
    assert sum(sizes.values()) <= 4 * 2**20
    assert min(sizes.values()) >= 6 * 60_000, "each has about an eighth"
    for one in bobs:
        texts, _ = await read(hs, one)
        assert texts == [f"{one.device_id}{n}" for n in range(20 - len(texts), 20)], "the newest"


@pytest.mark.parametrize(
    "overrides", [{"rate_limits": {"enabled": True, "encryption": {"per_second": 0.001, "burst": 10}}}]
)
async def test_bytes_count_for_the_senders_limit(hs: Homeserver) -> None:
    alice, carol, bobs = await phone(hs, "Alice"), await phone(hs, "Carol"), await devices(hs, "Bob", 3)
    for n in range(10):
        await send(hs, carol, bobs[0], f"small {n}", text="x" * 5000)
    with pytest.raises(RateLimited):
        await send(hs, carol, bobs[0], "one more")
    each = {bobs[0].user_id: {one.device_id: {"text": LARGE, "to": one.device_id} for one in bobs}}
    for n in range(4):  # three bodies of 60 kB cost two more than a small one
        await hs.e2ee.to_device.send(alice.requester, "m.secret", each, f"large {n}")
    with pytest.raises(RateLimited):
        await hs.e2ee.to_device.send(alice.requester, "m.secret", each, "one more")
