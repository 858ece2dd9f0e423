"""Small pictures."""

import asyncio
import os

import pytest
from PIL import Image

from homeserver.errors import NotFound
from homeserver.services.media.images import Size
from homeserver.services.media.thumbs import choose_size
from tests.services.files import Store, picture


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


async def test_every_kind_of_picture_gets_a_small_one(store: Store) -> None:
    for kind, mode in [
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("PNG", "L"),
        ("PNG", "I;16"),
        ("GIF", "P"),
        ("JPEG", "CMYK"),
        ("WEBP", "RGBA"),
    ]:
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
    for size in ((20_000, 15_000), (1001, 1000)):  # by any measure, and only by our setting
        bomb = picture(size, mode="1")
        assert len(bomb) < 100_000
        made = await store.put(bomb, "bomb.png")
        assert made.content_type == "image/png"
        for _ in range(2):
            with pytest.raises(NotFound) as refused:
                await store.get(store.media.thumbnail_url(made.media_id, 96, 96))
            assert refused.value.code == "no_thumbnail"
        assert (await store.get(store.media.url(made.media_id))).size == len(bomb)


async def test_a_broken_picture_is_kept_as_it_is(store: Store) -> None:
    for data in [
        picture()[:200],
        picture(kind="JPEG")[:400],
        b"\x89PNG\r\n\x1a\n" + os.urandom(100),
    ]:
        made = await store.put(data)
        assert made.content_type.startswith("image/")
        with pytest.raises(NotFound) as refused:
            await store.get(store.media.thumbnail_url(made.media_id, 96, 96))
        assert refused.value.code == "no_thumbnail"
        assert all(path.suffix == "" for path in store.on_disk())


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
