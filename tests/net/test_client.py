"""Outgoing requests against servers on this machine: how much is read, how long it takes, and where it may lead."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from homeserver.errors import Forbidden, Unavailable, Upstream
from homeserver.net import errors
from homeserver.net.client import HttpClient, Request
from homeserver.net.publicnet import Guard
from tests.authority import Authority
from tests.net.names import OPEN, Names

BIG = 100_000


@dataclass
class Site:
    """Answers at every address of this machine. `asked`: method and path of each request; `hosts`: of whom."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    open: int = 0
    most_open: int = 0

    def url(self, path: str, host: str = "site.example") -> URL:
        return URL(f"http://{host}:{self.port}{path}")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        self.hosts.append(request.host.partition(":")[0])
        self.secrets.append(request.headers.get("Authorization", ""))
        self.bodies.append(await request.read())
        match request.path:
            case "/big":
                return web.Response(body=b"x" * BIG)
            case "/endless":
                return await self._drip(request, b"x" * 5000, pause_s=0)
            case "/loris":
                return await self._drip(request, b"x", pause_s=0.02)
            case "/bomb":
                packed = gzip.compress(b"<b>" + bytes(30_000_000))
                return web.Response(body=packed, headers={"Content-Encoding": "gzip"})
            case "/packed":
                return web.Response(body=gzip.compress(b"words"), headers={"Content-Encoding": "gzip"})
            case "/mispacked":
                return web.Response(body=b"words", headers={"Content-Encoding": "gzip"})
            case "/odd":
                return web.Response(body=b"words", headers={"Content-Encoding": "br"})
            case "/to":
                return web.Response(status=302, headers={"Location": request.query["where"]})
            case "/kept":
                return web.Response(status=307, headers={"Location": "/end"})
            case "/round":
                return web.Response(status=302, headers={"Location": "/round"})
        return web.Response(
            text="end", headers={"Set-Cookie": "a=b", "X-Cookie": request.headers.get("Cookie", "")}
        )

    async def _drip(self, request: web.Request, piece: bytes, *, pause_s: float) -> web.StreamResponse:
        """An answer that never ends."""
        response = web.StreamResponse()
        await response.prepare(request)
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            while True:
                await response.write(piece)
                await asyncio.sleep(pause_s)
        except (ConnectionError, asyncio.CancelledError):
            return response
        finally:
            self.open -= 1


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 0).start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
async def client(names: Names) -> AsyncIterator[HttpClient]:
    made = HttpClient(Guard([ip_network(OPEN)]), connections=2, resolver=names)
    yield made
    await made.close()


def get(url: URL, **changes: object) -> Request:
    return replace(Request("GET", url, timeout_s=30, max_bytes=1000), **changes)  # type: ignore[arg-type]  # by name


async def test_an_answer(client: HttpClient, site: Site) -> None:
    for _ in range(2):
        found = await client.request(get(site.url("/a"), method="PUT", body=b"hello", headers={"X-A": "b"}))
        assert (found.status, found.body, found.is_whole) == (200, b"end", True)
        assert (found.content_type, found.charset, found.url) == ("text/plain", "utf-8", site.url("/a"))
        assert found.headers["x-cookie"] == "", "no cookie is kept"
    assert site.asked == ["PUT /a"] * 2
    assert site.bodies == [b"hello"] * 2
    assert issubclass(errors.RequestFailed, Upstream)


@pytest.mark.parametrize("path", ["/big", "/endless"])
async def test_no_more_is_read_than_is_wanted(client: HttpClient, site: Site, path: str) -> None:
    with pytest.raises(errors.BodyTooLarge):
        await client.request(get(site.url(path)))
    cut = await client.request(get(site.url(path), may_cut=True))
    assert (cut.body, cut.is_whole) == (b"x" * 1000, False)
    unread = await client.request(get(site.url(path), may_cut=True, max_bytes=0))
    assert (unread.status, unread.body) == (200, b"")


async def test_a_body_of_just_the_size(client: HttpClient, site: Site) -> None:
    found = await client.request(get(site.url("/big"), max_bytes=BIG))
    assert (len(found.body), found.is_whole) == (BIG, True)


async def test_packed_bodies_are_bounded_unpacked(client: HttpClient, site: Site) -> None:
    assert (await client.request(get(site.url("/packed"), unpack=True))).body == b"words"
    bomb = get(site.url("/bomb"), unpack=True, max_bytes=50_000)
    with pytest.raises(errors.BodyTooLarge):
        await client.request(bomb)
    cut = await client.request(replace(bomb, may_cut=True))
    assert (cut.body[:3], len(cut.body), cut.is_whole) == (b"<b>", 50_000, False)
    for path in ("/mispacked", "/odd"):
        with pytest.raises(errors.BadEncoding):
            await client.request(get(site.url(path), unpack=True))
        assert (await client.request(get(site.url(path)))).body == b"words", "as it came, without `unpack`"


async def test_who_answers_byte_by_byte_meets_the_deadline(client: HttpClient, site: Site) -> None:
    """Each byte comes in time, and yet the answer would never end."""
    with pytest.raises(errors.DeadlineExceeded):
        await client.request(get(site.url("/loris"), timeout_s=0.3, max_bytes=BIG))


async def test_who_never_answers_meets_the_deadline(client: HttpClient) -> None:
    """Neither headers that trickle, nor a server that says nothing, holds a request longer than it wants."""

    async def trickle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for piece in (b"HTTP/1.1 200 OK\r\n", *[b"X-A: b\r\n"] * 10_000):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(trickle, "0.0.0.0", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(errors.DeadlineExceeded):
        await client.request(get(URL(f"http://site.example:{port}/"), timeout_s=0.3))
    server.close()


async def test_the_pool_is_bounded_and_waiting_counts(client: HttpClient, site: Site) -> None:
    holding = [
        asyncio.ensure_future(client.request(get(site.url("/loris"), timeout_s=60, max_bytes=BIG)))
        for _ in range(2)
    ]
    async with asyncio.timeout(20):
        while len(site.asked) < 2:
            await asyncio.sleep(0.01)
    waiting = [client.request(get(site.url("/loris"), timeout_s=0.5, max_bytes=BIG)) for _ in range(4)]
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in found] == [errors.DeadlineExceeded] * 4
    assert (site.most_open, len(site.asked)) == (2, 2), "connections=2"
    for task in holding:
        task.cancel()
    await asyncio.gather(*holding, return_exceptions=True)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fec0::1", "fe80::1"]
)
async def test_a_name_that_leads_to_a_private_address(
    client: HttpClient, site: Site, names: Names, address: str
) -> None:
    names.leads["inner.example"] = [address]
    with pytest.raises(errors.Refused):
        await client.request(get(site.url("/secret", "inner.example")))
    assert (names.looked, site.asked) == (["inner.example"], [])


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "2130706433", "0x7f.1", "localhost"],
)
async def test_private_addresses_as_hosts(site: Site, host: str) -> None:
    client = HttpClient(Guard(), connections=1)
    with pytest.raises(errors.RequestFailed):
        await client.request(get(site.url("/secret", host)))
    await client.close()
    assert site.asked == []


async def test_a_name_that_means_another_address_each_time(site: Site, names: Names) -> None:
    """What was looked up is what is connected to; each further look is held against the same rule."""
    names.leads["rebound.example"] = [OPEN, "127.0.0.1"]
    client = HttpClient(Guard([ip_network(OPEN)]), connections=2, keeps=False, resolver=names)
    url = site.url("/a", "rebound.example")
    assert (await client.request(get(url))).status == 200
    with pytest.raises(errors.Refused):
        await client.request(get(url))
    await client.close()
    assert site.asked == ["GET /a"]


async def test_a_redirect_to_a_private_address(client: HttpClient, site: Site, names: Names) -> None:
    names.leads["inner.example"] = ["127.0.0.1"]
    for where in (
        site.url("/secret", "inner.example"),
        site.url("/secret", "127.0.0.1"),
        "file:///etc/passwd",
    ):
        url = site.url("/to").with_query(where=str(where))
        with pytest.raises(errors.Refused):
            await client.request(get(url, max_redirects=3, check_redirect=lambda found: found))
        with pytest.raises(errors.Refused):
            await client.request(get(url, max_redirects=3))
    assert site.asked == ["GET /to"] * 6


async def test_redirects(client: HttpClient, site: Site) -> None:
    near = site.url("/to").with_query(where="/end#part")
    far = site.url("/to").with_query(where=str(site.url("/end", "other.example")))
    assert (await client.request(get(near))).status == 302, "none is followed unless it is wanted"
    found = await client.request(get(near, max_redirects=1, method="POST", body=b"once"))
    assert (found.body, found.url) == (b"end", site.url("/end"))
    assert site.asked[-2:] == ["POST /to", "GET /end"]
    assert site.bodies[-1] == b""
    await client.request(get(site.url("/kept"), max_redirects=1, method="POST", body=b"twice"))
    assert (site.asked[-1], site.bodies[-1]) == ("POST /end", b"twice")
    with pytest.raises(errors.Refused):
        await client.request(get(far, max_redirects=1))
    assert site.hosts[-1] == "site.example", "what is sent may be meant for one server alone"
    headers = {"Host": "named.example", "Authorization": "secret"}
    await client.request(get(far, max_redirects=1, check_redirect=lambda url: url, headers=headers))
    assert site.hosts[-2:] == ["named.example", "other.example"]
    assert site.secrets[-2:] == ["secret", ""]

    def refuse(_url: URL) -> URL:
        raise Forbidden("not there")

    with pytest.raises(Forbidden):
        await client.request(get(near, max_redirects=1, check_redirect=refuse))


async def test_too_many_redirects(client: HttpClient, site: Site) -> None:
    with pytest.raises(errors.TooManyRedirects):
        await client.request(get(site.url("/round"), max_redirects=3))
    assert len(site.asked) == 4


async def test_who_is_not_there_or_speaks_no_http(client: HttpClient, site: Site) -> None:
    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "0.0.0.0", 0)
    port = server.sockets[0].getsockname()[1]
    no_tls = site.url("/").with_scheme("https")
    for url in (URL("http://site.example:1/"), URL(f"http://site.example:{port}/"), no_tls):
        with pytest.raises(errors.Unreachable):
            await client.request(get(url))
    server.close()


async def test_a_certificate_may_bear_another_name_than_the_address(tmp_path: Path) -> None:
    """Whoever looked up a server by other means asks an address, and wants the server's certificate."""
    authority = Authority(tmp_path)
    app = web.Application()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=request.host)

    app.router.add_get("/", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 0, ssl_context=authority.serve(["peer.example"])).start()
    client = HttpClient(Guard([ip_network(OPEN)]), connections=2, tls=authority.trust())
    request = get(URL(f"https://{OPEN}:{runner.addresses[0][1]}/"), headers={"Host": "peer.example"})
    found = await client.request(replace(request, server_hostname="peer.example"))
    assert found.body == b"peer.example"
    for name in ("other.example", None):
        with pytest.raises(errors.Unreachable):
            await client.request(replace(request, server_hostname=name))
    await client.close()
    await runner.cleanup()


async def test_after_the_end_nobody_is_asked(client: HttpClient, site: Site) -> None:
    await client.request(get(site.url("/a")))
    await client.close()
    with pytest.raises(Unavailable):
        await client.request(get(site.url("/a")))
    assert site.asked == ["GET /a"]
