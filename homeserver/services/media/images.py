"""Images: their size, and thumbnails. Blocking, to be run in a thread."""

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import GifImagePlugin, Image, ImageFile, ImageOps, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from homeserver.services.media.disk import sync_folder
from homeserver.services.media.headers import Header, Kind, gif_keeps_its_canvas, read_header

PICTURE_TYPES = frozenset({"image/png", "image/apng", "image/jpeg", "image/gif", "image/webp"})

# The only decoders that are given untrusted bytes. They are named, not found by `Image.open`, which would also take
# the second picture of a JPEG (a depth map, the other eye) for a frame.
_DECODERS: Mapping[Kind, type[ImageFile.ImageFile]] = {
    "png": PngImagePlugin.PngImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
}
_WEBP_SHARE = 2  # its decoder holds the canvas four times
_MOVING_SHARE = 4  # an animation is worth its memory only if more than a few frames are within the limit
_MAX_SCANS = 100  # of a progressive JPEG, each of which costs the time of the whole picture; cameras make 10
_BYTES_PER_PIXEL = 4  # a file that is longer than its pixels is not decoded
_BAND_PIXELS = 1_000_000  # converted at a time
_QUALITY = 80
_MAX_FRAMES = 1000  # of an animation, however small they are
_FRAME_MS = 100  # for frames without a duration
_TURNED = frozenset({5, 6, 7, 8})  # orientations that swap width and height
_UPRIGHT: Mapping[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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

    def admits(self, content_type: str, pixels: int) -> bool:
        """Whether an image of this type with this number of pixels may be decoded."""
        return pixels <= self.pixels // (_WEBP_SHARE if content_type == "image/webp" else 1)


def size_of(path: Path) -> Size | None:
    """An image's size from its header, EXIF orientation applied; None if it is no supported image."""
    with path.open("rb") as file:
        header = read_header(file)
    if header is None:
        return None
    if header.orientation in _TURNED:
        return Size(header.height, header.width)
    return Size(header.width, header.height)


def make_thumbnail(source: Path, target: Path, request: ThumbnailParams, limits: Limits) -> None:
    """Write a WebP thumbnail: upright, no EXIF, never enlarged; only the first frame of an animation over the limits.

    Raises BadPicture. What the file would take to decode is judged by its header, before a decoder opens it.
    """
    with source.open("rb") as file:
        header = read_header(file)
        if header is None:
            raise BadPicture("no header")
        _check_cost(source, header, limits)
        moves = request.moving and _may_move(source, header, limits.animation_pixels)
        file.seek(0)
        try:
            with _DECODERS[header.kind](file) as picture:
                if picture.size != (header.width, header.height):
                    raise BadPicture("another size than the header says")
                frames = _Frames(picture, header, request)
                made = frames.moving(limits.animation_pixels) if moves else [frames.still()]
        except (Exception, MemoryError) as error:
            # A decoder over foreign bytes raises nearly anything (assertions, struct.error); all of it says the same.
            raise BadPicture(f"{type(error).__name__}: {error}") from error
    _save(made, target)


def _check_cost(source: Path, header: Header, limits: Limits) -> None:
    """Raise BadPicture for a file that would take too much memory or time to decode."""
    if not limits.admits(f"image/{header.kind}", header.pixels):
        raise BadPicture("too many pixels")
    if source.stat().st_size > limits.pixels * _BYTES_PER_PIXEL:
        raise BadPicture("too many bytes")
    # In pixels, the byte 0xFF is followed by 0, so nothing there looks like the marker of a scan.
    if header.is_progressive and source.read_bytes().count(b"\xff\xda") > _MAX_SCANS:
        raise BadPicture("too many scans")


def _may_move(source: Path, header: Header, animation_pixels: int) -> bool:
    if header.kind == "jpeg" or header.pixels * _MOVING_SHARE > animation_pixels:
        return False
    if header.kind != "gif":
        return True
    with source.open("rb") as file:
        return gif_keeps_its_canvas(file)


class _Frame(NamedTuple):
    picture: Image.Image
    stands_ms: int


class _Frames:
    """Makes small frames of an open picture, one after the other: only one is held at its full size."""

    def __init__(self, picture: ImageFile.ImageFile, header: Header, request: ThumbnailParams) -> None:
        self._picture = picture
        self._turned = header.orientation
        self._request = request
        box = request.box
        self._box = Size(box.height, box.width) if self._turned in _TURNED else box  # as it is stored

    def still(self) -> _Frame:
        """The first frame."""
        # JPEG can be decoded at a fraction of its size; twice the box keeps it sharp.
        self._picture.draft("RGB", (self._box.width * 2, self._box.height * 2))
        return _Frame(self._small(), 0)

    def moving(self, max_pixels: int) -> list[_Frame]:
        """The frames of an animation; only the first if they exceed the limits."""
        picture = self._picture
        if not getattr(picture, "is_animated", False):
            return [self.still()]
        first = int(
            bool(picture.info.get("default_image"))
        )  # of an APNG: it is shown only where nothing moves
        most = min(_MAX_FRAMES, max_pixels // max(1, picture.width * picture.height))
        frames: list[_Frame] = []
        while len(frames) <= most:
            # Frames are not counted first: some formats must be read to the end for that.
            try:
                picture.seek(first + len(frames))
                small = self._small()
            except EOFError:
                return frames
            # Of a WebP it is known once the frame is decoded.
            frames.append(_Frame(small, int(picture.info.get("duration") or _FRAME_MS)))
        return frames[:1]

    def _small(self) -> Image.Image:
        """The pixels of the thumbnail, without metadata."""
        small, box = _reduced(self._picture, self._box, crop=self._request.crop), self._box
        if self._request.crop:
            shrunk = min(1.0, small.width / box.width, small.height / box.height)
            fitting = (max(1, round(box.width * shrunk)), max(1, round(box.height * shrunk)))
            small = ImageOps.fit(small, fitting, Image.Resampling.LANCZOS)
        else:
            small.thumbnail((box.width, box.height), Image.Resampling.LANCZOS)
        if self._turned in _UPRIGHT:
            small = small.transpose(_UPRIGHT[self._turned])
        return Image.frombytes(small.mode, small.size, small.tobytes())


def _reduced(picture: ImageFile.ImageFile, box: Size, *, crop: bool) -> Image.Image:
    """The picture in RGB or RGBA, shrunk by a whole number to not less than twice the box.

    It is converted in bands, so that the pixels are in memory once and not twice.
    """
    picture.load()
    ratios = picture.width / box.width, picture.height / box.height
    factor = max(1, int((min(ratios) if crop else max(ratios)) / 2))
    factor = min(factor, picture.width, picture.height)
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    high = max(1, _BAND_PIXELS // picture.width // factor) * factor
    small = Image.new(mode, (-(-picture.width // factor), -(-picture.height // factor)))
    for top in range(0, picture.height, high):
        band = picture.crop((0, top, picture.width, min(picture.height, top + high)))
        small.paste(_shrunk(_in_colour(band, mode), factor), (0, top // factor))
    return small


def _in_colour(band: Image.Image, mode: str) -> Image.Image:
    """A band in RGB or RGBA. Its transparent colour, where it has one of 16 bits, cannot be told any more."""
    if band.mode.startswith("I"):  # 16 bits of grey, which `convert` would cut off at 255
        band = band.convert("I").point(lambda grey: grey / 256).convert("L")
        band.info.pop("transparency", None)
    return band if band.mode == mode else band.convert(mode)


def _shrunk(band: Image.Image, factor: int) -> Image.Image:
    """A band reduced by a whole number; the colour of transparent pixels does not bleed."""
    if factor == 1:
        return band
    if band.mode != "RGBA":
        return band.reduce(factor)
    return band.convert("RGBa").reduce(factor).convert("RGBA")


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
