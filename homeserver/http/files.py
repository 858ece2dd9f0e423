"""Files as responses: conditions and ranges as RFC 9110 has them, read in a thread, a part at a time.

The library's own ignores entity tags in If-Range, refuses units and lists of ranges that are to be ignored, and makes
tags of times.
"""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

_CHUNK_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes[ \t]*=[ \t,]*([0-9]{0,18})[ \t]*-[ \t]*([0-9]{0,18})[ \t,]*", re.IGNORECASE)
_TAGS = re.compile(r'(W/)?("[^"]*")')
_OF_CONTENT = ("Content-Length", "Content-Type", "Content-Disposition", "Content-Range")


class FileResponse(web.StreamResponse):
    """A file that never changes. `etag`: its strong entity tag, with quotes."""

    def __init__(self, path: Path, *, size: int, etag: str, headers: Mapping[str, str]) -> None:
        super().__init__(headers={**headers, "ETag": etag, "Accept-Ranges": "bytes"})
        self._path = path
        self._size = size
        self._tag = etag

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the headers, and the content if there is any to be sent."""
        if self.prepared:
            return await super().prepare(request)
        try:
            file = await asyncio.to_thread(self._path.open, "rb")
        except FileNotFoundError:  # deleted since it was asked for
            self._empty(404)
            return await super().prepare(request)
        try:
            return await self._respond(request, file)
        finally:
            asyncio.get_running_loop().run_in_executor(None, file.close)  # also if this task is cancelled

    async def _respond(self, request: web.BaseRequest, file: BinaryIO) -> AbstractStreamWriter | None:
        first, count = self._judged(request)
        writer = await super().prepare(request)
        if count and request.method != "HEAD":
            await asyncio.to_thread(file.seek, first)
            while count:
                chunk = await asyncio.to_thread(file.read, min(_CHUNK_BYTES, count))
                if not chunk:
                    raise ConnectionResetError("the file is shorter than it was")
                await self.write(chunk)
                count -= len(chunk)
        await self.write_eof()
        return writer

    def _judged(self, request: web.BaseRequest) -> tuple[int, int]:
        """Set status and headers by the conditions of a request (section 13.2.2); returns the bytes to send, as the
        first and their number."""
        asked = request.headers
        if not _matches(asked.get("If-Match", "*"), self._tag, weak=False):
            return self._empty(412)
        if "If-None-Match" in asked and _matches(asked["If-None-Match"], self._tag, weak=True):
            return self._empty(304)
        part = None
        if request.method == "GET" and asked.get("If-Range", self._tag).strip() == self._tag:
            part = _part(asked.get("Range", ""), self._size)
        if part is None:
            self.content_length = self._size
            return 0, self._size
        first, count = part
        if count <= 0:
            self._empty(416)
            self.headers["Content-Range"] = f"bytes */{self._size}"
            return 0, 0
        self.set_status(206)
        self.headers["Content-Range"] = f"bytes {first}-{first + count - 1}/{self._size}"
        self.content_length = count
        return part

    def _empty(self, status: int) -> tuple[int, int]:
        self.set_status(status)
        for name in _OF_CONTENT:
            self.headers.pop(name, None)
        if status != 304:
            self.content_length = 0
        return 0, 0


def _part(asked: str, size: int) -> tuple[int, int] | None:
    """The first byte of a range and how many it has, 0 if there are none; None if the whole file is to be sent: for
    another unit, a malformed range, and several ranges at once."""
    found = _RANGE.fullmatch(asked.strip())
    if found is None:
        return None
    first, last = found[1], found[2]
    if not first:
        if not last or not size:
            return None
        count = min(int(last), size)
        return size - count, count
    if last and int(last) < int(first):
        return None
    end = min(int(last) + 1, size) if last else size
    return int(first), max(0, end - int(first))


def _matches(said: str, tag: str, *, weak: bool) -> bool:
    """Whether a list of entity tags has this one, or is `*`. A weak comparison takes tags marked as weak as well."""
    if said.strip() == "*":
        return True
    return any(value == tag and (weak or not mark) for mark, value in _TAGS.findall(said))
