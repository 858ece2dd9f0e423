"""Thumbnails: made on first request, once for concurrent requests, and cached on disk."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from homeserver.errors import NotFound, RateLimited, Unavailable
from homeserver.kit.cache import BoundedCache
from homeserver.kit.singleflight import SingleFlight
from homeserver.model import MediaId
from homeserver.services.media import images
from homeserver.services.media.disk import Places
from homeserver.services.media.images import BadPicture, Limits, Size, ThumbnailParams
from homeserver.settings.models import MediaSettings

_PATIENCE_S = 30
_RETRY_MS = 2000
_REMEMBERED_FAILURES = 1000


class Thumbnails:
    """Makes thumbnails in threads of its own, a few at a time, with a bounded queue."""

    def __init__(self, places: Places, settings: MediaSettings) -> None:
        self._places = places
        self._sizes = tuple(Size(one.width, one.height) for one in settings.thumbnail_sizes)
        self._limits = Limits(settings.max_pixels, settings.max_animation_pixels)
        self._max_jobs = settings.thumbnail_concurrency + settings.max_thumbnails_waiting
        self._pool = ThreadPoolExecutor(settings.thumbnail_concurrency, thread_name_prefix="thumbnails")
        self._flight: SingleFlight[tuple[MediaId, ThumbnailParams], Path] = SingleFlight()
        self._jobs = 0
        self._failed: BoundedCache[MediaId, bool] = BoundedCache(_REMEMBERED_FAILURES)

    def box(self, width: int, height: int) -> Size:
        """The configured size that covers these pixels."""
        return choose_size(self._sizes, width, height)

    def admits(self, content_type: str, pixels: int) -> bool:
        """Whether an image of this type with this number of pixels gets thumbnails."""
        return self._limits.admits(content_type, pixels)

    async def path(self, media_id: MediaId, request: ThumbnailParams) -> Path:
        """The path of the thumbnail. Raises NotFound("no_thumbnail") if none can be made; RateLimited."""
        if self._failed.get(media_id):
            raise _no_thumbnail()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._flight.run((media_id, request), partial(self._make, media_id, request))
        except TimeoutError as error:
            raise Unavailable("making the thumbnail took too long", code="busy") from error

    def close(self) -> None:
        """Wait for running work and start no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _make(self, media_id: MediaId, request: ThumbnailParams) -> Path:
        if self._jobs >= self._max_jobs:
            raise RateLimited("too many thumbnails are being made", retry_ms=_RETRY_MS, code="busy")
        self._jobs += 1
        work = partial(_make_once, self._places, media_id, request, self._limits)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except BadPicture as error:
            self._failed.put(media_id, value=True)
            raise _no_thumbnail() from error
        finally:
            self._jobs -= 1


def choose_size(sizes: Sequence[Size], width: int, height: int) -> Size:
    """The smallest size that covers the requested one, or the largest."""
    by_area = sorted(sizes, key=lambda size: (size.width * size.height, size.width))
    for size in by_area:
        if size.width >= width and size.height >= height:
            return size
    return by_area[-1]


def _make_once(places: Places, media_id: MediaId, request: ThumbnailParams, limits: Limits) -> Path:
    target = places.thumb(media_id, request.form)
    if not target.exists():
        images.make_thumbnail(places.file(media_id), target, request, limits)
    return target


def _no_thumbnail() -> NotFound:
    return NotFound("no thumbnail of this file", code="no_thumbnail")
