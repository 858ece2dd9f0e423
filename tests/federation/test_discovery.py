"""Where servers are found: each line of the specification's table, against a real web server with real TLS."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from homeserver.clock import FakeClock
from homeserver.federation.transport.discovery import Discovery, Service, Target, in_order
from homeserver.net.client import HttpClient
from homeserver.net.publicnet import Guard
from homeserver.protocol.ids import ServerName
from tests.authority import Authority
from tests.net.names import OPEN, Names

HOUR_MS = 3_600_000


BAD: dict[str, tuple[int, Any, dict[str, str]]] = {
    "absent.example": (404, {}, {}),
    "broken.example": (500, {"m.server": "x.example"}, {}),
    "text.example": (200, "not JSON", {}),
    "list.example": (200, ["m.server"], {}),
    "number.example": (200, {"m.server": 5}, {}),
    "null.example": (200, {"m.server": None}, {}),
    "path.example": (200, {"m.server": "x.example/path"}, {}),
    "port.example": (200, {"m.server": "x.example:99999"}, {}),
    "large.example": (200, {"m.server": "x.example", "more": "x" * 60_000}, {}),
    "round.example": (302, "", {"Location": "/.well-known/matrix/server"}),
    "plain.example": (302, "", {"Location": "http://a.example/.well-known/matrix/server"}),
    "inward.example": (302, "", {"Location": "https://private.example/.well-known/matrix/server"}),
    "private.example": (200, {"m.server": "x.example"}, {}),
}


def elsewhere() -> Names:
    """Every name is this machine, but for what is private."""
    return Names({"private.example": ["10.1.2.3"]})


@dataclass
class Records:
    """SRV records by name; a name with None cannot be looked up now."""

    held: dict[str, list[Service] | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def services(self, name: str) -> Sequence[Service]:
        self.asked.append(name)
        found = self.held.get(name, [])
        if found is None:
            raise OSError(name)
        return found


@dataclass
class WellKnown:
    """The well-known files of all hosts: (status, body or redirect, headers)."""

    files: dict[str, tuple[int, Any, dict[str, str]]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    port: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        host = request.host.partition(":")[0]
        self.asked[host] += 1
        status, body, headers = self.files.get(host, (404, {}, {}))
        if isinstance(body, str):
            return web.Response(status=status, text=body, headers=headers)
        return web.json_response(body, status=status, headers=headers)

    def names(self, host: str, server: Any, **headers: str) -> None:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        self.files[host] = (200, {"m.server": server}, given)


@pytest.fixture
async def known(tmp_path: Path) -> AsyncIterator[tuple[WellKnown, Authority]]:
    authority, made = Authority(tmp_path), WellKnown()
    app = web.Application()
    app.router.add_get("/.well-known/matrix/server", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    context = authority.serve([*(f"{letter}.example" for letter in "abcdefg"), *BAD])
    site = web.TCPSite(runner, OPEN, 0, ssl_context=context)
    await site.start()
    made.port = runner.addresses[0][1]
    yield made, authority
    await runner.cleanup()


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
async def discovery(
    known: tuple[WellKnown, Authority], records: Records, clock: FakeClock
) -> AsyncIterator[Discovery]:
    files, authority = known
    http = HttpClient(Guard([ip_network(OPEN)]), connections=5, resolver=elsewhere(), tls=authority.trust())
    yield Discovery(http, records, clock, https_port=files.port)
    await http.close()


async def first(discovery: Discovery, name: str) -> tuple[str, int, str, str]:
    target = (await discovery.targets(ServerName(name)))[0]
    return target.host, target.port, target.host_header, target.tls_name


async def test_a_name_with_a_port_or_an_address_is_taken_as_it_is(
    discovery: Discovery, known: tuple[WellKnown, Authority], records: Records
) -> None:
    assert await first(discovery, "1.2.3.4") == ("1.2.3.4", 8448, "1.2.3.4", "1.2.3.4")
    assert await first(discovery, "1.2.3.4:99") == ("1.2.3.4", 99, "1.2.3.4:99", "1.2.3.4")
    assert await first(discovery, "[2001:db8::1]") == ("2001:db8::1", 8448, "[2001:db8::1]", "2001:db8::1")
    assert await first(discovery, "[2001:db8::1]:99") == (
        "2001:db8::1",
        99,
        "[2001:db8::1]:99",
        "2001:db8::1",
    )
    assert await first(discovery, "a.example:99") == ("a.example", 99, "a.example:99", "a.example")
    assert not known[0].asked
    assert not records.asked


async def test_well_known_names_another(
    discovery: Discovery, known: tuple[WellKnown, Authority], records: Records
) -> None:
    files, _ = known
    files.names("a.example", "1.2.3.4")
    files.names("b.example", "1.2.3.4:99")
    files.names("c.example", "d.example:443")
    files.names("e.example", "served.example")
    files.names("f.example", "old.example")
    files.names("g.example", "plain.example")
    files.names("plain.example", "never.example:1")  # well-known is not followed twice
    records.held["_matrix-fed._tcp.served.example"] = [Service("host.example", 1234, 1, 1)]
    records.held["_matrix._tcp.old.example"] = [Service("host.example", 1235, 1, 1)]
    records.held["_matrix-fed._tcp.g.example"] = [Service("never.example", 1, 1, 1)]
    assert await first(discovery, "a.example") == ("1.2.3.4", 8448, "1.2.3.4", "1.2.3.4")
    assert await first(discovery, "b.example") == ("1.2.3.4", 99, "1.2.3.4:99", "1.2.3.4")
    assert await first(discovery, "c.example") == ("d.example", 443, "d.example:443", "d.example")
    assert await first(discovery, "e.example") == ("host.example", 1234, "served.example", "served.example")
    assert await first(discovery, "f.example") == ("host.example", 1235, "old.example", "old.example")
    assert await first(discovery, "g.example") == ("plain.example", 8448, "plain.example", "plain.example")


@pytest.mark.parametrize("name", BAD)
async def test_without_a_good_file_services_are_asked(
    discovery: Discovery, known: tuple[WellKnown, Authority], records: Records, name: str
) -> None:
    known[0].files = dict(BAD)
    files = known[0]
    assert await first(discovery, name) == (name, 8448, name, name)
    assert records.asked == [f"_matrix-fed._tcp.{name}", f"_matrix._tcp.{name}"]
    assert bool(files.asked[name]) == (name != "private.example")
    records.held[f"_matrix._tcp.{name}"] = [Service("old.example", 2, 1, 1)]
    assert await first(discovery, name) == ("old.example", 2, name, name)
    records.held[f"_matrix-fed._tcp.{name}"] = [Service("new.example", 3, 1, 1)]
    assert await first(discovery, name) == ("new.example", 3, name, name)
    records.held[f"_matrix-fed._tcp.{name}"] = None
    assert await first(discovery, name) == ("old.example", 2, name, name)


async def test_a_redirect_is_followed(discovery: Discovery, known: tuple[WellKnown, Authority]) -> None:
    files, _ = known
    there = f"https://b.example:{files.port}/.well-known/matrix/server"
    files.files["a.example"] = (301, "", {"Location": there})
    files.names("b.example", "c.example:1")
    assert await first(discovery, "a.example") == ("c.example", 1, "c.example:1", "c.example")


@pytest.mark.parametrize(
    ("control", "hours"),
    [
        ("", 24),
        ("max-age=7200", 2),
        ("public, max-age=99999999", 48),
        ("max-age=0", 0.083),
        ("no-store", 0.083),
    ],
)
async def test_what_it_says_is_kept_as_long_as_it_says(
    discovery: Discovery,
    known: tuple[WellKnown, Authority],
    clock: FakeClock,
    control: str,
    hours: float,
) -> None:
    files, _ = known
    files.names("a.example", "b.example:1", **({"Cache_Control": control} if control else {}))
    await asyncio.gather(*(first(discovery, "a.example") for _ in range(5)))
    clock.advance(int(hours * HOUR_MS) - 60_000)
    await first(discovery, "a.example")
    assert files.asked["a.example"] == 1
    clock.advance(120_000)
    files.names("a.example", "c.example:2")
    assert (await first(discovery, "a.example"))[:2] == ("c.example", 2)


async def test_a_failure_is_not_asked_for_again_at_once(
    discovery: Discovery, known: tuple[WellKnown, Authority], clock: FakeClock
) -> None:
    for _ in range(3):
        await first(discovery, "a.example")
    assert known[0].asked["a.example"] == 1
    clock.advance(HOUR_MS + 1)
    known[0].names("a.example", "b.example:1")
    assert (await first(discovery, "a.example"))[:2] == ("b.example", 1)


async def test_services_are_tried_in_their_order(discovery: Discovery, records: Records) -> None:
    held = [Service("c", 1, 20, 0), Service("a", 1, 10, 0), Service("b", 1, 10, 100), Service("d", 1, 30, 5)]
    records.held["_matrix-fed._tcp.a.example"] = held
    found = await discovery.targets(ServerName("a.example"))
    assert [one.host for one in found] == ["b", "a", "c", "d"], "no weight: only after those that have one"
    assert {type(one) for one in found} == {Target}
    seen = Counter(in_order([Service("x", 1, 1, 90), Service("y", 1, 1, 10)])[0].host for _ in range(300))
    assert seen["x"] > seen["y"] > 0
