"""The Matrix content repository on top of the media store: mxc URIs, asynchronous uploads.

Files are served with the content type that the client declared: encrypted files are opaque to the server.
"""

import asyncio
import re
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from homeserver.clock import Clock
from homeserver.errors import Conflict, Forbidden, NotFound, RateLimited, TooLarge, Unavailable
from homeserver.metrics import waiting
from homeserver.model import EntryKind, MediaId, Requester
from homeserver.services.accounts.status import check_may_act
from homeserver.services.media import sniff
from homeserver.services.media.disk import new_media_id
from homeserver.services.media.images import ThumbnailParams
from homeserver.services.media.store import Media, Served
from homeserver.settings.models import MediaSettings
from homeserver.storage import accounts as stored_accounts
from homeserver.storage import media as stored
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.storage.media import MediaRow, PendingRow
from homeserver.timeline.entries import Appends, media_arrived

_TYPE = re.compile(r"[\w.+!#$&^-]{1,100}/[\w.+!#$&^-]{1,100}(?:\s*;[\t -~]*)?", re.ASCII)
_MAX_TYPE_CHARS = 255
_RETRY_MS = 60_000


class Upload(NamedTuple):
    """An upload as the client sends it; name and type may be empty."""

    name: str
    content_type: str
    chunks: AsyncIterable[bytes]


class Pending(NamedTuple):
    """An mxc URI without content yet, and when it expires if none is uploaded."""

    uri: str
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Place:
    """A requested file. `wait_ms`: how long to wait for content that is not uploaded yet (`timeout_ms`); `is_open`:
    an unauthenticated request."""

    server: str
    media_id: MediaId
    wait_ms: int
    is_open: bool = False


class Elsewhere(Protocol):
    """Media of remote servers."""

    async def file(self, place: Place) -> Served:
        """A remote file. Raises NotFound, Upstream."""
        ...

    async def thumbnail(self, place: Place, request: ThumbnailParams) -> Served:
        """A thumbnail of a remote file. Raises NotFound, Upstream."""
        ...


class Repository:
    """Uploads and downloads media by mxc URI. `hear` must be given every new entry of the log."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Appends,
        clock: Clock,
        settings: MediaSettings,
        media: Media,
        server: str,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._clock = clock
        self._settings = settings
        self._media = media
        self._server = server
        self._elsewhere = elsewhere
        self._arrivals = _Arrivals(settings.max_waiting_downloads)

    @property
    def max_bytes(self) -> int:
        """The largest upload, in bytes."""
        return self._settings.max_upload_bytes

    @property
    def waiting(self) -> int:
        """The number of downloads that wait for an upload."""
        return self._arrivals.count

    async def upload(self, requester: Requester, upload: Upload) -> str:
        """Upload a file; returns its mxc URI. Raises as `Media.upload` does."""
        check_may_act(requester)
        made = await self._media.upload(
            requester,
            name=upload.name,
            chunks=upload.chunks,
            declared_type=_checked_type(upload.content_type),
            source="matrix",
        )
        return self._uri(made.media_id)

    async def create(self, requester: Requester) -> Pending:
        """Create an mxc URI to upload to later. Raises RateLimited("too_many_pending")."""
        check_may_act(requester)
        now_ms = self._clock.now_ms()
        row = PendingRow(new_media_id(), requester.user_id, now_ms + self._settings.pending_ttl_s * 1000)
        async with self._db.write() as conn:
            await stored_accounts.lock_users(conn, [requester.user_id])
            waiting = await stored.count_pending(conn, requester.user_id, now_ms=now_ms)
            if waiting >= self._settings.max_pending_uploads:
                raise RateLimited("too many uploads are pending", retry_ms=_RETRY_MS, code="too_many_pending")
            await stored.add_pending(conn, [row])
        return Pending(self._uri(row.media_id), row.expires_ms)

    async def fill(self, requester: Requester, server: str, media_id: MediaId, upload: Upload) -> None:
        """Upload content to an mxc URI made by `create`.

        Raises NotFound, Forbidden("not_yours"), Conflict("file_exists"), and as `Media.upload` does.
        """
        check_may_act(requester)
        row, pending = await self._rows(media_id) if server == self._server else (None, None)
        owner = row.uploader if row is not None else pending.uploader if pending is not None else None
        if owner is None:
            raise _not_found()
        if owner != requester.user_id:
            raise Forbidden("this URI was reserved by another user", code="not_yours")
        if row is not None:
            raise Conflict("this URI has a file already", code="file_exists")
        await self._media.upload(
            requester,
            name=upload.name,
            chunks=upload.chunks,
            declared_type=_checked_type(upload.content_type),
            media_id=media_id,
            source="matrix",
            is_awaited=True,
        )
        await self._timeline.append([media_arrived(media_id)])

    async def file(self, place: Place, name: str | None = None) -> Served:
        """A file; `name` overrides the one it was uploaded with.

        Raises NotFound, Unavailable("not_uploaded_yet").
        """
        if place.server != self._server:
            return await self._elsewhere_for(place).file(place)
        row = await self._arrived(place)
        kind = sniff.declared_type(row.declared_type) or (
            sniff.BINARY if row.source == "matrix" else sniff.served_type(row.content_type)
        )
        return await self._media.whole(
            row, kind, row.name if name is None else name, inline=sniff.is_inline(kind)
        )

    async def thumbnail(self, place: Place, request: ThumbnailParams) -> Served:
        """A thumbnail in one of the configured sizes. Raises NotFound (also "no_thumbnail"), TooLarge, Unavailable."""
        request = replace(request, box=self._media.box(request.box.width, request.box.height))
        if place.server != self._server:
            return await self._elsewhere_for(place).thumbnail(place, request)
        row = await self._arrived(place)
        if not self._media.is_decodable(row):
            raise TooLarge("the image has too many pixels for a thumbnail", code="too_many_pixels")
        return await self._media.small(row, request)

    def hear(self, entry: Entry) -> None:
        """Handle a log entry: wake downloads that wait for the uploaded file, whichever worker received it."""
        if entry.kind is EntryKind.MEDIA and entry.body is not None:
            self._arrivals.wake(str(entry.body["media_id"]))

    def close(self) -> None:
        """End all waiting downloads."""
        self._arrivals.close()

    async def _arrived(self, place: Place) -> MediaRow:
        """The requested file, once it is uploaded. Unauthenticated requests never get files of product APIs, whose URLs
        are signed."""
        self._check_open(place)
        row, pending = await self._rows(place.media_id)
        if row is None and pending is not None:
            row = await self._await(place)
        if row is None or row.delete_after_ms is not None:
            raise _not_found()
        if place.is_open and row.source == "product":
            raise _not_found()
        return row

    async def _await(self, place: Place) -> MediaRow:
        wait_s = min(place.wait_ms / 1000, self._settings.max_download_wait_s)
        with self._arrivals.expected(place.media_id) as arrived:
            row, _ = await self._rows(place.media_id)  # it may have been uploaded just before
            if row is None and wait_s > 0:
                try:
                    with waiting():
                        async with asyncio.timeout(wait_s):
                            await arrived.wait()
                except TimeoutError:
                    raise _not_yet() from None
                row, _ = await self._rows(place.media_id)
        if row is None:
            raise _not_yet()
        return row

    async def _rows(self, media_id: MediaId) -> tuple[MediaRow | None, PendingRow | None]:
        """The rows of a media id: of the file, and of its pending upload."""
        async with self._db.read() as conn:
            row = (await stored.media_of(conn, [media_id])).get(media_id)
            pending = None
            if row is None:
                pending = (await stored.pending_of(conn, [media_id])).get(media_id)
                if pending is None:  # the upload may have ended between the two reads
                    row = (await stored.media_of(conn, [media_id])).get(media_id)
        if pending is not None and pending.expires_ms <= self._clock.now_ms():
            pending = None
        return row, pending

    def _elsewhere_for(self, place: Place) -> Elsewhere:
        self._check_open(place)
        if self._elsewhere is None:
            raise _not_found()
        return self._elsewhere

    def _check_open(self, place: Place) -> None:
        if place.is_open and not self._settings.legacy_download:
            raise _not_found()

    def _uri(self, media_id: MediaId) -> str:
        return f"mxc://{self._server}/{media_id}"


class _Arrivals:
    """Downloads that wait for uploads, by media id."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.count = 0
        self._is_closed = False
        self._waiting: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def expected(self, media_id: str) -> Iterator[asyncio.Event]:
        """Within the context, an event that is set when the file is uploaded. Raises Unavailable if too many wait."""
        if self.count >= self._most or self._is_closed:
            raise _not_yet()
        self.count += 1
        event = asyncio.Event()
        events = self._waiting.setdefault(media_id, set())
        events.add(event)
        try:
            yield event
        finally:
            self.count -= 1
            events.discard(event)
            if not events and self._waiting.get(media_id) is events:
                del self._waiting[media_id]

    def wake(self, media_id: str) -> None:
        for event in self._waiting.get(media_id, ()):
            event.set()

    def close(self) -> None:
        self._is_closed = True
        for media_id in self._waiting:
            self.wake(media_id)


def _checked_type(content_type: str) -> str:
    """The content type to serve; application/octet-stream if it is malformed."""
    said = content_type.strip()
    return said if len(said) <= _MAX_TYPE_CHARS and _TYPE.fullmatch(said) else sniff.BINARY


def _not_found() -> NotFound:
    return NotFound("no such file", code="file_not_found")


def _not_yet() -> Unavailable:
    return Unavailable("the file is not uploaded yet", code="not_uploaded_yet")
