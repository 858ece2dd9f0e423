"""Fetching pages and images: from public addresses only, each redirect checked, sizes and times bounded."""

from collections.abc import Sequence
from typing import NamedTuple

from yarl import URL

from homeserver.errors import Forbidden, HomeserverError, Invalid, Upstream
from homeserver.net.client import HttpClient, Request
from homeserver.settings.models import PreviewSettings

MAX_URL_CHARS = 2000
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; homeserver; URL previews)",
    "Accept": "text/html,application/xhtml+xml,image/*;q=0.8",
}


class Fetched(NamedTuple):
    """A fetched resource; `url` after redirects. `is_whole`: the body was not cut off."""

    url: URL
    content_type: str
    charset: str
    data: bytes
    is_whole: bool


class Web:
    """Fetches URLs for previews."""

    def __init__(self, settings: PreviewSettings, client: HttpClient) -> None:
        self._settings = settings
        self._client = client

    def checked(self, address: str | URL) -> URL:
        """A URL that may be fetched, normalised. Raises Invalid("bad_url"), Forbidden("url_refused")."""
        url = _parsed(str(address))
        host = (url.raw_host or "").rstrip(".").lower()
        settings = self._settings
        is_allowed = not settings.allowed_hosts or _is_in(host, settings.allowed_hosts)
        if not is_allowed or _is_in(host, settings.denied_hosts):
            raise Forbidden("pages of this site are not previewed", code="url_refused")
        if url.port not in settings.ports or not self._client.guard.admits_host(host):
            raise Forbidden("there is no preview of what stands at such an address", code="url_refused")
        return url

    async def fetch(self, url: URL, max_bytes: int) -> Fetched:
        """Fetch a checked URL; the body is cut off after `max_bytes`. Raises Upstream."""
        request = Request(
            "GET",
            url,
            timeout_s=self._settings.timeout_s,
            max_bytes=max_bytes,
            headers=_HEADERS,
            may_cut=True,
            max_redirects=self._settings.max_redirects,
            check_redirect=self.checked,
            unpack=True,
        )
        try:
            found = await self._client.request(request)
        except HomeserverError as error:
            raise unreadable() from error
        if found.status != 200:
            raise unreadable()
        return Fetched(found.url, found.content_type, found.charset, found.body, found.is_whole)


def unreadable() -> Upstream:
    """The one answer to whatever goes wrong with others: it tells nothing of the networks around us."""
    return Upstream("this page cannot be read", code="unreadable_page")


def _parsed(address: str) -> URL:
    bad = Invalid("url: must be an http or https URL", code="bad_url")
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


def _is_in(host: str, sites: Sequence[str]) -> bool:
    return any(host == site or host.endswith(f".{site}") for site in sites)
