"""Clients that connect and say nothing, ask and do not read, or do not speak HTTP: nobody else notices."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from aiohttp import ClientSession, web

from homeserver.http.body import body_chunks
from homeserver.http.connections import Connections
from homeserver.http.routes import Call, Route
from homeserver.settings.models import ListenSettings
from tests.http.kit import site, until

LARGE = b"x" * 30_000_000  # more than the system's own buffers take


class Site(NamedTuple):
    port: int
    open: Connections
    held: asyncio.Event
    asked: list[str]
    writers: list[asyncio.StreamWriter]

    async def connect(self, send: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**18)
        self.writers.append(writer)
        writer.write(send)
        await writer.drain()
        return reader, writer

    async def ask(self, path: str = "small", name: str = "alice") -> int:
        """The status of a request on a connection of its own."""
        headers = {"Authorization": f"Bearer {name}", "Connection": "close"}
        async with ClientSession() as session, session.get(self.url(path), headers=headers) as answer:
            await answer.read()
            return answer.status

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/api/{path}"


def request(path: str, name: str = "alice") -> bytes:
    return f"GET /api/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {name}\r\n\r\n".encode()


@asynccontextmanager
async def listening(most: int = 1000, **settings: Any) -> AsyncIterator[Site]:
    held, asked = asyncio.Event(), []

    async def small(_call: Call[Any, Any]) -> dict[str, int]:
        return {"ok": 1}

    async def large(_call: Call[Any, Any]) -> web.Response:
        asked.append("large")
        return web.Response(body=LARGE)

    async def wait(_call: Call[Any, Any]) -> dict[str, int]:
        asked.append("wait")
        await held.wait()
        return {"ok": 1}

    async def upload(call: Call[Any, Any]) -> dict[str, int]:
        asked.append("upload")
        return {"size": sum([len(chunk) async for chunk in body_chunks(call.request)])}

    handlers = (("GET", small), ("GET", large), ("GET", wait), ("POST", upload))
    listen = ListenSettings(**settings)
    routes = [Route(method, f"/{one.__name__}", one, one.__name__) for method, one in handlers]
    runner = web.AppRunner(site(routes, listen=listen), access_log=None, shutdown_timeout=1)
    await runner.setup()
    assert runner.server is not None
    connections = Connections(listen, most)
    make = connections.protocol(runner.server)
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    try:
        here = Site(server.sockets[0].getsockname()[1], connections, held, asked, [])
        yield here
    finally:
        held.set()
        for writer in here.writers:
            writer.close()
        server.close()
        await runner.cleanup()
        await until(lambda: len(connections) == 0)


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Whether the server closes a connection without sending anything."""
    try:
        async with asyncio.timeout(5):
            return await reader.read() == b""
    except ConnectionError:
        return True


async def test_who_sends_no_request_is_closed() -> None:
    async with listening(first_request_s=0.2, keep_alive_s=1) as here:
        silent, _ = await here.connect()
        slow, _ = await here.connect(b"GET /api/small HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        said, writer = await here.connect(request("small"))
        assert (await said.readuntil(b'{"ok":1}')).startswith(b"HTTP/1.1 200")
        assert await is_closed(silent)
        assert await is_closed(slow)
        writer.write(request("small"))
        assert await said.readuntil(b'{"ok":1}'), "between requests there is more time"
        assert await is_closed(said)


@pytest.mark.parametrize("bound", ["of an address", "of the process"])
async def test_idle_connections_shut_nobody_out(bound: str) -> None:
    most = 10
    options = {"max_connections_per_address": most} if bound == "of an address" else {"most": most}
    async with listening(**options) as here:
        silent = [await here.connect() for _ in range(40)]
        assert await here.ask() == 200
        assert len(here.open) <= most
        assert await is_closed(silent[0][0]), "the oldest made room"


async def test_busy_connections_are_not_closed_for_others() -> None:
    async with listening(max_connections_per_address=10) as here:
        busy = [await here.connect(request("wait")) for _ in range(10)]
        await until(lambda: len(here.asked) == 10)
        refused, _ = await here.connect()
        assert await is_closed(refused)
        here.held.set()
        for reader, _ in busy:
            assert await reader.readuntil(b'{"ok":1}')


async def test_that_the_limit_nears_stands_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(most=10) as here:
        for _ in range(15):
            await here.connect()
        await until(lambda: len(here.open) == 10)
    said = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert said == [
        "10 connections are open, of 10 that the limit of files leaves room for; the most, 10, are of 127.0.0.1"
    ]


async def test_an_answer_that_is_not_read_is_given_up() -> None:
    async with listening(stalled_answer_s=0.3) as here:
        await here.connect(request("large"))
        await until(lambda: here.asked == ["large"])
        await until(lambda: len(here.open) == 0)


async def test_an_answer_that_is_read_slowly_arrives() -> None:
    async with listening(stalled_answer_s=0.5) as here:
        reader, _ = await here.connect(request("large"))
        size = 0
        while size < len(LARGE):
            data = await reader.read(2**18)
            assert data, f"cut after {size} bytes"
            size += len(data)
            await asyncio.sleep(0.008)  # the whole takes longer than the deadline


async def test_answers_that_wait_for_one_user_are_bounded() -> None:
    async with listening(max_unread_bytes=5_000_000) as here:
        kept = [await here.connect(request("large", "mallory"))]
        await until(lambda: len(here.asked) == 1)

        async def is_refused() -> bool:
            return await here.ask("small", "mallory") == 429

        await until_async(is_refused)
        assert await here.ask("small", "alice") == 429, "the address is the same here"
        kept[0][1].close()
        await until(lambda: len(here.open) == 0)
        assert await here.ask("small", "mallory") == 200


async def until_async(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_one_user_has_a_share_of_the_requests_in_progress() -> None:
    async with listening(max_requests_per_user=10, max_requests_per_address=15) as here:
        asked = [asyncio.create_task(here.ask("wait")) for _ in range(10)]
        await until(lambda: len(here.asked) == 10)
        assert await here.ask("small") == 429
        assert await here.ask("small", "bob") == 200
        asked += [
            asyncio.create_task(here.ask("wait", name)) for name in ("bob", "carl", "dora", "eve", "fay")
        ]
        await until(lambda: len(here.asked) == 15)
        assert await here.ask("small", "gil") == 429, "the share of the address"
        here.held.set()
        assert await asyncio.gather(*asked) == [200] * 15
        assert await here.ask("small") == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /api/small HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
        b"GET /api/small HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 10_000 + b"\r\n\r\n",
        b"POST /api/small HTTP/1.1\r\nHost: x\r\nContent-Length: minus\r\n\r\n",
        b"\x00\x00\x00\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture, sent: bytes) -> None:
    caplog.set_level(logging.INFO)
    async with listening() as here:
        reader, _ = await here.connect(sent)
        answer = await reader.read()
    head = answer.partition(b"\r\n\r\n")[0].decode().lower()
    assert head.startswith("http/1.0 400")
    assert "server: homeserver" in head
    assert "python" not in head
    assert b'"code":"bad_request"' in answer
    lines = [one for one in caplog.records if one.name != "homeserver.access"]
    assert [(one.levelname, one.exc_info) for one in lines] == [("INFO", None)]
    assert lines[0].getMessage().startswith("malformed request of 127.0.0.1")


@pytest.mark.parametrize("size", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
async def test_an_upload_that_is_cancelled_is_no_error(caplog: pytest.LogCaptureFixture, size: str) -> None:
    caplog.set_level(logging.INFO)
    async with listening() as here:
        head = f"POST /api/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\n{size}\r\n\r\n"
        _, writer = await here.connect(head.encode() + b"400\r\nabc")
        await until(lambda: here.asked == ["upload"])
        writer.transport.abort()
        await until(lambda: len(here.open) == 0)
    assert [one.getMessage() for one in caplog.records if one.levelno > logging.INFO or one.exc_info] == []


async def test_what_is_expected_of_an_unknown_path_is_refused_in_our_form() -> None:
    async with listening() as here:
        reader, _ = await here.connect(
            b"GET /nowhere HTTP/1.1\r\nHost: x\r\nExpect: 200-foo\r\nConnection: close\r\n\r\n"
        )
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 417")
    assert b'"code":"expectation_failed"' in answer
