"""Pictures: how large they are, and small ones made of them. Blocking, for a thread."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from homeserver.services.media.files import sync_folder

# The only decoders that ever see a stranger's bytes.
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
PICTURE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_QUALITY = 80
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


def make_thumbnail(source: Path, target: Path, box: Size, max_pixels: int) -> None:
    """Write a WebP picture that fits into `box`: turned upright, first frame only, no EXIF, never enlarged.

    Raises BadPicture. The number of pixels is checked before any of them is unpacked.
    """
    try:
        with Image.open(source, formats=FORMATS) as picture:
            if picture.width * picture.height > max_pixels:
                raise BadPicture("too many pixels")
            # JPEG can be unpacked at a fraction of its size; twice the box keeps it sharp.
            picture.draft("RGB", (box.width * 2, box.height * 2))
            upright = ImageOps.exif_transpose(picture)
            has_alpha = upright.has_transparency_data
            small = upright.convert("RGBA" if has_alpha else "RGB")
            small.thumbnail((box.width, box.height), Image.Resampling.LANCZOS, reducing_gap=2.0)
            bare = Image.frombytes(small.mode, small.size, small.tobytes())  # pixels, and nothing else
    except _FAULTS as error:
        raise BadPicture(type(error).__name__) from error
    _save(bare, target)


def _save(picture: Image.Image, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}")  # goes with its file if we die here
    try:
        with draft.open("xb") as file:
            picture.save(file, "WEBP", quality=_QUALITY, method=4)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(target.parent)
