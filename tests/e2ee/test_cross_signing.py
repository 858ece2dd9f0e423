"""Cross-signing: keys of one's own, in their order, and signatures that only those see who may."""

from collections.abc import Mapping

import pytest

from homeserver.app import Homeserver
from homeserver.errors import Forbidden, HomeserverError, Invalid, NotFound
from homeserver.model import Content, EntryKind
from homeserver.protocol.ids import UserId
from homeserver.services.e2ee.devicekeys import FoundKeys, KeyUpload
from homeserver.storage.e2ee.crosssigning import Usage
from tests.e2ee.world import Crossed, Phone, identity, key, log_in, phone, signed

MASTER, SELF, USER = Usage.MASTER, Usage.SELF_SIGNING, Usage.USER_SIGNING


async def refusal(hs: Homeserver, by: Phone, wish: Mapping[Usage, Content], *, proven: bool = True) -> str:
    with pytest.raises(HomeserverError) as error:
        await hs.e2ee.cross_signing.upload(by.requester, wish, proven=proven)
    assert isinstance(error.value, Invalid | Forbidden)
    return error.value.code


async def seen_by(hs: Homeserver, reader: Phone, *of: Phone) -> FoundKeys:
    return await hs.e2ee.device_keys.query(reader.requester, {one.user_id: [] for one in of})


async def test_the_first_keys_are_free_and_others_need_a_proof(hs: Homeserver) -> None:
    alice, bob = await phone(hs, "Alice"), await phone(hs, "Bob")
    first, crossing = Crossed(alice.user_id), hs.e2ee.cross_signing
    assert not await crossing.needs_proof(alice.requester, first.wish())
    assert await refusal(hs, alice, first.wish(SELF, USER)) == "missing_master_key"
    before = hs.core.live.position
    await crossing.upload(alice.requester, first.wish())
    news = hs.core.live.recent(before, 10)
    assert news is not None
    assert [(one.kind, one.user_id) for one in news] == [(EntryKind.DEVICES, alice.user_id)]
    await crossing.upload(alice.requester, first.wish())
    await crossing.upload(alice.requester, {})
    assert hs.core.live.position == before + 1, "the same again changes nothing, and needs no proof"

    mine, others = await seen_by(hs, alice, alice), await seen_by(hs, bob, alice)
    assert (mine.master, others.master) == ({alice.user_id: first.body(MASTER)},) * 2
    assert (mine.self_signing, others.self_signing) == ({alice.user_id: first.body(SELF)},) * 2
    assert mine.user_signing == {alice.user_id: first.body(USER)}
    assert others.user_signing == {}, "only its owner sees it"

    second = Crossed(alice.user_id)
    half = Crossed(alice.user_id, master=first.master)
    for wish in (second.wish(), half.wish(SELF), {**first.wish(MASTER), **half.wish(SELF)}):
        assert await crossing.needs_proof(alice.requester, wish)
        assert await refusal(hs, alice, wish, proven=False) == "proof_needed"
    await crossing.upload(alice.requester, second.wish(), proven=True)
    assert (await seen_by(hs, bob, alice)).master == {alice.user_id: second.body(MASTER)}


async def test_keys_that_are_none_are_refused(hs: Homeserver) -> None:
    alice = await phone(hs, "Alice")
    crossed, other = Crossed(alice.user_id), key().verify_key_base64
    for body in (
        crossed.body(MASTER, user_id="@eve:test.example"),
        crossed.body(MASTER, usage=["self_signing"]),
        crossed.body(MASTER, usage="master"),
        crossed.body(MASTER, keys={}),
        crossed.body(MASTER, keys={f"ed25519:{other}": other, "ed25519:x": "x"}),
        crossed.body(MASTER, keys={f"ed25519:{other}": key().verify_key_base64}),
        crossed.body(MASTER, keys={"ed25519:short": "short"}),
        crossed.body(MASTER, keys={f"ed25519:{other}=": f"{other}="}),
    ):
        assert await refusal(hs, alice, {MASTER: body}) == "bad_cross_signing_key"
    twice = Crossed(alice.user_id, user_signing=crossed.self_signing, self_signing=crossed.self_signing)
    assert await refusal(hs, alice, twice.wish()) == "bad_cross_signing_key"
    stolen = Crossed(alice.user_id).wish(SELF)  # signed by another master key
    assert await refusal(hs, alice, {**crossed.wish(MASTER), **stolen}) == "invalid_signature"
    taken = await hs.people.sessions.start(alice.person, device_id=crossed.master.verify_key_base64)  # type: ignore[arg-type]  # a device id
    assert taken.device_id == crossed.master.verify_key_base64
    assert await refusal(hs, alice, crossed.wish(MASTER)) == "key_id_in_use"
    assert (await seen_by(hs, alice, alice)).master == {}


async def test_people_vouch_for_their_devices_and_for_each_other(hs: Homeserver) -> None:
    alice, bob, carol = await phone(hs, "Alice"), await phone(hs, "Bob"), await phone(hs, "Carol")
    crossing = hs.e2ee.cross_signing
    mine, bobs = Crossed(alice.user_id), Crossed(bob.user_id)
    for one, keys in ((alice, mine), (bob, bobs)):
        await one.publish(hs)
        await crossing.upload(one.requester, keys.wish())
    mine_name, bobs_name = mine.master.verify_key_base64, bobs.master.verify_key_base64
    before = hs.core.live.position
    device = mine.sign(alice.identity(), mine.self_signing)
    master = signed(mine.body(MASTER), alice.user_id, alice.device_id, alice.signing)
    of_bob = mine.sign(bobs.body(MASTER), mine.user_signing)
    failures = await crossing.sign(
        alice.requester,
        {alice.user_id: {alice.device_id: device, mine_name: master}, bob.user_id: {bobs_name: of_bob}},
    )
    assert failures == {}
    news = hs.core.live.recent(before, 10)
    assert news is not None
    assert [(one.kind, one.user_id, one.body) for one in news] == [
        (EntryKind.DEVICES, alice.user_id, {}),
        (EntryKind.KEYS_SIGNED, alice.user_id, {"user_ids": [bob.user_id]}),
    ]

    by_device = {f"ed25519:{alice.device_id}"}
    by_self = {f"ed25519:{mine.self_signing.verify_key_base64}"}
    by_user = {f"ed25519:{mine.user_signing.verify_key_base64}"}
    for reader in (alice, bob, carol):
        found = await seen_by(hs, reader, alice, bob)
        made = found.devices[alice.user_id][alice.device_id]["signatures"]
        assert set(made[alice.user_id]) == by_device | by_self
        assert set(found.master[alice.user_id]["signatures"][alice.user_id]) == by_device
        of_bobs = found.master[bob.user_id].get("signatures", {})
        assert set(of_bobs.get(alice.user_id, {})) == (by_user if reader is alice else set())
    assert bob.user_id in (await hs.e2ee.lists.changes(alice.requester, before)).changed
    assert (await hs.e2ee.lists.changes(carol.requester, before)).changed == frozenset()

    # A new identity takes the signatures of the old one with it.
    await crossing.upload(alice.requester, Crossed(alice.user_id).wish(), proven=True)
    found = await seen_by(hs, alice, alice, bob)
    assert set(found.devices[alice.user_id][alice.device_id]["signatures"][alice.user_id]) == by_device
    assert "signatures" not in found.master[alice.user_id]
    assert "signatures" not in found.master[bob.user_id]


async def test_a_bad_signature_fails_alone(hs: Homeserver) -> None:
    alice, bob = await phone(hs, "Alice"), await phone(hs, "Bob")
    laptop = await log_in(hs, alice.person)
    crossing, mine, bobs = hs.e2ee.cross_signing, Crossed(alice.user_id), Crossed(bob.user_id)
    for one, keys in ((alice, mine), (bob, bobs)):
        await one.publish(hs)
        await crossing.upload(one.requester, keys.wish())
    await laptop.publish(hs)
    bobs_name = bobs.master.verify_key_base64
    good = mine.sign(alice.identity(), mine.self_signing)
    changed = mine.sign(laptop.identity(algorithms=[]), mine.self_signing)
    failures = await crossing.sign(
        alice.requester,
        {
            alice.user_id: {
                alice.device_id: good,
                laptop.device_id: changed,
                "NONE": good,
                mine.master.verify_key_base64: mine.sign(mine.body(MASTER), mine.self_signing),
            },
            bob.user_id: {
                bob.device_id: mine.sign(
                    bob.identity(), mine.user_signing
                ),  # only Bob vouches for his devices
                bobs_name: mine.sign(bobs.body(MASTER), key()),
            },
            UserId("@eve:test.example"): {"x": {}},
        },
    )
    codes = {
        (user_id, name): error.code for user_id, names in failures.items() for name, error in names.items()
    }
    assert codes == {
        (alice.user_id, laptop.device_id): "key_differs",
        (alice.user_id, "NONE"): "no_such_key",
        (alice.user_id, mine.master.verify_key_base64): "invalid_signature",
        (bob.user_id, bob.device_id): "no_such_key",
        (bob.user_id, bobs_name): "invalid_signature",
        ("@eve:test.example", "x"): "no_such_key",
    }
    wrong = signed(
        mine.body(MASTER), alice.user_id, alice.device_id, key()
    )  # says it is by the device, and is not
    again = await crossing.sign(alice.requester, {alice.user_id: {mine.master.verify_key_base64: wrong}})
    assert [error.code for names in again.values() for error in names.values()] == ["invalid_signature"]
    assert isinstance(failures[bob.user_id][bob.device_id], NotFound)
    found = await seen_by(hs, alice, alice, bob)
    assert len(found.devices[alice.user_id][alice.device_id]["signatures"][alice.user_id]) == 2, (
        "the good one"
    )
    assert len(found.devices[alice.user_id][laptop.device_id]["signatures"][alice.user_id]) == 1
    assert "signatures" not in found.master[bob.user_id]
    assert identity(alice.user_id, alice.device_id, alice.signing) == alice.identity()
    await hs.e2ee.device_keys.upload(alice.requester, KeyUpload(alice.identity()))
    found = await seen_by(hs, alice, alice)
    assert len(found.devices[alice.user_id][alice.device_id]["signatures"][alice.user_id]) == 2, "it stays"
