"""Pictures: how large they are, and small ones made of them. Blocking, for a thread."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageOps, UnidentifiedImageError

from homeserver.services.media.files import sync_folder

# The only decoders that ever see a stranger's bytes.
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
PICTURE_TYPES = frozenset({"image/png", "image/apng", "image/jpeg", "image/gif", "image/webp"})
_QUALITY = 80
_MAX_FRAMES = 1000  # of a moving picture, however small they are
_FRAME_MS = 100  # where a frame does not say how long it stands
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
    """It cannot be read, or has more pixels than we take."""


@dataclass(frozen=True, slots=True)
class Size:
    """Pixels, as the picture is to be shown."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ThumbnailParams:
    """How a small picture is to be: it fits into the box, or fills it where `crop`; `moving` if the large one does."""

    box: Size
    crop: bool = False
    moving: bool = False

    @property
    def form(self) -> str:
        """A name for it, as a part of a file name."""
        ways = [name for name, is_so in (("crop", self.crop), ("moving", self.moving)) if is_so]
        return "-".join([f"{self.box.width}x{self.box.height}", *ways])


class Limits(NamedTuple):
    """Most pixels of a picture, and of all frames of one that moves."""

    pixels: int
    animation_pixels: int


def size_of(path: Path) -> Size | None:
    """A picture's size from its header, turned as its EXIF says; None if it is no picture that we read."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            width, height = picture.size
            if picture.getexif().get(_ORIENTATION) in _TURNED:
                width, height = height, width
            return Size(width, height)
    except _FAULTS:
        return None


def make_thumbnail(source: Path, target: Path, request: ThumbnailParams, limits: Limits) -> None:
    """Write a small WebP picture: turned upright, no EXIF, never enlarged; of one that moves too much, its first frame.

    Raises BadPicture. The number of pixels is checked before any of them is unpacked.
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
    # JPEG can be unpacked at a fraction of its size; twice the box keeps it sharp.
    picture.draft("RGB", (request.box.width * 2, request.box.height * 2))
    return _Frame(_small(ImageOps.exif_transpose(picture), request), 0)


def _frames(picture: Image.Image, request: ThumbnailParams, max_pixels: int) -> list[_Frame]:
    """The frames of a moving picture; only the first if there are more of them than we take."""
    most = min(_MAX_FRAMES, max_pixels // max(1, picture.width * picture.height))
    frames: list[_Frame] = []
    while len(frames) <= most:
        # How many there are is not asked first: to know it some formats are read to their end.
        try:
            picture.seek(len(frames))
        except EOFError:
            return frames
        stands_ms = int(picture.info.get("duration") or _FRAME_MS)
        frames.append(_Frame(_small(picture, request), stands_ms))
    return frames[:1]


def _small(picture: Image.Image, request: ThumbnailParams) -> Image.Image:
    """The pixels of a small picture, and nothing else."""
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
    draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}")  # goes with its file if we die here
    try:
        with draft.open("xb") as file:
            first.save(file, "WEBP", quality=_QUALITY, method=4, **moving)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(target.parent)
