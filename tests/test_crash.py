"""The server is killed in the middle of its work, again and again: what it acknowledged is there, once."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import psycopg
import pytest
from sqlalchemy.engine import URL

from homeserver.app import build
from homeserver.protocol.ids import RoomId
from homeserver.settings.models import Settings
from homeserver.timeline.verify import verify_room
from tests.databases import POSTGRES
from tests.process import ServerProcess

pytestmark = pytest.mark.both

KILLS = 10  # on each database; most of the time goes into starting again
STATE_KILLS = 3
SENDERS = 8
API = "/api/unet-chat"
LOGIN = {"email": "sender@example.org", "password": "correct horse battery"}


@pytest.fixture
def durable(database_kind: str) -> Iterator[None]:
    """PostgreSQL as careful as in real use: where it runs without fsync, for speed, it is switched on for this test."""
    if database_kind == "sqlite":
        yield
        return
    with psycopg.connect(POSTGRES, autocommit=True) as conn:
        careless = conn.execute("SHOW fsync").fetchone() == ("off",)
        if careless:
            conn.execute("ALTER SYSTEM SET fsync = on")
            conn.execute("SELECT pg_reload_conf()")
        yield
        if careless:
            conn.execute("ALTER SYSTEM RESET fsync")
            conn.execute("SELECT pg_reload_conf()")


@pytest.fixture
async def process(durable: None, database_url: URL, tmp_path: Path) -> AsyncIterator[ServerProcess]:
    plain = database_url.set(drivername=database_url.get_backend_name())
    made = ServerProcess(
        tmp_path,
        {
            "HOMESERVER__DATABASE__URL": plain.render_as_string(hide_password=False),
            "HOMESERVER__ACCOUNTS__REGISTRATION": "true",
            "HOMESERVER__RATE_LIMITS__ENABLED": "false",
            "HOMESERVER__MATRIX__ENABLED": "true",
            "HOMESERVER__LOGS__LEVEL": "warning",
            # The reader's `sync` may be late on a busy machine; what comes before it is told at once, out of order.
            "HOMESERVER__SOCKETS__FIRST_FRAME_WAIT_S": "10",
        },
    )
    await made.start()
    yield made
    await made.kill()


class Sender:
    """Sends numbered messages, each under its client_id until it is acknowledged."""

    def __init__(self, name: str, token: str, conversation_id: str) -> None:
        self.acknowledged: dict[str, str] = {}
        self._name = name
        self._headers = {"Authorization": f"Bearer {token}"}
        self._conversation_id = conversation_id
        self._numbers = itertools.count()
        self._text = f"{name} {next(self._numbers)}"

    async def run(self, url: str) -> None:
        """Send until the connection breaks; what was under way stays to be sent again."""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with aiohttp.ClientSession(url, headers=self._headers) as session:
                while True:
                    await self._send_one(session)

    async def finish(self, url: str) -> None:
        """Send one more: what was under way when the server was killed."""
        async with aiohttp.ClientSession(url, headers=self._headers) as session:
            await self._send_one(session)

    async def _send_one(self, session: aiohttp.ClientSession) -> None:
        body = {"conversation_id": self._conversation_id, "text": self._text, "client_id": self._text}
        async with session.post(f"{API}/messages/", json=body) as answer:
            assert answer.status == 200, await answer.text()
            self.acknowledged[self._text] = (await answer.json())["id"]
        self._text = f"{self._name} {next(self._numbers)}"


class Reader:
    """Follows the conversation by its socket, and asks after every break for what it missed."""

    def __init__(self, token: str, conversation_id: str, first: str) -> None:
        self.seen = [first]
        self._path = f"{API}/ws/conversations/{conversation_id}/?token={token}"

    async def run(self, url: str) -> None:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with aiohttp.ClientSession(url) as session, session.ws_connect(self._path) as socket:
                await socket.send_json({"type": "sync", "payload": {"after": self.seen[-1]}})
                async for frame in socket:
                    data: dict[str, Any] = frame.json()
                    if data["type"] == "message:new":
                        self.seen.append(data["payload"]["id"])


async def history(session: aiohttp.ClientSession, conversation_id: str) -> list[dict[str, Any]]:
    """Every message, oldest first, page by page."""
    found: list[dict[str, Any]] = []
    before = ""
    while True:
        async with session.get(f"{API}/messages/{conversation_id}?limit=200{before}") as answer:
            page = await answer.json()
        if not page:
            return found
        found = page + found
        before = f"&before={page[0]['id']}"


@pytest.mark.timeout(600)  # a bound for a busy machine; a quiet one needs half a minute
async def test_killed_again_and_again(process: ServerProcess, database_url: URL, tmp_path: Path) -> None:
    async with aiohttp.ClientSession(process.url) as session:
        registered = {**LOGIN, "display_name": "Sender"}
        async with session.post("/api/v1/auth/register", json=registered) as answer:
            token = (await answer.json())["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        body = {"type": "group", "title": "Crash"}
        async with session.post(f"{API}/conversations/", json=body, headers=headers) as answer:
            conversation_id = (await answer.json())["id"]
    senders = [Sender(f"s{n}", token, conversation_id) for n in range(SENDERS)]
    await senders[0].finish(process.url)
    reader = Reader(token, conversation_id, *senders[0].acknowledged.values())
    chance = random.Random(1)

    for _ in range(KILLS):
        before = sum(len(one.acknowledged) for one in senders)
        runs = [*(one.run for one in senders), reader.run]
        tasks = [asyncio.create_task(run(process.url)) for run in runs]
        wanted = before + chance.randint(10, 60)
        while sum(len(one.acknowledged) for one in senders) < wanted:
            assert not any(task.done() for task in tasks), [task for task in tasks if task.done()]
            await asyncio.sleep(0.001)
        await process.kill()
        await asyncio.gather(*tasks)
        await process.start()

    await asyncio.gather(*(one.finish(process.url) for one in senders))
    last = asyncio.create_task(reader.run(process.url))
    async with aiohttp.ClientSession(process.url, headers=headers) as session:
        stored = await history(session, conversation_id)
    by_text = {one["text"]: one["id"] for one in stored}
    acknowledged = {text: id_ for one in senders for text, id_ in one.acknowledged.items()}
    assert len(by_text) == len(stored), "a message is there twice"
    assert by_text == acknowledged
    async with asyncio.timeout(30):
        while len(reader.seen) < len(stored):
            assert not last.done()
            await asyncio.sleep(0.01)
    assert reader.seen == [one["id"] for one in stored], "the reader missed one, or saw one twice"
    assert await process.stop() == 0
    await last
    assert await faults(database_url, tmp_path / "data") == []


async def test_killed_at_the_first_answer(process: ServerProcess) -> None:
    """Of equal state set several times at once, the answer that comes first may be that of a repeat."""
    async with aiohttp.ClientSession(process.url) as session:
        request = {"username": "alice", "password": LOGIN["password"], "auth": {"type": "m.login.dummy"}}
        async with session.post("/_matrix/client/v3/register", json=request) as answer:
            headers = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
        async with session.post("/_matrix/client/v3/createRoom", json={}, headers=headers) as answer:
            room = f"/_matrix/client/v3/rooms/{quote((await answer.json())['room_id'], safe='')}"
    for number in range(STATE_KILLS):
        async with aiohttp.ClientSession(process.url, headers=headers) as session:
            first = await first_answer(session, f"{room}/state/org.x/", {"number": number})
            await process.kill()
        await process.start()
        async with (
            aiohttp.ClientSession(process.url, headers=headers) as session,
            session.get(f"{room}/event/{quote(first)}") as answer,
        ):
            assert answer.status == 200, f"{first} was acknowledged: {await answer.text()}"


async def first_answer(session: aiohttp.ClientSession, path: str, content: dict[str, int]) -> str:
    """Put the same four times at once; the event id that comes first. The others are given up."""

    async def put() -> str:
        async with session.put(path, json=content) as answer:
            assert answer.status == 200, await answer.text()
            return str((await answer.json())["event_id"])

    tasks = [asyncio.create_task(put()) for _ in range(4)]
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    return done.pop().result()


async def faults(database_url: URL, data_dir: Path) -> list[str]:
    """What the verifier finds in any room."""
    plain = database_url.set(drivername=database_url.get_backend_name())
    hs = build(
        Settings.model_validate(
            {
                "server": {"data_dir": data_dir},
                "database": {"url": plain.render_as_string(hide_password=False)},
            }
        )
    )
    keys = {hs.settings.server.name: {hs.core.keys.signing.key_id: hs.core.keys.signing.verify_key}}
    async with hs.core.db.read() as conn:
        rows = await conn.exec_driver_sql("SELECT room_id FROM rooms")
        room_ids = [RoomId(row[0]) for row in rows]
    found = [fault.what for room_id in room_ids async for fault in verify_room(hs.core.db, room_id, keys)]
    await hs.core.db.close()
    return found
