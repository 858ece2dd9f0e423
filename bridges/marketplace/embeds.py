"""What a marketplace's pages load from us: the buyer's window, the seller's inbox, the worker for notifications.

Two small scripts stand at the root, under names that never change. Each imports modules from
`/embed/<build>/widget/`, and those import the small client that our own pages use as well, at `/embed/<build>/client/`.
`<build>` changes with any file, so the modules may be kept for a year. Pages of all sites may load these files; what
the scripts may then do is a matter of `cors.origins`.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aiohttp import web

from homeserver.web.assets import Asset, Assets, load_assets, make_asset
from homeserver.web.pages import CLIENT

HERE: Final = Path(__file__).parent / "web"
LOADERS: Final = ("chat.js", "seller-chats.js", "chat-sw.js")
_SERVED: Final = '"__SERVED__"'  # stands in a loader where the server says what it knows of itself


class Embeds:
    """Serves the scripts. `served`: what they are told besides the build. Files are read at start, in a thread."""

    def __init__(self, served: Mapping[str, object]) -> None:
        self._served = served
        self._tree = Assets({}, "")
        self._loaders = Assets({}, "")

    @property
    def build(self) -> str:
        """The name of this set of files."""
        return self._tree.build

    def routes(self) -> list[web.RouteDef]:
        """The scripts at the root, and everything below `/embed/`."""
        return [
            *(web.get(f"/{name}", self._loader) for name in LOADERS),
            web.get("/embed/{path:.+}", self._file),
        ]

    async def load(self, _: web.Application) -> None:
        """Read the files."""
        await asyncio.to_thread(self._load)

    def _load(self) -> None:
        folders = {"client/": CLIENT, "widget/": HERE / "embed", "demo/": HERE / "demo"}
        self._tree = load_assets(folders, is_shared=True)
        served = json.dumps({**self._served, "build": self._tree.build})
        loaders: dict[str, Asset] = {}
        for name in LOADERS:
            text = (HERE / name).read_text(encoding="utf-8")
            loaders[name] = make_asset(".js", text.replace(_SERVED, served).encode())
        self._loaders = Assets(loaders, "", is_shared=True)

    async def _loader(self, request: web.Request) -> web.Response:
        return self._loaders.answer(request.path.lstrip("/"), request)

    async def _file(self, request: web.Request) -> web.Response:
        return self._tree.answer(request.match_info["path"], request)
