"""Files: taken in, handed out by signed addresses, and deleted."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator

import pytest

from homeserver.errors import Invalid, NotFound, RateLimited, TooLarge, Unavailable
from homeserver.model import MediaId, Requester
from homeserver.protocol.ids import UserId
from homeserver.services.media.disk import Places, is_media_id, new_media_id
from homeserver.services.media.store import StoredMedia
from homeserver.services.media.urls import MediaUrls
from homeserver.settings.models import MediaSettings
from homeserver.storage.media import delete_media_after
from tests.services.files import ALICE, HOUR_MS, SECRET, Store, picture


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


async def test_no_id_leads_out_of_the_folder(store: Store) -> None:
    for media_id in ["../../etc/passwd", "..", "", "a" * 25, "A" * 26, "a" * 25 + "/", "a" * 26 + "\n"]:
        urls = MediaUrls(SECRET, 86_400)
        expiry_ms = urls.expiry_ms(store.clock.now_ms())
        with pytest.raises(NotFound):
            await store.media.open(media_id, expiry_ms, urls._sign("file", media_id, expiry_ms))
        with pytest.raises(NotFound):
            Places(store.root).file(media_id)


async def test_names_are_cleaned_and_never_touch_the_disk(store: Store) -> None:
    for name, kept in [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/", "file"),
        ("..", "file"),
        ("C:\\fakepath\\x.png", "x.png"),
        ("a.png.. ", "a.png"),
        ("\u2060\u3164", "file"),
        ("", ""),
        (".htaccess", "htaccess"),
        ("a\r\nSet-Cookie: x\0.txt", "a Set-Cookie: x .txt"),
        ("invoice\u202efdp.exe", "invoice fdp.exe"),
        ("x" * 300 + ".tar.gz", "x" * 197 + ".gz"),
        ("y" * 300, "y" * 200),
        ("ок.txt", "ок.txt"),
        ("a\ud800b", "a b"),
    ]:
        made = await store.put(b"hello", name)
        assert made.name == kept
        served = await store.get(store.media.url(made.media_id, made.name))
        assert served.path.parent.parent.parent == store.root
        assert served.disposition.isascii()
        assert "\n" not in served.disposition


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


async def test_a_quota_holds_against_uploads_to_many_workers_at_once(store: Store) -> None:
    """Each of them does not see what the others are receiving."""
    workers = [store.beside() for _ in range(8)]
    results = await asyncio.gather(*(one.put(b"x" * 90_000) for one in workers), return_exceptions=True)
    for one in workers:
        one.media.close()
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


@pytest.mark.parametrize("settings", [MediaSettings(max_uploads_per_user=2, max_uploads=3)])
async def test_one_person_does_not_take_all_the_places_to_upload(store: Store) -> None:
    bob = Requester(UserId("@bob:test.example"), 2, "s")
    more = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        await more.wait()
        yield b"data"

    tasks = [asyncio.create_task(store.media.upload(ALICE, name="", chunks=slow())) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(RateLimited) as refused:
        await store.put(b"hello")
    assert refused.value.code == "busy"
    await store.put(b"hello", by=bob)
    more.set()
    await asyncio.gather(*tasks)
    await store.put(b"hello")


async def test_a_full_disk_is_told_and_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int, _data: memoryview) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("homeserver.services.media.disk.os.write", full)
        with pytest.raises(Unavailable) as refused:
            await store.put(b"hello")
    assert refused.value.code == "disk_full"
    assert store.on_disk() == []
    await store.put(b"hello")


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
    monkeypatch.setattr("homeserver.services.media.gc._BATCH", 2)
    made = [await store.put(b"x") for _ in range(5)]
    async with store.db.write() as conn:
        await delete_media_after(conn, [(one.media_id, 0) for one in made])
    assert await store.sweep.run_once() == 5
    assert store.on_disk() == []


async def test_what_was_left_lying_about_is_cleared_away_once_it_is_old(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeserver.services.media.gc._FOLDERS", 1024)
    kept = await store.put(b"kept")
    places = Places(store.root)
    orphan, fresh = new_media_id(), new_media_id()
    paths = [
        places.file(orphan),
        places.thumb(orphan, "96x96"),
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
