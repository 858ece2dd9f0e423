"""Static files, read once, compressed once, and named by their content.

Everything below `/static/` has two URLs. `/static/js/api.js` is revalidated by the browser each time (ETag, 304).
`/static/<build>/js/api.js` may be cached for a year: `<build>` is a hash of all files, so the pages link new URLs as
soon as any file changes, and modules that import each other by relative paths stay together. Bridges serve their files
in the same way.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from aiohttp import ETag, hdrs, web

CONTENT_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
PACKED_ALREADY: Final = frozenset({".png", ".ico", ".woff2"})
BUILD_CHARS: Final = 12
FOR_A_YEAR: Final = "public, max-age=31536000, immutable"
CHECK_AGAIN: Final = "public, no-cache"

_FOR_OURS: Final = {"Cross-Origin-Resource-Policy": "same-origin"}
_FOR_ALL: Final = {"Cross-Origin-Resource-Policy": "cross-origin", hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*"}
_BUILD_PREFIX = re.compile(rf"^[0-9a-f]{{{BUILD_CHARS}}}/")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to be sent. `packed` is its gzip form, if that is smaller."""

    body: bytes
    packed: bytes | None
    content_type: str
    etag: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All static files by their path below the folder, and the name of this set of files."""

    files: Mapping[str, Asset]
    build: str
    is_shared: bool = False  # True if pages of other origins may load the files

    def answer(self, path: str, request: web.BaseRequest) -> web.Response:
        """The response to a request for `path`; 404 for an unknown file."""
        plain_path = _BUILD_PREFIX.sub("", path, count=1)
        asset = self.files.get(plain_path)
        if asset is None:
            raise web.HTTPNotFound(text="There is no such file.\n")
        packed = asset.packed if _takes_gzip(request) else None
        etag = f"{asset.etag}-gz" if packed is not None else asset.etag
        headers = {
            hdrs.CACHE_CONTROL: FOR_A_YEAR if path == f"{self.build}/{plain_path}" else CHECK_AGAIN,
            hdrs.ETAG: f'"{etag}"',
            hdrs.VARY: hdrs.ACCEPT_ENCODING,
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
            **(_FOR_ALL if self.is_shared else _FOR_OURS),
        }
        if _has_it(request.if_none_match, etag):
            return web.Response(status=304, headers=headers)
        headers[hdrs.CONTENT_TYPE] = asset.content_type
        if packed is not None:
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        return web.Response(body=asset.body if packed is None else packed, headers=headers)


def load_assets(folder: Path) -> Assets:
    """Read and compress all files of known types below `folder`. Blocks: call it from a thread."""
    return make_assets(read_files(folder))


def read_files(folder: Path) -> dict[str, bytes]:
    """All files of known types below `folder`, by their path there. Blocks."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in CONTENT_TYPES and path.is_file()
    }


def make_assets(files: Mapping[str, bytes], *, is_shared: bool = False) -> Assets:
    """Compress files of known types and hash the whole set. Takes a while: call it from a thread."""
    made = {name: _asset(Path(name).suffix, body) for name, body in files.items()}
    whole = "".join(f"{name}\0{asset.etag}\n" for name, asset in sorted(made.items()))
    return Assets(made, hashlib.sha256(whole.encode()).hexdigest()[:BUILD_CHARS], is_shared)


@lru_cache(maxsize=1000)  # compressing takes most of the time, and a program's files do not change
def _asset(suffix: str, body: bytes) -> Asset:
    packed = None if suffix in PACKED_ALREADY else gzip.compress(body, 6, mtime=0)
    if packed is not None and len(packed) >= len(body):
        packed = None
    return Asset(body, packed, CONTENT_TYPES[suffix], hashlib.sha256(body).hexdigest()[:32])


def _takes_gzip(request: web.BaseRequest) -> bool:
    """True if the client accepts gzip; `gzip;q=0` is a refusal."""
    for item in request.headers.get(hdrs.ACCEPT_ENCODING, "").split(","):
        name, _, parameters = item.strip().lower().partition(";")
        if name.strip() == "gzip":
            return re.fullmatch(r"\s*q=0(\.0*)?\s*", parameters) is None
    return False


def _has_it(known: tuple[ETag, ...] | None, etag: str) -> bool:
    return known is not None and any(one.value in {etag, "*"} for one in known)
