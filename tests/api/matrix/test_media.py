"""Media of Matrix clients: sent, fetched, and safe to look at."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from homeserver.app import build
from homeserver.clock import FakeClock
from homeserver.lifecycle import Running, running
from homeserver.settings.models import Settings
from tests.api.driver import API, User
from tests.api.matrix.driver import Client
from tests.api.matrix.mediakit import NEW, OLD, attach, get, picture, place_of, send, upload

DATA = bytes(range(256)) * 400


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


async def test_a_file_comes_back_as_it_was_sent(alice: Client, bob: Client) -> None:
    place = await upload(alice, DATA, "application/x-odd; v=1", "Отчёт 1.bin")
    got = await get(bob, f"download/{place}", headers={"Origin": "https://app.example"})
    assert (got.status, got.data) == (200, DATA)
    assert got.headers["Content-Type"] == "application/x-odd; v=1"
    assert got.headers["Content-Disposition"] == (
        "attachment; filename=\"_____ 1.bin\"; filename*=UTF-8''%D0%9E%D1%82%D1%87%D1%91%D1%82%201.bin"
    )
    assert got.headers["Content-Security-Policy"].startswith(
        "sandbox; default-src 'none'; script-src 'none';"
    )
    assert got.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Access-Control-Allow-Origin"] == "*"
    assert got.headers["Cache-Control"] == "private, max-age=86400, immutable"
    again = await get(bob, f"download/{place}", headers={"If-None-Match": got.headers["ETag"]})
    assert (again.status, again.data) == (304, b"")
    part = await get(bob, f"download/{place}", headers={"Range": "bytes=10-19"})
    assert (part.status, part.data) == (206, DATA[10:20])
    taken = await get(bob, f"download/{place}", params={"allow_redirect": "true", "allow_remote": "false"})
    assert taken.data == DATA


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (r"C:\fakepath\x.bin", 'filename="x.bin"'),
        ("../../etc/passwd", 'filename="passwd"'),
        ("a\r\nSet-Cookie: b.bin", "filename*=UTF-8''a%20Set-Cookie%3A%20b.bin"),
        ("100%25.bin", "filename*=UTF-8''100%2525.bin"),
    ],
)
async def test_a_name_is_the_last_part_of_a_path(alice: Client, sent: str, shown: str) -> None:
    place = await upload(alice, b"x", "application/x-odd", sent)
    assert (await get(alice, f"download/{place}")).headers["Content-Disposition"].endswith(shown)
    renamed = await get(alice, f"download/{place}/{quote(sent, safe='')}")
    assert renamed.headers["Content-Disposition"].endswith(shown)


@pytest.mark.parametrize(
    ("sent", "served", "kind"),
    [
        ("image/png", "image/png", "inline"),
        ("text/plain; charset=utf-16", "text/plain; charset=utf-16", "inline"),
        ("AUDIO/ogg;codecs=opus", "AUDIO/ogg;codecs=opus", "inline"),
        ("text/html", "text/html", "attachment"),
        ("image/svg+xml", "image/svg+xml", "attachment"),
        ("text/javascript", "application/octet-stream", "attachment"),
        ("Application/X-JavaScript; charset=utf-8", "application/octet-stream", "attachment"),
        ("text/ecmascript", "application/octet-stream", "attachment"),
        ("text/javascript1.5", "application/octet-stream", "attachment"),
        ("text/livescript", "application/octet-stream", "attachment"),
        ("application/pdf", "application/pdf", "attachment"),
        (None, "application/octet-stream", "attachment"),
        ("nonsense", "application/octet-stream", "attachment"),
        ("text/plain/odd", "application/octet-stream", "attachment"),
    ],
)
async def test_what_a_browser_may_show(alice: Client, sent: str | None, served: str, kind: str) -> None:
    got = await get(alice, f"download/{await upload(alice, b'<script>alert(1)</script>', sent)}")
    assert got.headers["Content-Type"] == served
    assert got.headers["Content-Disposition"] == kind, "no name was given, so none comes back"


async def test_file_names(alice: Client) -> None:
    plain = await upload(alice, DATA, None, "ascii;name.txt")
    for asked, name in ((plain, "ascii;name.txt"), (f"{plain}/{quote('ня 1.txt')}", "ня 1.txt")):
        got = await get(alice, f"download/{asked}")
        assert f"filename*=UTF-8''{quote(name)}" in got.headers["Content-Disposition"]
    ascii_name = await get(alice, f"download/{plain}/a%20b.txt")
    assert ascii_name.headers["Content-Disposition"] == 'attachment; filename="a b.txt"'
    broken_out = quote('a"; filename="b.html', safe="")
    tricky = await get(alice, f"download/{plain}/{broken_out}")
    assert tricky.headers["Content-Disposition"].count('filename="') == 1


async def test_what_is_not_there(alice: Client, nobody: Client) -> None:
    place = await upload(alice, DATA)
    media_id = place.partition("/")[2]
    for missing in (
        f"test.example/{'a' * 26}",
        "test.example/..%2Fkeys",
        f"other.example/{media_id}",
        "%00/x",
    ):
        for path in (
            f"download/{missing}",
            f"download/{missing}/name",
            f"thumbnail/{missing}?width=9&height=9",
        ):
            assert await alice.errcode("GET", f"{NEW}/{path}", 404) == "M_NOT_FOUND"
    for path in ("config", f"download/{place}", f"thumbnail/{place}?width=9&height=9"):
        assert await nobody.errcode("GET", f"{NEW}/{path}", 401) == "M_MISSING_TOKEN"
    for method, path in (("POST", "upload"), ("PUT", f"upload/{place}"), ("GET", "config")):
        assert await nobody.errcode(method, f"{OLD}/{path}", 401) == "M_MISSING_TOKEN"


async def test_old_clients_need_a_setting(alice: Client, nobody: Client) -> None:
    place = await upload(alice, picture(), "image/png")
    for version in ("v3", "r0", "v1"):
        assert (await alice.call("GET", f"/_matrix/media/{version}/config"))["m.upload.size"] == 50 * 2**20
        for path in (f"download/{place}", f"download/{place}/a.png", f"thumbnail/{place}?width=9&height=9"):
            for client in (nobody, alice):
                found = await client.errcode("GET", f"/_matrix/media/{version}/{path}", 404)
                assert found == "M_NOT_FOUND"
        sent = await send(alice, "POST", f"/_matrix/media/{version}/upload", b"x", "text/plain")
        assert (await get(alice, f"download/{place_of(sent['content_uri'])}")).data == b"x"


class TestWithOldClients:
    @pytest.fixture
    def overrides(self) -> dict[str, object]:
        return {"matrix": {"enabled": True}, "media": {"legacy_download": True}}

    async def test_only_what_matrix_clients_sent_is_for_everybody(
        self, alice: Client, nobody: Client
    ) -> None:
        place = await upload(alice, picture(), "image/png", "a.png")
        for version in ("v3", "r0", "v1"):
            base = f"/_matrix/media/{version}"
            got = await get(nobody, f"{base}/download/{place}")
            assert (got.status, got.data) == (200, picture())
            assert got.headers["Cache-Control"].startswith("public")
            small = await get(nobody, f"{base}/thumbnail/{place}?width=9&height=9")
            assert small.headers["Content-Disposition"].startswith("inline")
        private = await attach(alice, DATA)
        assert (await get(alice, f"download/{private}")).data == DATA
        assert await nobody.errcode("GET", f"{OLD}/download/{private}", 404) == "M_NOT_FOUND"
        assert await nobody.errcode("GET", f"{OLD}/download/other.example/a", 404) == "M_NOT_FOUND"


@pytest.mark.both
async def test_a_file_that_comes_later(alice: Client, bob: Client, server: Running) -> None:
    made = await alice.call("POST", "/_matrix/media/v1/create")
    place = place_of(made["content_uri"])
    assert made["unused_expires_at"] > server.hs.core.clock.now_ms()
    at_once = f"{NEW}/download/{place}?timeout_ms=0"
    assert await bob.errcode("GET", at_once, 504) == "M_NOT_YET_UPLOADED"
    small = f"{NEW}/thumbnail/{place}?width=9&height=9&timeout_ms=5"
    assert await bob.errcode("GET", small, 504) == "M_NOT_YET_UPLOADED"
    put = f"{OLD}/upload/{place}"
    theirs = await send(bob, "PUT", put, b"no", "text/plain", 403)
    assert theirs["errcode"] == "M_FORBIDDEN"
    waiting = asyncio.create_task(get(bob, f"download/{place}"))
    await until_waiting(server, 1)
    assert await send(alice, "PUT", put, DATA, "text/x-late", params={"filename": "late"}) == {}
    got = await waiting
    assert (got.status, got.data) == (200, DATA)
    assert got.headers["Content-Type"] == "text/x-late"
    again = await send(alice, "PUT", put, b"other", "text/plain", 409)
    assert again["errcode"] == "M_CANNOT_OVERWRITE_MEDIA"
    assert (await get(alice, f"download/{place}")).data == DATA
    unknown = await send(alice, "PUT", f"{OLD}/upload/test.example/{'a' * 26}", b"x", None, 404)
    assert unknown["errcode"] == "M_NOT_FOUND"
    other = await send(alice, "PUT", f"{OLD}/upload/other.example/x", b"x", None, 404)
    assert other["errcode"] == "M_NOT_FOUND"


async def until_waiting(server: Running, count: int) -> None:
    """Until so many downloads wait."""
    async with asyncio.timeout(30):
        while server.hs.media.repository.waiting != count:
            await asyncio.sleep(0)


async def chunked() -> AsyncIterator[bytes]:
    """A body that does not say how long it is."""
    for _ in range(3):
        yield bytes(1000)


@pytest.mark.both
@pytest.mark.both
async def test_two_who_fill_one_address(alice: Client) -> None:
    place = place_of((await alice.call("POST", "/_matrix/media/v1/create"))["content_uri"])
    bodies = [bytes([number]) * 300_000 for number in range(4)]

    async def fill(body: bytes) -> int:
        async with alice.session.put(
            f"{OLD}/upload/{place}", data=body, headers={"Authorization": f"Bearer {alice.token}"}
        ) as answer:
            return answer.status

    statuses = await asyncio.gather(*map(fill, bodies))
    assert sorted(statuses) == [200, 409, 409, 409]
    kept = (await get(alice, f"download/{place}")).data
    assert kept == bodies[statuses.index(200)]


class TestLimits:
    @pytest.fixture
    def overrides(self) -> dict[str, object]:
        media = {
            "max_pending_uploads": 2,
            "max_upload_bytes": 2000,
            "quota_files": 5,
            "quota_bytes": 6000,
            "daily_files": 4,
            "daily_bytes": 4500,
            "max_waiting_downloads": 1,
        }
        return {"matrix": {"enabled": True}, "media": media}

    @pytest.mark.both
    async def test_addresses_that_wait_for_their_files(
        self, alice: Client, bob: Client, server: Running
    ) -> None:
        create = "/_matrix/media/v1/create"
        first, second = [place_of((await alice.call("POST", create))["content_uri"]) for _ in range(2)]
        refused = await alice.call("POST", create, 429)
        assert refused["errcode"] == "M_LIMIT_EXCEEDED"
        assert refused["retry_after_ms"] > 0
        await bob.call("POST", create)
        waiting = asyncio.create_task(get(bob, f"download/{first}"))
        await until_waiting(server, 1)
        assert await bob.errcode("GET", f"{NEW}/download/{second}", 504) == "M_NOT_YET_UPLOADED"
        await send(alice, "PUT", f"{OLD}/upload/{first}", b"here", None)
        assert (await waiting).data == b"here"
        await alice.call("POST", create)

    async def test_sizes_and_numbers(self, alice: Client, bob: Client) -> None:
        assert await alice.call("GET", f"{NEW}/config") == {"m.upload.size": 2000}
        big = await send(alice, "POST", f"{OLD}/upload", bytes(2001), None, 413)
        assert big["errcode"] == "M_TOO_LARGE"
        unsized = await send(alice, "POST", f"{OLD}/upload", chunked(), None, 413)
        assert unsized["errcode"] == "M_TOO_LARGE"
        for _ in range(2):
            await upload(alice, bytes(2000))
        over = await send(alice, "POST", f"{OLD}/upload", bytes(501), None, 429)
        assert over["errcode"] == "M_LIMIT_EXCEEDED"
        assert 0 < over["retry_after_ms"] <= 86_400_000
        for _ in range(2):
            await upload(alice, b"x")
        assert (await send(alice, "POST", f"{OLD}/upload", b"x", None, 429))["errcode"] == "M_LIMIT_EXCEEDED"
        await upload(bob, b"x")


async def test_the_file_of_a_product_message(alice: Client, bob: Client) -> None:
    """What its content shows is what every member's Matrix client can fetch."""
    place = await attach(alice, picture(), "p.png")
    got = await get(bob, f"download/{place}")
    assert (got.data, got.headers["Content-Type"]) == (picture(), "image/png")
    assert got.headers["Content-Disposition"] == 'inline; filename="p.png"'
    small = await get(bob, f"thumbnail/{place}?width=96&height=96")
    assert small.picture().size == (96, 72)


async def test_a_picture_of_oneself(alice: Client) -> None:
    uri = f"mxc://{await upload(alice, picture(), 'image/png')}"
    profile = f"profile/{alice.user_id}"
    await alice.call("PUT", f"{profile}/avatar_url", body={"avatar_url": uri})
    assert (await alice.call("GET", profile))["avatar_url"] == uri
    shown = (await User(alice.session, alice.token, 0).call("GET", f"{API}/users/me"))["avatar_url"]
    async with alice.session.get(URL(shown).relative()) as answer:
        assert (answer.status, answer.content_type) == (200, "image/webp")
    for other in ("mxc://other.example/abc", f"mxc://test.example/{'x' * 300}"):
        await alice.call("PUT", f"{profile}/avatar_url", body={"avatar_url": other})
        me = await User(alice.session, alice.token, 0).call("GET", f"{API}/users/me")
        assert me["avatar_url"] is None, "no browser can show it"


class TestOtherWorkers:
    @pytest.fixture
    def overrides(self) -> dict[str, object]:
        return {"matrix": {"enabled": True}, "timeline": {"follow_interval_ms": 20}}

    @pytest.mark.both
    async def test_a_file_that_comes_to_another_worker(
        self, alice: Client, server: Running, settings: Settings
    ) -> None:
        place = place_of((await alice.call("POST", "/_matrix/media/v1/create"))["content_uri"])
        waiting = asyncio.create_task(get(alice, f"download/{place}"))
        await until_waiting(server, 1)
        async with running(settings) as other, aiohttp.ClientSession(other.url) as session:
            there = Client(session, alice.token, alice.user_id, alice.device_id)
            await send(there, "PUT", f"{OLD}/upload/{place}", DATA, None)
            assert (await waiting).data == DATA

    @pytest.mark.both
    async def test_an_address_ends(self, settings: Settings, clock: FakeClock) -> None:
        hs = build(settings, clock=clock)
        async with running(settings, hs) as server, aiohttp.ClientSession(server.url) as session:
            alice = await Client(session).register("alice")
            made = await alice.call("POST", "/_matrix/media/v1/create")
            place = place_of(made["content_uri"])
            clock.advance(made["unused_expires_at"] - clock.now_ms())
            alice = await Client(session).login("alice")
            late = await send(alice, "PUT", f"{OLD}/upload/{place}", DATA, None, 404)
            assert late["errcode"] == "M_NOT_FOUND"
            assert await alice.errcode("GET", f"{NEW}/download/{place}", 404) == "M_NOT_FOUND"
            await hs.media.gc.run_once()
            assert await alice.errcode("GET", f"{NEW}/download/{place}", 404) == "M_NOT_FOUND"


@pytest.mark.both
async def test_nobody_waits_for_a_server_that_stops(settings: Settings) -> None:
    async with running(settings) as server, aiohttp.ClientSession(server.url) as session:
        alice = await Client(session).register("alice")
        place = place_of((await alice.call("POST", "/_matrix/media/v1/create"))["content_uri"])
        waiting = asyncio.create_task(alice.errcode("GET", f"{NEW}/download/{place}?timeout_ms=60000", 504))
        await until_waiting(server, 1)
        server.hs.media.repository.close()
        assert await waiting == "M_NOT_YET_UPLOADED"
