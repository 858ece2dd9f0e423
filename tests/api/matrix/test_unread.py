"""What people have not read: counts of rooms and threads, and the receipts that set them back."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from homeserver.lifecycle import Running
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say
from tests.api.matrix.synckit import Follower, joined, judged

pytestmark = pytest.mark.both

THREADS = '{"room": {"timeline": {"unread_thread_notifications": true}}}'


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


async def unread(client: Client, room_id: str, **query: Any) -> tuple[int, int]:
    """(notifications, highlights) as a fresh client is told."""
    room = joined(await Follower(client).sync(**query), room_id)
    count = room["unread_notifications"]
    return count["notification_count"], count["highlight_count"]


async def in_threads(client: Client, room_id: str) -> tuple[int, dict[str, int]]:
    """Notifications outside of threads, and those of each thread."""
    room = joined(await Follower(client).sync(filter=THREADS), room_id)
    threads = room.get("unread_thread_notifications", {})
    main = room["unread_notifications"]["notification_count"]
    return main, {thread_id: one["notification_count"] for thread_id, one in threads.items()}


async def answer(client: Client, room_id: str, root: str, text: str) -> str:
    """Write into a thread."""
    return await say(client, room_id, text, **{"m.relates_to": {"rel_type": "m.thread", "event_id": root}})


async def read(client: Client, room_id: str, event_id: str, kind: str = "m.read", **body: Any) -> None:
    await client.call("POST", path(room_id, f"receipt/{kind}/{quote(event_id)}"), body=body)


async def test_what_counts_and_what_does_not(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    assert await unread(bob, room_id) == (0, 0)
    first = await say(alice, room_id, "one")
    await say(alice, room_id, "a notice", msgtype="m.notice")
    edit = {"m.new_content": {"msgtype": "m.text", "body": "won"}}
    await say(
        alice, room_id, "edited", **edit, **{"m.relates_to": {"rel_type": "m.replace", "event_id": first}}
    )
    reaction = {"m.relates_to": {"rel_type": "m.annotation", "event_id": first, "key": "+"}}
    await alice.call("PUT", path(room_id, "send/m.reaction/r"), body=reaction)
    await alice.call("PUT", path(room_id, "state/m.room.topic/"), body={"topic": "talk"})
    secret = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x", "session_id": "s"}
    await alice.call("PUT", path(room_id, "send/m.room.encrypted/e"), body=secret)
    call = {"call_id": "1", "version": "1", "lifetime": 1000, "offer": {"type": "offer", "sdp": ""}}
    await alice.call("PUT", path(room_id, "send/m.call.invite/c"), body={**call, "party_id": "p"})
    assert await unread(bob, room_id) == (3, 0)
    assert await unread(alice, room_id) == (0, 0)
    await say(bob, room_id, "mine")
    assert await unread(bob, room_id) == (0, 0)


async def test_a_receipt_leaves_what_came_after_it(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    sent = [await say(alice, room_id, str(number)) for number in range(4)]
    await read(bob, room_id, sent[1])
    assert await unread(bob, room_id) == (2, 0)
    await alice.call("PUT", path(room_id, f"redact/{quote(sent[3])}/1"), body={})
    await alice.call("PUT", path(room_id, f"redact/{quote(sent[0])}/2"), body={})
    assert await unread(bob, room_id) == (1, 0)
    await read(bob, room_id, sent[2], "m.read.private")
    assert await unread(bob, room_id) == (0, 0)
    await read(bob, room_id, sent[1], "m.read.private")
    assert await unread(bob, room_id) == (0, 0)


async def test_a_room_that_is_heard_again_is_counted_at_once(
    server: Running, alice: Client, bob: Client
) -> None:
    room_id = await create(alice, bob)
    his = Follower(bob)
    rule = f"pushrules/global/room/{quote(room_id, safe='')}"
    for number in range(1, 4):
        await bob.call("PUT", rule, body={"actions": ["dont_notify"]})
        assert (await bob.call("GET", rule))["actions"] == ["dont_notify"]
        await say(alice, room_id, f"silenced {number}")
        await judged(server)
        await his.sync()

        def is_counted(told: Any, number: int = number) -> bool:
            room = told.get("rooms", {}).get("join", {}).get(room_id, {})
            counts: dict[str, int] = room.get("unread_notifications", {})
            return counts.get("notification_count") == number

        waiting = asyncio.create_task(his.until(is_counted))
        await bob.call("DELETE", rule)
        await say(alice, room_id, f"heard {number}")
        assert await waiting
        await judged(server)  # by the rules as they are
    assert await unread(bob, room_id) == (3, 0)


async def test_threads_are_counted_apart(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    root = await say(alice, room_id, "root")
    inside = [await answer(alice, room_id, root, f"inside {number}") for number in range(3)]
    reference = {"m.relates_to": {"rel_type": "m.reference", "event_id": inside[0]}}
    about = await say(alice, room_id, "about it", **reference)
    other = await say(alice, room_id, "other root")
    await answer(alice, room_id, other, "there")
    assert await unread(bob, room_id) == (7, 0)
    assert await in_threads(bob, room_id) == (2, {root: 4, other: 1})
    assert await in_threads(alice, room_id) == (0, {})

    await read(bob, room_id, root, thread_id="main")
    assert await in_threads(bob, room_id) == (1, {root: 4, other: 1})
    await read(bob, room_id, inside[1], thread_id=root)
    assert await in_threads(bob, room_id) == (1, {root: 2, other: 1})
    await read(bob, room_id, about, "m.read.private", thread_id=root)
    assert await in_threads(bob, room_id) == (1, {other: 1})
    assert await unread(bob, room_id) == (2, 0)

    last = await answer(alice, room_id, root, "one more")
    gone = await answer(alice, room_id, root, "regretted")
    await alice.call("PUT", path(room_id, f"redact/{quote(gone)}/1"), body={})
    assert await in_threads(bob, room_id) == (1, {root: 1, other: 1})
    await read(bob, room_id, last)
    assert await in_threads(bob, room_id) == (0, {})
    await answer(alice, room_id, root, "again")
    assert await in_threads(bob, room_id) == (0, {root: 1})
    await answer(bob, room_id, root, "I know")
    assert await in_threads(bob, room_id) == (0, {})


async def test_a_receipt_is_of_the_thread_it_names(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    root = await say(alice, room_id, "root")
    inside = await answer(alice, room_id, root, "inside")
    for event_id, thread_id in ((inside, "main"), (root, inside), (inside, "$other")):
        at = path(room_id, f"receipt/m.read/{quote(event_id)}")
        assert await bob.errcode("POST", at, 400, body={"thread_id": thread_id}) == "M_INVALID_PARAM"
    await read(bob, room_id, root, thread_id=root)
    assert await in_threads(bob, room_id) == (1, {root: 1})


async def test_of_two_receipts_at_one_event_that_without_a_thread_is_told(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    event_id = await say(alice, room_id, "here")
    hers = Follower(alice)
    await hers.sync()
    await read(bob, room_id, event_id)
    await read(bob, room_id, event_id, thread_id="main")
    for follower in (hers, Follower(alice)):
        told = joined(await follower.sync(), room_id)["ephemeral"]["events"][0]["content"]
        assert "thread_id" not in told[event_id]["m.read"][bob.user_id]


async def test_markers_are_set_together_or_not_at_all(alice: Client, bob: Client) -> None:
    """One that names no event of the room leaves the others where they are; both receipts may be set at once."""
    room_id = await create(alice, bob)
    first, second = await say(alice, room_id, "one"), await say(alice, room_id, "two")
    wrong = {"m.fully_read": second, "m.read": "$nothing"}
    await bob.errcode("POST", path(room_id, "read_markers"), 404, body=wrong)
    stranger = {"m.fully_read": "$nothing", "m.read": second}
    await bob.errcode("POST", path(room_id, "read_markers"), 404, body=stranger)
    assert await unread(bob, room_id) == (2, 0)
    at = f"user/{quote(bob.user_id)}/rooms/{quote(room_id)}/account_data/m.fully_read"
    await bob.errcode("GET", at, 404)
    both = {"m.fully_read": first, "m.read": first, "m.read.private": second}
    await bob.call("POST", path(room_id, "read_markers"), body=both)
    assert await unread(bob, room_id) == (0, 0)
    assert await bob.call("GET", at) == {"event_id": first}
    room = joined(await Follower(bob).sync(), room_id)
    receipts = next(one["content"] for one in room["ephemeral"]["events"] if one["type"] == "m.receipt")
    assert {event_id: [*kinds] for event_id, kinds in receipts.items()} == {
        first: ["m.read"],
        second: ["m.read.private"],
    }
