"""Images: their size, and thumbnails. Blocking, to be run in a thread."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageOps, UnidentifiedImageError

from homeserver.services.media.disk import sync_folder

# The only decoders that are given untrusted bytes.
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
PICTURE_TYPES = frozenset({"image/png", "image/apng", "image/jpeg", "image/gif", "image/webp"})
_QUALITY = 80
_MAX_FRAMES = 1000  # of an animation, however small they are
_FRAME_MS = 100  # for frames without a duration
_ORIENTATION = 0x0112  # EXIF
_TURNED = frozenset({5, 6, 7, 8})  # orientations that swap width and height
_FAULTS = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    EOFError,
    MemoryError,
    OverflowError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
    UnidentifiedImageError,
)


class BadPicture(Exception):
    """The image cannot be decoded, or has more pixels than allowed."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels, after EXIF orientation."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ThumbnailParams:
    """Parameters of a thumbnail: scaled to fit the box, or to fill it with `crop`. `moving`: keep an animation."""

    box: Size
    crop: bool = False
    moving: bool = False

    @property
    def form(self) -> str:
        """The parameters as a part of a file name."""
        ways = [name for name, is_so in (("crop", self.crop), ("moving", self.moving)) if is_so]
        return "-".join([f"{self.box.width}x{self.box.height}", *ways])


class Limits(NamedTuple):
    """Most pixels of an image, and of all frames of an animation together."""

    pixels: int
    animation_pixels: int


def size_of(path: Path) -> Size | None:
    """An image's size from its header, EXIF orientation applied; None if it is no supported image."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            width, height = picture.size
            if picture.getexif().get(_ORIENTATION) in _TURNED:
                width, height = height, width
            return Size(width, height)
    except _FAULTS:
        return None


def make_thumbnail(source: Path, target: Path, request: ThumbnailParams, limits: Limits) -> None:
    """Write a WebP thumbnail: upright, no EXIF, never enlarged; only the first frame of an animation over the limits.

    Raises BadPicture. The number of pixels is checked before decoding.
    """
    try:
        with Image.open(source, formats=FORMATS) as picture:
            if picture.width * picture.height > limits.pixels:
                raise BadPicture("too many pixels")
            moves = request.moving and getattr(picture, "is_animated", False)
            frames = (
                _frames(picture, request, limits.animation_pixels) if moves else [_still(picture, request)]
            )
    except _FAULTS as error:
        raise BadPicture(type(error).__name__) from error
    _save(frames, target)


class _Frame(NamedTuple):
    picture: Image.Image
    stands_ms: int


def _still(picture: Image.Image, request: ThumbnailParams) -> _Frame:
    # JPEG can be decoded at a fraction of its size; twice the box keeps it sharp.
    picture.draft("RGB", (request.box.width * 2, request.box.height * 2))
    return _Frame(_small(ImageOps.exif_transpose(picture), request), 0)


def _frames(picture: Image.Image, request: ThumbnailParams, max_pixels: int) -> list[_Frame]:
    """The frames of an animation; only the first if they exceed the limits."""
    most = min(_MAX_FRAMES, max_pixels // max(1, picture.width * picture.height))
    frames: list[_Frame] = []
    while len(frames) <= most:
        # Frames are not counted first: some formats must be read to the end for that.
        try:
            picture.seek(len(frames))
        except EOFError:
            return frames
        stands_ms = int(picture.info.get("duration") or _FRAME_MS)
        frames.append(_Frame(_small(picture, request), stands_ms))
    return frames[:1]


def _small(picture: Image.Image, request: ThumbnailParams) -> Image.Image:
    """The pixels of the thumbnail, without metadata."""
    box, has_alpha = request.box, picture.has_transparency_data
    small = picture.convert("RGBA" if has_alpha else "RGB")
    if request.crop:
        shrunk = min(1.0, small.width / box.width, small.height / box.height)
        fitting = (max(1, round(box.width * shrunk)), max(1, round(box.height * shrunk)))
        small = ImageOps.fit(small, fitting, Image.Resampling.LANCZOS)
    else:
        small.thumbnail((box.width, box.height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return Image.frombytes(small.mode, small.size, small.tobytes())


def _save(frames: Sequence[_Frame], target: Path) -> None:
    first, *others = (one.picture for one in frames)
    moving = (
        {"save_all": True, "append_images": others, "duration": [one.stands_ms for one in frames], "loop": 0}
        if others
        else {}
    )
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}")  # deleted with its file after a crash
    try:
        with draft.open("xb") as file:
            first.save(file, "WEBP", quality=_QUALITY, method=4, **moving)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(target.parent)
