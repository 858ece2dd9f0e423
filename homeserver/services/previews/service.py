"""URL previews: cached in a table, fetched once for concurrent requests (client-server API, "preview_url")."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson
from yarl import URL

from homeserver.clock import Clock
from homeserver.errors import Forbidden, Invalid, NotFound, RateLimited, Upstream
from homeserver.kit.cache import BoundedCache
from homeserver.kit.ratelimit import RateLimits
from homeserver.kit.singleflight import SingleFlight
from homeserver.model import Requester
from homeserver.services.media import images, sniff
from homeserver.services.media.disk import Disk
from homeserver.services.media.store import Media, StoredMedia
from homeserver.services.previews.page import read_page
from homeserver.services.previews.web import Fetched, Web, unreadable
from homeserver.settings.models import PreviewSettings
from homeserver.storage import media as stored_media
from homeserver.storage import previews as stored
from homeserver.storage.db import Database
from homeserver.storage.previews import PreviewRow

logger = logging.getLogger(__name__)
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_GRACE_MS = 86_400_000  # clients cache a preview and its image URL for a while
_REMEMBERED_FAILURES = 1000
_RETRY_MS = 2000
_BATCH = 100


class PreviewStore(NamedTuple):
    """Where previews and their images are stored. `server`: the server name in mxc URIs."""

    db: Database
    media: Media
    disk: Disk
    server: str


class Previews:
    """Makes and caches previews."""

    def __init__(
        self, kept: PreviewStore, web: Web, *, settings: PreviewSettings, limits: RateLimits, clock: Clock
    ) -> None:
        self._kept = kept
        self._web = web
        self._settings = settings
        self._limits = limits
        self._clock = clock
        self._places = asyncio.Semaphore(settings.concurrency)
        self._flight: SingleFlight[str, Mapping[str, Any]] = SingleFlight()
        self._jobs = 0
        self._failed: BoundedCache[str, int] = BoundedCache(_REMEMBERED_FAILURES)  # until when, in ms

    async def preview(self, requester: Requester, address: str, at_ms: int | None) -> Mapping[str, Any]:
        """The preview of a URL, as it was at `at_ms` if that is still cached, else as it is now.

        Raises NotFound("unrecognized") if previews are disabled, Invalid("bad_url"), Forbidden("url_refused"),
        RateLimited, Upstream("unreadable_page").
        """
        if not self._settings.enabled:
            raise NotFound("URL previews are not enabled", code="unrecognized")
        url = self._web.checked(address)
        now_ms = self._clock.now_ms()
        async with self._kept.db.read() as conn:
            found = (await stored.previews_of(conn, [str(url)])).get(str(url))
        if found is not None and found.expires_ms > min(now_ms, now_ms if at_ms is None else at_ms):
            return _parsed(found)
        self._limits.check("previews", requester.user_id)
        if (self._failed.get(str(url)) or 0) > now_ms:
            raise unreadable()
        return await self._flight.run(str(url), partial(self._make, url))

    async def forget_old(self) -> None:
        """Delete expired previews, and the oldest if there are too many, with their images."""
        now_ms = self._clock.now_ms()
        while True:
            async with self._kept.db.write() as conn:
                old = await stored.previews_to_forget(
                    conn, before_ms=now_ms - _GRACE_MS, most=self._settings.max_stored, limit=_BATCH
                )
                if not old:
                    return
                await stored.forget_previews(conn, [one.url for one in old])
                gone = [(one.media_id, now_ms) for one in old if one.media_id is not None]
                await stored_media.delete_media_after(conn, gone)

    async def _make(self, url: URL) -> Mapping[str, Any]:
        settings = self._settings
        if self._jobs >= settings.concurrency + settings.max_waiting:
            raise RateLimited("too many previews are being made", retry_ms=_RETRY_MS, code="busy")
        self._jobs += 1
        try:
            async with self._places, asyncio.timeout(settings.timeout_s):
                facts, picture = await self._fetch(url)
        except (TimeoutError, Upstream) as error:
            self._failed.put(str(url), self._clock.now_ms() + int(settings.failure_ttl_s * 1000))
            raise unreadable() from error
        finally:
            self._jobs -= 1
        return await self._keep(url, facts, picture)

    async def _fetch(self, url: URL) -> tuple[Mapping[str, str], Fetched | None]:
        """A page's metadata and its image; for the URL of an image, that image."""
        most = max(self._settings.max_page_bytes, self._settings.max_image_bytes)
        page = await self._web.fetch(url, most)
        if page.content_type.startswith("image/"):
            return {}, self._picture(page)
        if page.content_type not in _PAGES:
            return {}, None
        beginning = page.data[: self._settings.max_page_bytes]
        read = await self._kept.disk.run(partial(read_page, beginning, page.charset))
        return read.facts, await self._picture_of(page.url, read.images)

    async def _picture_of(self, base: URL, addresses: Sequence[str]) -> Fetched | None:
        """The page's image; None if it cannot be fetched, as a preview without an image is better than none."""
        for address in addresses[:1]:
            try:
                url = self._web.checked(str(base.join(URL(address))))
                return self._picture(await self._web.fetch(url, self._settings.max_image_bytes))
            except (Upstream, Invalid, Forbidden, ValueError) as error:
                logger.info("the picture of a preview cannot be had: %s", type(error).__name__)
        return None

    def _picture(self, found: Fetched) -> Fetched | None:
        is_small = found.is_whole and len(found.data) <= self._settings.max_image_bytes
        return found if is_small and sniff.sniff(found.data) in images.PICTURE_TYPES else None

    async def _keep(self, url: URL, facts: Mapping[str, str], picture: Fetched | None) -> Mapping[str, Any]:
        made: dict[str, Any] = dict(facts)
        image = None
        if picture is not None:
            image = await self._kept.media.keep(picture.data, name=picture.url.name, source="preview")
            made |= self._described(image)
        now_ms = self._clock.now_ms()
        row = PreviewRow(
            url=str(url),
            body=orjson.dumps(made),
            media_id=image.media_id if image else None,
            fetched_ms=now_ms,
            expires_ms=now_ms + self._settings.ttl_s * 1000,
        )
        async with self._kept.db.write() as conn:
            before = (await stored.previews_of(conn, [row.url])).get(row.url)
            if before is not None and before.media_id is not None:
                await stored_media.delete_media_after(conn, [(before.media_id, now_ms)])
            await stored.put_previews(conn, [row])
        return made

    def _described(self, image: StoredMedia) -> Mapping[str, Any]:
        sizes = {"og:image:width": image.width, "og:image:height": image.height} if image.width else {}
        return {
            "og:image": f"mxc://{self._kept.server}/{image.media_id}",
            "og:image:type": image.content_type,
            "matrix:image:size": image.size,
            **sizes,
        }


def _parsed(row: PreviewRow) -> Mapping[str, Any]:
    found: Mapping[str, Any] = orjson.loads(row.body)
    return found
