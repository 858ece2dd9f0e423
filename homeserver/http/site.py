"""The root application: what stands around all faces."""

from collections.abc import Iterable, Sequence

from aiohttp import web

from homeserver.http import requestlog
from homeserver.http.cors import Cors
from homeserver.http.errors import PLAIN, ErrorTable, error_middleware
from homeserver.http.routes import Desk, Face, Route
from homeserver.logs import request_id
from homeserver.metrics import Metrics


def face_application(desk: Desk, table: ErrorTable, routes: Sequence[Route]) -> web.Application:
    """The application of one face: its routes, and its own form for all that goes wrong, unknown paths too."""
    app = web.Application(middlewares=[error_middleware(table, request_id.get)])
    desk.install(app, routes)
    return app


def root_application(cors: Cors, metrics: Metrics, *, slow_request_ms: int) -> web.Application:
    """An empty root: counts and logs requests, answers preflights, and 404 for what belongs to no face."""
    app = web.Application()
    requestlog.install(app, metrics, slow_request_ms=slow_request_ms)
    cors.install(app)
    app.middlewares.append(error_middleware(PLAIN, request_id.get))
    app.on_response_prepare.append(_name_server)
    return app


async def _name_server(_request: web.BaseRequest, response: web.StreamResponse) -> None:
    response.headers["Server"] = "homeserver"  # the library would tell its version and Python's


def mount(root: web.Application, faces: Iterable[Face]) -> None:
    """Put the faces under their prefixes."""
    for face in faces:
        root.add_subapp(face.prefix, face.application)
