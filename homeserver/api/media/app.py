"""Files and thumbnails. The signature in the URL is the credential: no token is needed.

Uploads are untrusted: browsers may not guess another type or run scripts in
them, and show only types that hold none; the store says which those are.
"""

from collections.abc import Sequence

from aiohttp import web
from pydantic import Field

from homeserver.api.media.errors import ERRORS
from homeserver.clock import Clock
from homeserver.errors import Invalid, NotFound
from homeserver.http.apps import face_application
from homeserver.http.body import Query, QueryInt, check_query
from homeserver.http.files import FileResponse
from homeserver.http.routes import Call, Dispatcher, Face, Route
from homeserver.services.media.store import Media, Served

PREFIX = "/media"
THUMBNAIL = "thumb"

_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",  # products on other sites show these images
    "Referrer-Policy": "no-referrer",
}


class FileQuery(Query):
    """`e`: when the URL expires, in ms since 1970. `s`: its signature."""

    e: QueryInt = Field(ge=0)
    s: str = Field(max_length=200)


class ThumbnailQuery(FileQuery):
    w: QueryInt = Field(ge=1, le=10_000)
    h: QueryInt = Field(ge=1, le=10_000)


class Files:
    """The handlers under `/media`."""

    def __init__(self, media: Media, clock: Clock) -> None:
        self._media = media
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        """The routes."""
        return (
            Route(
                "GET",
                "/{media_id}/{name}",
                self.get,
                "Download a file or a thumbnail",
                public=True,
                documented=False,
            ),
        )

    async def get(self, call: Call[None, None]) -> web.StreamResponse:
        """`GET /media/{media_id}/{name}`: a file, or with `w` and `h` a thumbnail of it.

        The signature in the query is the credential.

        Errors: file_not_found (also for a malformed, forged or expired URL), no_thumbnail.
        """
        query = call.request.rel_url.query
        media_id = call.text("media_id")
        try:
            if call.text("name") == THUMBNAIL and "w" in query:
                small = check_query(ThumbnailQuery, query)
                served = await self._media.thumbnail(
                    media_id, width=small.w, height=small.h, expiry_ms=small.e, signature=small.s
                )
                return self._respond(served, small.e)
            asked = check_query(FileQuery, query)
            served = await self._media.open(media_id, asked.e, asked.s)
        except Invalid:
            raise NotFound("no such file, or its URL has expired", code="file_not_found") from None
        return self._respond(served, asked.e)

    def _respond(self, served: Served, expiry_ms: int) -> web.StreamResponse:
        """The file; ranges are supported. It never changes, so it may be cached while its
        URL is valid."""
        keep_s = max(0, (expiry_ms - self._clock.now_ms()) // 1000)
        return FileResponse(
            served.path,
            size=served.size,
            etag=served.etag,
            headers={
                **_SAFE,
                "Content-Type": served.content_type,
                "Content-Disposition": served.disposition,
                "Cache-Control": f"private, max-age={keep_s}, immutable",
            },
        )


def make(media: Media, *, clock: Clock, dispatcher: Dispatcher) -> Face:
    """The media API."""
    routes = Files(media, clock).routes()
    return Face("Media", PREFIX, face_application(dispatcher, ERRORS, routes), routes)
