"""The media store: uploads, signed URLs, downloads, thumbnails.

A file is received into a folder for incoming files, off the event loop, while its size is checked; then its type is
sniffed, it is moved to its final path, and last its row is inserted. A file without a row is deleted by the gc.
"""

import asyncio
import errno
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from homeserver.clock import Clock
from homeserver.errors import Conflict, Invalid, NotFound, RateLimited, TooLarge, Unavailable
from homeserver.kit.ratelimit import RateLimits
from homeserver.kit.shares import Shares
from homeserver.kit.text import file_name
from homeserver.model import MediaId, Requester
from homeserver.protocol.ids import UserId
from homeserver.services.media import images, sniff
from homeserver.services.media.disk import Disk, Incoming, Places, new_media_id
from homeserver.services.media.disposition import content_disposition
from homeserver.services.media.images import ThumbnailParams
from homeserver.services.media.quota import Quota
from homeserver.services.media.thumbs import Thumbnails
from homeserver.services.media.urls import MediaUrls
from homeserver.settings.models import MediaSettings
from homeserver.storage import media as stored
from homeserver.storage.db import Database
from homeserver.storage.media import MediaRow, Source, StoredTotals

_WRITE_BYTES = 256 * 1024  # buffered per write to disk
_RETRY_MS = 5000
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_NOBODY = UserId("")


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """A stored file, for use in messages. Width and height only for images, EXIF orientation applied."""

    media_id: MediaId
    name: str
    content_type: str
    size: int
    width: int | None
    height: int | None
    uploader: UserId


@dataclass(frozen=True, slots=True)
class Served:
    """A file to serve: its path, and the values of the headers Content-Type, Content-Disposition and ETag."""

    path: Path
    content_type: str
    disposition: str
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class _Received:
    head: bytes
    size: int


@dataclass(frozen=True, slots=True)
class _Said:
    """Name, declared type and id of a file. `is_awaited`: its id was handed out before the upload."""

    name: str
    declared_type: str
    media_id: MediaId
    source: Source
    is_awaited: bool


class Media:
    """Uploads, signed URLs, downloads and thumbnails."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        settings: MediaSettings,
        limits: RateLimits,
        urls: MediaUrls,
        disk: Disk,
        places: Places,
    ) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._limits = limits
        self._urls = urls
        self._disk = disk
        self._places = places
        self._quota = Quota(settings, db, clock)
        self._thumbnails = Thumbnails(places, settings)
        self._uploads = 0
        self._shares = Shares(settings.max_uploads_per_user, "uploads")
        self._in_flight: Counter[UserId] = Counter()  # bytes being received

    async def upload(
        self,
        requester: Requester,
        *,
        name: str,
        chunks: AsyncIterable[bytes],
        declared_type: str = "",
        media_id: MediaId | None = None,
        source: Source = "product",
        is_awaited: bool = False,
    ) -> StoredMedia:
        """Store an upload; a failed one leaves nothing behind. `media_id`: made beforehand; `is_awaited`: and already
        handed out to clients.

        Raises TooLarge("file_too_large" or "quota_exceeded"), RateLimited, Invalid("upload_stalled"),
        Conflict("file_exists"), NotFound if the pending upload has expired.
        """
        self._limits.check("upload", requester.user_id)
        if self._uploads >= self._settings.max_uploads:
            raise RateLimited("too many uploads at once", retry_ms=_RETRY_MS, code="busy")
        said = _Said(name and file_name(name), declared_type, media_id or new_media_id(), source, is_awaited)
        with self._shares.take(requester.user_id):
            return await self._take_in(requester.user_id, chunks, said)

    async def _take_in(self, user_id: UserId, chunks: AsyncIterable[bytes], said: _Said) -> StoredMedia:
        self._uploads += 1
        incoming: Incoming | None = None
        try:
            incoming = await self._disk.run(partial(Incoming, self._places.incoming))
            received = await self._receive(user_id, incoming, chunks)
            return await self._keep(user_id, incoming, received, said)
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise Unavailable("the server has no space left for files", code="disk_full") from error
            raise
        finally:
            self._uploads -= 1
            if incoming is not None:
                await asyncio.shield(self._disk.run(incoming.discard))

    async def keep(self, data: bytes, *, name: str, source: Source) -> StoredMedia:
        """Store data that the server itself fetched; it counts towards no user's quota."""
        incoming = await self._disk.run(partial(Incoming, self._places.incoming))
        try:
            await self._disk.run(partial(incoming.write, data))
            said = _Said(name and file_name(name), "", new_media_id(), source, is_awaited=False)
            received = _Received(data[: sniff.HEAD_BYTES], len(data))
            return await self._keep(_NOBODY, incoming, received, said)
        finally:
            await asyncio.shield(self._disk.run(incoming.discard))

    async def stored(self, media_ids: Collection[MediaId]) -> dict[MediaId, StoredMedia]:
        """Those of the files that exist and are not deleted. At most one query."""
        if not media_ids:
            return {}
        async with self._db.read() as conn:
            rows = await stored.media_of(conn, media_ids)
        return {row.media_id: _stored_media(row) for row in rows.values() if row.delete_after_ms is None}

    async def discard(self, requester: Requester, media_id: MediaId) -> None:
        """Release the requester's own file, if no message uses it; the gc deletes it."""
        async with self._db.write() as conn:
            row = (await stored.media_of(conn, [media_id])).get(media_id)
            if row is not None and row.uploader == requester.user_id:
                await stored.delete_media_after(conn, [(media_id, self._clock.now_ms())])

    def url(self, media_id: MediaId, name: str = "") -> str:
        """The signed path of a file on this server, to be appended to its public URL."""
        return self._urls.file(media_id, name, self._clock.now_ms())

    def thumbnail_url(self, media_id: MediaId, width: int, height: int) -> str:
        """The signed path of a thumbnail, in the configured size that covers these pixels."""
        box = self._thumbnails.box(width, height)
        return self._urls.thumbnail(media_id, box.width, box.height, self._clock.now_ms())

    async def open(self, media_id: str, expiry_ms: int, signature: str) -> Served:
        """A file by its signed URL. Raises NotFound if the signature is wrong or expired, or the file is deleted."""
        self._urls.check_file(media_id, expiry_ms, signature, self._clock.now_ms())
        row = await self._row(MediaId(media_id))
        inline = sniff.is_inline(row.content_type)
        return await self.whole(row, sniff.served_type(row.content_type), row.name, inline=inline)

    async def whole(self, row: MediaRow, content_type: str, name: str, *, inline: bool) -> Served:
        """A file to serve, by its row. Raises NotFound if it is deleted."""
        path = self._places.file(row.media_id)
        if not await self._disk.run(path.is_file):
            raise _not_found()
        return Served(
            path=path,
            content_type=content_type,
            disposition=content_disposition(name, inline=inline),
            size=row.size,
            etag=f'"{row.sha256[:32]}"',
        )

    async def thumbnail(
        self, media_id: str, *, width: int, height: int, expiry_ms: int, signature: str
    ) -> Served:
        """A thumbnail by its signed URL. Raises NotFound as `open` does, and if the file is no image."""
        self._urls.check_thumbnail(media_id, (width, height), expiry_ms, signature, self._clock.now_ms())
        row = await self._row(MediaId(media_id))
        return await self.small(row, ThumbnailParams(self._thumbnails.box(width, height)))

    def box(self, width: int, height: int) -> images.Size:
        """The configured thumbnail size that covers these pixels."""
        return self._thumbnails.box(width, height)

    def is_decodable(self, row: MediaRow) -> bool:
        """False for an image with more pixels than may be decoded for a thumbnail."""
        return self._thumbnails.admits(row.content_type, (row.width or 0) * (row.height or 0))

    async def small(self, row: MediaRow, request: ThumbnailParams) -> Served:
        """A thumbnail of a file, by its row. Raises NotFound("no_thumbnail") if it is no image."""
        if row.content_type not in images.PICTURE_TYPES:
            raise NotFound("no thumbnail of this file", code="no_thumbnail")
        path = await self._thumbnails.path(row.media_id, request)
        return Served(
            path=path,
            content_type="image/webp",
            disposition=content_disposition("thumbnail.webp", inline=True),
            size=(await self._disk.run(path.stat)).st_size,
            etag=f'"{row.sha256[:32]}-{request.form}"',
        )

    def close(self) -> None:
        """Stop making thumbnails."""
        self._thumbnails.close()

    async def _receive(self, user_id: UserId, incoming: Incoming, chunks: AsyncIterable[bytes]) -> _Received:
        kept = await self._quota.kept(user_id)
        head = bytearray()
        waiting = bytearray()
        size = 0
        try:
            async for chunk in _with_deadline(chunks, self._settings.upload_idle_s):
                size += len(chunk)
                self._in_flight[user_id] += len(chunk)
                self._check_size(size, self._in_flight[user_id], kept)
                if len(head) < sniff.HEAD_BYTES:
                    head += chunk[: sniff.HEAD_BYTES - len(head)]
                waiting += chunk
                if len(waiting) >= _WRITE_BYTES:
                    await self._disk.run(partial(incoming.write, bytes(waiting)))
                    waiting.clear()
            await self._disk.run(partial(incoming.write, bytes(waiting)))
        finally:
            self._in_flight[user_id] -= size
            if self._in_flight[user_id] <= 0:
                del self._in_flight[user_id]
        return _Received(bytes(head), size)

    def _check_size(self, size: int, in_flight: int, kept: StoredTotals) -> None:
        limit = self._settings.max_upload_bytes
        if size > limit:
            raise TooLarge(f"a file may have at most {limit} bytes", code="file_too_large", max_bytes=limit)
        self._quota.check(kept, in_flight)

    async def _keep(
        self, user_id: UserId, incoming: Incoming, received: _Received, said: _Said
    ) -> StoredMedia:
        """Move a received file to its final path and insert its row."""
        content_type = sniff.sniff(received.head, said.declared_type)
        size = None
        if content_type in images.PICTURE_TYPES:
            size = await self._disk.run(partial(images.size_of, incoming.path))
        media_id = said.media_id
        path = self._places.file(media_id)
        sha256 = await self._disk.run(partial(incoming.finish, path))
        row = MediaRow(
            media_id=media_id,
            uploader=user_id,
            name=said.name,
            content_type=content_type,
            size=received.size,
            width=size.width if size else None,
            height=size.height if size else None,
            sha256=sha256,
            created_ms=self._clock.now_ms(),
            declared_type=said.declared_type if said.source == "matrix" else "",
            source=said.source,
        )
        try:
            await self._list(row, is_awaited=said.is_awaited)
        except (
            TooLarge,
            RateLimited,
            NotFound,
            Conflict,
        ):  # after any other failure the row may exist; the gc will find out
            await self._disk.run(partial(path.unlink, missing_ok=True))
            raise
        return _stored_media(row)

    async def _list(self, row: MediaRow, *, is_awaited: bool) -> None:
        async with self._db.write() as conn:
            if row.uploader != _NOBODY:
                await self._quota.check_listed(conn, row.uploader, row.size)
            if is_awaited and not await stored.take_pending(
                conn, row.media_id, row.uploader, now_ms=row.created_ms
            ):
                raise _not_found()
            await stored.add_media(conn, [row])

    async def _row(self, media_id: MediaId) -> MediaRow:
        async with self._db.read() as conn:
            row = (await stored.media_of(conn, [media_id])).get(media_id)
        if row is None or row.delete_after_ms is not None:
            raise _not_found()
        return row


async def _with_deadline(chunks: AsyncIterable[bytes], idle_s: float) -> AsyncIterator[bytes]:
    """The chunks. Raises Invalid if the next one takes longer than `idle_s`."""
    iterator = aiter(chunks)
    while True:
        try:
            async with asyncio.timeout(idle_s):
                chunk = await anext(iterator)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise Invalid("the upload stalled", code="upload_stalled") from error
        yield chunk


def _stored_media(row: MediaRow) -> StoredMedia:
    return StoredMedia(
        media_id=row.media_id,
        name=row.name,
        content_type=row.content_type,
        size=row.size,
        width=row.width,
        height=row.height,
        uploader=row.uploader,
    )


def _not_found() -> NotFound:
    return NotFound("no such file, or its URL has expired", code="file_not_found")
