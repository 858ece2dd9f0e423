"""A router: the paths of one face as a tree of segments. A lookup costs the path's depth, not the number of routes.

The router of aiohttp tries one pattern after the other among those with the same prefix, which is most of them below
`/rooms/{room_id}`; and compiling the patterns is most of the time that a server needs to start.
"""

from collections.abc import Iterator
from typing import NamedTuple

from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Handler
from aiohttp.web_urldispatcher import PlainResource, ResourceRoute, UrlMappingMatchInfo
from yarl import URL

CONTINUE = "100-continue"


class _Call(NamedTuple):
    """The route of one method at a path, and the indexes of its parameters in the path."""

    route: ResourceRoute
    places: tuple[tuple[str, int], ...]


class _Node:
    """One segment: its literal children, its parameter child, and the routes of paths that end here."""

    __slots__ = ("anything", "calls", "words")

    def __init__(self) -> None:
        self.words: dict[str, _Node] = {}
        self.anything: _Node | None = None
        self.calls: dict[str, _Call] = {}


class RouteTree(web.AbstractResource):
    """The routes of one application. A path is found with and without a trailing slash.

    If a literal and a parameter both match a segment, the literal is tried first. A parameter is never empty.
    """

    def __init__(self) -> None:
        super().__init__()
        self._prefix = ""
        self._root = _Node()
        self._resources: dict[str, PlainResource] = {}

    def add(self, method: str, template: str, handler: Handler) -> None:
        """Add one call at a path like `/rooms/{room_id}/send`; "" or "/" is the prefix itself.

        Raises ValueError for a duplicate route.
        """
        template = template.rstrip("/")
        node, places = self._root, []
        for at, segment in enumerate(template.split("/")[1:]):
            if segment.startswith("{") and segment.endswith("}"):
                places.append((segment[1:-1], at))
                node.anything = node.anything or _Node()
                node = node.anything
            else:
                node = node.words.setdefault(segment, _Node())
        if method in node.calls:
            raise ValueError(f"duplicate route {method} {template}")
        resource = self._resources.setdefault(template, PlainResource(template))
        route = resource.add_route(method, handler, expect_handler=_expect)
        node.calls[method] = _Call(route, tuple(places))

    async def resolve(self, request: web.Request) -> tuple[UrlMappingMatchInfo | None, set[str]]:
        """The route and its parameters, or the allowed methods of this path."""
        segments = request.rel_url.path_safe[len(self._prefix) :].split("/")[1:]
        if segments and not segments[-1]:
            segments.pop()
        allowed: set[str] = set()
        for node in _ends(self._root, segments, 0):
            if call := node.calls.get(request.method):
                values = {name: _whole(segments[at]) for name, at in call.places}
                return UrlMappingMatchInfo(values, call.route), allowed
            allowed.update(node.calls)
        return None, allowed

    @property
    def canonical(self) -> str:
        """The prefix of the tree."""
        return self._prefix or "/"

    def add_prefix(self, prefix: str) -> None:
        """Prepend `prefix` to all paths."""
        self._prefix = prefix + self._prefix
        for resource in self._resources.values():
            resource.add_prefix(prefix)

    def url_for(self, **_kwargs: str) -> URL:
        """Not supported: routes have no names here."""
        raise RuntimeError("routes of a tree have no names")

    def get_info(self) -> dict[str, str]:  # type: ignore[override]  # its type is private to the library
        """For listings of an application's resources."""
        return {"path": self.canonical}

    def raw_match(self, _path: str) -> bool:
        """False: the tree has many paths, and routes are added with `add` only."""
        return False

    def __len__(self) -> int:
        return sum(len(resource) for resource in self._resources.values())

    def __iter__(self) -> Iterator[ResourceRoute]:
        for resource in self._resources.values():
            yield from resource


async def _expect(request: web.Request) -> None:
    """Ask for the body if the client waits to be asked. What else it expects is refused later, in the face's form."""
    if request.version == HttpVersion11 and request.headers.get("Expect", "").lower() == CONTINUE:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the response has not begun


def _ends(node: _Node, segments: list[str], at: int) -> Iterator[_Node]:
    """All nodes that match the path, the most literal first."""
    if at == len(segments):
        yield node
        return
    if word := node.words.get(segments[at]):
        yield from _ends(word, segments, at + 1)
    if segments[at] and node.anything is not None:
        yield from _ends(node.anything, segments, at + 1)


def _whole(segment: str) -> str:
    """Decode a segment: an encoded slash stays encoded until the path is split."""
    return segment.replace("%2F", "/").replace("%25", "%") if "%" in segment else segment
