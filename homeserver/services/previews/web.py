"""Pages and pictures of the web: from public addresses only, each step of a redirect checked, all of it bounded."""

import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import NamedTuple

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from homeserver.errors import Forbidden, HomeserverError, Invalid, Upstream
from homeserver.services.publicnet import is_name, is_public, sockets_to
from homeserver.settings.models import PreviewSettings

MAX_URL_CHARS = 2000
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; homeserver; URL previews)",
    "Accept": "text/html,application/xhtml+xml,image/*;q=0.8",
    "Accept-Encoding": "gzip",
}


class Fetched(NamedTuple):
    """What stands at an address, after redirects. `is_whole`: not only its beginning."""

    url: URL
    content_type: str
    charset: str
    data: bytes
    is_whole: bool


class Web:
    """Fetches. `resolver` finds the addresses of names, the system's if there is none."""

    def __init__(self, settings: PreviewSettings, resolver: AbstractResolver | None = None) -> None:
        self._settings = settings
        self._resolver = resolver

    def checked(self, address: str) -> URL:
        """An address that may be asked, in its normal form. Raises Invalid("bad_url"), Forbidden("url_refused")."""
        url = _parsed(address)
        host = (url.raw_host or "").rstrip(".").lower()
        settings = self._settings
        is_allowed = not settings.allowed_hosts or _is_in(host, settings.allowed_hosts)
        if not is_allowed or _is_in(host, settings.denied_hosts):
            raise Forbidden("pages of this site are not previewed", code="url_refused")
        if url.port not in settings.ports or not (is_name(host) or _is_public_literal(host)):
            raise Forbidden("there is no preview of what stands at such an address", code="url_refused")
        return url

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Connections for one preview, while the context lasts."""
        connector = aiohttp.TCPConnector(
            resolver=self._resolver,
            use_dns_cache=False,
            force_close=True,  # each step of a redirect is a look-up and a check of its own
            socket_factory=sockets_to(self._settings.allowed_networks),
        )
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers=_HEADERS,
        ) as session:
            yield session

    async def fetch(self, session: aiohttp.ClientSession, url: URL, max_bytes: int) -> Fetched:
        """What stands at a checked address, at most so many bytes of it. Raises Upstream."""
        try:
            for _ in range(self._settings.max_redirects + 1):
                async with session.get(url, allow_redirects=False) as response:
                    where = response.headers.get("Location")
                    if response.status not in _REDIRECTS or where is None:
                        return await _read(response, url, max_bytes)
                    url = self.checked(str(url.join(URL(where))))
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, zlib.error) as error:
            raise unreadable() from error
        except HomeserverError as error:
            raise unreadable() from error
        raise unreadable()


def unreadable() -> Upstream:
    """The one answer to whatever goes wrong with others: it tells nothing of the networks around us."""
    return Upstream("this page cannot be read", code="unreadable_page")


async def _read(response: aiohttp.ClientResponse, url: URL, max_bytes: int) -> Fetched:
    if response.status != 200:
        raise unreadable()
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > max_bytes:
            break
    is_whole = len(data) <= max_bytes
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    raw = bytes(data[:max_bytes])
    if encoding in {"gzip", "x-gzip"}:
        unpacker = zlib.decompressobj(31)
        raw = unpacker.decompress(raw, max_bytes)
        is_whole = is_whole and unpacker.eof
    elif encoding != "identity":
        raise unreadable()
    return Fetched(url, response.content_type.lower(), response.charset or "", raw, is_whole)


def _parsed(address: str) -> URL:
    bad = Invalid("url: must be an http or https address", code="bad_url")
    if len(address) > MAX_URL_CHARS or not address.isprintable() or any(one in address for one in ' \\<>"'):
        raise bad
    try:
        url = URL(address).with_fragment(None)
        is_good = url.scheme in {"http", "https"} and bool(url.raw_host) and url.port is not None
    except ValueError as error:
        raise bad from error
    if (
        not is_good
        or url.raw_user is not None
        or url.raw_password is not None
        or len(str(url)) > MAX_URL_CHARS
    ):
        raise bad
    return url


def _is_public_literal(host: str) -> bool:
    try:
        return is_public(str(ip_address(host)))
    except ValueError:
        return False


def _is_in(host: str, sites: Sequence[str]) -> bool:
    return any(host == site or host.endswith(f".{site}") for site in sites)
