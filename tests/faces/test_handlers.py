"""Each handler's docstring names the calls it serves, so that a reader of the specification or of the docs finds it."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from bridges.marketplace import BRIDGE
from homeserver.app import build
from homeserver.faces import make_bridges, make_faces
from homeserver.http.routes import Face
from homeserver.http.sockets import Hub
from homeserver.settings.models import Settings
from tests.test_house import quiet_settings


async def test_every_handler_names_its_calls(tmp_path: Path) -> None:
    quiet = quiet_settings(tmp_path, "one").model_dump()
    more = {"bridges": {"marketplace": {}}, "matrix": {"shared_secret": "sixteen characters and more"}}
    hs = build(Settings.model_validate({**quiet, **more}))
    hub = Hub(hs.settings.sockets, hs.core.clock, hs.core.metrics)
    bridges = make_bridges(hs, hub, {"marketplace": BRIDGE}.__getitem__)
    faces = [*make_faces(hs, hub), *(face for parts in bridges.values() for face in parts.faces)]
    unnamed = [one for face in faces for one in _unnamed(face)]
    await hs.core.db.close()
    hs.accounts.passwords.close()
    hs.media.store.close()
    hs.media.disk.close()
    assert sum(len(face.routes) for face in faces) > 300, "the faces of this test are not all there are"
    assert unnamed == []


def _unnamed(face: Face) -> Iterator[str]:
    for route in face.routes:
        if "/r0/" in route.path:  # the older name of a call below v3
            continue
        path = re.sub(r":\w+\}", "}", face.prefix + route.path).rstrip("/")
        if f"`{route.method} {path}`" not in (inspect.getdoc(route.handler) or ""):
            yield f"{route.method} {path}: {route.handler}"
