"""The Matrix server-server API: which calls there are, and where."""

from collections.abc import Callable, Sequence

from aiohttp import web

from homeserver.api.federation.errors import ERRORS, FORM
from homeserver.api.federation.keys import KeyCalls, VersionCalls
from homeserver.errors import Unauthenticated
from homeserver.federation.transport.keyserver import KeyServer
from homeserver.http.apps import face_application
from homeserver.http.routes import Dispatcher, Face, Route
from homeserver.model import Requester

ABOUT = "What other homeservers call. Requests are signed by the server that sends them."


async def _admit(_: web.Request) -> Requester:
    raise Unauthenticated("a server is no user", code="bad_signature")


def make(keys: KeyServer, dispatcher: Callable[..., Dispatcher], more: Sequence[Route]) -> Sequence[Face]:
    """The faces. `dispatcher` makes a dispatcher; `more`: calls below /_matrix/federation that others answer."""
    dispatch = dispatcher(_admit, bad_query="invalid_query")
    return (
        _face("Server keys", "/_matrix/key", dispatch, KeyCalls(keys).routes()),
        _face("Federation", "/_matrix/federation", dispatch, (*VersionCalls().routes(), *more)),
    )


def _face(name: str, prefix: str, dispatcher: Dispatcher, routes: Sequence[Route]) -> Face:
    application = face_application(dispatcher, ERRORS, routes)
    return Face(name, prefix, application, routes, ABOUT, FORM, document="federation")
