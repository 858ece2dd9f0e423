"""Where a server is found (server-server API, "Resolving server names")."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Protocol

import orjson
from yarl import URL

from homeserver.clock import Clock
from homeserver.errors import HomeserverError
from homeserver.kit.cache import BoundedCache
from homeserver.kit.singleflight import SingleFlight
from homeserver.net.client import HttpClient, Request, Response
from homeserver.net.errors import Refused
from homeserver.protocol.ids import ServerName, is_server_name

DEFAULT_PORT: Final = 8448
SERVICES: Final = ("_matrix-fed._tcp", "_matrix._tcp")  # the second is deprecated, and in use
_WELL_KNOWN: Final = "/.well-known/matrix/server"
_MAX_BYTES: Final = 51_200
_MAX_REDIRECTS: Final = 10
_TIMEOUT_S: Final = 20.0
_DEFAULT_MS: Final = 24 * 3_600_000
_MOST_MS: Final = 48 * 3_600_000
_LEAST_MS: Final = 5 * 60_000
_FAILED_MS: Final = 3_600_000
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,10})")
_MOST_NAMES: Final = 10_000
_PORT = re.compile(r"(.*):([0-9]{1,5})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Name:
    """The parts of a server name. `host`: an IPv6 literal in brackets; `port`: None if the name has none."""

    host: str
    port: int | None

    @property
    def bare_host(self) -> str:
        """The host without brackets."""
        return self.host.removeprefix("[").removesuffix("]")

    @property
    def is_literal(self) -> bool:
        """Whether the host is an IP address."""
        try:
            ip_address(self.bare_host)
        except ValueError:
            return False
        return True

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect to. `host_header` as it is sent; `tls_name`: whom the certificate must be of."""

    host: str
    port: int
    host_header: str
    tls_name: str


@dataclass(frozen=True, slots=True)
class Service:
    """An SRV record."""

    host: str
    port: int
    priority: int
    weight: int


class ServiceResolver(Protocol):
    """Looks SRV records up."""

    async def services(self, name: str) -> Sequence[Service]:
        """The records of a name; none if there are none. Raises OSError if that cannot be known now."""


def parse_name(text: str) -> Name:
    """The parts of a valid server name."""
    found = None if text.endswith("]") else _PORT.fullmatch(text)
    return Name(text, None) if found is None else Name(found[1], int(found[2]))


class Discovery:
    """Finds servers. What well-known files say is cached, as long as they say and within bounds.

    `https_port`: of well-known files.
    """

    def __init__(
        self, http: HttpClient, services: ServiceResolver, clock: Clock, *, https_port: int = 443
    ) -> None:
        self._http = http
        self._services = services
        self._clock = clock
        self._https_port = https_port
        self._delegated: BoundedCache[ServerName, tuple[Name | None, int]] = BoundedCache(_MOST_NAMES)
        self._asking: SingleFlight[ServerName, Name | None] = SingleFlight()

    async def targets(self, server: ServerName) -> list[Target]:
        """Where a server may be reached, in the order of the attempts; at least one.

        Raises Refused for a port that there cannot be.
        """
        name = parse_name(server)
        if not _has_port(name):
            raise Refused("there is no such port")
        if name.is_literal or name.port is not None:
            return [_direct(name)]
        delegated = await self._delegate(server)
        if delegated is None:
            return await self._by_service(name)
        if delegated.is_literal or delegated.port is not None:
            return [_direct(delegated)]
        return await self._by_service(delegated)

    async def _by_service(self, name: Name) -> list[Target]:
        for service in SERVICES:
            try:
                found = await self._services.services(f"{service}.{name.host}")
            except OSError:
                found = []
            if found:
                return [Target(one.host, one.port, str(name), name.host) for one in in_order(found)]
        return [_direct(name)]

    async def _delegate(self, server: ServerName) -> Name | None:
        """The server that the well-known file of a server names, if the file is there and valid."""
        now_ms = self._clock.now_ms()
        held = self._delegated.get(server)
        if held is not None and held[1] > now_ms:
            return held[0]
        return await self._asking.run(server, lambda: self._ask(server))

    async def _ask(self, server: ServerName) -> Name | None:
        port = "" if self._https_port == 443 else f":{self._https_port}"
        request = Request(
            "GET",
            URL(f"https://{server}{port}{_WELL_KNOWN}"),
            _TIMEOUT_S,
            _MAX_BYTES,
            max_redirects=_MAX_REDIRECTS,
            check_redirect=_check_redirect,
        )
        try:
            answer = await self._http.request(request)
        except HomeserverError:
            named, keep_ms = None, _FAILED_MS
        else:
            named = _named(answer)
            keep_ms = _FAILED_MS if named is None else _keep_ms(answer.headers)
        self._delegated.put(server, (named, self._clock.now_ms() + keep_ms))
        return named


def in_order(found: Sequence[Service]) -> list[Service]:
    """SRV records by priority, and among equals at random by weight (RFC 2782)."""
    left, order = sorted(found, key=lambda one: (one.priority, one.weight > 0)), list[Service]()
    while left:
        first = [one for one in left if one.priority == left[0].priority]
        weights = [one.weight for one in first]
        chosen = random.choices(first, weights)[0] if sum(weights) else first[0]  # noqa: S311 - no secret
        left.remove(chosen)
        order.append(chosen)
    return order


def _direct(name: Name) -> Target:
    return Target(name.bare_host, name.port or DEFAULT_PORT, str(name), name.bare_host)


def _has_port(name: Name) -> bool:
    """Whether there can be a server at the name's port, if it has one."""
    return name.port is None or 0 < name.port < 65_536


def _check_redirect(url: URL) -> URL:
    if url.scheme != "https":
        raise Refused("a redirect to plain HTTP")
    return url


def _named(answer: Response) -> Name | None:
    if answer.status != 200:
        return None
    try:
        content = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    named = content.get("m.server") if isinstance(content, dict) else None
    if not isinstance(named, str) or not is_server_name(named):
        return None
    name = parse_name(named)
    return name if _has_port(name) else None


def _keep_ms(headers: Mapping[str, str]) -> int:
    """How long a well-known file is valid."""
    control = headers.get("Cache-Control", "").lower()
    if "no-store" in control or "no-cache" in control:
        return _LEAST_MS
    found = _MAX_AGE.search(control)
    return min(max(int(found[1]) * 1000, _LEAST_MS), _MOST_MS) if found else _DEFAULT_MS
