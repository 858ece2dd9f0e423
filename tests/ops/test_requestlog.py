"""One line and one count per request, over real sockets."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from homeserver import logs
from homeserver.http import requestlog
from homeserver.metrics import Metrics, waiting

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
SLOW_MS = 500
WAITED_S = 0.8


class Server:
    """A server with a face under /api, listening on a port of its own."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.seen_ids: list[str] = []
        self.url = ""
        self.socket_closed = asyncio.Event()

    async def room(self, request: web.Request) -> web.Response:
        request[requestlog.USER_ID] = "@alice:localhost"
        self.seen_ids.append(logs.request_id.get())
        return web.Response(text=await request.text())

    async def bug(self, _request: web.Request) -> web.Response:
        raise RuntimeError("a bug")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"x")
        return answer

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            pass
        self.socket_closed.set()
        return socket

    async def broken(self, request: web.Request) -> web.WebSocketResponse:
        socket = await self.socket(request)
        raise ConnectionResetError(f"{socket.status}: the other side is gone")

    def app(self) -> web.Application:
        face = web.Application()
        for path in ("/rooms/{room_id}", "/rooms/{room_id}/"):
            face.router.add_post(path, self.room)
        face.router.add_get("/bug", self.bug)
        face.router.add_get("/stream", self.stream)
        face.router.add_get("/ws", self.socket)
        face.router.add_get("/broken", self.broken)
        app = web.Application()
        app.add_subapp("/api", face)
        app.router.add_get("/health", self.stream)
        requestlog.install(app, self.metrics, slow_request_ms=60_000)
        return app


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    runner = web.AppRunner(server.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(autouse=True)
def _level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "homeserver.access")


def access_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "homeserver.access"]


async def test_a_line_says_who_did_what_and_neither_query_header_nor_body(
    server: Server, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with client.post(
        f"{server.url}/api/rooms/7?token={TOKEN}", data="dear diary", headers=headers
    ) as answer:
        assert answer.status == 200
    [line] = access_lines(caplog)
    assert re.fullmatch(r"POST /api/rooms/7 200 in \d+\.\d ms user=@alice:localhost", line)
    assert TOKEN not in caplog.text
    assert "dear diary" not in caplog.text


async def test_the_answer_carries_the_id_of_the_request(
    server: Server, client: aiohttp.ClientSession
) -> None:
    async with client.post(f"{server.url}/api/rooms/7") as answer:
        assert answer.headers["X-Request-ID"] == server.seen_ids[0]
        assert re.fullmatch(r"[0-9a-f]{16}", server.seen_ids[0])
    async with client.post(f"{server.url}/api/rooms/7") as answer:
        assert answer.headers["X-Request-ID"] != server.seen_ids[0]
    assert logs.request_id.get() == ""


@pytest.mark.parametrize("path", ["/api/stream", "/api/bug", "/nowhere"])
async def test_so_do_streams_bugs_and_unknown_addresses(
    server: Server, client: aiohttp.ClientSession, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with client.get(server.url + path, headers={"X-Request-ID": "from-the-proxy-1"}) as answer:
        assert answer.headers["X-Request-ID"] == "from-the-proxy-1"
    assert len(access_lines(caplog)) == 1


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a;b", "a_b", "é", "../../etc"])
async def test_an_odd_id_is_not_taken_over(server: Server, client: aiohttp.ClientSession, given: str) -> None:
    async with client.post(f"{server.url}/api/rooms/7", headers={"X-Request-ID": given}) as answer:
        assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-ID"])


async def test_requests_are_counted_by_template_with_and_without_slash(
    server: Server, client: aiohttp.ClientSession
) -> None:
    for path in ("/api/rooms/7", "/api/rooms/8/", "/nowhere/9", "/api/nowhere/10"):
        async with client.post(server.url + path):
            pass
    name = "homeserver_http_requests_total"
    assert server.metrics.value(name, route="/api/rooms/{room_id}", method="POST", status="2xx") == 2
    assert server.metrics.value(name, route="unmatched", method="POST", status="4xx") == 2
    assert server.metrics.value("homeserver_http_requests_open") == 0


async def test_a_bug_is_a_500_and_a_warning(
    server: Server, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    async with client.get(f"{server.url}/api/bug") as answer:
        assert answer.status == 500
    [record] = [record for record in caplog.records if record.name == "homeserver.access"]
    assert record.levelno == logging.WARNING
    assert " 500 in " in record.getMessage()


async def test_a_socket_is_one_request_without_a_duration(
    server: Server, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    async with client.ws_connect(f"{server.url}/api/ws?token={TOKEN}") as socket:
        assert socket._response.headers["X-Request-ID"]
        assert server.metrics.value("homeserver_http_requests_open") == 1
    await server.socket_closed.wait()
    while not access_lines(caplog):
        await asyncio.sleep(0)
    name = "homeserver_http_requests_total"
    assert server.metrics.value(name, route="/api/ws", method="GET", status="1xx") == 1
    assert server.metrics.value("homeserver_http_request_seconds_count", route="/api/ws", method="GET") == 0
    assert TOKEN not in caplog.text


async def test_questions_after_health_are_only_for_debugging(
    server: Server, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    async with client.get(f"{server.url}/health"):
        pass
    [record] = [record for record in caplog.records if record.name == "homeserver.access"]
    assert record.levelno == logging.DEBUG


async def test_a_slow_request_is_a_warning_unless_it_waits_for_news(
    client: aiohttp.ClientSession, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        await asyncio.sleep(WAITED_S)
        return web.Response()

    async def wait(_request: web.Request) -> web.Response:
        with waiting():
            await asyncio.sleep(WAITED_S)
        return web.Response()

    metrics = Metrics()
    app = web.Application()
    app.router.add_get("/", answer)
    app.router.add_get("/wait", wait)
    requestlog.install(app, metrics, slow_request_ms=SLOW_MS)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    for answered in await asyncio.gather(client.get(f"{url}/"), client.get(f"{url}/wait")):
        answered.release()
    await runner.cleanup()
    records = {record.getMessage().split()[1]: record for record in caplog.records}
    slow, waited = records["/"], records["/wait"]
    assert slow.levelno == logging.WARNING
    assert slow.getMessage().endswith(" slow"), slow.getMessage()
    assert waited.levelno == logging.INFO, waited.getMessage()
    assert re.search(r" waited=\d+\.\d$", waited.getMessage())
    assert metrics.value("homeserver_http_request_seconds_sum", route="/wait", method="GET") < WAITED_S


async def test_a_socket_that_ends_badly_was_a_socket_all_the_same(
    client: aiohttp.ClientSession, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with client.ws_connect(f"{server.url}/api/broken"):
        pass
    async with asyncio.timeout(10):
        while not access_lines(caplog):
            await asyncio.sleep(0)
    assert access_lines(caplog)[0].startswith("GET /api/broken 499 in")
    assert (
        server.metrics.value("homeserver_http_request_seconds_count", route="/api/broken", method="GET") == 0
    )
