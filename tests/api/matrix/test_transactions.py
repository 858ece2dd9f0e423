"""A transaction id is one of a call, of a device: the same id of another call names another event."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say

LATER = {"org.matrix.msc4140.delay": "100000"}


async def put(client: Client, room_id: str, kind: str, txn: str, body: Any = None, **more: Any) -> Any:
    at = path(room_id, f"send/{quote(kind, safe='')}/{quote(txn, safe='')}")
    return await client.call("PUT", at, body=body or {"body": f"{kind} {txn}"}, **more)


async def own_txn(client: Client, room_id: str, event_id: str) -> str | None:
    found = await client.call("GET", path(room_id, f"event/{quote(event_id)}"))
    txn: str | None = found["unsigned"].get("transaction_id")
    return txn


CALLS = (("org.a", "b c"), ("org.a b", "c"), ("org.a b c", "d"), ("org.a", "b c d"), ("org", "a b c d"))


@pytest.mark.both
async def test_neither_a_type_nor_an_id_ends_at_a_space(alice: Client) -> None:
    room_id = await create(alice)
    sent = [(await put(alice, room_id, *one))["event_id"] for one in CALLS]
    assert len(set(sent)) == len(CALLS)
    assert [(await put(alice, room_id, *one))["event_id"] for one in CALLS] == sent
    assert [await own_txn(alice, room_id, one) for one in sent] == [txn for _, txn in CALLS]


async def test_neither_do_they_in_events_that_wait(alice: Client) -> None:
    room_id = await create(alice)
    waits = [(await put(alice, room_id, *one, params=LATER))["delay_id"] for one in CALLS]
    assert len(set(waits)) == len(CALLS)
    assert [(await put(alice, room_id, *one, params=LATER))["delay_id"] for one in CALLS] == waits


async def test_a_redaction_is_no_event_of_that_name(alice: Client) -> None:
    room_id = await create(alice)
    first, second = await say(alice, room_id, "one"), await say(alice, room_id, "two")
    sent = (await put(alice, room_id, f"redact/{first}", "t"))["event_id"]
    done = await alice.call("PUT", path(room_id, f"redact/{quote(first)}/t"), body={})
    as_event = await put(alice, room_id, "m.room.redaction", "t", {"redacts": second})
    again = await put(alice, room_id, "m.room.redaction", "t", {"redacts": second})
    assert len({sent, done["event_id"], as_event["event_id"]}) == 3
    assert again == as_event
    assert await own_txn(alice, room_id, as_event["event_id"]) == "t"


@pytest.mark.both
async def test_an_id_has_255_characters_whatever_the_type(alice: Client) -> None:
    room_id = await create(alice)
    for kind in ("m.room.message", "a.b", "x" * 255):
        for letter in ("t", "я", "🐘"):
            sent = (await put(alice, room_id, kind, letter * 255))["event_id"]
            assert (await put(alice, room_id, kind, letter * 255))["event_id"] == sent
            assert await own_txn(alice, room_id, sent) == letter * 255
        at = path(room_id, f"send/{kind}/{'t' * 256}")
        assert await alice.errcode("PUT", at, 400, body={}) == "M_BAD_JSON"
        assert await alice.errcode("PUT", at, 400, body={}, params=LATER) == "M_BAD_JSON"
    event_id = await say(alice, room_id, "gone")
    gone = await alice.call("PUT", path(room_id, f"redact/{quote(event_id)}/{'t' * 255}"), body={})
    at = path(room_id, f"redact/{quote(event_id)}/{'t' * 255}")
    assert await alice.call("PUT", at, body={}) == gone


async def test_a_message_to_devices_has_an_id_of_its_type(alice: Client) -> None:
    body = {"messages": {alice.user_id: {alice.device_id: {"n": 1}}}}
    for kind, txn in (("org.a", "b c"), ("org.a b", "c"), ("org.a", "b c")):
        await alice.call("PUT", f"sendToDevice/{quote(kind)}/{quote(txn)}", body=body)
    got = (await alice.call("GET", "sync?timeout=0"))["to_device"]["events"]
    assert [one["type"] for one in got] == ["org.a", "org.a b"]


async def test_without_an_id_every_call_sends(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    body = {"msgtype": "m.text", "body": "hello"}
    sent = [
        (await alice.call("POST", path(room_id, "send/m.room.message"), body=body))["event_id"]
        for _ in range(2)
    ]
    assert sent[0] != sent[1]
    assert await own_txn(alice, room_id, sent[0]) is None
    at = path(room_id, f"redact/{quote(sent[0])}")
    assert await bob.errcode("POST", at, 403, body={}) == "M_FORBIDDEN"
    gone = await alice.call("POST", at, body={"reason": "twice"})
    shown = await alice.call("GET", path(room_id, f"event/{quote(sent[0])}"))
    assert shown["unsigned"]["redacted_because"]["event_id"] == gone["event_id"]
    waits = await alice.call("POST", path(room_id, "send/m.room.message"), body=body, params=LATER)
    assert waits["delay_id"]
