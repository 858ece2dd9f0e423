"""The root application, and the application of a face."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiohttp import web

from homeserver.http import requestlog
from homeserver.http.cors import Cors
from homeserver.http.credentials import Authenticator
from homeserver.http.errors import PLAIN, ErrorTable, error_middleware
from homeserver.http.routes import Dispatcher, Face, Route
from homeserver.http.sockets import Hub
from homeserver.logs import request_id
from homeserver.metrics import Metrics


@dataclass(frozen=True, slots=True)
class ApiContext:
    """What a face needs besides its services. `public_url`: the server's external URL, without a slash
    at the end; `server`: its name in Matrix ids; `max_page`: most items in one page of a list."""

    dispatcher: Dispatcher
    authenticator: Authenticator
    hub: Hub
    public_url: str
    server: str
    max_page: int


def face_application(dispatcher: Dispatcher, table: ErrorTable, routes: Sequence[Route]) -> web.Application:
    """The application of one face: its routes, and its own form of errors, for unknown paths too."""
    app = web.Application(middlewares=[error_middleware(table, request_id.get)])
    dispatcher.install(app, routes)
    return app


def root_application(cors: Cors, metrics: Metrics, *, slow_request_ms: int) -> web.Application:
    """The root without faces: counts and logs requests, and answers preflights, and 404 for paths of no face."""
    app = web.Application()
    requestlog.install(app, metrics, slow_request_ms=slow_request_ms)
    cors.install(app)
    app.middlewares.append(error_middleware(PLAIN, request_id.get))
    app.on_response_prepare.append(_name_server)
    return app


async def _name_server(_request: web.BaseRequest, response: web.StreamResponse) -> None:
    response.headers["Server"] = "homeserver"  # the library's default has its version and Python's


def mount(root: web.Application, faces: Iterable[Face]) -> None:
    """Mount the faces at their prefixes."""
    for face in faces:
        root.add_subapp(face.prefix, face.application)
