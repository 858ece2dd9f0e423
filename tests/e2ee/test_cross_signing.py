"""Cross-signing: keys of one's own, in their order, and signatures that only those see who may."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from homeserver.app import Homeserver
from homeserver.errors import Forbidden, HomeserverError, Invalid
from homeserver.model import Content, EntryKind, LogPosition
from homeserver.protocol.ids import UserId
from homeserver.services.e2ee.devicekeys import FoundKeys, KeyUpload
from homeserver.services.rooms.create import CreateRoomRequest
from homeserver.storage.e2ee.crosssigning import Usage
from tests.e2ee.world import Crossed, Phone, key, log_in, phone, signed

MASTER, SELF, USER = Usage.MASTER, Usage.SELF_SIGNING, Usage.USER_SIGNING


async def refusal(hs: Homeserver, by: Phone, request: Mapping[Usage, Content], *, proven: bool = True) -> str:
    with pytest.raises(HomeserverError) as error:
        await hs.e2ee.cross_signing.upload(by.requester, request, proven=proven)
    assert isinstance(error.value, Invalid | Forbidden)
    return error.value.code


async def seen_by(hs: Homeserver, reader: Phone, *of: Phone) -> FoundKeys:
    return await hs.e2ee.device_keys.query(reader.requester, {one.user_id: [] for one in of})


async def test_the_first_keys_are_free_and_others_need_a_proof(hs: Homeserver) -> None:
    alice, bob = await phone(hs, "Alice"), await phone(hs, "Bob")
    first, crossing = Crossed(alice.user_id), hs.e2ee.cross_signing
    assert not await crossing.needs_proof(alice.requester, first.request())
    assert await refusal(hs, alice, first.request(SELF, USER)) == "missing_master_key"
    before = hs.core.live.position
    await crossing.upload(alice.requester, first.request())
    news = hs.core.live.recent(before, 10)
    assert news is not None
    assert [(one.kind, one.user_id) for one in news] == [(EntryKind.DEVICES, alice.user_id)]
    await crossing.upload(alice.requester, first.request())
    await crossing.upload(alice.requester, {})
    assert hs.core.live.position == before + 1, "the same again changes nothing, and needs no proof"

    mine, others = await seen_by(hs, alice, alice), await seen_by(hs, bob, alice)
    assert (mine.master, others.master) == ({alice.user_id: first.body(MASTER)},) * 2
    assert (mine.self_signing, others.self_signing) == ({alice.user_id: first.body(SELF)},) * 2
    assert mine.user_signing == {alice.user_id: first.body(USER)}
    assert others.user_signing == {}, "only its owner sees it"

    second = Crossed(alice.user_id)
    half = Crossed(alice.user_id, master=first.master)
    for request in (second.request(), half.request(SELF), {**first.request(MASTER), **half.request(SELF)}):
        assert await crossing.needs_proof(alice.requester, request)
        assert await refusal(hs, alice, request, proven=False) == "proof_needed"
    await crossing.upload(alice.requester, second.request(), proven=True)
    assert (await seen_by(hs, bob, alice)).master == {alice.user_id: second.body(MASTER)}


async def test_keys_that_are_none_are_refused(hs: Homeserver) -> None:
    alice = await phone(hs, "Alice")
    crossed, other = Crossed(alice.user_id), key().verify_key_base64
    for body in (
        crossed.body(MASTER, user_id="@eve:test.example"),
        crossed.body(MASTER, usage=["self_signing"]),
        crossed.body(MASTER, usage="master"),
        crossed.body(MASTER, keys={}),
        crossed.body(MASTER, signatures={alice.user_id: "x"}),
        crossed.body(MASTER, keys={f"ed25519:{other}": other, "ed25519:x": "x"}),
        crossed.body(MASTER, keys={f"ed25519:{other}": key().verify_key_base64}),
        crossed.body(MASTER, keys={"ed25519:short": "short"}),
        crossed.body(MASTER, keys={f"ed25519:{other}=": f"{other}="}),
    ):
        assert await refusal(hs, alice, {MASTER: body}) == "bad_cross_signing_key"
    twice = Crossed(alice.user_id, user_signing=crossed.self_signing, self_signing=crossed.self_signing)
    assert await refusal(hs, alice, twice.request()) == "bad_cross_signing_key"
    stolen = Crossed(alice.user_id).request(SELF)  # signed by another master key
    assert await refusal(hs, alice, {**crossed.request(MASTER), **stolen}) == "invalid_signature"
    taken = await hs.auth.sessions.start(alice.person, device_id=crossed.master.verify_key_base64)  # type: ignore[arg-type]  # a device id
    assert taken.device_id == crossed.master.verify_key_base64
    assert await refusal(hs, alice, crossed.request(MASTER)) == "key_id_in_use"
    assert (await seen_by(hs, alice, alice)).master == {}


@dataclass
class Pair:
    """Alice, who signed her device, her master key and Bob's; and Bob, who signed nothing."""

    alice: Phone
    bob: Phone
    mine: Crossed
    bobs: Crossed


async def vouching(hs: Homeserver) -> Pair:
    alice, bob = await phone(hs, "Alice"), await phone(hs, "Bob")
    mine, bobs = Crossed(alice.user_id), Crossed(bob.user_id)
    for one, keys in ((alice, mine), (bob, bobs)):
        await one.publish(hs)
        await hs.e2ee.cross_signing.upload(one.requester, keys.request())
    device = mine.sign(alice.identity(), mine.self_signing)
    master = signed(mine.body(MASTER), alice.user_id, alice.device_id, alice.signing)
    of_bob = mine.sign(bobs.body(MASTER), mine.user_signing)
    mine_name, bobs_name = mine.master.verify_key_base64, bobs.master.verify_key_base64
    failures = await hs.e2ee.cross_signing.sign(
        alice.requester,
        {alice.user_id: {alice.device_id: device, mine_name: master}, bob.user_id: {bobs_name: of_bob}},
    )
    assert failures == {}
    return Pair(alice, bob, mine, bobs)


async def test_people_vouch_for_their_devices_and_for_each_other(hs: Homeserver) -> None:
    carol = await phone(hs, "Carol")
    pair = await vouching(hs)
    alice, bob, mine = pair.alice, pair.bob, pair.mine
    news = hs.core.live.recent(LogPosition(hs.core.live.position - 2), 2)
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
    before = news[0].position
    assert (await hs.e2ee.lists.changes(alice.requester, before)).changed == {bob.user_id}
    assert (await hs.e2ee.lists.changes(carol.requester, before)).changed == frozenset()


async def test_a_new_identity_takes_the_signatures_of_the_old_one_with_it(hs: Homeserver) -> None:
    pair = await vouching(hs)
    alice, bob = pair.alice, pair.bob
    await hs.e2ee.cross_signing.upload(alice.requester, Crossed(alice.user_id).request(), proven=True)
    found = await seen_by(hs, alice, alice, bob)
    made = found.devices[alice.user_id][alice.device_id]["signatures"][alice.user_id]
    assert set(made) == {f"ed25519:{alice.device_id}"}
    assert "signatures" not in found.master[alice.user_id]
    assert "signatures" not in found.master[bob.user_id]


async def test_a_new_user_signing_key_is_its_owners_affair(hs: Homeserver) -> None:
    pair = await vouching(hs)
    alice, bob = pair.alice, pair.bob
    shared = await hs.rooms.creation.create(alice.requester, CreateRoomRequest(preset="public_chat"))
    await hs.rooms.membership.join(bob.requester, shared)

    async def told_of(usage: Usage) -> tuple[bool, bool]:
        """Who hears of another key: its owner's devices, and others."""
        before = hs.core.live.position
        new = Crossed(alice.user_id, master=pair.mine.master)
        await hs.e2ee.cross_signing.upload(alice.requester, new.request(usage), proven=True)
        heard = [(await hs.e2ee.lists.changes(one.requester, before)).changed for one in (alice, bob)]
        assert set().union(*heard) <= {alice.user_id}
        return bool(heard[0]), bool(heard[1])

    assert await told_of(USER) == (True, False)
    assert await told_of(SELF) == (True, True)
    assert await told_of(USER) == (True, False)


async def test_signatures_stay_when_a_device_publishes_its_keys_again(hs: Homeserver) -> None:
    pair = await vouching(hs)
    alice = pair.alice
    await hs.e2ee.device_keys.upload(alice.requester, KeyUpload(alice.identity()))
    found = await seen_by(hs, alice, alice)
    assert len(found.devices[alice.user_id][alice.device_id]["signatures"][alice.user_id]) == 2


async def test_a_bad_signature_fails_alone(hs: Homeserver) -> None:
    pair = await vouching(hs)
    alice, bob, mine, bobs = pair.alice, pair.bob, pair.mine, pair.bobs
    laptop, tablet = await log_in(hs, alice.person), await log_in(hs, alice.person)
    await laptop.publish(hs)
    await tablet.publish(hs)
    mine_name, bobs_name = mine.master.verify_key_base64, bobs.master.verify_key_base64
    tries: dict[UserId, dict[str, Content]] = {
        alice.user_id: {
            tablet.device_id: mine.sign(tablet.identity(), mine.self_signing),
            laptop.device_id: mine.sign(laptop.identity(algorithms=[]), mine.self_signing),
            "NONE": mine.sign(alice.identity(), mine.self_signing),
            mine_name: mine.sign(mine.body(MASTER), mine.self_signing),
        },
        bob.user_id: {
            bob.device_id: mine.sign(bob.identity(), mine.user_signing),  # only Bob vouches for his devices
            bobs_name: mine.sign(bobs.body(MASTER), key()),
        },
        UserId("@eve:test.example"): {"x": {}},
    }
    assert await failures_of(hs, alice, tries) == {
        laptop.device_id: "key_differs",
        "NONE": "no_such_key",
        mine_name: "invalid_signature",
        bob.device_id: "no_such_key",
        bobs_name: "invalid_signature",
        "x": "no_such_key",
    }
    forged = signed(mine.body(MASTER), alice.user_id, alice.device_id, key())  # says it is by the device
    assert await failures_of(hs, alice, {alice.user_id: {mine_name: forged}}) == {
        mine_name: "invalid_signature"
    }
    found = (await seen_by(hs, bob, alice)).devices[alice.user_id]
    made = {name: len(one["signatures"][alice.user_id]) for name, one in found.items()}
    assert made == {alice.device_id: 2, tablet.device_id: 2, laptop.device_id: 1}


async def test_a_device_with_odd_keys_hinders_no_other(hs: Homeserver) -> None:
    alice = await phone(hs, "Alice")
    laptop, tablet = await log_in(hs, alice.person), await log_in(hs, alice.person)
    await alice.publish(hs)
    await hs.e2ee.device_keys.upload(laptop.requester, KeyUpload(laptop.identity(keys={"odd": "x"})))
    mine = Crossed(alice.user_id)
    await hs.e2ee.cross_signing.upload(tablet.requester, mine.request())
    name = mine.master.verify_key_base64
    by_phone = signed(mine.body(MASTER), alice.user_id, alice.device_id, alice.signing)
    by_laptop = signed(mine.body(MASTER), alice.user_id, laptop.device_id, laptop.signing)
    assert await failures_of(hs, alice, {alice.user_id: {name: by_phone}}) == {}
    assert await failures_of(hs, laptop, {alice.user_id: {name: by_laptop}}) == {name: "invalid_signature"}
    odd = mine.sign(laptop.identity(keys={"odd": "x"}), mine.self_signing)
    assert await failures_of(hs, alice, {alice.user_id: {laptop.device_id: odd}}) == {}


async def failures_of(
    hs: Homeserver, by: Phone, tries: Mapping[UserId, Mapping[str, Content]]
) -> dict[str, str]:
    failures = await hs.e2ee.cross_signing.sign(by.requester, tries)
    return {name: error.code for names in failures.values() for name, error in names.items()}
