"""`/openapi.json` and the documentation page. All its files come from this server."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from homeserver.errors import NotFound
from homeserver.http.routes import Call, Route

_STATIC = Path(__file__).parents[2] / "web" / "static"
_FILES: Mapping[str, tuple[Path, str]] = {
    "swagger-ui.css": (_STATIC / "vendor/swagger-ui/swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": (_STATIC / "vendor/swagger-ui/swagger-ui-bundle.js", "text/javascript"),
    "docs.css": (_STATIC / "docs/docs.css", "text/css"),
    "docs.js": (_STATIC / "docs/docs.js", "text/javascript"),
}
_PAGE = _STATIC / "docs/index.html"
_PAGE_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class _Document(NamedTuple):
    body: bytes
    etag: str


class Docs:
    """The OpenAPI documents, and a page to read and try them.

    `describe` makes the documents by name; "" is the one that the page shows. It takes some tenths of a
    second, so it is done once, at the first request, in a thread.
    """

    def __init__(self, describe: Mapping[str, Callable[[], bytes]]) -> None:
        self._describe = describe
        self._made: dict[str, _Document] = {}
        self._making = asyncio.Lock()

    def routes(self) -> Sequence[Route]:
        """The routes."""
        return (
            Route("GET", "/openapi.json", self.schema, "This description", public=True, documented=False),
            Route(
                "GET", "/openapi/{name}", self.schema, "A description apart", public=True, documented=False
            ),
            Route("GET", "/docs", self.page, "This description as a page", public=True, documented=False),
            Route("GET", "/docs/{name}", self.file, "Files of that page", public=True, documented=False),
        )

    async def schema(self, call: Call[None, None]) -> web.StreamResponse:
        """`GET /openapi.json`,
        `GET /openapi/{name}`: an OpenAPI document: that of the page, or one by its name.

        Errors: not_found.
        """
        headers = {"Cache-Control": "no-cache"}
        document = await self._document(call.path.get("name", "").removesuffix(".json"))
        known = call.request.if_none_match
        if known and any(tag.value == document.etag for tag in known):
            response = web.Response(status=304, headers=headers)
        else:
            response = web.Response(body=document.body, content_type="application/json", headers=headers)
        response.etag = document.etag
        return response

    async def page(self, call: Call[None, None]) -> web.StreamResponse:
        """`GET /docs`: the documentation page.

        Its links are relative, so a path with a slash at its end is redirected.
        """
        if call.request.path.endswith("/"):
            raise web.HTTPPermanentRedirect("../docs")
        headers = {
            **_PAGE_HEADERS,
            "Content-Security-Policy": _POLICY,
            "Content-Type": "text/html; charset=utf-8",
        }
        return web.FileResponse(_PAGE, headers=headers)

    async def file(self, call: Call[None, None]) -> web.StreamResponse:
        """`GET /docs/{name}`: a script or style sheet of the documentation page.

        Errors: not_found.
        """
        found = _FILES.get(call.text("name"))
        if found is None:
            raise NotFound("There is no such file.")
        path, content_type = found
        return web.FileResponse(
            path, headers={**_PAGE_HEADERS, "Content-Type": f"{content_type}; charset=utf-8"}
        )

    async def _document(self, name: str) -> _Document:
        describe = self._describe.get(name)
        if describe is None:
            raise NotFound("There is no such document.")
        async with self._making:
            if name not in self._made:
                body = await asyncio.to_thread(describe)
                self._made[name] = _Document(body, hashlib.sha256(body).hexdigest()[:16])
            return self._made[name]
