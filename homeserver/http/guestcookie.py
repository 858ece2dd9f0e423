"""The cookie that binds a guest to their browser."""

from aiohttp import web

from homeserver.settings.models import GuestSettings

_NEW = web.RequestKey("new guest cookie", str)
_GONE = ""  # marks a cookie to delete


class GuestCookie:
    """Reads the cookie of a request, and sets one on its response. `is_secure`: the site is served by https."""

    def __init__(self, settings: GuestSettings, *, is_secure: bool) -> None:
        self._settings = settings
        self._is_secure = is_secure

    def install(self, app: web.Application) -> None:
        """Let the responses of an application set the cookie."""
        app.on_response_prepare.append(self._put)

    def read(self, request: web.Request) -> str:
        """The cookie's value, "" if there is none."""
        return request.cookies.get(self._settings.cookie_name, "")

    def give(self, request: web.Request, value: str) -> None:
        """Set the cookie on the response to this request."""
        request[_NEW] = value

    def take_away(self, request: web.Request) -> None:
        """Delete the cookie on the response to this request."""
        request[_NEW] = _GONE

    async def _put(self, request: web.Request, response: web.StreamResponse) -> None:
        value = request.get(_NEW)
        if value is None:
            return
        settings = self._settings
        response.set_cookie(
            settings.cookie_name,
            value,
            max_age=settings.idle_s if value else 0,
            path="/",
            secure=self._is_secure,
            httponly=True,
            samesite=settings.cookie_same_site,
        )
        # The library has built the cookie headers before it calls this.
        response.headers.add("Set-Cookie", response.cookies[settings.cookie_name].OutputString())
