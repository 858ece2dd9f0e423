"""Forms with files (multipart/form-data), read as a stream: no file is ever whole in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import BodyPartReader, web

from homeserver.errors import Invalid, TooLarge
from homeserver.http.body import BODY_TIMEOUT_S, BROKEN, slow_body

T = TypeVar("T")

MAX_PARTS = 20
MAX_NAME_BYTES = 1000  # of a file
CHUNK_BYTES = 64 * 1024

_NO_FORM = (ValueError, AssertionError, *BROKEN)  # what aiohttp raises for a malformed form


@dataclass(frozen=True, slots=True)
class FormField:
    """A field with text."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FormFile:
    """A field with a file. `chunks` must be read before the next part of the form is asked for."""

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
            if not isinstance(part, BodyPartReader) or not part.name:
                raise _bad_form("each part needs a name")
            if part.filename is None:
                yield FormField(part.name, await _text(part, max_field_bytes))
            else:
                kind = part.headers.get("Content-Type", "")
                yield FormFile(part.name, _file_name(part.filename), kind, _chunks(part))
    except _NO_FORM:
        raise _bad_form("it is malformed") from None
    raise _bad_form("too many parts")


async def _text(part: BodyPartReader, max_bytes: int) -> str:
    value = bytearray()
    async for chunk in _chunks(part):
        value += chunk
        if len(value) > max_bytes:
            raise TooLarge(f"{part.name}: at most {max_bytes} bytes")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise Invalid(f"{part.name}: is not UTF-8", code="bad_form") from None
    if "\x00" in text:
        raise Invalid(f"{part.name}: NUL characters are not allowed", code="invalid_param")
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


def _file_name(given: str) -> str:
    return given.replace("\x00", "").encode(errors="replace")[:MAX_NAME_BYTES].decode(errors="ignore")


def _bad_form(what: str) -> Invalid:
    return Invalid(f"The body is not a form with files: {what}.", code="bad_form")
