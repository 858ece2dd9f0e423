"""Keys of devices: published by the device alone, seen by everybody, each one-time key given away once."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from homeserver.app import Homeserver
from homeserver.errors import Forbidden, HomeserverError, Invalid, TooLarge
from homeserver.model import Content, EntryKind
from homeserver.protocol.ids import DeviceId, UserId
from homeserver.services.e2ee.devicekeys import KeyCounts, KeyUpload
from tests.chat.world import person
from tests.e2ee.world import OLM, Crossed, Phone, identity, key, log_in, phone, signed

NOBODY, REMOTE = UserId("@nobody:test.example"), UserId("@zoe:other.example")


async def refusal(hs: Homeserver, by: Phone, upload: KeyUpload) -> str:
    with pytest.raises(HomeserverError) as error:
        await hs.e2ee.device_keys.upload(by.requester, upload)
    assert isinstance(error.value, Invalid | TooLarge)
    return error.value.code


async def claimed(hs: Homeserver, by: Phone, *of: Phone, algorithm: str = OLM) -> list[str]:
    """The names of the keys that one call gets."""
    wanted: dict[UserId, dict[DeviceId, str]] = {}
    for one in of:
        wanted.setdefault(one.user_id, {})[one.device_id] = algorithm
    found = await hs.e2ee.device_keys.claim(by.requester, wanted)
    return [name for devices in found.keys.values() for keys in devices.values() for name in keys]


async def test_keys_are_published_and_looked_up(hs: Homeserver) -> None:
    alice, bob = await phone(hs, "Alice"), await phone(hs, "Bob")
    laptop, bare = await log_in(hs, bob.person), await log_in(hs, bob.person)
    keys = hs.e2ee.device_keys
    upload = KeyUpload(
        {**bob.identity(), "unsigned": {"device_display_name": "Eve's"}},
        bob.one_time("A", "B"),
        bob.one_time("F", fallback=True),
    )
    before = hs.core.live.position
    assert await keys.upload(bob.requester, upload) == {OLM: 2}
    await laptop.publish(hs)
    news = hs.core.live.recent(before, 10)
    assert news is not None
    assert [(one.kind, one.user_id) for one in news] == [(EntryKind.DEVICES, bob.user_id)] * 2
    assert await keys.upload(bob.requester, upload) == {OLM: 2}, "the same again changes nothing"
    assert hs.core.live.position == before + 2
    assert await keys.counts(bob.requester) == KeyCounts({OLM: 2}, [OLM])
    assert await keys.counts(bare.requester) == KeyCounts({}, [])

    found = await keys.query(alice.requester, {bob.user_id: [], alice.user_id: [], NOBODY: [], REMOTE: []})
    assert set(found.devices) == {alice.user_id, bob.user_id}
    assert found.devices[alice.user_id] == {}
    assert found.elsewhere == {"other.example"}
    shown = {**bob.identity(), "unsigned": {"device_display_name": "Bob's phone"}}
    unnamed = {**laptop.identity(), "unsigned": {}}
    assert found.devices[bob.user_id] == {bob.device_id: shown, laptop.device_id: unnamed}
    found = await keys.query(alice.requester, {bob.user_id: [laptop.device_id, DeviceId("NONE\0")]})
    assert set(found.devices[bob.user_id]) == {laptop.device_id}

    more = bob.identity(algorithms=["m.megolm.v1.aes-sha2"])  # the same keys may say something new
    await keys.upload(bob.requester, KeyUpload(more))
    found = await keys.query(alice.requester, {bob.user_id: [bob.device_id]})
    assert found.devices[bob.user_id][bob.device_id]["algorithms"] == ["m.megolm.v1.aes-sha2"]


BAD_IDENTITIES: dict[str, Callable[[Phone], Content]] = {
    "somebody else's": lambda one: identity("@eve:test.example", one.device_id, one.signing),
    "another device's": lambda one: identity(one.user_id, "OTHER", one.signing),
    **{
        f"no {part}": lambda one, part=part: {name: x for name, x in one.identity().items() if name != part}  # type: ignore[misc]  # the default names the part
        for part in ("user_id", "device_id", "algorithms", "keys", "signatures")
    },
    "algorithms as text": lambda one: one.identity(algorithms="olm"),
    "an algorithm that is none": lambda one: one.identity(algorithms=["olm", 1]),
    "a list of keys": lambda one: one.identity(keys=[]),
    "a key that is no text": lambda one: one.identity(keys={"x": {}}),
    "signatures as text": lambda one: {**one.identity(), "signatures": "x"},
    "a signature as text": lambda one: {**one.identity(), "signatures": {one.user_id: "x"}},
    "a signature that is none": lambda one: {**one.identity(), "signatures": {one.user_id: {"x": None}}},
}


async def test_what_is_no_key_of_this_device_is_refused(hs: Homeserver) -> None:
    alice = await phone(hs, "Alice")
    codes = {
        what: await refusal(hs, alice, KeyUpload(make(alice), alice.one_time("A")))
        for what, make in BAD_IDENTITIES.items()
    }
    assert codes == dict.fromkeys(BAD_IDENTITIES, "bad_device_keys")
    assert await hs.e2ee.device_keys.counts(alice.requester) == KeyCounts({}, []), "nothing of it was taken"
    found = await hs.e2ee.device_keys.query(alice.requester, {alice.user_id: []})
    assert found.devices == {alice.user_id: {}}


ODD_IDENTITIES: dict[str, Callable[[Phone], Content]] = {
    "nothing": lambda one: {**one.identity(algorithms=[], keys={}), "signatures": {}},
    "no signing key": lambda one: one.identity(keys={f"curve25519:{one.device_id}": "curve"}),
    "a key that is none": lambda one: one.identity(keys={f"ed25519:{one.device_id}": "curve"}),
    "keys of any names": lambda one: one.identity(keys={"ed25519:OTHER": "x", "y": "z"}),
    "no signature": lambda one: {**one.identity(), "signatures": {}},
    "signed by another": lambda one: signed(one.identity(), one.user_id, one.device_id, key()),
    "changed since": lambda one: {**one.identity(), "algorithms": []},
    "more": lambda one: one.identity(more={"than": ["is", 1.5, None, True, "known"]}),
}


async def test_well_formed_keys_are_taken_as_they_are(hs: Homeserver) -> None:
    """Clients check them: whatever names this device is passed on, and replaces what the device had."""
    alice, bob = await phone(hs, "Alice"), await phone(hs, "Bob")
    for what, make in ODD_IDENTITIES.items():
        before, body = hs.core.live.position, make(alice)
        await hs.e2ee.device_keys.upload(alice.requester, KeyUpload(body))
        found = await hs.e2ee.device_keys.query(bob.requester, {alice.user_id: []})
        shown = dict(found.devices[alice.user_id][alice.device_id])
        assert shown.pop("unsigned") == {"device_display_name": "Alice's phone"}
        assert shown == body, what
        assert (await hs.e2ee.lists.changes(alice.requester, before)).changed == {alice.user_id}, what
    for one in (1, True, 1.0):  # equal to each other for Python, and not in JSON
        await hs.e2ee.device_keys.upload(alice.requester, KeyUpload(alice.identity(more=one)))
        found = await hs.e2ee.device_keys.query(bob.requester, {alice.user_id: []})
        assert repr(found.devices[alice.user_id][alice.device_id]["more"]) == repr(one)


async def test_what_is_no_one_time_key_is_refused(hs: Homeserver) -> None:
    alice = await phone(hs, "Alice")
    for name, body in (
        ("A", {"key": "x", "signatures": {}}),
        (":A", "x"),
        (f"{OLM}:", "x"),
        (f"{OLM}:A", {"key": "x"}),
        (f"{OLM}:A", {"signatures": {}}),
        (f"{OLM}:A", {"key": "x", "signatures": {"@a:b": "x"}}),
        (f"{OLM}:A", 7),
    ):
        assert await refusal(hs, alice, KeyUpload(None, {name: body})) == "bad_one_time_key"
    assert await refusal(hs, alice, KeyUpload(None, {f"{OLM}:\0": "x"})) == "bad_name"
    assert await refusal(hs, alice, KeyUpload(None, {f"{OLM}:A": "x" * 20_000})) == "key_too_large"
    assert (
        await refusal(hs, alice, KeyUpload(None, {}, {f"{OLM}:A": "x", f"{OLM}:B": "y"}))
        == "bad_one_time_key"
    )
    assert await hs.e2ee.device_keys.counts(alice.requester) == KeyCounts({}, [])


async def test_a_one_time_key_does_not_change_once_it_is_published(hs: Homeserver) -> None:
    alice = await phone(hs, "Alice")
    keys = await alice.publish(hs, "A")
    assert await refusal(hs, alice, KeyUpload(None, alice.one_time("A"))) == "one_time_key_differs"
    [(name, body)] = keys.items()
    assert isinstance(body, dict)
    anew = {name: signed(body, alice.user_id, alice.device_id, key())}
    assert await hs.e2ee.device_keys.upload(alice.requester, KeyUpload(None, anew)) == {OLM: 1}
    found = await hs.e2ee.device_keys.claim(alice.requester, {alice.user_id: {alice.device_id: OLM}})
    assert found.keys[alice.user_id][alice.device_id] == keys, "signed anew it is the same key"


async def test_new_identity_keys_end_what_the_old_ones_signed(hs: Homeserver) -> None:
    alice = await phone(hs, "Alice")
    await alice.publish(hs, "A", "B")
    await hs.e2ee.device_keys.upload(alice.requester, KeyUpload(None, {}, alice.one_time("F", fallback=True)))
    crossed = Crossed(alice.user_id)
    await hs.e2ee.cross_signing.upload(alice.requester, crossed.request())
    own = {alice.user_id: {str(alice.device_id): crossed.sign(alice.identity(), crossed.self_signing)}}
    assert await hs.e2ee.cross_signing.sign(alice.requester, own) == {}
    alice.signing = key()
    before = hs.core.live.position
    new = KeyUpload(alice.identity(), alice.one_time("A", "C"))
    assert await hs.e2ee.device_keys.upload(alice.requester, new) == {OLM: 2}, "those signed by the new ones"
    assert await hs.e2ee.device_keys.counts(alice.requester) == KeyCounts({OLM: 2}, [])
    found = await hs.e2ee.device_keys.query(alice.requester, {alice.user_id: []})
    shown = found.devices[alice.user_id][alice.device_id]
    assert shown["signatures"] == alice.identity()["signatures"], "nobody has vouched for these"
    assert (await hs.e2ee.lists.changes(alice.requester, before)).changed == {alice.user_id}
    assert await claimed(hs, alice, alice) == [f"{OLM}:A"]


async def test_who_asks_wrongly_is_told_so(hs: Homeserver) -> None:
    alice = await phone(hs, "Alice")
    with pytest.raises(Forbidden) as error:  # a host application's person has no device
        await hs.e2ee.device_keys.upload(await person(hs, "Hosted"), KeyUpload())
    assert error.value.code == "no_device"
    for wrong in (UserId("alice"), UserId("@a\0:test.example")):
        with pytest.raises(Invalid):
            await hs.e2ee.device_keys.query(alice.requester, {wrong: []})
    with pytest.raises(Invalid):
        await hs.e2ee.device_keys.claim(alice.requester, {alice.user_id: {DeviceId("A\0"): OLM}})


async def test_one_time_keys_are_given_once_in_their_order_and_then_the_fallback(hs: Homeserver) -> None:
    alice, bob = await phone(hs, "Alice"), await phone(hs, "Bob")
    keys = hs.e2ee.device_keys
    first, second = await bob.publish(hs, "Z"), bob.one_time("A")
    await keys.upload(bob.requester, KeyUpload(None, second))
    fallback = bob.one_time("F", fallback=True)
    await keys.upload(bob.requester, KeyUpload(None, {}, fallback))
    assert await claimed(hs, alice, bob) == [f"{OLM}:Z"]
    assert await keys.upload(bob.requester, KeyUpload(None, first | second)) == {OLM: 1}, "sent twice"
    found = await keys.claim(alice.requester, {bob.user_id: {bob.device_id: OLM}})
    assert found.keys == {bob.user_id: {bob.device_id: second}}
    assert await keys.counts(bob.requester) == KeyCounts({}, [OLM])
    for _ in range(2):
        assert await claimed(hs, alice, bob) == [f"{OLM}:F"]
    assert await keys.counts(bob.requester) == KeyCounts({}, [])
    await keys.upload(bob.requester, KeyUpload(None, {}, fallback))
    assert await keys.counts(bob.requester) == KeyCounts({}, []), "the same one is still used"
    await keys.upload(bob.requester, KeyUpload(None, {}, bob.one_time("G", fallback=True)))
    assert await keys.counts(bob.requester) == KeyCounts({}, [OLM])
    assert await claimed(hs, alice, bob, algorithm="other") == []
    renewed = bob.one_time("Z")  # a name that is free again
    assert await keys.upload(bob.requester, KeyUpload(None, renewed)) == {OLM: 1}
    assert await claimed(hs, alice, bob) == [f"{OLM}:Z"]


async def test_two_workers_never_give_the_same_key(hs: Homeserver, elsewhere: Homeserver) -> None:
    alice, bob = await phone(hs, "Alice"), await phone(hs, "Bob")
    laptop = await log_in(hs, bob.person)
    names = [f"K{n}" for n in range(12)]
    await bob.publish(hs, *names)
    await laptop.publish(hs, *names)
    await hs.e2ee.device_keys.upload(bob.requester, KeyUpload(None, {}, bob.one_time("F", fallback=True)))
    calls = [claimed(worker, alice, bob, laptop) for worker in (hs, elsewhere) * 6]
    got = [name for answer in await asyncio.gather(*calls) for name in answer]
    assert sorted(got) == sorted([f"{OLM}:{name}" for name in names] * 2), "each of both devices' once"


async def test_more_claims_than_keys_get_each_key_once(hs: Homeserver, elsewhere: Homeserver) -> None:
    """Also of a device that has one-time keys and no identity keys yet; the rest get the fallback key, or none."""
    alice, bob, carol = await phone(hs, "Alice"), await phone(hs, "Bob"), await phone(hs, "Carol")
    names = [f"K{n}" for n in range(20)]
    await hs.e2ee.device_keys.upload(bob.requester, KeyUpload(None, bob.one_time(*names)))
    fallback = carol.one_time("F", fallback=True)
    await hs.e2ee.device_keys.upload(carol.requester, KeyUpload(None, carol.one_time(*names), fallback))
    # Every second claim names the two devices the other way round.
    calls = [
        claimed(worker, alice, *of) for worker in (hs, elsewhere) * 8 for of in ((bob, carol), (carol, bob))
    ]
    got = Counter(name for answer in await asyncio.gather(*calls) for name in answer)
    assert got == Counter({**{f"{OLM}:{name}": 2 for name in names}, f"{OLM}:F": len(calls) - len(names)})
    assert await hs.e2ee.device_keys.counts(carol.requester) == KeyCounts({}, [])


async def test_claims_of_many_people_at_once(hs: Homeserver, elsewhere: Homeserver) -> None:
    alice = await phone(hs, "Alice")
    people = [await phone(hs, f"Person{n}") for n in range(6)]
    for number, one in enumerate(people):
        bare = KeyUpload(None, one.one_time(*(f"P{number}K{n}" for n in range(4))))
        await hs.e2ee.device_keys.upload(one.requester, bare)
    orders = [people[n:] + people[:n] for n in range(6)]
    calls = [claimed(worker, alice, *order) for worker in (hs, elsewhere) for order in orders]
    got = Counter(name for answer in await asyncio.gather(*calls) for name in answer)
    assert got == Counter(f"{OLM}:P{number}K{n}" for number in range(6) for n in range(4))


@pytest.mark.parametrize("overrides", [{"e2ee": {"max_one_time_bytes": 65_536}}])
async def test_there_is_a_bound_to_the_bytes_of_keys(hs: Homeserver) -> None:
    alice, large = await phone(hs, "Alice"), "x" * 10_000
    for n in range(6):
        await hs.e2ee.device_keys.upload(
            alice.requester, KeyUpload(None, alice.one_time(f"A{n}", more=large))
        )
    one_more = KeyUpload(None, alice.one_time("B", more=large))
    assert await refusal(hs, alice, one_more) == "too_many_one_time_keys"
    uploads = [
        hs.e2ee.device_keys.upload(alice.requester, KeyUpload(None, alice.one_time(f"C{n}", more="x" * 1000)))
        for n in range(20)
    ]
    done = await asyncio.gather(*uploads, return_exceptions=True)
    assert 1 <= sum(not isinstance(one, Exception) for one in done) <= 4
    assert await claimed(hs, alice, alice) == [f"{OLM}:A0"]
    await hs.e2ee.device_keys.upload(alice.requester, one_more)


@pytest.mark.parametrize("overrides", [{"e2ee": {"max_one_time_keys": 50, "max_items": 100}}])
async def test_there_is_a_bound_to_keys(hs: Homeserver) -> None:
    alice = await phone(hs, "Alice")
    await alice.publish(hs, *(f"A{n}" for n in range(50)))
    assert await refusal(hs, alice, KeyUpload(None, alice.one_time("B"))) == "too_many_one_time_keys"
    many = KeyUpload(None, alice.one_time(*(f"C{n}" for n in range(51))))
    assert await refusal(hs, alice, many) == "too_many"
    assert await claimed(hs, alice, alice) == [f"{OLM}:A0"]
    assert await hs.e2ee.device_keys.upload(alice.requester, KeyUpload(None, alice.one_time("B"))) == {
        OLM: 50
    }
    wanted = {DeviceId(f"D{n}"): OLM for n in range(101)}
    with pytest.raises(TooLarge):
        await hs.e2ee.device_keys.claim(alice.requester, {alice.user_id: wanted})
