"""The client for all outgoing HTTP requests, with guard, deadlines and size limits."""

import asyncio
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDictProxy
from yarl import URL

from homeserver.errors import Unavailable
from homeserver.net.errors import (
    BadEncoding,
    BodyTooLarge,
    DeadlineExceeded,
    Refused,
    TooManyRedirects,
    Unreachable,
)
from homeserver.net.publicnet import Guard, PrivateAddressError

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SCHEMES: Final = frozenset({"http", "https"})
_FOR_ONE: Final = frozenset({"authorization", "host"})  # headers meant for one server alone


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `timeout_s`: for the whole of it: waiting for a connection, redirects, reading the body.

    `max_bytes`: the largest body that is read; a longer one raises BodyTooLarge, or is cut off there if `may_cut`. 0
    with `may_cut`: only the status is needed. `max_redirects`: 0 returns the redirect itself. `check_redirect` is
    given each redirect's target: it returns the URL to request, or raises a HomeserverError. `unpack`: accept gzip,
    and return the body decompressed; `max_bytes` applies before and after. `server_hostname`: the name in the
    certificate, if it is not the URL's host.
    """

    method: str
    url: URL
    timeout_s: float
    max_bytes: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    may_cut: bool = False
    max_redirects: int = 0
    check_redirect: Callable[[URL], URL] | None = None
    unpack: bool = False
    server_hostname: str | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """A response of any status. `url`: its URL after redirects. `is_whole`: the body was not cut off."""

    status: int
    url: URL
    headers: CIMultiDictProxy[str]
    content_type: str
    charset: str
    body: bytes
    is_whole: bool


class HttpClient:
    """Requests under one policy, on a bounded pool of connections.

    `guard` decides which addresses may be connected to; it checks each connection when it is made, also after
    redirects. `connections`: most open at a time; further requests wait, within their deadline. `keeps`: connections
    are kept alive for the next request to the same server. `resolver`: DNS resolver, the system's by default. `tls`:
    the TLS context, with the system's authorities by default. No cookies, no proxies of the environment.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        connections: int,
        keeps: bool = True,
        resolver: AbstractResolver | None = None,
        tls: SSLContext | None = None,
    ) -> None:
        self.guard = guard
        self._connections = connections
        self._keeps = keeps
        self._resolver = resolver
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False

    async def request(self, request: Request) -> Response:
        """The response. Raises a RequestFailed, and what `check_redirect` raises; Unavailable after `close`."""
        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._follow(self._open(), request)
        except TimeoutError as error:
            raise DeadlineExceeded("no answer in time") from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, PrivateAddressError):
                raise Refused("the name leads to a private address") from error
            raise Unreachable(f"no connection: {type(error).__name__}") from error
        except (
            aiohttp.ClientError,
            OSError,
            ValueError,
        ) as error:  # ValueError: a malformed URL or header
            raise Unreachable(f"no answer: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close all connections, for good."""
        self._is_closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        """The session, created at first use: it belongs to the running loop."""
        if self._is_closed:
            raise Unavailable("the server is stopping", code="stopping")
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=self._connections,
                force_close=not self._keeps,
                resolver=self._resolver,
                use_dns_cache=False,  # each connection has a look-up and a check of its own
                socket_factory=self.guard.socket,
                ssl=self._tls if self._tls is not None else True,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(),  # `request` has one for everything
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    async def _follow(self, session: aiohttp.ClientSession, request: Request) -> Response:
        method, url, body = request.method, request.url, request.body
        headers = {"Accept-Encoding": "gzip" if request.unpack else "identity", **request.headers}
        self._check_host(url)
        for _ in range(request.max_redirects + 1):
            async with session.request(
                method,
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                server_hostname=request.server_hostname,
            ) as response:
                where = response.headers.get("Location")
                if not request.max_redirects or response.status not in _REDIRECTS or where is None:
                    return await _answer(response, url, request)
                if response.status in {301, 302, 303} and method != "HEAD":
                    method, body = "GET", None
                before, url = url, _next(url, where, request)
                self._check_host(url)
                if url.origin() != before.origin():
                    headers = {name: text for name, text in headers.items() if name.lower() not in _FOR_ONE}
        raise TooManyRedirects(f"more than {request.max_redirects} redirects")

    def _check_host(self, url: URL) -> None:
        if url.scheme not in _SCHEMES or not self.guard.admits_host(url.raw_host or ""):
            raise Refused("this address is not asked")


def _next(url: URL, where: str, request: Request) -> URL:
    """The target of a redirect. Headers and body may be meant for one server alone, so a redirect to another server is
    followed only for requests with `check_redirect`."""
    try:
        found = url.join(URL(where)).with_fragment(None)
    except ValueError as error:
        raise Unreachable("a redirect to no address") from error
    if request.check_redirect is not None:
        return request.check_redirect(found)
    if not found.is_absolute() or found.scheme not in _SCHEMES or found.origin() != url.origin():
        raise Refused("a redirect to another server")
    return found


async def _answer(response: aiohttp.ClientResponse, url: URL, request: Request) -> Response:
    data, is_whole = await _read(response, request)
    if request.unpack:
        data, is_whole = _unpacked(response, data, is_whole, request)
    return Response(
        status=response.status,
        url=url,
        headers=response.headers,
        content_type=response.content_type.lower(),
        charset=response.charset or "",
        body=data,
        is_whole=is_whole,
    )


async def _read(response: aiohttp.ClientResponse, request: Request) -> tuple[bytes, bool]:
    """The body, up to the limit, and True if that is all of it."""
    most = request.max_bytes
    if not most and request.may_cut:
        return b"", False
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > most:
            _check_cut(request)
            return bytes(data[:most]), False
    return bytes(data), True


def _unpacked(
    response: aiohttp.ClientResponse, data: bytes, is_whole: bool, request: Request
) -> tuple[bytes, bool]:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "identity":
        return data, is_whole
    if encoding not in {"gzip", "x-gzip"}:
        raise BadEncoding("the body is packed in a way that was not asked for")
    unpacker = zlib.decompressobj(31)  # 31: gzip only
    try:
        plain = unpacker.decompress(data, request.max_bytes)
    except zlib.error as error:
        raise BadEncoding("the body is badly packed") from error
    if unpacker.unconsumed_tail:
        _check_cut(request)
    return plain, is_whole and unpacker.eof


def _check_cut(request: Request) -> None:
    if not request.may_cut:
        raise BodyTooLarge(f"more than {request.max_bytes} bytes")
