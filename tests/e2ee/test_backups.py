"""Backups of message keys: versions, the best copy of each key, and bounds."""

import asyncio

import pytest

from homeserver.app import Homeserver
from homeserver.errors import Forbidden, HomeserverError, Invalid, NotFound, TooLarge
from homeserver.model import Content
from homeserver.protocol.ids import RoomId
from homeserver.services.e2ee.backups import BackupState
from homeserver.storage.e2ee.backups import KeyPlace
from tests.chat.world import person
from tests.e2ee.world import Phone, phone

ALGORITHM = "m.megolm_backup.v1.curve25519-aes-sha2"
ONE, OTHER = RoomId("!one:test.example"), RoomId("!other:test.example")


def copy(text: str = "x", *, first: object = 0, forwarded: object = 0, verified: object = False) -> Content:
    return {
        "first_message_index": first,
        "forwarded_count": forwarded,
        "is_verified": verified,
        "session_data": {"ciphertext": text},
    }


async def create(hs: Homeserver, by: Phone) -> str:
    return await hs.e2ee.backups.create(by.requester, ALGORITHM, {"public_key": "p"})


async def text_of(hs: Homeserver, by: Phone, version: str) -> str:
    found = await hs.e2ee.backups.keys(by.requester, version, room_id=ONE, session_id="s")
    data = found[KeyPlace(ONE, "s")].session_data
    assert isinstance(data, dict)
    return str(data["ciphertext"])


async def test_versions_come_and_go(hs: Homeserver) -> None:
    alice, bob, backups = await phone(hs, "Alice"), await phone(hs, "Bob"), hs.e2ee.backups
    for version in (None, "1", "0", "-1", "x", "1" * 30, "\u0661"):
        with pytest.raises(NotFound):
            await backups.find(alice.requester, version)
    with pytest.raises(NotFound):
        await backups.put(alice.requester, "1", {})
    assert [await create(hs, alice) for _ in range(3)] == ["1", "2", "3"]
    assert await create(hs, bob) == "1", "each person's own"
    assert (await backups.find(alice.requester)).version == 3
    await backups.update(alice.requester, "2", ALGORITHM, {"public_key": "q"})
    found = await backups.find(alice.requester, "2")
    assert (found.algorithm, found.auth_data, found.key_count) == (ALGORITHM, {"public_key": "q"}, 0)
    with pytest.raises(Invalid) as error:
        await backups.update(alice.requester, "2", "another", {})
    assert error.value.code == "algorithm_differs"
    with pytest.raises(Invalid) as error:
        await backups.update(alice.requester, "2", ALGORITHM, {}, said="1")
    assert error.value.code == "version_differs"
    assert (await backups.find(alice.requester, "2")).auth_data == {"public_key": "q"}
    await backups.delete(alice.requester, "3")
    await backups.delete(alice.requester, "3")
    assert (await backups.find(alice.requester)).version == 2
    for call in (backups.delete(alice.requester, "4"), backups.update(alice.requester, "3", ALGORITHM, {})):
        with pytest.raises(NotFound):
            await call
    assert await create(hs, alice) == "4", "no number is given twice"
    with pytest.raises(Forbidden):
        await backups.create(await person(hs, "Hosted"), ALGORITHM, {})


async def test_the_best_copy_of_a_key_is_kept(hs: Homeserver) -> None:
    alice, backups = await phone(hs, "Alice"), hs.e2ee.backups
    version = await create(hs, alice)
    tries = (
        ("first", copy(first=5, forwarded=5), True),
        ("the same", copy(first=5, forwarded=5), False),
        ("more forwards", copy(first=5, forwarded=6), False),
        ("fewer forwards", copy(first=5, forwarded=4), True),
        ("later", copy(first=6, forwarded=0), False),
        ("earlier", copy(first=4, forwarded=9), True),
        ("verified", copy(first=9, forwarded=9, verified=True), True),
        ("not verified", copy(), False),
    )
    expected = ""
    for name, body, is_better in tries:
        body["session_data"]["ciphertext"] = name
        state = await backups.put(alice.requester, version, {ONE: {"s": body}})
        expected = name if is_better else expected
        assert await text_of(hs, alice, version) == expected
        assert state.key_count == 1
    found = await backups.find(alice.requester)
    assert (found.key_count, found.etag) == (1, 4), "four changes"


async def test_keys_are_put_read_and_deleted_by_session_room_and_all(hs: Homeserver) -> None:
    alice, bob, backups = await phone(hs, "Alice"), await phone(hs, "Bob"), hs.e2ee.backups
    old, version = await create(hs, alice), await create(hs, alice)
    keys = {ONE: {"s": copy("s"), "t": copy("t")}, OTHER: {"s": copy("o")}}
    assert await backups.put(alice.requester, version, keys) == BackupState(3, "1")
    assert await backups.put(alice.requester, version, keys) == BackupState(3, "1")
    assert await backups.put(alice.requester, version, {}) == BackupState(3, "1")
    with pytest.raises(Forbidden) as error:
        await backups.put(alice.requester, old, keys)
    assert (error.value.code, error.value.data) == ("wrong_backup_version", {"current_version": version})
    assert set(await backups.keys(alice.requester, version)) == {(ONE, "s"), (ONE, "t"), (OTHER, "s")}
    assert set(await backups.keys(alice.requester, version, room_id=ONE)) == {(ONE, "s"), (ONE, "t")}
    assert await backups.keys(alice.requester, version, room_id=RoomId("!x:x")) == {}
    assert await backups.keys(alice.requester, old) == {}
    for version_or_place in (
        {"session_id": "none", "room_id": ONE},
        {"session_id": "s", "room_id": RoomId("!x")},
    ):
        with pytest.raises(NotFound) as missing:
            await backups.keys(alice.requester, version, **version_or_place)  # type: ignore[arg-type]
        assert missing.value.code == "no_backup_key"
    with pytest.raises(NotFound) as nothing:
        await backups.keys(bob.requester, version)
    assert nothing.value.code == "no_backup"

    drop = backups.delete_keys
    assert await drop(alice.requester, version, room_id=ONE, session_id="s") == BackupState(2, "2")
    assert await drop(alice.requester, version, room_id=ONE, session_id="s") == BackupState(2, "2")
    assert await drop(alice.requester, version, room_id=ONE) == BackupState(1, "3")
    assert await drop(alice.requester, version) == BackupState(0, "4")
    found = await backups.find(alice.requester)
    assert (found.key_count, found.size) == (0, 0), "the sizes were counted right"


@pytest.mark.parametrize(
    "overrides", [{"e2ee": {"max_backups": 2, "max_backup_bytes": 1_048_576, "max_items": 100}}]
)
async def test_backups_have_bounds(hs: Homeserver, elsewhere: Homeserver) -> None:
    alice, backups = await phone(hs, "Alice"), hs.e2ee.backups

    async def refusal(keys: dict[RoomId, dict[str, Content]]) -> str:
        with pytest.raises(HomeserverError) as error:
            await backups.put(alice.requester, version, keys)
        assert isinstance(error.value, Invalid | TooLarge)
        return error.value.code

    version = await create(hs, alice)
    big = {str(n): copy("x" * 15_000) for n in range(60)}
    await backups.put(alice.requester, version, {ONE: big})
    version = await create(hs, alice)
    assert await refusal({ONE: big}) == "backup_full", "all of a person's backups count"
    with pytest.raises(TooLarge):
        await create(hs, alice)
    for body in (
        copy(first=-1),
        copy(first="0"),
        copy(first=2**60),
        copy(forwarded=True),
        copy(verified=1),
        copy(forwarded=None),
    ):
        assert await refusal({ONE: {"s": body}}) == "bad_backup_key"
    assert await refusal({ONE: {"s": {**copy(), "session_data": None}}}) == "bad_backup_key"
    assert await refusal({ONE: {"s": copy("x" * 20_000)}}) == "key_too_large"
    assert await refusal({RoomId("\0"): {"s": copy()}}) == await refusal({ONE: {"": copy()}}) == "bad_name"
    assert await refusal({ONE: {str(n): copy() for n in range(101)}}) == "too_many"
    assert (await backups.find(alice.requester)).key_count == 0

    # Two workers write the same and other keys at once: none is lost, none is counted twice.
    puts = [
        worker.e2ee.backups.put(alice.requester, version, {ONE: {"both": copy(), f"{name}{n}": copy()}})
        for n in range(4)
        for name, worker in (("here", hs), ("there", elsewhere))
    ]
    await asyncio.gather(*puts)
    found = await backups.find(alice.requester)
    assert (found.key_count, found.etag) == (9, 8)
    assert len(await backups.keys(alice.requester, version)) == 9
