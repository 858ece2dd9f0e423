"""Media: download, thumbnails, upload, URL previews.

Uploads are untrusted: the response headers keep browsers from running anything in them.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from homeserver.api.matrix import schemas
from homeserver.errors import TooLarge
from homeserver.http.body import BODY_TIMEOUT_S, Query, QueryInt, body_chunks
from homeserver.http.files import FileResponse
from homeserver.http.routes import Call, Handler, Route
from homeserver.model import MediaId
from homeserver.services.media.images import Size, ThumbnailParams
from homeserver.services.media.repository import Place, Repository, Upload
from homeserver.services.media.store import Served
from homeserver.services.previews.service import Previews

_DEFAULT_WAIT_MS = 20_000
_KEEP_S = 86_400
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; "
        "style-src 'unsafe-inline'; object-src 'self';"
    ),
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
}
_NEW, _OLD = "/client/v1/media", ("/media/v3", "/media/v1")


class NameQuery(Query):
    filename: str = Field(default="", max_length=4000)


class DownloadQuery(Query):
    """`allow_redirect` and `allow_remote` are accepted and ignored: there are no redirects and no remote media."""

    timeout_ms: QueryInt = Field(default=_DEFAULT_WAIT_MS, ge=0, le=2**53)


class ThumbnailQuery(DownloadQuery):
    width: QueryInt = Field(ge=1, le=2**31)
    height: QueryInt = Field(ge=1, le=2**31)
    method: Literal["crop", "scale"] = "scale"
    animated: Literal["true", "false"] = "false"


class PreviewQuery(Query):
    url: str = Field(min_length=1, max_length=4000)
    ts: QueryInt | None = None


class MediaCalls:
    """The handlers for media."""

    def __init__(self, repository: Repository, previews: Previews) -> None:
        self._repository = repository
        self._previews = previews

    def routes(self) -> Sequence[Route]:
        """The routes."""
        upload = self.upload
        filled = "/media/v3/upload/{server_name}/{media_id}"
        return (
            *self._read_routes(_NEW, public=False),
            *(route for prefix in _OLD for route in self._read_routes(prefix, public=True)),
            *(
                Route(
                    "POST",
                    f"{prefix}/upload",
                    upload,
                    "Upload a file",
                    query=NameQuery,
                    answer=dict[str, Any],
                )
                for prefix in _OLD
            ),
            Route(
                "POST",
                "/media/v1/create",
                self.create,
                "Create an mxc:// URI for a later upload",
                answer=dict[str, Any],
            ),
            Route(
                "PUT",
                filled,
                self.upload_to,
                "Upload a file to an mxc:// URI",
                query=NameQuery,
                answer=schemas.Empty,
            ),
        )

    def _read_routes(self, prefix: str, *, public: bool) -> Sequence[Route]:
        """The routes that read: with a token, and the deprecated ones without."""
        one = "{server_name}/{media_id}"
        download, small = f"{prefix}/download/{one}", f"{prefix}/thumbnail/{one}"
        named = f"{download}/{{file_name}}"

        def route(path: str, handler: Handler, summary: str, query: type[Query]) -> Route:
            return Route("GET", path, handler, summary, query=query, public=public, guests=not public)

        return (
            Route("GET", f"{prefix}/config", self.config, "Get the media limits", answer=dict[str, Any]),
            Route(
                "GET",
                f"{prefix}/preview_url",
                self.preview,
                "Get a preview of a URL",
                query=PreviewQuery,
                answer=dict[str, Any],
            ),
            route(download, self.download, "Download a file", DownloadQuery),
            route(named, self.download, "Download a file under another name", DownloadQuery),
            route(small, self.thumbnail, "Get a thumbnail", ThumbnailQuery),
        )

    async def config(self, _call: Call[None, None]) -> dict[str, Any]:
        """`GET /_matrix/client/v1/media/config`,
        `GET /_matrix/media/v3/config`,
        `GET /_matrix/media/v1/config`: the largest upload, in bytes.

        Spec: client-server API, "Media".
        """
        return {"m.upload.size": self._repository.max_bytes}

    async def preview(self, call: Call[None, PreviewQuery]) -> Mapping[str, Any]:
        """`GET /_matrix/client/v1/media/preview_url`,
        `GET /_matrix/media/v3/preview_url`,
        `GET /_matrix/media/v1/preview_url`: title, description and image of a web page, as OpenGraph
        properties.

        Spec: client-server API, "Media".
        Errors: M_FORBIDDEN (the address may not be fetched), M_UNKNOWN (the page cannot be read),
          M_LIMIT_EXCEEDED.
        """
        return await self._previews.preview(call.requester, call.query.url, call.query.ts)

    async def upload(self, call: Call[None, NameQuery]) -> dict[str, Any]:
        """`POST /_matrix/media/v3/upload`,
        `POST /_matrix/media/v1/upload`: upload a file; the body is the file.

        Spec: client-server API, "Media".
        Errors: M_TOO_LARGE, M_LIMIT_EXCEEDED.
        """
        return {"content_uri": await self._repository.upload(call.requester, self._given(call))}

    async def create(self, call: Call[None, None]) -> dict[str, Any]:
        """`POST /_matrix/media/v1/create`: reserve an mxc:// URI; its file is uploaded later.

        Spec: client-server API, "Media".
        Errors: M_LIMIT_EXCEEDED (too many uploads are pending).
        """
        made = await self._repository.create(call.requester)
        return {"content_uri": made.uri, "unused_expires_at": made.expires_ms}

    async def upload_to(self, call: Call[None, NameQuery]) -> schemas.Empty:
        """`PUT /_matrix/media/v3/upload/{server_name}/{media_id}`: upload the file of a reserved mxc:// URI.

        Spec: client-server API, "Media".
        Errors: M_FORBIDDEN (reserved by another user), M_CANNOT_OVERWRITE_MEDIA, M_NOT_FOUND, M_TOO_LARGE.
        """
        media_id = MediaId(call.text("media_id"))
        await self._repository.fill(call.requester, call.text("server_name"), media_id, self._given(call))
        return {}

    async def download(self, call: Call[None, DownloadQuery]) -> web.StreamResponse:
        """`GET /_matrix/client/v1/media/download/{server_name}/{media_id}`,
        `GET /_matrix/client/v1/media/download/{server_name}/{media_id}/{file_name}`,
        `GET /_matrix/media/v3/download/{server_name}/{media_id}`,
        `GET /_matrix/media/v3/download/{server_name}/{media_id}/{file_name}`,
        `GET /_matrix/media/v1/download/{server_name}/{media_id}`,
        `GET /_matrix/media/v1/download/{server_name}/{media_id}/{file_name}`: download a file.

        Ranges are supported.

        Spec: client-server API, "Media".
        Errors: M_NOT_FOUND, M_NOT_YET_UPLOADED.
        """
        name = call.path.get("file_name")
        return _respond(call, await self._repository.file(_place(call), name))

    async def thumbnail(self, call: Call[None, ThumbnailQuery]) -> web.StreamResponse:
        """`GET /_matrix/client/v1/media/thumbnail/{server_name}/{media_id}`,
        `GET /_matrix/media/v3/thumbnail/{server_name}/{media_id}`,
        `GET /_matrix/media/v1/thumbnail/{server_name}/{media_id}`: get a thumbnail of about this size.

        Spec: client-server API, "Media".
        Errors: M_NOT_FOUND, M_NOT_YET_UPLOADED, M_TOO_LARGE (too many pixels), M_UNKNOWN (not an image).
        """
        asked = call.query
        wish = ThumbnailParams(
            Size(asked.width, asked.height), crop=asked.method == "crop", moving=asked.animated == "true"
        )
        return _respond(call, await self._repository.thumbnail(_place(call), wish))

    def _given(self, call: Call[None, NameQuery]) -> Upload:
        request, most = call.request, self._repository.max_bytes
        if request.content_length is not None and request.content_length > most:
            raise TooLarge(f"a file may have at most {most} bytes", code="file_too_large", max_bytes=most)
        chunks: AsyncIterator[bytes] = body_chunks(request, BODY_TIMEOUT_S)
        return Upload(call.query.filename, request.headers.get("Content-Type", ""), chunks)


def _place(call: Call[None, Any]) -> Place:
    media_id = MediaId(call.text("media_id"))
    return Place(call.text("server_name"), media_id, call.query.timeout_ms, is_open=call.caller is None)


def _respond(call: Call[None, Any], served: Served) -> web.StreamResponse:
    """The file. It never changes, so it may be cached; one that needs a token by the client only."""
    scope = "public" if call.caller is None else "private"
    return FileResponse(
        served.path,
        size=served.size,
        etag=served.etag,
        headers={
            **_SAFE,
            "Content-Type": served.content_type,
            "Content-Disposition": served.disposition,
            "Cache-Control": f"{scope}, max-age={_KEEP_S}, immutable",
        },
    )
