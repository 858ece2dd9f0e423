"""Pictures as attackers and cameras make them, by the bytes of their formats."""

import io
import struct
import zlib
from collections.abc import Sequence

from PIL import Image, ImageCms

Box = tuple[int, int, int, int]


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    width: int,
    height: int,
    rows: bytes,
    *,
    bits: int = 8,
    colours: int = 2,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A PNG of these rows (each with its filter byte), with chunks before and after the pixels."""
    head = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", head)
        + before
        + png_chunk(b"IDAT", zlib.compress(rows, 1))
        + after
        + png_chunk(b"IEND", b"")
    )


def png_bomb(width: int = 13_000, height: int = 13_000) -> bytes:
    """A PNG of few bytes that unpacks to one byte for each pixel, without EXIF."""
    return png(width, height, bytes((1 + -(-width // 8)) * height), bits=1, colours=0)


def gif(canvas: tuple[int, int], frames: Sequence[Box], *, disposal: int = 2) -> bytes:
    """A GIF whose frames (left, top, width, height) need not fit its canvas; of large ones most pixels are missing."""
    parts = [b"GIF89a", struct.pack("<HHBBB", *canvas, 0x80, 0, 0), bytes(3), b"\xff\0\0"]
    for frame in frames:
        parts.append(b"!\xf9\x04" + struct.pack("<BHB", disposal << 2, 7, 0) + b"\0")
        parts.append(b"," + struct.pack("<HHHHB", *frame, 0) + b"\x02")
        packed = _packed(min(frame[2] * frame[3], 10_000))
        parts.extend(
            bytes((len(packed[at : at + 255]),)) + packed[at : at + 255] for at in range(0, len(packed), 255)
        )
        parts.append(b"\0")
    return b"".join(parts) + b";"


def _packed(pixels: int) -> bytes:
    """So many pixels of colour 1 in the LZW of GIF, of 3 bits: the table is cleared (4) before it grows."""
    codes = [code for _ in range(pixels // 2) for code in (4, 1, 1)] + [4] + [1] * (pixels % 2) + [5]
    bits = sum(code << 3 * at for at, code in enumerate(codes))
    return bits.to_bytes(-(-3 * len(codes) // 8), "little")


def jpeg_of(width: int, height: int, *, progressive: bool = False) -> bytes:
    """A small JPEG whose header says that it is of this size."""
    data = bytearray(saved(Image.new("RGB", (16, 16)), "JPEG", progressive=progressive))
    at = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = saved(Image.new("RGB", (640, 480)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def webp_of(width: int, height: int, *, is_moving: bool) -> bytes:
    """A small WebP whose header says that it is of this size."""
    if is_moving:
        pictures = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
        data = bytearray(saved(pictures[0], "WEBP", save_all=True, append_images=pictures[1:]))
        data[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        return bytes(data)
    data = bytearray(saved(Image.new("RGB", (16, 16)), "WEBP", lossless=True))
    data[21:25] = struct.pack("<I", (width - 1) | (height - 1) << 14)
    return bytes(data)


def two_in_one(first: Image.Image, second: Image.Image) -> bytes:
    """A JPEG with a second picture behind it, as telephones write them (MPO)."""
    return saved(first, "MPO", save_all=True, append_images=[second])


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def exif(orientation: int, order: str = "<") -> bytes:
    """EXIF data that says no more than how to turn a picture."""
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(
        f"{order}IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0
    )


def colour_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
