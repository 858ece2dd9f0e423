"""Each handler's docstring names the calls it serves, so that a reader of the specification or of the docs finds it."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from homeserver.http.routes import Face
from tests.faces.walk import every_face


async def test_every_handler_names_its_calls(tmp_path: Path) -> None:
    async with every_face(tmp_path) as faces:
        assert sum(len(face.routes) for face in faces) > 300, "the faces of this test are not all there are"
        assert [one for face in faces for one in _unnamed(face)] == []


def _unnamed(face: Face) -> Iterator[str]:
    for route in face.routes:
        if "/r0/" in route.path:  # the older name of a call below v3
            continue
        path = re.sub(r":\w+\}", "}", face.prefix + route.path).rstrip("/")
        if f"`{route.method} {path}`" not in (inspect.getdoc(route.handler) or ""):
            yield f"{route.method} {path}: {route.handler}"
