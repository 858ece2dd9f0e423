"""Thumbnails of every kind and mode of picture that is decoded show what the picture shows."""

import io
import struct
from pathlib import Path

import pytest
from PIL import Image

from homeserver.services.media.images import Limits, Size, ThumbnailParams, make_thumbnail, size_of
from tests.services import pictures

LIMITS = Limits(40_000_000, 50_000_000)
SIDE = 40
RED, HALF = (255, 0, 0, 255), (128, 128, 128, 255)
CLEAR = 0  # the alpha of a transparent pixel


def small(tmp_path: Path, data: bytes, *, moving: bool = False, box: int = 96) -> Image.Image:
    source, target = tmp_path / "source", tmp_path / "small"
    source.write_bytes(data)
    make_thumbnail(source, target, ThumbnailParams(Size(box, box), moving=moving), LIMITS)
    return Image.open(io.BytesIO(target.read_bytes()))


def plain(mode: str, colour: object) -> Image.Image:
    return Image.new(mode, (SIDE, SIDE), colour)  # type: ignore[arg-type]  # a number or a tuple, as the mode has it


def palette(transparency: int | None = None) -> Image.Image:
    picture = plain("P", 1)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    if transparency is not None:
        picture.info["transparency"] = transparency
    return picture


def deep_grey(value: int, clear: int | None = None) -> bytes:
    """A PNG of 16 bits."""
    row = b"\0" + struct.pack(">H", value) * SIDE
    before = b"" if clear is None else pictures.png_chunk(b"tRNS", struct.pack(">H", clear))
    return pictures.png(SIDE, SIDE, row * SIDE, bits=16, colours=0, before=before)


def deep_colour(clear: tuple[int, int, int] | None = None) -> bytes:
    row = b"\0" + struct.pack(">HHH", 65535, 0, 0) * SIDE
    before = b"" if clear is None else pictures.png_chunk(b"tRNS", struct.pack(">HHH", *clear))
    return pictures.png(SIDE, SIDE, row * SIDE, bits=16, colours=2, before=before)


MODES = {
    "1 bit": (pictures.saved(plain("1", 1), "PNG"), (255, 255, 255, 255)),
    "grey": (pictures.saved(plain("L", 128), "PNG"), HALF),
    "grey of 16 bits": (deep_grey(32_896), HALF),
    "grey of 16 bits with a clear one": (deep_grey(32_896, 5), HALF),
    "grey with alpha": (pictures.saved(plain("LA", (128, 255)), "PNG"), HALF),
    "clear grey": (pictures.saved(plain("LA", (128, 0)), "PNG"), CLEAR),
    "one clear grey": (pictures.saved(plain("L", 128), "PNG", transparency=128), CLEAR),
    "colour": (pictures.saved(plain("RGB", RED[:3]), "PNG"), RED),
    "colour of 16 bits": (deep_colour(), RED),
    "colour of 16 bits with a clear one": (deep_colour((1, 2, 3)), RED),
    "one clear colour": (pictures.saved(plain("RGB", RED[:3]), "PNG", transparency=RED[:3]), CLEAR),
    "alpha": (pictures.saved(plain("RGBA", (255, 0, 0, 0)), "PNG"), CLEAR),
    "palette": (pictures.saved(palette(), "PNG"), RED),
    "palette with a clear colour": (pictures.saved(palette(1), "PNG"), CLEAR),
    "palette with alpha": (pictures.saved(palette(), "PNG", transparency=b"\xff\0"), CLEAR),
    "jpeg": (pictures.saved(plain("RGB", RED[:3]), "JPEG"), RED),
    "grey jpeg": (pictures.saved(plain("L", 128), "JPEG"), HALF),
    "jpeg of a press": (pictures.saved(plain("CMYK", (0, 255, 255, 0)), "JPEG"), RED),
    "gif": (pictures.saved(palette(), "GIF"), RED),
    "gif with a clear colour": (pictures.saved(palette(1), "GIF", transparency=1), CLEAR),
    "webp": (pictures.saved(plain("RGB", RED[:3]), "WEBP"), RED),
    "webp with alpha": (pictures.saved(plain("RGBA", (255, 0, 0, 0)), "WEBP"), CLEAR),
}


@pytest.mark.parametrize("name", MODES)
def test_colours_stay(tmp_path: Path, name: str) -> None:
    data, wanted = MODES[name]
    for box in (96, 8):  # as it is, and shrunk
        found = small(tmp_path, data, box=box).convert("RGBA").getpixel((3, 3))
        assert isinstance(found, tuple)
        if wanted == CLEAR:
            assert found[3] == CLEAR, (box, found)
        else:
            assert isinstance(wanted, tuple)
            assert all(abs(is_now - was) < 12 for is_now, was in zip(found, wanted, strict=True)), (
                box,
                found,
            )


def test_the_second_picture_of_a_photo_is_not_shown(tmp_path: Path) -> None:
    photo = pictures.two_in_one(plain("RGB", RED[:3]), plain("RGB", "blue"))
    for moving in (False, True):
        made = small(tmp_path, photo, moving=moving)
        assert getattr(made, "n_frames", 1) == 1
        red, green, blue = made.convert("RGB").getpixel((9, 9))  # type: ignore[misc]  # RGB has three
        assert (red > 240, green < 15, blue < 15) == (True, True, True)


def test_a_photo_with_a_broken_list_of_pictures_is_a_photo(tmp_path: Path) -> None:
    photo = bytearray(pictures.two_in_one(plain("RGB", RED[:3]), plain("RGB", "blue")))
    at = photo.index(b"MPF\0")
    photo[at + 4 : at + 40] = b"\xff" * 36
    assert small(tmp_path, bytes(photo), moving=True).size == (SIDE, SIDE)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_frames_stand_as_long_as_in_the_animation(tmp_path: Path, kind: str) -> None:
    first, *others = (Image.new("RGB", (SIDE, SIDE), colour) for colour in ("red", "green", "blue"))
    data = pictures.saved(first, kind, save_all=True, append_images=others, duration=[70, 400, 1000])
    made = small(tmp_path, data, moving=True)
    found = []
    for number in range(made.n_frames):  # type: ignore[attr-defined]  # every WebP has it
        made.seek(number)
        made.load()
        found.append(made.info["duration"])
    assert found == [70, 400, 1000]


def test_the_picture_before_an_animation_does_not_move(tmp_path: Path) -> None:
    first, *others = (Image.new("RGB", (SIDE, SIDE), colour) for colour in ("red", "green", "blue"))
    data = pictures.saved(first, "PNG", save_all=True, append_images=others, default_image=True)
    assert small(tmp_path, data).convert("RGB").getpixel((9, 9))[0] > 240  # type: ignore[index]  # RGB has three
    made = small(tmp_path, data, moving=True)
    assert getattr(made, "n_frames", 1) == 2
    assert made.convert("RGB").getpixel((9, 9))[0] < 15  # type: ignore[index]  # the same


@pytest.mark.parametrize("turned", range(1, 9))
def test_every_kind_is_turned_upright(tmp_path: Path, turned: int) -> None:
    """The mark is at the top left of the picture as a reader sees it."""
    seen = Image.new("RGB", (SIDE, SIDE // 2), "white")
    seen.paste("black", (0, 0, 10, 10))
    undone = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    ways = {2: 0, 3: 3, 4: 1, 5: 5, 7: 6}
    stored = seen
    if turned > 1:
        stored = seen.transpose(undone.get(turned) or Image.Transpose(ways[turned]))
    for order in "<>":
        data = pictures.exif(turned, order)
        chunk = pictures.png_chunk(b"eXIf", data)
        rows = b"".join(
            b"\0" + stored.crop((0, y, stored.width, y + 1)).tobytes() for y in range(stored.height)
        )
        files = {
            "jpeg": pictures.saved(stored, "JPEG", exif=b"Exif\0\0" + data),
            "webp": pictures.saved(stored, "WEBP", exif=data),
            "webp as cameras write it": pictures.saved(stored, "WEBP", exif=b"Exif\0\0" + data),
            "png": pictures.png(stored.width, stored.height, rows, before=chunk),
        }
        for name, file in files.items():
            made = small(tmp_path, file)
            assert (made.size, size_of(tmp_path / "source")) == (seen.size, Size(*seen.size)), name
            mark = made.convert("L")
            assert mark.getpixel((4, 4)) < 60 < 200 < mark.getpixel((35, 15)), name  # type: ignore[operator]
    behind = pictures.png(stored.width, stored.height, rows, after=chunk)
    assert small(tmp_path, behind).size == stored.size  # as browsers show it
    assert size_of(tmp_path / "source") == Size(*stored.size)


@pytest.mark.parametrize(
    "kind", ["BMP", "TIFF", "ICO", "ICNS", "TGA", "PPM", "PCX", "DDS", "AVIF", "JPEG2000", "QOI"]
)
def test_other_kinds_are_never_decoded(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(pictures.saved(Image.new("RGB", (64, 64)), kind))
    assert size_of(path) is None
