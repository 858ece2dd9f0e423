"""Files: taken in, looked at, handed out, and deleted."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from homeserver.clock import FakeClock
from homeserver.errors import Invalid, NotFound, RateLimited, TooLarge
from homeserver.model import MediaId, Requester
from homeserver.protocol.ids import UserId
from homeserver.services.media.disposition import clean_name, content_disposition
from homeserver.services.media.files import Disk, Places, is_media_id, new_media_id
from homeserver.services.media.images import Size
from homeserver.services.media.sniff import is_inline, served_type, sniff
from homeserver.services.media.store import Media, Served, StoredMedia
from homeserver.services.media.sweep import Sweep
from homeserver.services.media.thumbs import choose_size
from homeserver.services.media.urls import MediaUrls
from homeserver.services.ratelimit import RateLimits
from homeserver.settings.models import MediaSettings, RateLimitSettings
from homeserver.storage.db import Database
from homeserver.storage.media import delete_media_after
from tests.services.people import People

ALICE = Requester(UserId("@alice:test.example"), 1, "s")
SECRET = b"media address secret of the tests, long enough"
HOUR_MS = 3_600_000


def picture(
    size: tuple[int, int] = (400, 300), kind: str = "PNG", exif: Image.Exif | None = None, mode: str = "RGB"
) -> bytes:
    out = io.BytesIO()
    more = {"exif": exif} if exif is not None else {}
    Image.new(mode, size, "red" if mode == "RGB" else 0).save(out, kind, **more)
    return out.getvalue()


async def chunks(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@dataclass
class Store:
    media: Media
    sweep: Sweep
    root: Path
    db: Database
    clock: FakeClock

    async def put(
        self, data: bytes, name: str = "file", by: Requester = ALICE, declared: str = ""
    ) -> StoredMedia:
        return await self.media.upload(by, name=name, chunks=chunks(data), declared_type=declared)

    async def get(self, url: str) -> Served:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        media_id, last = parts.path.removeprefix("/media/").split("/")
        expiry_ms, signature = int(query["e"]), query["s"]
        if last != "thumb" or "w" not in query:
            return await self.media.open(media_id, expiry_ms, signature)
        return await self.media.thumbnail(
            media_id, width=int(query["w"]), height=int(query["h"]), expiry_ms=expiry_ms, signature=signature
        )

    def on_disk(self) -> list[Path]:
        return [path for path in self.root.rglob("*") if path.is_file()]


@pytest.fixture
def settings() -> MediaSettings:
    return MediaSettings(max_upload_bytes=100_000, quota_bytes=250_000, max_pixels=1_000_000, upload_idle_s=5)


@pytest.fixture
async def store(
    db: Database, clock: FakeClock, people: People, settings: MediaSettings, tmp_path: Path
) -> AsyncIterator[Store]:
    assert (await people.register("Alice")).user_id == ALICE.user_id
    root = tmp_path / "media"
    disk, places = Disk(), Places(root)
    media = Media(
        db=db,
        clock=clock,
        settings=settings,
        limits=RateLimits(RateLimitSettings(enabled=False), clock),
        urls=MediaUrls(SECRET, settings.url_ttl_s),
        disk=disk,
        places=places,
    )
    yield Store(media, Sweep(db=db, clock=clock, disk=disk, places=places, interval_s=60), root, db, clock)
    media.close()
    disk.close()


async def test_a_picture_is_kept_and_handed_out(store: Store) -> None:
    data = picture()
    made = await store.put(data, "Мой кот.png", declared="text/html")
    assert (made.content_type, made.size, made.width, made.height) == ("image/png", len(data), 400, 300)
    assert made.uploader == ALICE.user_id
    assert is_media_id(made.media_id)
    served = await store.get(store.media.url(made.media_id, made.name))
    assert served.path.read_bytes() == data
    assert served.path.stat().st_mode & 0o077 == 0
    assert (served.content_type, served.size) == ("image/png", len(data))
    assert served.disposition.startswith("inline; filename=")
    assert "filename*=UTF-8''%D0%9C%D0%BE%D0%B9%20%D0%BA%D0%BE%D1%82.png" in served.disposition
    assert await store.media.stored([made.media_id, new_media_id()]) == {made.media_id: made}
    assert await store.media.stored([]) == {}
    assert len(store.on_disk()) == 1


async def test_an_address_is_signed_and_ends(store: Store) -> None:
    made = await store.put(b"hello")
    other = await store.put(b"other")
    url = store.media.url(made.media_id, "a")
    await store.get(url)
    wrong = [
        url.replace(made.media_id, other.media_id),
        url.replace("e=1", "e=2"),
        url[:-1] + ("A" if url[-1] != "A" else "B"),
        url.split("&s=")[0] + "&s=x",
        url.split("&s=")[0] + "&s=%D0%9C",
        store.media.thumbnail_url(made.media_id, 96, 96).replace("&w=", "&x=").replace("?w=", "?x="),
    ]
    for one in wrong:
        with pytest.raises(NotFound):
            await store.get(one)
    store.clock.advance(12 * HOUR_MS - 1)
    await store.get(url)  # at least half the time to live
    store.clock.advance(12 * HOUR_MS + 1)
    with pytest.raises(NotFound):
        await store.get(url)  # at most all of it
    await store.get(store.media.url(made.media_id))


def test_an_address_stays_the_same_for_a_while() -> None:
    urls = MediaUrls(SECRET, 86_400)
    media_id, step = new_media_id(), 12 * HOUR_MS
    assert urls.file(media_id, "a", 5 * step) == urls.file(media_id, "a", 6 * step - 1)
    assert urls.file(media_id, "a", 5 * step) != urls.file(media_id, "a", 6 * step)
    assert MediaUrls(b"x" * 32, 86_400).file(media_id, "a", 0) != urls.file(media_id, "a", 0)
    assert urls.file(media_id, "../a b?&/#", 0).startswith(f"/media/{media_id}/..%2Fa%20b%3F%26%2F%23?e=")
    with pytest.raises(ValueError, match="32 bytes"):
        MediaUrls(b"short", 86_400)


@pytest.mark.parametrize(
    "media_id", ["../../etc/passwd", "..", "", "a" * 25, "A" * 26, "a" * 25 + "/", "a" * 26 + "\n"]
)
async def test_no_id_leads_out_of_the_folder(store: Store, media_id: str) -> None:
    urls = MediaUrls(SECRET, 86_400)
    expiry_ms = urls.expiry_ms(store.clock.now_ms())
    with pytest.raises(NotFound):
        await store.media.open(media_id, expiry_ms, urls._sign("file", media_id, expiry_ms))
    with pytest.raises(NotFound):
        Places(store.root).file(media_id)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/", ""),
        ("..", ""),
        ("", ""),
        (".htaccess", "htaccess"),
        ("a\r\nSet-Cookie: x\0.txt", "a Set-Cookie: x .txt"),
        ("invoice\u202efdp.exe", "invoice fdp.exe"),
        ("x" * 300 + ".tar.gz", "x" * 197 + ".gz"),
        ("y" * 300, "y" * 200),
        ("ок.txt", "ок.txt"),
        ("a\ud800b", "a b"),
    ],
)
async def test_names_are_cleaned_and_never_touch_the_disk(store: Store, name: str, kept: str) -> None:
    made = await store.put(b"hello", name)
    assert made.name == kept == clean_name(name)
    served = await store.get(store.media.url(made.media_id, made.name))
    assert served.path.parent.parent.parent == store.root
    assert served.disposition.isascii()
    assert "\n" not in served.disposition


def test_dispositions() -> None:
    assert content_disposition("a b.txt", inline=True) == 'inline; filename="a b.txt"'
    assert content_disposition("", inline=False) == "attachment"
    assert content_disposition('a"b;c%41.txt', inline=False) == (
        "attachment; filename=\"a_b_c_41.txt\"; filename*=UTF-8''a%22b%3Bc%2541.txt"
    )
    assert content_disposition("naïve.png", inline=False) == (
        "attachment; filename=\"na_ve.png\"; filename*=UTF-8''na%C3%AFve.png"
    )


ACTIVE = [
    b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    b'\xef\xbb\xbf \n<?xml version="1.0"?><!-- hi --><svg onload="alert(1)"/>',
    b"<!DOCTYPE html><p>hi",
    b"  <HTML><body>",
    b"<script>alert(1)</script>",
    b"<!-- x --><iframe src=x></iframe>",
    b"\xff\xfe" + "<html><script>alert(1)</script>".encode("utf-16-le"),
    b"<?xml version='1.0'?><x xmlns='http://www.w3.org/1999/xhtml'/>",
    b"hello <script>alert(1)</script>",
    b"GIF89a<script>alert(1)</script>",
    b"<p>hi<img src=x onerror=alert(1)>",
]


@pytest.mark.parametrize("data", ACTIVE)
async def test_what_could_run_in_a_page_is_only_ever_saved(store: Store, data: bytes) -> None:
    made = await store.put(data, "cat.png", declared="image/png")
    served = await store.get(store.media.url(made.media_id, made.name))
    assert served.content_type == "application/octet-stream", made.content_type
    assert served.disposition.startswith("attachment")
    with pytest.raises(NotFound):
        await store.get(store.media.thumbnail_url(made.media_id, 96, 96))


@pytest.mark.parametrize(
    ("data", "declared", "found"),
    [
        (b"hello", "", "text/plain"),
        ("привет".encode(), "", "text/plain"),
        (b"a;b\n1;2", "text/csv; charset=x", "text/csv"),
        (b"{}", "application/json", "application/json"),
        (b"alert(1)", "text/javascript", "text/plain"),
        (b"1 < 2 and 3 > 2", "text/html", "text/plain"),
        (b"\0\1\2\3", "image/png", "application/octet-stream"),
        (b"\xff\xfe\xfd", "text/plain", "application/octet-stream"),
        (b"", "text/html", "text/plain"),
        (b"BMW is a car", "", "text/plain"),
        (b"%PDF-1.7 <title >", "", "application/pdf"),
        (b"%PDF-1.7 ...", "", "application/pdf"),
        (b"PK\x03\x04" + b"\0" * 30, "", "application/zip"),
        (picture(kind="JPEG"), "", "image/jpeg"),
        (picture(kind="GIF"), "", "image/gif"),
        (picture(kind="WEBP"), "", "image/webp"),
        (("я" * 9000).encode(), "", "text/plain"),
        (b"x" + ("я" * 9000).encode(), "", "text/plain"),
    ],
)
def test_files_are_known_by_their_bytes(data: bytes, declared: str, found: str) -> None:
    assert sniff(data, declared) == found


def test_only_harmless_types_are_shown() -> None:
    shown = ("image/png", "text/plain", "video/mp4", "audio/mpeg")
    saved = (
        "image/svg+xml",
        "text/html",
        "application/pdf",
        "application/xml",
        "application/octet-stream",
        "text/javascript",
    )
    assert all(is_inline(one) for one in shown)
    assert not any(is_inline(one) for one in saved)
    assert served_type("text/plain") == "text/plain; charset=utf-8"
    assert (
        served_type("text/javascript") == served_type("application/xhtml+xml") == "application/octet-stream"
    )


async def test_a_file_that_is_too_large_is_stopped_on_its_way(store: Store) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1000
            yield b"x" * 1000

    with pytest.raises(TooLarge) as refused:
        await store.media.upload(ALICE, name="big", chunks=endless())
    assert refused.value.code == "file_too_large"
    assert sent == 101_000
    assert store.on_disk() == []
    assert (await store.put(b"x" * 100_000)).size == 100_000


async def test_a_quota_holds(store: Store) -> None:
    for _ in range(2):
        await store.put(b"x" * 100_000)
    with pytest.raises(TooLarge) as refused:
        await store.put(b"x" * 50_001)
    assert refused.value.code == "quota_exceeded"
    await store.put(b"x" * 50_000)
    assert len(store.on_disk()) == 3


async def test_a_quota_holds_against_uploads_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if each upload ran in another worker, which does not see what the others are receiving.
    monkeypatch.setattr(store.media, "_check_size", lambda *_: None)
    results = await asyncio.gather(*(store.put(b"x" * 90_000) for _ in range(8)), return_exceptions=True)
    kept = [one for one in results if isinstance(one, StoredMedia)]
    assert len(kept) == 2
    assert {one.code for one in results if isinstance(one, TooLarge)} == {"quota_exceeded"}
    assert len(store.on_disk()) == 2


async def test_bytes_on_their_way_count_for_the_quota(store: Store) -> None:
    gate = asyncio.Event()

    async def waiting() -> AsyncIterator[bytes]:
        yield b"x" * 99_000
        await gate.wait()

    held = [asyncio.create_task(store.media.upload(ALICE, name="", chunks=waiting())) for _ in range(2)]
    while store.media._in_flight[ALICE.user_id] < 198_000:
        await asyncio.sleep(0)
    with pytest.raises(TooLarge) as refused:
        await store.put(b"x" * 60_000)
    assert refused.value.code == "quota_exceeded"
    gate.set()
    await asyncio.gather(*held)
    assert store.media._in_flight == {}


async def test_an_upload_that_breaks_off_leaves_nothing(store: Store) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.media.upload(ALICE, name="", chunks=broken())
    started = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(store.media.upload(ALICE, name="", chunks=stuck()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert store.on_disk() == []
    assert (store.media._uploads, store.media._in_flight) == (0, {})


@pytest.mark.parametrize("settings", [MediaSettings(upload_idle_s=0.05, max_uploads=1)])
async def test_a_stalled_upload_is_given_up_and_only_so_many_run(store: Store) -> None:
    started = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        started.set()
        await asyncio.Event().wait()
        yield b""

    task = asyncio.create_task(store.media.upload(ALICE, name="", chunks=stuck()))
    await started.wait()
    with pytest.raises(RateLimited):
        await store.put(b"hello")
    with pytest.raises(Invalid) as refused:
        await task
    assert refused.value.code == "upload_stalled"
    await store.put(b"hello")


async def test_small_pictures_are_upright_bare_and_made_once(store: Store) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x8825] = {1: "N", 2: (55.0, 45.0, 0.0)}  # where it was taken
    made = await store.put(picture((800, 600), "JPEG", exif), "photo.jpg")
    assert (made.width, made.height) == (600, 800)
    url = store.media.thumbnail_url(made.media_id, 300, 200)
    assert "w=320&h=240" in url
    served = await asyncio.gather(*(store.get(url) for _ in range(5)))
    assert len({one.path for one in served}) == 1
    one = served[0]
    assert (one.content_type, one.size) == ("image/webp", one.path.stat().st_size)
    assert one.etag.endswith('-320x240"')
    with Image.open(one.path) as small:
        assert small.size == (180, 240)
        assert dict(small.getexif()) == {}
        assert "exif" not in small.info
    made_at = one.path.stat().st_mtime_ns
    assert (await store.get(url)).path.stat().st_mtime_ns == made_at
    assert len(store.on_disk()) == 2


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("PNG", "L"),
        ("PNG", "I;16"),
        ("GIF", "P"),
        ("JPEG", "CMYK"),
        ("WEBP", "RGBA"),
    ],
)
async def test_every_kind_of_picture_gets_a_small_one(store: Store, kind: str, mode: str) -> None:
    made = await store.put(picture((500, 100), kind, mode=mode))
    served = await store.get(store.media.thumbnail_url(made.media_id, 1, 1))
    with Image.open(served.path) as small:
        assert small.size == (96, 19)


async def test_small_pictures_are_never_larger_than_the_picture(store: Store) -> None:
    made = await store.put(picture((20, 10)))
    served = await store.get(store.media.thumbnail_url(made.media_id, 9999, 9999))
    with Image.open(served.path) as small:
        assert small.size == (20, 10)


async def test_a_picture_with_too_many_pixels_is_never_unpacked(store: Store) -> None:
    bomb = picture((20_000, 15_000), mode="1")
    assert len(bomb) < 100_000
    made = await store.put(bomb, "bomb.png")
    assert made.content_type == "image/png"
    for _ in range(2):
        with pytest.raises(NotFound) as refused:
            await store.get(store.media.thumbnail_url(made.media_id, 96, 96))
        assert refused.value.code == "no_thumbnail"
    assert (await store.get(store.media.url(made.media_id))).size == len(bomb)


@pytest.mark.parametrize(
    "data",
    [
        picture()[:200],
        picture(kind="JPEG")[:400],
        b"\x89PNG\r\n\x1a\n" + os.urandom(100),
    ],
)
async def test_a_broken_picture_is_kept_as_it_is(store: Store, data: bytes) -> None:
    made = await store.put(data)
    assert made.content_type.startswith("image/")
    with pytest.raises(NotFound) as refused:
        await store.get(store.media.thumbnail_url(made.media_id, 96, 96))
    assert refused.value.code == "no_thumbnail"
    assert len(store.on_disk()) == 1


async def test_only_signed_sizes_are_made(store: Store) -> None:
    made = await store.put(picture())
    url = store.media.thumbnail_url(made.media_id, 96, 96)
    with pytest.raises(NotFound):
        await store.get(url.replace("w=96", "w=640"))
    with pytest.raises(NotFound):
        await store.get(store.media.url(made.media_id).replace("/file?", "/thumb?w=96&h=96&"))


def test_the_smallest_size_that_serves_is_chosen() -> None:
    sizes = [Size(640, 480), Size(96, 96), Size(320, 240)]
    assert choose_size(sizes, 1, 1) == choose_size(sizes, 96, 96) == Size(96, 96)
    assert choose_size(sizes, 97, 10) == Size(320, 240)
    assert choose_size(sizes, 5000, 10) == Size(640, 480)


async def test_the_file_of_a_deleted_message_is_gone_at_once_and_later_from_the_disk(store: Store) -> None:
    made, other = await store.put(picture()), await store.put(b"other")
    url = store.media.url(made.media_id)
    await store.get(store.media.thumbnail_url(made.media_id, 96, 96))
    due_ms = store.clock.now_ms() + 7 * 24 * HOUR_MS
    async with store.db.write() as conn:
        await delete_media_after(conn, [(made.media_id, due_ms)])
        await delete_media_after(conn, [(made.media_id, due_ms + 1)])  # a later wish changes nothing
        await delete_media_after(conn, [])
    with pytest.raises(NotFound):
        await store.get(url)
    with pytest.raises(NotFound):
        await store.get(store.media.thumbnail_url(made.media_id, 96, 96))
    assert await store.media.stored([made.media_id]) == {}
    assert await store.sweep.run_once() == 0
    assert len(store.on_disk()) == 3
    store.clock.advance(7 * 24 * HOUR_MS)
    assert await store.sweep.run_once() == 1
    assert [path.name for path in store.on_disk()] == [other.media_id]
    assert await store.sweep.run_once() == 0


async def test_only_its_sender_gives_a_file_up(store: Store) -> None:
    made = await store.put(b"hello")
    await store.media.discard(Requester(UserId("@bob:test.example"), 2, "s"), made.media_id)
    await store.get(store.media.url(made.media_id))
    await store.media.discard(ALICE, made.media_id)
    with pytest.raises(NotFound):
        await store.get(store.media.url(made.media_id))
    await store.media.discard(ALICE, new_media_id())
    assert await store.sweep.run_once() == 1


async def test_many_due_files_go_in_one_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeserver.services.media.sweep._BATCH", 2)
    made = [await store.put(b"x") for _ in range(5)]
    async with store.db.write() as conn:
        await delete_media_after(conn, [(one.media_id, 0) for one in made])
    assert await store.sweep.run_once() == 5
    assert store.on_disk() == []


async def test_what_was_left_lying_about_is_cleared_away_once_it_is_old(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeserver.services.media.sweep._FOLDERS", 1024)
    kept = await store.put(b"kept")
    places = Places(store.root)
    orphan, fresh = new_media_id(), new_media_id()
    paths = [
        places.file(orphan),
        places.thumb(orphan, 96, 96),
        places.file(fresh),
        places.incoming / "stopped",
    ]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    for path in (*paths[:2], paths[3], places.file(kept.media_id)):
        os.utime(path, (1, 1))
    assert await store.sweep.run_once() == 2
    assert {path.name for path in store.on_disk()} == {kept.media_id, fresh}


async def test_a_row_without_its_file_is_not_found(store: Store) -> None:
    made = await store.put(b"hello")
    url = store.media.url(made.media_id)
    (await store.get(url)).path.unlink()
    with pytest.raises(NotFound):
        await store.get(url)
    unknown = store.media.url(MediaId(new_media_id()))
    with pytest.raises(NotFound):
        await store.get(unknown)
