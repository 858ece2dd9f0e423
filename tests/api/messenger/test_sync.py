"""Catching up over all chats: in the order of the log, nothing missing, nothing twice."""

import asyncio
from typing import Any

import pytest

from homeserver.lifecycle import Running
from tests.api.driver import User
from tests.api.messenger.wire import direct, group, line, say, v1

pytestmark = pytest.mark.both


async def test_sync_brings_what_was_missed_in_all_chats_in_order(alice: User, bob: User, carol: User) -> None:
    pair, trio, other = await direct(alice, bob), await group(alice, bob, carol), await direct(alice, carol)
    seen = await say(alice, pair, "seen")
    missed = []
    for n in range(6):
        missed.append(await say(alice, (pair, trio)[n % 2], f"missed {n}"))
        await say(alice, other, "not for him")
    await v1(alice, "DELETE", f"messages/{missed[2]['id']}", 204)
    missed[3] = await v1(alice, "PATCH", f"messages/{missed[3]['id']}", json={"content": "edited"})
    del missed[2]
    async with line(bob) as his:
        await his.say("sync", after=seen["id"])
        assert [await his.next() for _ in missed] == [("message.created", one) for one in missed]
        live = await say(alice, trio, "live")
        assert await his.next() == ("message.created", live)
        await his.say("sync", after=live["id"])
        more = await say(alice, pair, "more")
        assert await his.next() == ("message.created", more), "nothing that was heard already comes again"


async def test_a_place_may_be_any(alice: User, bob: User) -> None:
    chat = await direct(alice, bob)
    sent = await say(alice, chat, "one")
    async with line(bob) as his:
        await his.say("sync", after=0)
        assert await his.next() == ("message.created", sent)
    async with line(bob) as his:
        await his.say("sync", after=2**53 - 1)  # beyond the end is the end: it deafens nobody
        await his.settled()
        more = await say(alice, chat, "two")
        assert await his.next() == ("message.created", more)


async def test_files_and_replies_are_whole_in_a_replay(alice: User, bob: User) -> None:
    chat = await direct(alice, bob)
    seen = await say(alice, chat, "seen")
    conversation = (await alice.chat("GET", "conversations/"))[0]
    sent = await alice.say(conversation, "with a file")
    link = {
        "message_id": sent["id"],
        "file_url": "https://x.example/a.pdf",
        "file_type": "file",
        "file_size": 5,
    }
    await alice.chat("POST", "attachments/", json=link)
    (whole,) = (await v1(bob, "GET", f"chats/{chat['id']}/messages"))[1:]
    assert whole["payload"]["attachments"][0]["url"] == "https://x.example/a.pdf"
    async with line(bob) as his:
        await his.say("sync", after=seen["id"])
        assert await his.next() == ("message.created", whole)


async def test_sync_brings_what_became_of_known_messages(alice: User, bob: User, carol: User) -> None:
    one, two, other = await direct(alice, bob), await group(alice, bob, carol), await direct(alice, carol)
    kept, gone, theirs = (
        await say(alice, one, "kept"),
        await say(alice, two, "gone"),
        await say(alice, other, "x"),
    )
    last = await say(alice, two, "last")
    await v1(alice, "DELETE", f"messages/{theirs['id']}", 204)
    await v1(alice, "DELETE", f"messages/{gone['id']}", 204)
    kept = await v1(alice, "PATCH", f"messages/{kept['id']}", json={"content": "mended"})
    async with line(bob) as his:
        await his.say("sync", after=last["id"])
        assert await his.next() == ("message.deleted", {"id": gone["id"], "chat_id": two["id"]})
        assert await his.next() == ("message.updated", kept)
        live = await say(alice, one, "live")
        assert await his.next() == ("message.created", live)


@pytest.mark.parametrize("overrides", [{"sockets": {"first_frame_wait_s": 10}}])
async def test_what_comes_before_the_client_can_ask_does_not_overtake(alice: User, bob: User) -> None:
    one, other = await direct(alice, bob), await group(alice, bob)
    seen = await say(alice, one, "seen")
    await say(alice, other, "missed")
    async with line(bob) as his:
        await say(alice, one, "between")
        await his.say("sync", after=seen["id"])
        assert [(await his.next())[1]["content"] for _ in range(2)] == ["missed", "between"]


@pytest.mark.parametrize("overrides", [{"rooms": {"max_page": 7}, "sockets": {"queue_frames": 32}}])
async def test_reconnecting_again_and_again_while_others_write_loses_and_doubles_nothing(
    alice: User, bob: User
) -> None:
    chats = [await direct(alice, bob), await group(alice, bob), await group(alice, bob)]
    first = await say(alice, chats[0], "first")
    total = 90

    async def write() -> None:
        for n in range(total):
            await say(alice, chats[n % 3], str(n))

    writing = asyncio.create_task(write())
    heard: list[Any] = [first]
    while len(heard) <= total:
        async with line(bob) as his:
            await his.say("sync", after=heard[-1]["id"])
            for _ in range(9):
                if len(heard) > total:
                    break
                heard.append(await his.until("message.created"))
    await writing
    assert [one["content"] for one in heard] == ["first", *map(str, range(total))]


async def test_people_coming_and_going_while_sockets_open_hear_exactly_what_is_theirs(
    server: Running, alice: User, bob: User, carol: User
) -> None:
    chat = await group(alice, carol)
    member = f"chats/{chat['id']}/members/{bob.id}"
    for n in range(5):
        await v1(alice, "POST", member)
        async with asyncio.TaskGroup() as tasks:
            removed = tasks.create_task(v1(alice, "DELETE", member, 204))
            async with line(bob) as his:
                await his.say("ping")
                await removed
                await say(alice, chat, f"secret {n}")
                await his.settled()
                await his.settled()
                assert "message.created" not in [frame["event"] for frame in his.seen]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(v1(alice, "POST", member))
        async with line(bob) as his:
            await his.until("chat.created") if not await listed(bob) else None
            sent = await say(alice, chat, "welcome")
            assert (await his.until("message.created"))["id"] == sent["id"]


async def listed(user: User) -> bool:
    return bool(await v1(user, "GET", "chats/"))
