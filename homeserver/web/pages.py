"""The pages: status at `/`, login at `/login`, chat at `/chat`, the login of Matrix clients, and their static files.

The fallback pages of UIA stages are in `stages.py`.

A page contains no user data: its scripts load that over the public APIs, with the tokens that the browser stores. What
the scripts must know of the server is in a JSON block of the page.
"""

import asyncio
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp_jinja2
import jinja2
from aiohttp import hdrs, web

from homeserver.settings.models import MessengerSettings, ServerSettings, UniversitySettings, WebSettings
from homeserver.web.assets import Assets, load_assets
from homeserver.web.texts import LANGUAGES, TEXTS, choose_language

HERE: Final = Path(__file__).parent
CLIENT: Final = HERE / "static" / "js" / "client"  # modules shared with the pages of bridges
SHARED_STYLES: Final = HERE / "static" / "css" / "shared"  # shared likewise
TEMPLATES: Final = web.AppKey("homeserver.web.templates", jinja2.Environment)
MATRIX_LOGIN: Final = "/_matrix/static/client/login/"
YEAR_S: Final = 365 * 24 * 3600
LONE_SCRIPTS: Final = frozenset(
    {
        "js/forms.js",
        "js/login.js",
        "js/matrixcall.js",
        "js/matrixlogin.js",
        "js/matrixstage.js",
        "js/status.js",
    }
)  # used by the other pages only
THEMES: Final = frozenset({"light", "dark"})

# Everything is loaded from this server; no inline script runs, and no text can become markup.
CONTENT_SECURITY_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@cache
def _environment() -> jinja2.Environment:
    """The compiled templates, shared by all servers of a process."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class DemoAccount(NamedTuple):
    """An account that a demonstration's login page offers to all visitors."""

    email: str
    password: str
    display_name: str


class Pages:
    """Serves the pages. Files are read in a thread when the application starts, and never again."""

    def __init__(
        self,
        *,
        server: ServerSettings,
        web: WebSettings,
        university: UniversitySettings,
        messenger: MessengerSettings,
        registration_open: bool,
        has_matrix: bool,
        demo_accounts: Sequence[DemoAccount] = (),
    ) -> None:
        self._server = server
        self._university = university
        self._messenger = messenger
        self._registration_open = registration_open
        self._has_matrix = has_matrix
        self._demo_accounts = tuple(demo_accounts) if web.demo else ()
        self._assets = Assets({}, "")
        self._modules: list[str] = []
        self._version = ""

    def setup(self, app: web.Application) -> None:
        """Add the templates to `app`, and a start-up task that reads the files."""
        app[TEMPLATES] = _environment()

        async def load(_: web.Application) -> None:
            await asyncio.to_thread(self._load)

        app.on_startup.append(load)

    def routes(self) -> list[web.RouteDef]:
        """The routes of all pages that the settings enable."""
        routes = [web.get("/", self._index), web.get("/static/{path:.+}", self._static)]
        if self._messenger.enabled:
            routes += [web.get("/login", self._login), web.get("/login/", self._login)]
        if self._has_matrix:
            routes += [web.get(path, self._matrix_login) for path in (MATRIX_LOGIN, MATRIX_LOGIN.rstrip("/"))]
        if self._university.enabled:
            routes += [web.get("/chat", self._chat), web.get("/chat/", self._chat)]
        return routes

    def _load(self) -> None:
        self._assets = load_assets(HERE / "static")
        scripts = (name for name in self._assets.files if name.startswith("js/"))
        self._modules = [name for name in scripts if name not in LONE_SCRIPTS]
        self._version = metadata.version("homeserver")
        environment = _environment()
        for name in environment.list_templates():
            environment.get_template(name)

    async def _index(self, request: web.Request) -> web.Response:
        return self.show(request, "index.html")

    async def _login(self, request: web.Request) -> web.Response:
        return self.show(request, "login.html")

    async def _matrix_login(self, request: web.Request) -> web.Response:
        return self.show(request, "matrix-login.html")

    async def _chat(self, request: web.Request) -> web.Response:
        return self.show(request, "chat.html")

    async def _static(self, request: web.Request) -> web.Response:
        return self._assets.answer(request.match_info["path"], request)

    def show(self, request: web.Request, template: str, status: int = 200, **more: object) -> web.Response:
        """A page in the reader's language; `more` are template variables beside the common ones."""
        wished = request.query.get("lang", "")
        language = choose_language(
            wished, request.cookies.get("lang", ""), request.headers.get(hdrs.ACCEPT_LANGUAGE, "")
        )
        theme = request.cookies.get("theme", "")
        context = {
            "asset": f"/static/{self._assets.build}",
            "config": self._config(),
            "demo_accounts": self._demo_accounts,
            "has_chat": self._university.enabled,
            "has_login": self._messenger.enabled,
            "lang": language,
            "modules": self._modules,
            "path": request.path,
            "languages": LANGUAGES,
            "registration_open": self._registration_open,
            "server": self._server,
            "text": TEXTS[language],
            "theme": theme if theme in THEMES else "system",
            "version": self._version,
            **more,
        }
        response = aiohttp_jinja2.render_template(
            template, request, context, app_key=TEMPLATES, status=status
        )
        response.headers.update(SECURITY_HEADERS)
        response.headers[hdrs.CACHE_CONTROL] = "no-store"
        response.headers[hdrs.CONTENT_LANGUAGE] = language
        response.headers[hdrs.VARY] = f"{hdrs.ACCEPT_LANGUAGE}, {hdrs.COOKIE}"
        if wished in LANGUAGES:
            secure = self._server.public_url.startswith("https:")
            response.set_cookie("lang", wished, max_age=YEAR_S, path="/", secure=secure, samesite="Lax")
        return response

    def _config(self) -> dict[str, object]:
        """The settings for the scripts; public, as anybody can read the page."""
        return {
            "serverName": self._server.name,
            "publicUrl": self._server.public_url,
            "universityPrefix": self._university.prefix if self._university.enabled else None,
            "messengerPrefix": self._messenger.prefix if self._messenger.enabled else None,
            "registrationOpen": self._registration_open,
        }
