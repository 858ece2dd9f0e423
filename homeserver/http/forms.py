"""Forms with files (multipart/form-data), read as a stream: no file is ever whole in memory."""

import asyncio
import re
import warnings
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote

from aiohttp import BadContentDispositionHeader, BadContentDispositionParam, BodyPartReader, web

from homeserver.errors import Invalid, TooLarge
from homeserver.http.body import BODY_TIMEOUT_S, BROKEN, slow_body

T = TypeVar("T")

MAX_PARTS = 20
CHUNK_BYTES = 64 * 1024

# A quoted value, in which `\"` and `\\` stand for one character, or one that ends in a backslash, or a token.
_PARAM = re.compile(
    r""";\s*([A-Za-z0-9_*-]+)\s*=\s*(?:"((?:[^"\\]|\\["\\]|\\(?!["\\]))*+)"|"([^"]*)"|([^;"\s]*))"""
)
_ESCAPED = re.compile(r"\\([\"\\])")
# What browsers escape in names (HTML, "multipart/form-data encoding algorithm"), and the slashes that no name of a file
# has. Other percent signs belong to the name.
_PERCENT = re.compile(r"%(?:22|0D|0A|2F|5C)", re.IGNORECASE)
_EXTENDED = re.compile(r"(?i:utf-8)'[^']*'(.*)", re.DOTALL)  # RFC 8187

# The library parses the header, too, and would log what it cannot read: names of files.
warnings.filterwarnings("ignore", category=BadContentDispositionHeader)
warnings.filterwarnings("ignore", category=BadContentDispositionParam)

_NO_FORM = (ValueError, AssertionError, RuntimeError, *BROKEN)  # what aiohttp raises for a malformed form


@dataclass(frozen=True, slots=True)
class FormField:
    """A field with text."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FormFile:
    """A field with a file, under the name that the browser gave, whatever that is.

    `chunks` must be read before the next part of the form is asked for.
    """

    name: str
    file_name: str
    content_type: str
    chunks: AsyncIterator[bytes]


async def form_parts(request: web.Request, max_field_bytes: int) -> AsyncIterator[FormField | FormFile]:
    """The parts of a form in the order sent. Raises Invalid (bad_form, slow_body) and TooLarge."""
    try:
        reader = await request.multipart()
        for _ in range(MAX_PARTS):
            part = await _in_time(reader.next())
            if part is None:
                return
            said = _disposition(part.headers.get("Content-Disposition", ""))
            name = said.get("name")
            if not isinstance(part, BodyPartReader) or not name:
                raise _bad_form("each part needs a name")
            if "filename" not in said:
                yield FormField(name, await _text(part, name, max_field_bytes))
            elif (chunks := await _chosen(part, said["filename"])) is not None:
                kind = part.headers.get("Content-Type", "")
                yield FormFile(name, said["filename"], kind, chunks)
    except _NO_FORM:
        raise _bad_form("it is malformed") from None
    raise _bad_form("too many parts")


def _disposition(header: str) -> Mapping[str, str]:
    """The parameters of a part's Content-Disposition, as browsers write them (RFC 7578, section 4.2).

    The library's parser refuses names with semicolons, and takes every backslash for an escape.
    """
    kind, _, _ = header.partition(";")
    if kind.strip().lower() != "form-data":
        return {}
    found: dict[str, str] = {}
    for match in _PARAM.finditer(header, len(kind)):
        name, quoted, plain, token = match[1].lower(), match[2], match[3], match[4]
        value = _ESCAPED.sub(r"\1", quoted) if quoted is not None else plain or token or ""
        if name.endswith("*"):
            extended = _EXTENDED.fullmatch(value)
            if extended:
                found[name[:-1]] = unquote(extended[1])
        else:
            found.setdefault(name, _PERCENT.sub(lambda escape: unquote(escape[0]), value))
    return found


async def _chosen(part: BodyPartReader, file_name: str) -> AsyncIterator[bytes] | None:
    """The bytes of a file; None for a file input where none was chosen: browsers send no name and no bytes."""
    chunks = _chunks(part)
    if file_name:
        return chunks
    first = await anext(chunks, b"")
    return _behind(first, chunks) if first else None


async def _behind(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in chunks:
        yield chunk


async def _text(part: BodyPartReader, name: str, max_bytes: int) -> str:
    value = bytearray()
    async for chunk in _chunks(part):
        value += chunk
        if len(value) > max_bytes:
            raise TooLarge(f"{name}: at most {max_bytes} bytes")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise Invalid(f"{name}: is not UTF-8", code="bad_form") from None
    if "\x00" in text:
        raise Invalid(f"{name}: NUL characters are not allowed", code="invalid_param")
    return text


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    """The bytes of a part. A malformed form raises Invalid here too, as a service may be reading."""
    try:
        while True:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                chunk = await part.read_chunk(CHUNK_BYTES)
            if not chunk:
                return
            yield chunk
    except TimeoutError:
        raise slow_body() from None
    except _NO_FORM:
        raise _bad_form("it is malformed") from None


async def _in_time(step: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await step
    except TimeoutError:
        raise slow_body() from None


def _bad_form(what: str) -> Invalid:
    return Invalid(f"The body is not a form with files: {what}.", code="bad_form")
