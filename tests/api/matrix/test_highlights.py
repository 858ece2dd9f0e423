"""What people are told otherwise than everybody: mentions, own rules, rooms they silenced, people they ignore."""

from typing import Any
from urllib.parse import quote

import pytest

from homeserver.lifecycle import Running
from homeserver.model import LOG_START
from homeserver.services.push.notifications.service import CONSUMER
from homeserver.storage import log
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say
from tests.api.matrix.synckit import Follower, joined, judged
from tests.api.matrix.test_relations import ignore
from tests.api.matrix.test_unread import THREADS, answer, in_threads, read, unread

pytestmark = pytest.mark.both

RULES = "pushrules/global"


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


@pytest.fixture
async def carol(nobody: Client) -> Client:
    return await nobody.register("carol")


async def mention(client: Client, room_id: str, text: str, *people: Client, **more: Any) -> str:
    ids = {"user_ids": [one.user_id for one in people]}
    return await say(client, room_id, text, **{"m.mentions": ids}, **more)


async def test_a_mention_is_highlighted_and_wakes_who_waits(
    alice: Client, bob: Client, carol: Client, server: Running
) -> None:
    room_id = await create(alice, bob, carol)
    his = Follower(bob)
    await his.sync()
    event_id = await mention(alice, room_id, "look", bob)

    def highlighted(told: Any) -> bool:
        room = told.get("rooms", {}).get("join", {}).get(room_id, {})
        return bool(room.get("unread_notifications") == {"notification_count": 1, "highlight_count": 1})

    assert await his.until(highlighted)
    await judged(server)
    assert await unread(carol, room_id) == (1, 0)
    await read(bob, room_id, event_id)
    assert await unread(bob, room_id) == (0, 0)

    await say(carol, room_id, f"I asked {bob.name} yesterday")
    await judged(server)
    assert await unread(bob, room_id) == (1, 1)
    gone = await mention(alice, room_id, "never mind", bob)
    await alice.call("PUT", path(room_id, f"redact/{quote(gone)}/1"), body={})
    await judged(server)
    assert await unread(bob, room_id) == (1, 1)


async def test_everybody_is_called(alice: Client, bob: Client, carol: Client, server: Running) -> None:
    room_id = await create(alice, bob, carol)
    room = {"m.mentions": {"room": True}}
    event_id = await say(alice, room_id, "fire", **room)
    await say(bob, room_id, "no right to shout", **room)
    await judged(server)
    assert await unread(carol, room_id) == (2, 1)
    assert await unread(alice, room_id) == (1, 0)
    await alice.call("PUT", path(room_id, f"redact/{quote(event_id)}/1"), body={})
    await judged(server)
    assert await unread(carol, room_id) == (1, 0)
    await alice.call(
        "PUT", path(room_id, "state/m.room.tombstone/"), body={"body": "gone", "replacement_room": "!a:b"}
    )
    await judged(server)
    assert await unread(carol, room_id) == (2, 1)
    assert await unread(alice, room_id) == (1, 0)


@pytest.mark.own_server
async def test_a_silenced_room_counts_nothing_but_mentions(
    alice: Client, bob: Client, carol: Client, server: Running
) -> None:
    room_id = await create(alice, bob, carol)
    first = await say(alice, room_id, "heard")
    await judged(server)
    rule = f"{RULES}/room/{quote(room_id, safe='')}"
    await bob.call("PUT", rule, body={"actions": []})
    for number in range(5):
        last = await say(alice, room_id, f"silent {number}")
    await judged(server)
    assert await unread(bob, room_id) == (1, 0), "what was heard before stays"
    await mention(alice, room_id, "you!", bob)
    root = await say(alice, room_id, "root")
    await answer(alice, room_id, root, "in a thread")
    await judged(server)
    assert await unread(bob, room_id) == (2, 1)
    assert await unread(carol, room_id) == (9, 0)
    await bob.call("DELETE", rule)
    await judged(server)
    assert await unread(bob, room_id) == (2, 1), "rules hold for what comes after them"
    await answer(alice, room_id, root, "heard in the thread")
    await say(alice, room_id, "heard again")
    await judged(server)
    assert await unread(bob, room_id) == (4, 1)
    await read(bob, room_id, first)
    assert await unread(bob, room_id) == (3, 1)
    await read(bob, room_id, last)
    assert await unread(bob, room_id) == (3, 1)
    await read(bob, room_id, root)
    assert await unread(bob, room_id) == (2, 0)
    async with server.hs.core.db.read() as conn:
        spells = (await conn.exec_driver_sql("SELECT count(*) FROM quiet_spells")).scalar_one()
    assert spells <= 1, "a silenced room costs no row a message"


async def test_switching_everything_off(alice: Client, bob: Client, server: Running) -> None:
    rooms = [await create(alice, bob) for _ in range(2)]
    await bob.call("PUT", f"{RULES}/override/.m.rule.master/enabled", body={"enabled": True})
    for room_id in rooms:
        await mention(alice, room_id, "hush", bob)
        await say(alice, room_id, "hush")
    await judged(server)
    assert [await unread(bob, room_id) for room_id in rooms] == [(0, 0), (0, 0)]


async def test_own_words_and_senders(alice: Client, bob: Client, carol: Client, server: Running) -> None:
    room_id = await create(alice, bob, carol)
    loud = ["notify", {"set_tweak": "highlight"}]
    await bob.call("PUT", f"{RULES}/content/cake", body={"pattern": "cake", "actions": loud})
    await bob.call("PUT", f"{RULES}/sender/{quote(carol.user_id)}", body={"actions": []})
    await say(alice, room_id, "there is Cake")
    await say(alice, room_id, "pancakes")
    await say(carol, room_id, "chatter")
    await say(alice, room_id, "a notice of cake", msgtype="m.notice")
    await judged(server)
    assert await unread(bob, room_id) == (2, 1)


async def test_who_is_ignored_is_not_counted(
    alice: Client, bob: Client, carol: Client, server: Running
) -> None:
    room_id = await create(alice, bob, carol)
    at = f"user/{quote(bob.user_id)}/account_data/m.ignored_user_list"
    await bob.call("PUT", at, body={"ignored_users": {carol.user_id: {}}})
    await mention(carol, room_id, "bob!", bob)
    await say(alice, room_id, "hello")
    await judged(server)
    assert await unread(bob, room_id) == (1, 0)
    await bob.call("PUT", at, body={"ignored_users": {}})
    await mention(carol, room_id, "again", bob)
    await judged(server)
    assert await unread(bob, room_id) == (2, 1)


async def test_mentions_in_threads(alice: Client, bob: Client, server: Running) -> None:
    room_id = await create(alice, bob)
    root = await say(alice, room_id, "root")
    relation = {"m.relates_to": {"rel_type": "m.thread", "event_id": root}}
    inside = await mention(alice, room_id, "in here", bob, **relation)
    await judged(server)
    room = joined(await Follower(bob).sync(filter=THREADS), room_id)
    assert room["unread_notifications"] == {"notification_count": 1, "highlight_count": 0}
    assert room["unread_thread_notifications"] == {root: {"notification_count": 1, "highlight_count": 1}}
    await read(bob, room_id, inside, thread_id=root)
    assert await unread(bob, room_id) == (1, 0)


@pytest.mark.own_server
async def test_nothing_is_counted_twice_after_a_stop(alice: Client, bob: Client, server: Running) -> None:
    room_id = await create(alice, bob)
    await mention(alice, room_id, "once", bob)
    await judged(server)
    async with server.hs.core.db.write() as conn:
        at = await log.cursor(conn, CONSUMER) or LOG_START
        assert await log.move_cursor(conn, CONSUMER, at, LOG_START)
    entries = await _entries(server)
    effect = await server.hs.notifications.handle(entries)
    assert effect is not None
    async with server.hs.core.db.write() as conn:
        await effect(conn)
    assert await unread(bob, room_id) == (1, 1)


async def _entries(server: Running) -> Any:
    async with server.hs.core.db.read() as conn:
        return await log.entries_after(conn, LOG_START, 1000)


async def test_unread_messages_of_people_who_are_then_ignored_do_not_count(
    server: Running, alice: Client, bob: Client, carol: Client
) -> None:
    room_id, other = await create(alice, bob, carol), await create(carol, bob)
    root = await say(alice, room_id, "root")
    await say(carol, room_id, "before")
    await mention(carol, room_id, "you", bob)
    await answer(carol, room_id, root, "in a thread")
    await say(carol, room_id, "@room all of you", **{"m.mentions": {"room": True}})
    await say(carol, other, "elsewhere")
    await say(alice, room_id, "from alice")
    await judged(server)
    assert await unread(bob, other) == (1, 0)
    await ignore(bob, carol)
    await say(carol, room_id, "after")
    await judged(server)
    assert await in_threads(bob, room_id) == (2, {})
    assert await unread(bob, room_id) == (2, 0)
    assert await unread(bob, other) == (0, 0)
    await ignore(bob, carol, alice)
    await judged(server)
    assert await unread(bob, room_id) == (0, 0)
    await ignore(bob)
    await say(carol, room_id, "heard again")
    await judged(server)
    assert await unread(bob, room_id) == (1, 0)
    await read(bob, room_id, await say(carol, room_id, "last"))
    assert await unread(bob, room_id) == (0, 0)
