"""Small pictures for Matrix clients."""

import asyncio
import io
import os

import pytest
from PIL import Image

from homeserver.lifecycle import Running
from tests.api.matrix.driver import Client
from tests.api.matrix.mediakit import NEW, get, moving, picture, upload


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"matrix": {"enabled": True}, "media": {"max_pixels": 1_000_000, "max_animation_pixels": 200_000}}


@pytest.mark.parametrize(
    ("wish", "size"),
    [
        ("width=96&height=96&method=scale", (96, 72)),
        ("width=96&height=96&method=crop", (96, 96)),
        ("width=32&height=32&method=crop", (96, 96)),
        ("width=300&height=200", (320, 240)),
        ("width=5000&height=5000", (400, 300)),
        ("width=5000&height=5000&method=crop", (400, 300)),
    ],
)
async def test_sizes_on_the_list(alice: Client, wish: str, size: tuple[int, int]) -> None:
    place = await upload(alice, picture(400, 300), "image/png")
    got = await get(alice, f"thumbnail/{place}?{wish}")
    assert (got.status, got.picture().size) == (200, size)
    assert got.headers["Content-Type"] == "image/webp"
    assert got.headers["Content-Disposition"] == 'inline; filename="thumbnail.webp"'
    assert "sandbox" in got.headers["Content-Security-Policy"]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
@pytest.mark.both
async def test_a_picture_that_moves(alice: Client, kind: str) -> None:
    place = await upload(alice, moving(kind), f"image/{kind.lower()}")
    for wish, frames in (
        ("animated=true", 5),
        ("animated=false", 1),
        ("", 1),
        ("animated=true&method=crop", 5),
    ):
        got = await get(alice, f"thumbnail/{place}?width=96&height=96&{wish}")
        small = got.picture()
        assert getattr(small, "n_frames", 1) == frames, wish
        assert small.size == ((96, 96) if "crop" in wish else (96, 48))
    still = await upload(alice, picture(), "image/png")
    got = await get(alice, f"thumbnail/{still}?width=96&height=96&animated=true")
    assert getattr(got.picture(), "n_frames", 1) == 1


async def test_a_picture_that_moves_too_much_stands_still(alice: Client) -> None:
    place = await upload(alice, moving("GIF", frames=11), "image/gif")
    got = await get(alice, f"thumbnail/{place}?width=96&height=96&animated=true")
    assert (got.status, getattr(got.picture(), "n_frames", 1)) == (200, 1)


async def test_what_has_no_small_picture(alice: Client) -> None:
    encrypted = os.urandom(3000)
    for data, kind in ((encrypted, "image/png"), (b"text", "text/plain"), (picture()[:60], "image/png")):
        place = await upload(alice, data, kind)
        path = f"{NEW}/thumbnail/{place}?width=96&height=96"
        assert await alice.errcode("GET", path, 400) == "M_UNKNOWN"
    out = io.BytesIO()
    Image.new("1", (1001, 1000)).save(out, "PNG")
    bomb = await upload(alice, out.getvalue(), "image/png")
    assert await alice.errcode("GET", f"{NEW}/thumbnail/{bomb}?width=96&height=96", 413) == "M_TOO_LARGE"
    bomb = await upload(alice, picture(800, 700, "WEBP"), "image/webp")  # takes twice the memory of others
    assert await alice.errcode("GET", f"{NEW}/thumbnail/{bomb}?width=96&height=96", 413) == "M_TOO_LARGE"
    place = await upload(alice, picture(), "image/png")
    for wrong in ("", "width=96", "width=0&height=9", "width=-1&height=9", "width=a&height=9"):
        await alice.errcode("GET", f"{NEW}/thumbnail/{place}?{wrong}", 400)
    for wrong in ("method=tile", "animated=yes"):
        await alice.errcode("GET", f"{NEW}/thumbnail/{place}?width=9&height=9&{wrong}", 400)


async def test_what_a_client_calls_a_picture_does_not_count(alice: Client) -> None:
    place = await upload(alice, picture(), "application/octet-stream")
    assert (await get(alice, f"thumbnail/{place}?width=96&height=96")).status == 200


@pytest.mark.both
@pytest.mark.own_server
async def test_one_is_made_for_all_who_ask(alice: Client, server: Running) -> None:
    place = await upload(alice, picture(900, 900), "image/png")
    asked = [get(alice, f"thumbnail/{place}?width=96&height=96&method=crop") for _ in range(8)]
    assert len({one.data for one in await asyncio.gather(*asked)}) == 1
    folder = server.hs.settings.server.data_dir / "media" / "thumbs"
    assert [path.name for path in folder.rglob("*.webp")] == [f"{place.partition('/')[2]}-96x96-crop.webp"]
