"""A small face to try the kit with."""

import asyncio
from collections.abc import Callable, Sequence

from aiohttp import web

from homeserver.errors import Unauthenticated
from homeserver.http.address import ClientAddress
from homeserver.http.apps import face_application, mount, root_application
from homeserver.http.cors import Cors
from homeserver.http.errors import PLAIN, ErrorTable
from homeserver.http.places import Places
from homeserver.http.routes import Dispatcher, Face, Route
from homeserver.metrics import Metrics
from homeserver.model import Requester
from homeserver.protocol.ids import UserId
from homeserver.settings.models import ListenSettings


def requester(name: str = "alice", number: int = 1) -> Requester:
    return Requester(UserId(f"@{name}:test"), number, session_key=name)


async def admit(request: web.Request) -> Requester:
    name = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not name:
        raise Unauthenticated("A token is needed.", code="missing_token")
    return requester(name)


def places(listen: ListenSettings | None = None) -> Places:
    return Places(listen or ListenSettings(), ClientAddress(()))


def site(
    routes: Sequence[Route],
    *,
    origins: Sequence[str] = (),
    table: ErrorTable = PLAIN,
    limit: Callable[[web.Request], None] = lambda _request: None,
    max_body_bytes: int = 10_000,
    listen: ListenSettings | None = None,
    face_origins: Sequence[str] = (),
) -> web.Application:
    """A root application with one face under /api."""
    dispatcher = Dispatcher(admit=admit, limit=limit, max_body_bytes=max_body_bytes, places=places(listen))
    face = Face("Test", "/api", face_application(dispatcher, table, routes), routes)
    if face_origins:
        Cors(face_origins).install(face.application)
    root = root_application(Cors(origins), Metrics(), slow_request_ms=1000)
    mount(root, [face])
    return root


async def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Wait for a condition; fails after a while."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)
