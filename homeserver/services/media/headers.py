"""The headers of pictures: kind, dimensions and EXIF orientation, read without a decoder and without any pixel.

Decoders allocate by what a header says, some of them as soon as they open a file. So the header is read here first, in
a bounded number of steps, and decides whether a decoder sees the file at all.
"""

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal, NamedTuple

Kind = Literal["png", "jpeg", "gif", "webp"]

_MAX_STEPS = 20_000  # chunks, segments or blocks before the pixels; real files have some dozens
_MAX_EXIF_BYTES = 65_536
_ORIENTATION = 0x0112
_SHORT = 3  # a TIFF type: 16 bits
_NO_DIMENSIONS = frozenset({0xC4, 0xC8, 0xCC})  # markers among those of JPEG frames that are none
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # JPEG markers without a length
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})


class Header(NamedTuple):
    """What the header of a picture says: the canvas as it is stored, and how it is to be turned (EXIF, 1 to 8).

    `is_progressive`: a JPEG that is stored in scans, each over the whole picture.
    """

    kind: Kind
    width: int
    height: int
    orientation: int = 1
    is_progressive: bool = False

    @property
    def pixels(self) -> int:
        return self.width * self.height


def read_header(file: BinaryIO) -> Header | None:
    """The header of a file that is read from its beginning; None if it is no picture that can be shown small."""
    try:
        magic = file.read(12)
        reader = _reader(magic)
        header = None if reader is None else reader(file)
    except struct.error:  # the file ends within its header
        return None
    return header if header is not None and header.pixels > 0 else None


def gif_keeps_its_canvas(file: BinaryIO) -> bool:
    """False if a frame of a GIF reaches beyond the canvas that its header and first frame say. Reads the whole file."""
    try:
        sizes = _gif_canvases(file)
        first = next(sizes)
        return all(size == first for size in sizes)
    except (struct.error, StopIteration):
        return False


def _reader(magic: bytes) -> Callable[[BinaryIO], Header | None] | None:
    if magic.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png
    if magic.startswith(b"\xff\xd8\xff"):
        return _jpeg
    if magic[:6] in {b"GIF87a", b"GIF89a"}:
        return _gif
    return _webp if magic[:4] == b"RIFF" and magic[8:] == b"WEBP" else None


def _png(file: BinaryIO) -> Header | None:
    """PNG: the orientation counts if it stands before the pixels, as for browsers."""
    file.seek(8)
    length, name = struct.unpack(">I4s", file.read(8))
    if name != b"IHDR" or length != 13:
        return None
    width, height = struct.unpack(">II", file.read(8))
    file.seek(9, 1)  # the rest of the chunk and its checksum
    turned = 1
    for _ in range(_MAX_STEPS):
        length, name = struct.unpack(">I4s", file.read(8))
        if name in {b"IDAT", b"IEND"}:
            return Header("png", width, height, turned)
        if name == b"IHDR":
            return None
        skipped = length + 4
        if name == b"eXIf" and length <= _MAX_EXIF_BYTES:
            turned, skipped = _orientation(file.read(length)), 4
        file.seek(skipped, 1)
    return None


def _jpeg(file: BinaryIO) -> Header | None:
    file.seek(2)
    width = height = 0
    turned, is_progressive, has_exif = 1, False, False
    for _ in range(_MAX_STEPS):
        marker = _marker(file)
        if marker in {0xD9, 0xDA}:  # the end, or the first pixels
            return Header("jpeg", width, height, turned, is_progressive)
        if marker in _ALONE:
            continue
        (length,) = struct.unpack(">H", file.read(2))
        rest = max(0, length - 2)
        if 0xC0 <= marker <= 0xCF and marker not in _NO_DIMENSIONS:
            _, height, width = struct.unpack(">BHH", file.read(5))
            is_progressive, rest = marker in _PROGRESSIVE, rest - 5
        elif marker == 0xE1 and not has_exif:
            said = file.read(rest)
            rest = 0
            if said.startswith(b"Exif\0\0"):
                turned, has_exif = _orientation(said[6:]), True
        file.seek(max(0, rest), 1)
    return None


def _marker(file: BinaryIO) -> int:
    """The next marker of a JPEG; fill bytes before it are skipped. Raises struct.error at the end of the file."""
    (byte,) = struct.unpack("B", file.read(1))
    for _ in range(_MAX_STEPS):
        (following,) = struct.unpack("B", file.read(1))
        if byte == 0xFF and following not in {0x00, 0xFF}:
            return int(following)
        byte = following
    raise struct.error("no marker")


def _gif(file: BinaryIO) -> Header | None:
    size = next(_gif_canvases(file, _MAX_STEPS), None)
    return None if size is None else Header("gif", *size)


def _gif_canvases(file: BinaryIO, most: int | None = None) -> Iterator[tuple[int, int]]:
    """The canvas after each frame of a GIF: decoders enlarge it for frames that reach beyond. `most`: steps taken."""
    file.seek(6)
    width, height, flags = struct.unpack("<HHBxx", file.read(7))
    file.seek(_palette_bytes(flags), 1)
    steps = 0
    while (introducer := file.read(1)) and introducer != b";":
        steps += 1
        if introducer == b",":
            left, top, wide, high, flags = struct.unpack("<HHHHB", file.read(9))
            width, height = max(width, left + wide), max(height, top + high)
            yield width, height
            file.seek(_palette_bytes(flags) + 1, 1)
        elif introducer == b"!":
            file.seek(1, 1)
        if introducer in b",!":
            steps += _skip_blocks(file, most)
        if most is not None and steps > most:
            return


def _skip_blocks(file: BinaryIO, most: int | None) -> int:
    """Skip the data of a frame or an extension of a GIF; returns how many blocks those were."""
    steps = 0
    while (size := file.read(1)) and size != b"\0" and (most is None or steps <= most):
        file.seek(size[0], 1)
        steps += 1
    return steps


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _webp(file: BinaryIO) -> Header | None:
    file.seek(12)
    name, length = struct.unpack("<4sI", file.read(8))
    if name == b"VP8X":
        flags, wide, high = struct.unpack("<B3x3s3s", file.read(10))
        turned = _webp_orientation(file, length) if flags & 0x08 else 1
        return Header("webp", int.from_bytes(wide, "little") + 1, int.from_bytes(high, "little") + 1, turned)
    if name == b"VP8L":
        _, bits = struct.unpack("<BI", file.read(5))
        return Header("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if name != b"VP8 ":
        return None
    width, height = struct.unpack("<6xHH", file.read(10))
    return Header("webp", width & 0x3FFF, height & 0x3FFF)


def _webp_orientation(file: BinaryIO, length: int) -> int:
    """The orientation in the EXIF chunk, which stands behind the pixels."""
    file.seek(20 + length + length % 2)
    for _ in range(_MAX_STEPS):
        head = file.read(8)
        if len(head) < 8:
            return 1
        name, length = struct.unpack("<4sI", head)
        if name == b"EXIF" and length <= _MAX_EXIF_BYTES:
            return _orientation(file.read(length).removeprefix(b"Exif\0\0"))
        file.seek(length + length % 2, 1)
    return 1


def _orientation(tiff: bytes) -> int:
    """The orientation in the first directory of EXIF data; 1 (upright) if it has none."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for number in range(count):
            tag, kind, value = struct.unpack_from(f"{order}HH4xH", tiff, start + 2 + 12 * number)
            if tag == _ORIENTATION:
                return int(value) if kind == _SHORT and 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
