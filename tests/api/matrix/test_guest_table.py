"""Which calls are open to guest accounts: those that the specification names, to join by whatever
name, and profiles, which need no token."""

import pytest

from homeserver.faces import make_faces
from homeserver.lifecycle import Running

OPEN = """
GET /account/whoami
GET /devices
GET /events
GET /rooms/{}/context/{}
GET /rooms/{}/event/{}
GET /rooms/{}/initialSync
GET /rooms/{}/members
GET /rooms/{}/messages
GET /rooms/{}/state
GET /rooms/{}/state/{}
GET /rooms/{}/state/{}/{}
POST /join/{}
POST /rooms/{}/join
PUT /rooms/{}/send/{}/{}
POST /rooms/{}/send/{}
PUT /rooms/{}/state/{}
PUT /rooms/{}/state/{}/{}
GET /devices/{}
PUT /devices/{}
POST /keys/claim
POST /keys/query
POST /keys/upload
GET /media/download/{}/{}
GET /media/download/{}/{}/{}
GET /media/thumbnail/{}/{}
POST /rooms/{}/leave
GET /sync
PUT /sendToDevice/{}/{}
DELETE /profile/{}/{}
GET /profile/{}
GET /profile/{}/{}
PUT /profile/{}/{}
"""


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


async def test_guests_may_make_the_calls_that_are_named_here_and_no_others(server: Running) -> None:
    faces = [face for face in make_faces(server.hs, server.hub) if face.document == "matrix"]
    routes = [route for face in faces for route in face.routes if route.guests and route.documented]
    opened = {f"{route.method} {bare(route.plain_path)}" for route in routes}
    assert opened == set(OPEN.strip().splitlines())
    assert not any(route.public for route in routes)


def bare(path: str) -> str:
    """Without the version, and without names of parameters."""
    parts = path.removeprefix("/client").split("/")[2:]
    return "/" + "/".join("{}" if part.startswith("{") else part for part in parts)
