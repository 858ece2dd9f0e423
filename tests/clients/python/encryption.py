"""Alice and Bob, two devices each, in an encrypted room; a fifth device reads the past by exported keys."""

import asyncio
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import nio

from tests.clients.python.kit import ENCRYPTED, Device, Devices, must, saw, story, until

PASSPHRASE = "a long passphrase"


async def tell(devices: Devices) -> None:
    phone, bob = await asyncio.gather(*(devices.register(name, encrypted=True) for name in ("alice", "bob")))
    laptop, bobs_other = await asyncio.gather(
        *(devices.login(name, encrypted=True) for name in ("alice", "bob"))
    )
    everyone = (phone, laptop, bob, bobs_other)
    room_id = await phone.meet(bob, initial_state=[ENCRYPTED])
    for device in (laptop, bobs_other):
        await until("everybody is in", partial(device.knows, room_id, {phone.user_id, bob.user_id}))
    saw("a room", room_id)

    await _verify(phone, bob)
    await _session(everyone, room_id)
    await _hand_over(devices, phone, room_id)


async def _verify(asking: Device, asked: Device) -> None:
    """By comparing emoji."""
    other = await until("the other's keys", lambda: _keys_of(asking, asked))
    await must(asking.client.start_key_verification(other))
    start = await asked.note(nio.KeyVerificationStart)
    transaction = start.transaction_id
    await must(asked.client.accept_key_verification(transaction))
    await asking.note(nio.KeyVerificationKey)
    await asked.note(nio.KeyVerificationKey)
    # The library shares its key in the next round of its following.
    shown = [one.client.key_verifications[transaction].get_emoji() for one in (asking, asked)]
    assert shown[0] == shown[1], shown
    saw("the emoji", [name for _, name in shown[0]])
    for one in (asking, asked):
        await must(one.client.confirm_short_auth_string(transaction))
    await until("the other is verified", lambda: _keys_of(asking, asked).verified)
    await until("and the one", lambda: _keys_of(asked, asking).verified)
    saw("they are verified")


def _keys_of(device: Device, other: Device) -> Any:
    """What the one device knows of the other."""
    return device.client.device_store[other.user_id].get(other.client.device_id)


async def _session(everyone: tuple[Device, ...], room_id: str) -> None:
    for number, speaker in enumerate(everyone):
        text = f"secret {number}"
        await speaker.say(room_id, text)
        for reader in everyone:
            event = await reader.text(room_id, text)
            assert event.decrypted
            assert event.sender == speaker.user_id
    saw("all read all")


async def _hand_over(devices: Devices, phone: Device, room_id: str) -> None:
    tablet = await devices.login("alice", encrypted=True)
    await until("the room", lambda: room_id in tablet.client.rooms)
    before = await must(tablet.client.room_messages(room_id, limit=20))
    assert sum(isinstance(one, nio.MegolmEvent) for one in before.chunk) == 4, before.chunk
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "keys")
        await phone.client.export_keys(file, PASSPHRASE, count=1000)
        await must(tablet.client.import_keys(file, PASSPHRASE))
    after = await must(tablet.client.room_messages(room_id, limit=20))
    texts = [one.body for one in after.chunk if isinstance(one, nio.RoomMessageText)]
    assert texts == ["secret 3", "secret 2", "secret 1", "secret 0"], texts
    saw("read by exported keys", texts)


story(tell)
