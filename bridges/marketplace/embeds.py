"""The scripts that a marketplace's pages load: the buyer's window, the seller's inbox, the notification worker.

Small scripts are served at the root, under names that never change. Each imports a module from `/embed/<build>/`,
which is bundled from `bridges/marketplace/web/embed` and the modules and style sheets that our own pages use as well.
`<build>` changes with any file, so the modules may be kept for a year. Pages of all sites may load these files; what
the scripts may then do is a matter of `cors.origins`.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from bridges.marketplace.bundle import bundles, stripped, style
from homeserver.web.assets import Assets, make_assets, read_files
from homeserver.web.pages import CLIENT, SHARED_STYLES

HERE: Final = Path(__file__).parent / "web"
LOADERS: Final = ("chat.js", "seller-chats.js", "chat-sw.js")
ENTRIES: Final = ("widget/buyer.js", "widget/inbox.js")
_EVERY_STYLE: Final = ("shared/base.css", "shared/thread.css", "widget/widget.css", "widget/thread.css")
STYLES: Final = {
    "widget/buyer.css": (*_EVERY_STYLE, "widget/window.css"),
    "widget/inbox.css": (*_EVERY_STYLE, "shared/list.css", "widget/inbox.css", "widget/inboxlist.css"),
}
_ICONS: Final = "client/icons.js"
_ICON = re.compile(r"^  (\w+): \[.*\],\n", re.MULTILINE)
_SERVED: Final = '"__SERVED__"'  # the placeholder in a loader for the server's settings


@dataclass(frozen=True, slots=True)
class Scripts:
    """Everything served: the scripts at the root, and the tree below `/embed/`."""

    loaders: Assets
    tree: Assets


class Embeds:
    """Serves the scripts. `served`: the settings given to them besides the build.

    Building the files takes a tenth of a second, so it is done once, at the first request, in a thread.
    """

    def __init__(self, served: Mapping[str, object]) -> None:
        self._served = served
        self._made: Scripts | None = None
        self._making = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """The scripts at the root, and everything below `/embed/`."""
        return [
            *(web.get(f"/{name}", self._loader) for name in LOADERS),
            web.get("/embed/{path:.+}", self._file),
        ]

    async def build(self) -> str:
        """The name of this set of files."""
        return (await self._scripts()).tree.build

    async def _scripts(self) -> Scripts:
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(make_scripts, self._served)
            return self._made

    async def _loader(self, request: web.Request) -> web.Response:
        return (await self._scripts()).loaders.answer(request.path.lstrip("/"), request)

    async def _file(self, request: web.Request) -> web.Response:
        return (await self._scripts()).tree.answer(request.match_info["path"], request)


def make_scripts(served: Mapping[str, object]) -> Scripts:
    """Read and bundle the files. Blocks."""
    widget = {name: body.decode() for name, body in read_files(HERE / "embed").items()}
    sources = {
        **{f"client/{name}": body.decode() for name, body in read_files(CLIENT).items()},
        **{f"shared/{name}": body.decode() for name, body in read_files(SHARED_STYLES).items()},
        **{f"widget/{name}": text for name, text in widget.items()},
    }
    files = {name: text for entry in ENTRIES for name, text in _bundles(entry, sources).items()}
    files |= {name: style("".join(sources[part] for part in parts)) for name, parts in STYLES.items()}
    files |= {f"widget/{name}": stripped(text) for name, text in widget.items() if name.startswith("texts/")}
    demo = {f"demo/{name}": body for name, body in read_files(HERE / "demo").items()}
    tree = make_assets({**{name: text.encode() for name, text in files.items()}, **demo}, is_shared=True)
    told = json.dumps({**served, "build": tree.build})
    loaders = {name: (HERE / name).read_text(encoding="utf-8").replace(_SERVED, told) for name in LOADERS}
    return Scripts(
        make_assets({name: stripped(text).encode() for name, text in loaders.items()}, is_shared=True), tree
    )


def _bundles(entry: str, sources: Mapping[str, str]) -> dict[str, str]:
    """The bundles, with only the icons that the widgets use."""
    named = "".join(text for name, text in sources.items() if name != _ICONS)
    icons = _ICON.sub(lambda match: match[0] if f'"{match[1]}"' in named else "", sources[_ICONS])
    return bundles(entry, {**sources, _ICONS: icons})
