"""The pages and static files as HTTP sees them; no browser needed."""

import gzip
import re
from pathlib import Path

import aiohttp
import pytest

from homeserver.web import assets as assets_module
from homeserver.web.assets import load_assets
from homeserver.web.texts import LANGUAGES, TEXTS, choose_language

STATIC = Path(assets_module.__file__).parent / "static"
LONGEST_FILE = 400


@pytest.mark.parametrize("path", ["/", "/login", "/login/", "/chat", "/chat/"])
async def test_pages_are_strict(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path, allow_redirects=False) as response:
        assert response.status == 200
        policy = response.headers["Content-Security-Policy"]
        directives = dict(part.split(" ", 1) for part in policy.split("; "))
        assert directives["default-src"] == "'none'"
        assert directives["script-src"] == directives["style-src"] == "'self'"
        assert directives["frame-ancestors"] == directives["base-uri"] == "'none'"
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-store"
        page = await response.text()
    assert "style=" not in page
    assert re.search(r"<script(?![^>]*(src=|application/json))", page) is None
    assert re.search(r"\son[a-z]+=", page) is None


async def test_static_files_are_kept_for_a_year_under_their_build(client: aiohttp.ClientSession) -> None:
    async with client.get("/chat") as response:
        page = await response.text()
    addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert any(address.endswith("/js/chat/main.js") for address in addresses)
    for address in addresses:
        async with client.get(address) as response:
            assert response.status == 200, address
            assert "immutable" in response.headers["Cache-Control"]
            assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_other_static_addresses_are_checked_again(client: aiohttp.ClientSession) -> None:
    for address in ("/static/js/api.js", "/static/0123456789ab/js/api.js"):
        async with client.get(address) as response:
            assert response.status == 200
            assert response.headers["Cache-Control"] == "public, no-cache"
            assert response.content_type == "text/javascript"
            etag = response.headers["ETag"]
        async with client.get(address, headers={"If-None-Match": etag}) as response:
            assert response.status == 304
            assert response.headers["ETag"] == etag
            assert await response.read() == b""


@pytest.mark.parametrize(
    ("accepts", "encoding"),
    [("gzip, br", "gzip"), ("br;q=1.0, gzip;q=0.5", "gzip"), ("gzip;q=0", None), ("identity", None)],
)
async def test_static_files_are_sent_as_the_client_takes_them(
    client: aiohttp.ClientSession, accepts: str, encoding: str | None
) -> None:
    headers = {"Accept-Encoding": accepts}
    async with client.request("GET", "/static/js/api.js", headers=headers, auto_decompress=False) as response:
        assert response.headers.get("Content-Encoding") == encoding
        assert response.headers["Vary"] == "Accept-Encoding"
        body = await response.read()
    content = gzip.decompress(body) if encoding else body
    assert content == (STATIC / "js/api.js").read_bytes()


@pytest.mark.parametrize(
    "path", ["/static/nothing.js", "/static/../pages.py", "/static/%2e%2e/pages.py", "/static/templates"]
)
async def test_nothing_else_is_served(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as response:
        assert response.status == 404


def test_the_build_changes_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("one")
    before = load_assets(tmp_path)
    assert load_assets(tmp_path).build == before.build
    (tmp_path / "b.css").write_text("two")
    after = load_assets(tmp_path)
    assert after.build != before.build
    assert set(after.files) == {"a.js", "b.css"}


@pytest.mark.parametrize(
    ("wished", "stored", "accepted", "chosen"),
    [
        ("ru", "en", "en", "ru"),
        ("", "ru", "en", "ru"),
        ("xx", "", "ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("", "", "de, en;q=0.7, ru;q=0.3", "en"),
        ("", "", "de, en;q=0.2, ru;q=0.3", "ru"),
        ("", "", "ru;q=0, de", "en"),
        ("", "", "ru;q=nonsense", "en"),
        ("", "", "", "en"),
    ],
)
def test_the_language_is_what_the_reader_wants(wished: str, stored: str, accepted: str, chosen: str) -> None:
    assert choose_language(wished, stored, accepted) == chosen


async def test_a_chosen_language_is_remembered(client: aiohttp.ClientSession) -> None:
    async with client.get("/?lang=ru") as response:
        assert response.headers["Content-Language"] == "ru"
        assert "SameSite=Lax" in response.headers["Set-Cookie"]
        assert '<html lang="ru"' in await response.text()
    async with client.get("/login", headers={"Cookie": "lang=ru"}) as response:
        assert "С возвращением" in await response.text()
    async with client.get("/login", headers={"Cookie": "lang=klingon"}) as response:
        assert '<html lang="en"' in await response.text()


def _keys(dictionary: Path) -> set[str]:
    return set(re.findall(r'^  "?([a-z][\w.]*)"?: ', dictionary.read_text(), re.MULTILINE))


def test_every_text_is_there_in_every_language() -> None:
    scripts = {name: _keys(STATIC / f"js/i18n/{name}.js") for name in LANGUAGES}
    assert scripts["en"] == scripts["ru"]
    assert len(scripts["en"]) > 100
    assert set(TEXTS["en"]) == set(TEXTS["ru"])
    assert set(TEXTS) == set(LANGUAGES)


def test_every_text_that_is_asked_for_is_there() -> None:
    known = _keys(STATIC / "js/i18n/en.js")
    asked: set[str] = set()
    for path in (STATIC / "js").rglob("*.js"):
        asked |= set(re.findall(r'\bt\("([\w.]+)"', path.read_text()))
    assert asked - known == set()


def test_scripts_are_short_and_never_write_markup() -> None:
    for path in (STATIC / "js").rglob("*.js"):
        text = path.read_text()
        assert text.count("\n") <= LONGEST_FILE, path
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
        ), path
