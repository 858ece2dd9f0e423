"""What following costs: a message that wakes many is looked up once, and not once for each of them."""

import asyncio
import json

import pytest

from homeserver.lifecycle import Running
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, texts
from tests.api.matrix.synckit import Follower, joined, judged, spent

pytestmark = [pytest.mark.both, pytest.mark.own_server]

READERS = 12
# Statements of all of them: unread counts, keys of devices, and the sender's member event. Who asks first may be alone.
_TOGETHER = 7
_LAZY = json.dumps({"room": {"state": {"lazy_load_members": True}}})


async def readers_of(nobody: Client, room_id: str) -> list[Follower]:
    made = []
    for number in range(READERS):
        client = await nobody.register(f"reader{number}")
        await client.call("POST", path(room_id, "join"), body={})
        made.append(Follower(client, query={"filter": _LAZY} if number % 2 else {}))
    for one in made:
        await one.sync()
        await one.sync()  # what the first one found empty is known now
    return made


async def test_a_message_to_many_costs_few_statements(server: Running, nobody: Client, alice: Client) -> None:
    room_id = await create(alice, preset="public_chat")
    readers = await readers_of(nobody, room_id)
    await say(alice, room_id, "first")
    await asyncio.gather(*(one.sync() for one in readers))

    await say(alice, room_id, "second")
    await judged(server)
    before = spent(server)
    answers = await asyncio.gather(*(one.sync() for one in readers))
    cost = spent(server) - before

    for answer in answers:
        room = joined(answer, room_id)
        assert room["state"]["events"] == []  # those who load lazily know her as well
        assert texts(room["timeline"]["events"]) == ["second"]
        assert room["unread_notifications"] == {"notification_count": 2, "highlight_count": 0}
    assert 0 < cost <= 2 * _TOGETHER, cost

    before = spent(server)
    for one in readers:
        assert "rooms" not in await one.sync()
    assert spent(server) - before <= 2 * READERS  # nothing is news: the keys alone are counted

    costs: list[int] = []
    for is_online in (True, False, True):
        bob = Follower(await nobody.register(f"bob{len(costs)}"))
        if is_online:
            await bob.sync()
        await bob.client.call("POST", path(room_id, "join"), body={})
        await judged(server)
        before = spent(server)
        answers = [await one.sync() for one in readers]
        costs.append(spent(server) - before)
        for answer in answers:
            (told,) = answer["presence"]["events"]
            assert told["content"]["presence"] == ("online" if is_online else "offline")
    assert costs[2] <= costs[1] + 2, costs  # nobody asks the database whether they are in one room


async def test_what_is_in_memory_is_told_as_the_database_has_it(alice: Client, nobody: Client) -> None:
    """A redaction and an edit within one stretch: what they left is told, and not what was there before."""
    room_id = await create(alice, preset="public_chat")
    bob = Follower(await nobody.register("bob"))
    await bob.client.call("POST", path(room_id, "join"), body={})
    await bob.sync()
    secret = await say(alice, room_id, "secret")
    await alice.call("PUT", path(room_id, f"redact/{secret}/1"), body={})
    answer = joined(await bob.sync(), room_id)
    assert "secret" not in str(answer)
    assert [one["type"] for one in answer["timeline"]["events"]] == ["m.room.message", "m.room.redaction"]

    first = await say(alice, room_id, "first")
    edit = {"m.new_content": {"msgtype": "m.text", "body": "better"}, "m.relates_to": {}}
    edit["m.relates_to"] = {"rel_type": "m.replace", "event_id": first}
    await say(alice, room_id, "* better", **edit)
    told = joined(await bob.sync(), room_id)["timeline"]["events"][0]
    assert told["unsigned"]["m.relations"]["m.replace"]["content"]["m.new_content"]["body"] == "better"


async def test_who_comes_and_goes_is_followed_at_once(alice: Client, nobody: Client) -> None:
    """The rooms of a person are kept in memory: each step of theirs is in the next answer all the same."""
    bob = Follower(await nobody.register("bob"))
    await bob.sync()
    room_id = await create(alice, preset="public_chat")
    for text in ("one", "two"):
        await bob.client.call("POST", path(room_id, "join"), body={})
        await say(alice, room_id, text)
        assert text in texts(joined(await bob.sync(), room_id)["timeline"]["events"])
        await bob.client.call("POST", path(room_id, "leave"), body={})
        await say(alice, room_id, "unheard")
        answer = await bob.sync()
        assert list(answer["rooms"]) == ["leave"]
        assert "unheard" not in str(answer)
        assert "rooms" not in await bob.sync()
