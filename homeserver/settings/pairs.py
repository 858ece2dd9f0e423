"""Checks for values that are valid alone but not together. Pure; each clash names the key at fault."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from homeserver.settings.faces import MessengerSettings, UniversitySettings, WebSettings
from homeserver.settings.issuers import KEY_SOURCES, IssuerSettings
from homeserver.settings.matrix import GuestAccountSettings
from homeserver.settings.people import AccountSettings, RateLimitSettings
from homeserver.settings.process import ListenSettings, MetricsSettings, ServerSettings
from homeserver.settings.section import is_loopback

# Paths of the server itself; an API below one of them would hide it or be hidden.
RESERVED = (
    "/_matrix",
    "/.well-known",
    "/chat",
    "/docs",
    "/health",
    "/login",
    "/media",
    "/metrics",
    "/openapi.json",
    "/ready",
    "/static",
)


class Clash(NamedTuple):
    """An invalid combination. `path`: of the key to change, e.g. ("issuers", 1, "name")."""

    path: tuple[str | int, ...]
    message: str

    def where(self) -> str:
        """The path in written form: issuers[1].name"""
        text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return text.removeprefix(".")


def check_issuers(issuers: Sequence[IssuerSettings]) -> Iterator[Clash]:
    """Issuers must differ in name and number, and a token must match only one of them."""
    names: dict[str | int, int] = {}
    namespaces: dict[str | int, int] = {}
    for at, issuer in enumerate(issuers):
        for seen, key, value in ((names, "name", issuer.name), (namespaces, "namespace", issuer.namespace)):
            if value in seen:
                yield Clash(("issuers", at, key), f"{value} is the {key} of issuers[{seen[value]}] already")
            seen.setdefault(value, at)
        for earlier, other in enumerate(issuers[:at]):
            if (source := _shared_key(issuer, other)) and not _are_told_apart(issuer, other):
                yield Clash(
                    ("issuers", at, source),
                    f"the same keys as issuers[{earlier}]: a token would be good for both; "
                    "give each its own keys, or tell them apart by issuer or audience",
                )


def _shared_key(one: IssuerSettings, other: IssuerSettings) -> str | None:
    """The settings key in which both have the same signing keys."""
    for key in KEY_SOURCES:
        value = getattr(one, key)
        if value is not None and value == getattr(other, key):
            return key
    return None


def _are_told_apart(one: IssuerSettings, other: IssuerSettings) -> bool:
    pairs = ((one.issuer, other.issuer), (one.audience, other.audience))
    return any(a is not None and b is not None and a != b for a, b in pairs)


def check_prefixes(university: UniversitySettings, messenger: MessengerSettings) -> Iterator[Clash]:
    """Each API needs its own prefix. One may be below another: the longer prefix takes precedence."""
    wanted: list[tuple[tuple[str | int, ...], str]] = []
    if university.enabled:
        wanted.append((("university", "prefix"), university.prefix))
        wanted += [(("university", "also_at", at), prefix) for at, prefix in enumerate(university.also_at)]
    if messenger.enabled:
        wanted.append((("messenger", "prefix"), messenger.prefix))
        wanted.append((("messenger", "socket_path"), messenger.socket_path))
    taken: dict[str, str] = {}
    for path, prefix in wanted:
        for reserved in RESERVED:
            if prefix == reserved or prefix.startswith(reserved + "/"):
                yield Clash(path, f"{prefix} lies under {reserved}, which the server needs itself")
        if prefix in taken:
            yield Clash(path, f"{prefix} is the prefix of {taken[prefix]} already")
        taken.setdefault(prefix, str(path[0]))


def check_service_keys(
    university: UniversitySettings, messenger: MessengerSettings, issuers: Sequence[IssuerSettings]
) -> Iterator[Clash]:
    """The issuer that a service key acts for must be configured."""
    names = {issuer.name for issuer in issuers}
    for section, wanted in (
        ("university", university.service_key_issuer),
        ("messenger", messenger.service_key_issuer),
    ):
        if wanted and wanted not in names:
            yield Clash((section, "service_key_issuer"), f"{wanted} is not one of the issuers")


def check_listeners(listen: ListenSettings, metrics: MetricsSettings) -> Iterator[Clash]:
    """Two listeners cannot have the same port."""
    if metrics.enabled and metrics.port and metrics.port == listen.port:
        yield Clash(("metrics", "port"), f"{metrics.port} is listen.port already")


def is_reachable(listen: ListenSettings, server: ServerSettings) -> bool:
    """True if other machines reach this server, directly or through a proxy."""
    public = urlsplit(server.public_url).hostname or ""
    return not is_loopback(listen.host) or bool(listen.trusted_proxies) or not is_loopback(public)


def check_demo(web: WebSettings, listen: ListenSettings, server: ServerSettings) -> Iterator[Clash]:
    """The demo shows passwords: whoever opens it to others must say so."""
    if web.demo and not web.demo_public and is_reachable(listen, server):
        yield Clash(
            ("web", "demo"),
            "shows passwords to everybody, and others reach this server; "
            "to run it all the same set web.demo_public to true",
        )


def check_registration(
    accounts: AccountSettings,
    guests: GuestAccountSettings,
    rate_limits: RateLimitSettings,
    listen: ListenSettings,
) -> Iterator[Clash]:
    """Open registration needs rate limits: without them a server is full of spam within hours."""
    if rate_limits.enabled or is_loopback(listen.host):
        return
    for is_open, setting in (
        (accounts.registration, "accounts.registration"),
        (guests.enabled, "guest_accounts.enabled"),
    ):
        if is_open:
            yield Clash(
                ("rate_limits", "enabled"),
                f"must be true where anybody may register ({setting}) on {listen.host}",
            )
