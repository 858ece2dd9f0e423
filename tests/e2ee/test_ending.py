"""A device ends with its session, however that ends: keys, signatures and messages go, and others hear of it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import func, select

from homeserver.app import Homeserver, build
from homeserver.clock import FakeClock
from homeserver.errors import Unauthenticated
from homeserver.lifecycle import working
from homeserver.model import LOG_START
from homeserver.protocol.ids import DeviceId
from homeserver.services.e2ee.devicekeys import KeyUpload
from homeserver.settings.models import Settings
from homeserver.storage.schema import e2ee as schema
from tests.e2ee.test_backups import ALGORITHM, ONE, copy
from tests.e2ee.test_dehydrated import sleeping
from tests.e2ee.world import OLM, Crossed, Phone, log_in, phone

OF_DEVICES = (
    schema.device_keys,
    schema.one_time_keys,
    schema.fallback_keys,
    schema.key_signatures,
    schema.device_messages,
    schema.device_inboxes,
)
OF_PEOPLE = (
    schema.cross_signing_keys,
    schema.dehydrated_devices,
    schema.backup_heads,
    schema.backups,
    schema.backup_keys,
)


async def rows(hs: Homeserver, tables: tuple[object, ...] = OF_DEVICES) -> list[int]:
    async with hs.core.db.read() as conn:
        return [
            (await conn.execute(select(func.count()).select_from(table))).scalar_one()  # type: ignore[arg-type]
            for table in tables
        ]


async def furnish(hs: Homeserver, one: Phone) -> None:
    """Give a device something in every table."""
    await one.publish(hs, "A")
    await hs.e2ee.device_keys.upload(one.requester, KeyUpload(None, {}, one.one_time("F", fallback=True)))
    keys = Crossed(one.user_id)
    await hs.e2ee.cross_signing.upload(one.requester, keys.request())
    signed = {one.user_id: {str(one.device_id): keys.sign(one.identity(), keys.self_signing)}}
    assert await hs.e2ee.cross_signing.sign(one.requester, signed) == {}
    to = {one.user_id: {DeviceId("*"): {"n": 1}}}
    await hs.e2ee.to_device.send(one.requester, "m.x", to, "t")


async def log_out(hs: Homeserver, one: Phone) -> None:
    await hs.auth.sessions.end(one.requester)


async def log_out_everywhere(hs: Homeserver, one: Phone) -> None:
    await hs.auth.sessions.end_all(one.requester)


async def change_password(hs: Homeserver, one: Phone) -> None:
    await hs.accounts.accounts.set_password(one.user_id, "correct horse battery")


async def suspend(hs: Homeserver, one: Phone) -> None:
    await hs.accounts.accounts.suspend(one.user_id)


async def log_in_again(hs: Homeserver, one: Phone) -> None:
    await hs.auth.sessions.start(one.person, device_id=one.device_id)


@pytest.mark.parametrize("end", [log_out, log_out_everywhere, change_password, suspend, log_in_again])
async def test_a_device_ends_with_its_session(
    hs: Homeserver, end: Callable[[Homeserver, Phone], Awaitable[None]]
) -> None:
    alice = await phone(hs, "Alice")
    await furnish(hs, alice)
    assert await rows(hs) == [1] * 6
    before = hs.core.live.position
    await end(hs, alice)
    assert await rows(hs) == [0] * 6
    assert (await hs.e2ee.lists.changes(alice.requester, before)).changed == {alice.user_id}
    assert await rows(hs, (schema.cross_signing_keys,)) == [3], "a person's own keys stay"
    # What was under way when the session ended does not bring the device back.
    if end is not log_in_again:
        await hs.e2ee.device_keys.upload(alice.requester, KeyUpload(alice.identity(), alice.one_time("B")))
        assert await rows(hs) == [0] * 6


async def test_only_the_ended_device_goes(hs: Homeserver) -> None:
    alice = await phone(hs, "Alice")
    laptop = await log_in(hs, alice.person)
    await laptop.publish(hs, "A")
    await furnish(hs, alice)
    await hs.auth.sessions.end(alice.requester)
    found = await hs.e2ee.device_keys.query(laptop.requester, {alice.user_id: []})
    assert set(found.devices[alice.user_id]) == {laptop.device_id}
    assert (await hs.e2ee.device_keys.counts(laptop.requester)).one_time == {OLM: 1}
    assert len((await hs.e2ee.to_device.read(laptop.requester, since=LOG_START)).bodies) == 1


async def test_a_closed_account_leaves_nothing(hs: Homeserver) -> None:
    alice = await phone(hs, "Alice")
    await furnish(hs, alice)
    await hs.e2ee.dehydrated.put(alice.requester, "dry", {}, sleeping(alice, "dry"))
    version = await hs.e2ee.backups.create(alice.requester, ALGORITHM, {})
    await hs.e2ee.backups.put(alice.requester, version, {ONE: {"s": copy()}})
    assert await rows(hs, OF_PEOPLE) == [3, 1, 1, 1, 1]
    await hs.accounts.accounts.deactivate(alice.user_id)
    assert await rows(hs, OF_DEVICES + OF_PEOPLE) == [0] * 11


async def test_who_stays_away_too_long_is_told_to_the_others(settings: Settings, clock: FakeClock) -> None:
    hs = build(settings, clock=clock)
    async with working(hs):
        await stays_away(hs, clock)


async def stays_away(hs: Homeserver, clock: FakeClock) -> None:
    alice = await phone(hs, "Alice")
    await alice.publish(hs, "A")
    before = hs.core.live.position
    clock.advance((hs.settings.tokens.refresh_ttl_s + 1) * 1000)
    await hs.auth.sessions.tidy()
    assert await rows(hs) == [0] * 6
    assert (await hs.e2ee.lists.changes(alice.requester, before)).changed == {alice.user_id}
    with pytest.raises(Unauthenticated):
        await hs.auth.sessions.authenticate(alice.token)


@pytest.mark.parametrize("overrides", [{"tokens": {"max_sessions": 5}}])
async def test_a_log_in_too_many_ends_the_device_unused_for_longest(
    settings: Settings, clock: FakeClock
) -> None:
    hs = build(settings, clock=clock)
    async with working(hs):
        await logs_in_too_often(hs, clock)


async def logs_in_too_often(hs: Homeserver, clock: FakeClock) -> None:
    alice, bob = await phone(hs, "Alice"), await phone(hs, "Bob")
    devices = [alice]
    for _ in range(4):
        clock.advance(1000)
        devices.append(await log_in(hs, alice.person))
    for one in devices[:2]:
        await one.publish(hs, "A")
    clock.advance(600_000)
    await hs.auth.sessions.authenticate(alice.token)  # noted, and not yet stored
    before = hs.core.live.position
    devices.append(await log_in(hs, alice.person))
    left = {one.device_id for one in await hs.auth.sessions.listing(alice.user_id)}
    assert left == {one.device_id for one in devices} - {devices[1].device_id}
    with pytest.raises(Unauthenticated):
        await hs.auth.sessions.authenticate(devices[1].token)
    assert (await rows(hs))[:2] == [1, 1], "its keys went with it"
    assert (await hs.e2ee.lists.changes(alice.requester, before)).changed == {alice.user_id}

    await asyncio.gather(*(log_in(hs, bob.person) for _ in range(30)), return_exceptions=True)
    assert len(await hs.auth.sessions.listing(bob.user_id)) == 5
    assert len(await hs.auth.sessions.listing(alice.user_id)) == 5
