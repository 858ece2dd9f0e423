"""Small files that would unpack to much: what they take is judged by their headers, before a decoder opens them."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from homeserver.services.media.images import (
    BadPicture,
    Limits,
    Size,
    ThumbnailParams,
    make_thumbnail,
    size_of,
)
from tests.services import pictures

LIMITS = Limits(40_000_000, 50_000_000)
HUGE = {
    "png": pictures.png_bomb(),
    "apng": pictures.png(
        20_000,
        20_000,
        b"",
        before=pictures.png_chunk(b"acTL", bytes((0, 0, 0, 2, 0, 0, 0, 0))),
    ),
    "jpeg": pictures.jpeg_of(60_000, 60_000),
    "progressive": pictures.jpeg_of(16_000, 12_000, progressive=True),
    "gif": pictures.gif((13_000, 13_000), [(0, 0, 13_000, 13_000)]),
    "gif that grows with its first frame": pictures.gif((1, 1), [(0, 0, 13_000, 13_000)]),
    "webp": pictures.webp_of(16_384, 16_384, is_moving=False),
    "moving webp": pictures.webp_of(16_384, 16_384, is_moving=True),
}
GROWS = pictures.gif((64, 64), [(0, 0, 64, 64), (0, 0, 13_000, 13_000), (0, 0, 9, 9)])
SCRIPT = """
import sys, threading
from pathlib import Path
from homeserver.services.media import images

def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) // 1024

def look(path):
    images.size_of(path)
    for moving in (False, True):
        wish = images.ThumbnailParams(images.Size(96, 96), moving=moving)
        try:
            images.make_thumbnail(path, path.with_suffix(f".{moving}.webp"), wish, limits)
        except images.BadPicture:
            pass

limits = images.Limits(40_000_000, 50_000_000)
before = peak()
for path in map(Path, sys.argv[1:]):
    two = [threading.Thread(target=look, args=(path,)) for _ in range(2)]
    [one.start() for one in two]
    [one.join() for one in two]
    print(path.name, peak() - before)
"""


def test_no_bomb_takes_memory(tmp_path: Path) -> None:
    paths = []
    for name, data in {**HUGE, "gif that grows later": GROWS}.items():
        paths.append(tmp_path / f"{name.replace(' ', '_')}.bin")
        paths[-1].write_bytes(data)
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    grown = dict(line.split() for line in run.stdout.splitlines())
    assert len(grown) == len(paths)
    assert max(map(int, grown.values())) < 40, f"MiB that it took: {grown}"


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_picture_has_dimensions_and_no_thumbnail(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(HUGE[name])
    assert len(HUGE[name]) < 100_000
    size = size_of(path)
    assert size is not None
    assert size.width * size.height > 160_000_000, size
    with pytest.raises(BadPicture, match="too many pixels"):
        make_thumbnail(path, tmp_path / "thumb", ThumbnailParams(Size(96, 96)), LIMITS)


def test_a_gif_with_a_frame_beyond_its_canvas_stands_still(tmp_path: Path) -> None:
    for name, data, frames in (
        ("within", pictures.gif((64, 64), [(0, 0, 64, 64), (1, 1, 9, 9), (5, 5, 9, 9)]), 3),
        ("beyond", GROWS, 1),
    ):
        path, small = tmp_path / name, tmp_path / f"{name}.webp"
        path.write_bytes(data)
        assert size_of(path) == Size(64, 64)
        make_thumbnail(path, small, ThumbnailParams(Size(96, 96), moving=True), LIMITS)
        with Image.open(small) as made:
            assert (getattr(made, "n_frames", 1), made.size) == (frames, (64, 64)), name


def test_a_large_animation_stands_still(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (400, 400), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "PNG", "WEBP"):
        path, small = tmp_path / kind, tmp_path / f"{kind}.webp"
        path.write_bytes(pictures.saved(frames[0], kind, save_all=True, append_images=frames[1:]))
        for limit, shown in ((500_000, 1), (1_000_000, 2)):  # in pixels: three of them, or six
            wish = ThumbnailParams(Size(96, 96), moving=True)
            make_thumbnail(path, small, wish, LIMITS._replace(animation_pixels=limit))
            with Image.open(small) as made:
                assert getattr(made, "n_frames", 1) == shown, (kind, limit)


def test_a_jpeg_of_endless_scans_is_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(pictures.many_scans(150))
    assert size_of(path) == Size(640, 480)
    with pytest.raises(BadPicture, match="scans"):
        make_thumbnail(path, tmp_path / "thumb", ThumbnailParams(Size(96, 96)), LIMITS)
    path.write_bytes(pictures.many_scans(1))
    make_thumbnail(path, tmp_path / "thumb", ThumbnailParams(Size(96, 96)), LIMITS)


def test_a_header_that_the_decoder_reads_otherwise_is_not_believed(tmp_path: Path) -> None:
    twice = pictures.png(
        8,
        8,
        bytes(9 * 8),
        colours=0,
        before=pictures.png_chunk(b"IHDR", b"\0\0\x27\x10\0\0\x27\x10\x08\0\0\0\0"),
    )
    path = tmp_path / "file"
    path.write_bytes(twice)
    assert size_of(path) is None
    with pytest.raises(BadPicture):
        make_thumbnail(path, tmp_path / "thumb", ThumbnailParams(Size(96, 96)), LIMITS)


def test_a_file_that_ends_anywhere_is_a_bad_picture_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    whole = Image.radial_gradient("L").resize((40, 30))
    for kind in ("PNG", "JPEG", "GIF", "WEBP"):
        data = pictures.saved(whole, kind)
        for end in (*range(0, 80, 3), *range(80, len(data), 29)):
            path.write_bytes(data[:end])
            size = size_of(path)
            assert size in {None, Size(40, 30)}, (kind, end)
            try:
                make_thumbnail(path, tmp_path / "thumb", ThumbnailParams(Size(96, 96), moving=True), LIMITS)
            except BadPicture:
                continue
            assert size == Size(40, 30)  # enough of its pixels are there
