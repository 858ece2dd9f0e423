"""CORS: the origins whose pages may call this server from a browser.

With "*" any origin may, without the browser's credentials; our tokens are sent in headers, so nothing is lost.
With a list, an origin on it is echoed and may use credentials; others get no permission, the browser keeps
the answer from them, and their preflights are refused, with the reason. Preflights that are allowed are answered
for every path, also unknown ones, so that the request itself gets its 401 or 404 through to the page.
"""

from collections.abc import Collection

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from multidict import CIMultiDict

from homeserver.http.errors import PLAIN, Failure

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
ALLOWED_HEADERS = (
    "Authorization, WWW-Authenticate, Content-Type, X-Request-ID, X-Requested-With, Accept, Range"
)
EXPOSED_HEADERS = (
    "X-Request-ID, Retry-After, WWW-Authenticate, Content-Disposition, Content-Range, Accept-Ranges, ETag"
)
MAX_AGE_S = "7200"  # the longest that browsers keep it


_UNANSWERED = frozenset({404, 405})
_REFUSED = Failure(
    403,
    "origin_not_allowed",
    "Pages of this origin may not call this server: it is not among the cors.origins of its settings.",
)


class Cors:
    """The CORS rules; `install` applies them to an application."""

    def __init__(self, origins: Collection[str]) -> None:
        self._anybody = "*" in origins
        self._origins = frozenset(origin.lower() for origin in origins)

    def install(self, app: web.Application) -> None:
        """Answer preflights of `app` and add CORS headers to all its responses, those of sub-applications too."""
        app.middlewares.append(self.middleware())
        if self._origins:
            app.on_response_prepare.append(self._mark)

    def middleware(self) -> Middleware:
        """Answers preflights. Those of other origins are refused, unless an application inside allows them."""

        @web.middleware
        async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
                return await handler(request)
            if self._allows(request.headers.get("Origin", "")):
                return web.Response(status=204)
            answer = await handler(request)
            return PLAIN.answer(_REFUSED) if answer.status in _UNANSWERED else answer

        return preflight

    async def _mark(self, request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        origin = request.headers.get("Origin")
        if not self._anybody:
            _vary(headers, "Origin")
        if origin is None or not self._allows(origin):
            return
        if self._anybody:
            headers["Access-Control-Allow-Origin"] = "*"
        else:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Allow-Credentials"] = "true"
        headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        if request.method == "OPTIONS":
            headers["Access-Control-Allow-Methods"] = METHODS
            headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
            headers["Access-Control-Max-Age"] = MAX_AGE_S

    def _allows(self, origin: str) -> bool:
        return self._anybody or origin.lower() in self._origins


def _vary(headers: CIMultiDict[str], name: str) -> None:
    there = headers.get("Vary", "")
    if name.lower() not in (part.strip().lower() for part in there.split(",")):
        headers["Vary"] = f"{there}, {name}" if there else name
