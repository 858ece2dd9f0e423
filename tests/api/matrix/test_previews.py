"""Previews of web pages: what they say, and what they can never reach."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest

from homeserver.app import build
from homeserver.clock import FakeClock
from homeserver.lifecycle import Running, running
from homeserver.settings.models import Settings
from tests.api.matrix.driver import Client
from tests.api.matrix.mediakit import NEW, OLD, get, picture, place_of
from tests.api.matrix.web import OPEN, Site, serving

PAGE = """<!doctype html><html><head><meta charset=utf-8><title>Plain
 title</title><meta property="og:title" content="The  title">
<meta name="twitter:description" content="Of birds"><meta name="description" content="not this">
<meta property="og:site_name" content="Nest"><meta property="og:image" content="/pic.png">
<meta property="og:image:width" content="9999"><meta property="og:video" content="http://a.example/v">
</head><body><p>First words</body></html>"""


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving() as one:
        one.put("/", PAGE)
        one.put("/pic.png", picture(40, 30), "image/png")
        one.put("/secret", "<title>secret</title>")
        yield one


@pytest.fixture
def overrides(site: Site) -> dict[str, object]:
    previews = {
        "enabled": True,
        "allowed_networks": [f"{OPEN}/32"],
        "ports": [80, 443, site.port],
        "denied_hosts": ["denied.example"],
        "max_redirects": 3,
        "max_page_bytes": 20_000,
        "max_image_bytes": 50_000,
        "timeout_s": 5,
    }
    return {"matrix": {"enabled": True}, "previews": previews}


@pytest.fixture
async def server(settings: Settings, site: Site, clock: FakeClock) -> AsyncIterator[Running]:
    async with running(settings, build(settings, clock=clock, resolver=site)) as one:
        yield one


async def preview(client: Client, url: str, status: int = 200, **more: Any) -> Any:
    return await client.call("GET", f"{NEW}/preview_url", status, params={"url": url, **more})


@pytest.mark.both
async def test_what_a_page_says(alice: Client, nobody: Client, site: Site) -> None:
    said = await preview(alice, "http://birds.example/")
    place = place_of(said.pop("og:image"))
    assert said == {
        "og:title": "The title",
        "og:description": "Of birds",
        "og:site_name": "Nest",
        "og:image:type": "image/png",
        "og:image:width": 40,
        "og:image:height": 30,
        "matrix:image:size": len(picture(40, 30)),
    }
    assert (await get(alice, f"download/{place}")).data == picture(40, 30)
    old = await alice.call("GET", f"{OLD}/preview_url", params={"url": "http://birds.example/#part"})
    assert place_of(old["og:image"]) == place
    assert site.asked == ["/", "/pic.png"], "kept, and the part of a page is no page of its own"
    assert (
        await nobody.errcode("GET", f"{NEW}/preview_url?url=http://birds.example/", 401) == "M_MISSING_TOKEN"
    )


KINDS: list[
    tuple[str | bytes, str, str | None, str | None]
] = [  # a page, its type; its title and description
    ("<title>Žluť</title><p>a<p>b".encode("cp1250"), "text/html; charset=windows-1250", "Žluť", "a b"),
    ('<meta charset="koi8-r"><title>Птица</title>'.encode("koi8-r"), "text/html", "Птица", None),
    ("<title>Птица</title>", "text/html; charset=idna", "Птица", None),
    ("<title>caf\xe9</title>".encode("latin-1"), "text/html", "café", None),
    ("\ufeff<title>é</title>".encode("utf-16-le"), "text/html", "é", None),
    (
        "<?xml version='1.0' encoding='utf-8'?><html><title>x</title></html>",
        "application/xhtml+xml",
        "x",
        None,
    ),
    (
        "<title>a &amp; b</title><script>var p='<p>no'</script><nav><p>no</nav><p>yes",
        "text/html",
        "a & b",
        "yes",
    ),
    ("<title>open<meta property=og:title content='t", "text/html", None, None),
    ("", "text/html", None, None),
    ("<a" * 9000, "text/html", None, None),
    (b"\0\xff" * 500, "text/html", None, None),
    ("%PDF", "application/pdf", None, None),
]


async def test_pages_of_all_kinds(alice: Client, site: Site) -> None:
    for number, (page, kind, title, description) in enumerate(KINDS):
        site.put(f"/odd{number}", page, kind)
        said = await preview(alice, f"http://birds.example/odd{number}")
        if title is not None:
            assert said["og:title"] == title, page
        assert said.get("og:description") == description, page
        assert "og:image" not in said, page


async def test_a_page_is_read_from_its_beginning(alice: Client, site: Site) -> None:
    site.put("/long", f"<title>long</title>{'x' * 100_000}<p>late")
    assert await preview(alice, "http://birds.example/long") == {"og:title": "long"}
    bomb = gzip.compress(b"<title>packed</title>" + bytes(30_000_000))
    assert len(bomb) < 50_000
    site.put("/bomb", bomb, **{"Content-Encoding": "gzip"})
    assert await preview(alice, "http://birds.example/bomb") == {"og:title": "packed"}
    site.put("/odd", b"?", **{"Content-Encoding": "br"})
    assert (await preview(alice, "http://birds.example/odd", 502))["errcode"] == "M_UNKNOWN"


async def test_pictures(alice: Client, site: Site) -> None:
    said = await preview(alice, "http://birds.example/pic.png")
    assert said["og:image:type"] == "image/png"
    site.put("/large.png", picture(40, 30) + bytes(60_000), "image/png")
    site.put("/no.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml")
    for where in (
        "/large.png",
        "/no.svg",
        "http://denied.example/pic.png",
        "data:image/png,x",
        "http://[",
        "/none",
    ):
        site.put("/page", f'<title>t</title><meta property="og:image" content="{where}">')
        name = f"http://n{abs(hash(where))}.example/page"
        assert await preview(alice, name) == {"og:title": "t"}, where


async def test_redirects_are_looked_at_one_by_one(alice: Client, site: Site) -> None:
    site.redirect("/a", "http://other.example/b")
    site.redirect("/b", "/")
    assert (await preview(alice, "http://birds.example/a"))["og:title"] == "The title"
    site.redirect("/round", "/round")
    assert (await preview(alice, "http://birds.example/round", 502))["errcode"] == "M_UNKNOWN"
    assert site.asked.count("/round") == 4


INNER = [
    "127.0.0.1",
    "10.0.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "fe80::1",
    "fd00::1",
]


async def test_a_name_that_means_a_private_address(alice: Client, site: Site) -> None:
    for number, address in enumerate(INNER):
        site.leads[f"inner{number}.example"] = [address]
        refused = await preview(alice, f"http://inner{number}.example/secret", 502)
        assert refused["errcode"] == "M_UNKNOWN", address
    assert site.asked == []


async def test_a_name_that_means_another_address_each_time(alice: Client, site: Site) -> None:
    """What was looked up is what is connected to; a later look that says otherwise is held against the same rule."""
    site.leads["rebound.example"] = [OPEN, "127.0.0.1"]
    site.redirect("/again", "http://rebound.example/secret")
    await preview(alice, "http://rebound.example/again", 502)
    assert site.asked == ["/again"]


REFUSED = [
    "http://127.0.0.1:PORT/secret",
    "http://2130706433:PORT/secret",
    "http://0x7f000001:PORT/secret",
    "http://0x7f.1:PORT/secret",
    "http://0177.0.0.1:PORT/secret",
    "http://127.1:PORT/secret",
    "http://[::1]:PORT/secret",
    "http://[::ffff:127.0.0.1]:PORT/secret",
    "http://[::ffff:7f00:1]:PORT/secret",
    "http://[64:ff9b::7f00:1]:PORT/secret",
    "http://localhost:PORT/secret",
    "http://localhost.:PORT/secret",
    "http://printer.local/secret",
    "http://birds.example:22/secret",
    "http://denied.example/secret",
    "http://www.DENIED.example./secret",
]
NO_ADDRESSES = [
    "http://birds.example@127.0.0.1:PORT/secret",
    "http://127.0.0.1:PORT\\@birds.example/secret",
    "http://user:pw@birds.example/secret",
    "ftp://birds.example/secret",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "http://",
    "birds.example",
    "http://birds.example:99999/",
    "http://birds.example/\n",
    f"http://birds.example/{'x' * 2000}",
]


async def test_addresses_that_are_not_asked(alice: Client, site: Site) -> None:
    for number, address in enumerate(REFUSED):
        url = address.replace("PORT", str(site.port))
        assert (await preview(alice, url, 403))["errcode"] == "M_FORBIDDEN", url
        site.redirect("/go", url)
        await preview(alice, f"http://n{number}.example/go", 502)
    for address in NO_ADDRESSES:
        url = address.replace("PORT", str(site.port))
        assert (await preview(alice, url, 400))["errcode"] == "M_INVALID_PARAM", url
    assert set(site.asked) == {"/go"}
    await alice.errcode("GET", f"{NEW}/preview_url", 400)


@pytest.mark.both
async def test_one_look_for_all_who_ask(alice: Client, site: Site) -> None:
    site.is_held = asyncio.Event()
    asking = [asyncio.create_task(preview(alice, "http://birds.example/")) for _ in range(5)]
    async with asyncio.timeout(30):
        while not site.asked:
            await asyncio.sleep(0)
    site.is_held.set()
    assert len({one["og:image"] for one in await asyncio.gather(*asking)}) == 1
    assert site.asked == ["/", "/pic.png"]


async def test_a_preview_ends(nobody: Client, server: Running, site: Site, clock: FakeClock) -> None:
    alice = await nobody.register("alice")
    first = await preview(alice, "http://birds.example/")
    began_ms = clock.now_ms()
    await preview(alice, "http://birds.example/gone", 502)
    await preview(alice, "http://birds.example/gone", 502)
    assert site.asked.count("/gone") == 1, "what failed is left alone for a while"
    clock.advance(43_200_000)
    alice = await nobody.login("alice")
    site.put("/", "<title>new</title>")
    assert await preview(alice, "http://birds.example/", ts=began_ms) == first
    assert await preview(alice, "http://birds.example/") == {"og:title": "new"}
    place = place_of(first["og:image"])
    assert await alice.errcode("GET", f"{NEW}/download/{place}", 404) == "M_NOT_FOUND"
    await server.hs.media.gc.run_once()
    assert not list((server.hs.settings.server.data_dir / "media" / "files").rglob(place[-26:]))


async def test_networks_that_are_allowed_are_asked_by_address_and_by_any_name(
    alice: Client, site: Site
) -> None:
    hosts = (f"{OPEN}:{site.port}", f"[::ffff:{OPEN}]:{site.port}", "wiki", "wiki.internal")
    for number, host in enumerate(hosts):
        site.put(f"/{number}", f"<title>{number}</title>")
        assert await preview(alice, f"http://{host}/{number}") == {"og:title": str(number)}, host
    site.leads["printer"] = ["127.0.0.1"]
    await preview(alice, "http://printer/secret", 502)
    assert "/secret" not in site.asked


class TestFew:
    @pytest.fixture
    def overrides(self, site: Site) -> dict[str, object]:
        previews = {"enabled": True, "allowed_networks": [f"{OPEN}/32"], "max_stored": 10}
        limits = {"enabled": True, "previews": {"per_second": 0.01, "burst": 13}}
        return {"matrix": {"enabled": True}, "previews": previews, "rate_limits": limits}

    async def test_the_oldest_are_forgotten(
        self, alice: Client, server: Running, site: Site, clock: FakeClock
    ) -> None:
        for number in range(12):
            await preview(alice, f"http://n{number}.example/")
            clock.advance(1)
        await server.hs.previews.forget_old()
        asked = len(site.asked)
        await preview(alice, "http://n2.example/")
        assert len(site.asked) == asked, "what is kept costs nothing"
        await preview(alice, "http://n1.example/")
        assert len(site.asked) > asked
        refused = await preview(alice, "http://n0.example/", 429)
        assert refused["errcode"] == "M_LIMIT_EXCEEDED"


class TestOff:
    @pytest.fixture
    def overrides(self) -> dict[str, object]:
        return {"matrix": {"enabled": True}}

    async def test_nothing_is_fetched_unless_it_is_wanted(self, alice: Client, site: Site) -> None:
        found = await preview(alice, "http://birds.example/", 404)
        assert found["errcode"] == "M_UNRECOGNIZED"
        assert site.asked == []
