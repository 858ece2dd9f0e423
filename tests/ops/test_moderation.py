"""The admins' verbs, beside a server that runs and must hear of each at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from sqlalchemy.engine import URL

from homeserver.lifecycle import Running, running
from homeserver.settings.load import load
from tests.api.driver import User, register
from tests.api.messenger.wire import contents, line
from tests.names import fresh
from tests.ops.drivers import FAST_HASH, Cli

pytestmark = pytest.mark.both

SETTINGS = """
server: {{data_dir: data}}
database: {{url: "{url}"}}
listen: {{port: 0}}
accounts: {{registration: true}}
rate_limits: {{enabled: false}}
timeline: {{follow_interval_ms: 20}}
"""


@pytest.fixture
async def beside(cli: Cli, database_url: URL) -> AsyncIterator[Running]:
    """A server on the settings of `cli`."""
    url = database_url.set(drivername=database_url.get_backend_name())
    cli.config.write_text(SETTINGS.format(url=url.render_as_string(hide_password=False)))
    async with running(load(cli.config, FAST_HASH)) as one:
        yield one


@pytest.fixture
async def people(beside: Running) -> AsyncIterator[tuple[User, User]]:
    """Alice and Bob."""
    async with aiohttp.ClientSession(beside.url) as session:
        yield await register(session, "Alice"), await register(session, "Bob")


async def run(cli: Cli, *words: str, status: int = 0) -> str:
    """The output of a verb, while the server goes on."""
    return await asyncio.to_thread(cli, *words, status=status)


async def listed(cli: Cli, *words: str) -> list[Any]:
    return [json.loads(row) for row in (await run(cli, "reports", "list", "--json", *words)).splitlines()]


async def test_from_a_report_to_a_message_that_is_gone(cli: Cli, people: tuple[User, User]) -> None:
    alice, bob = people
    room = await alice.group(bob, title="Class")
    bad, rude = await bob.say(room, "something\nbad"), await bob.say(room, "rude")
    for said, reason in ((bad, "please look"), (rude, "")):
        await alice.chat("POST", f"messages/{said['id']}/report", 204, json={"reason": reason})
    first, second = await listed(cli)
    assert (first["text"], first["room_name"], first["reason"]) == ("something\nbad", "Class", "please look")
    assert (first["sender_name"], first["reporter"], first["standing"]) == (
        "Bob",
        f"@{fresh('alice')}:localhost",
        "open",
    )
    table = (await run(cli, "reports", "list")).splitlines()
    assert len(table) == 3, "what people wrote starts no line of its own"
    assert "please look" in table[1]
    number = str(second["report"])
    assert (
        await run(cli, "reports", "close", number, "--outcome", "not so bad")
        == f"report {number} is closed\n"
    )
    assert await run(cli, "reports", "close", number, status=1) == "no such open report\n"
    async with alice.socket(room) as ear, line(bob) as his:
        said = await run(cli, "messages", "remove", first["event_id"])
        assert said == f"{first['event_id']} is removed\n"
        assert (await ear.until("message:deleted"))["id"] == bad["id"]
        assert (await his.until("message.deleted"))["chat_id"]
    assert await alice.texts(room) == ["rude"]
    assert await contents(bob, (await bob.call("GET", "/api/v1/chats/"))[0]) == ["rude"]
    assert "was deleted already" in await run(cli, "messages", "remove", first["event_id"], status=1)
    assert await listed(cli) == []
    closed = await listed(cli, "--all")
    assert [(one["text"], one["outcome"]) for one in closed] == [
        (None, "message removed"),
        ("rude", "not so bad"),
    ]


async def test_a_room_is_closed_and_a_person_shut_out_under_their_eyes(
    cli: Cli, beside: Running, people: tuple[User, User]
) -> None:
    alice, bob = people
    room = await alice.group(bob)
    (mine,) = await beside.hs.rooms.rooms.places(await beside.hs.auth.sessions.authenticate(bob.token), 9)
    async with line(bob) as his, alice.socket(room) as hers:
        assert await run(cli, "rooms", "close", mine.room_id, "--yes") == f"{mine.room_id} is closed\n"
        assert await his.until("chat.deleted") == {"id": mine.position}
        assert await hers.closed() == 1008
        his_id = f"@{fresh('bob')}:localhost"
        assert await run(cli, "users", "suspend", his_id) == f"{his_id} is suspended\n"
        assert await his.closed() == 1008
    assert await alice.chat("GET", "conversations/") == []
    await bob.chat("GET", "conversations/", 401)
    assert "is closed" in await run(cli, "rooms", "close", mine.room_id, "--yes", status=1)
    assert await run(cli, "rooms", "close", "!none:localhost", "--yes", status=1) == "no such room\n"
