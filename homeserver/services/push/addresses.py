"""Which push endpoints are valid: https, and a host name. The addresses that the name resolves to are checked when
the socket is opened (`homeserver/net/publicnet.py`)."""

from urllib.parse import SplitResult, urlsplit

from homeserver.errors import Invalid
from homeserver.net.publicnet import is_name
from homeserver.settings.section import is_loopback

MAX_ENDPOINT_CHARS = 2000


def check_endpoint(endpoint: str, *, allow_private: bool) -> None:
    """Raise Invalid("bad_endpoint") unless the URL may be the endpoint of a subscription.

    `allow_private`: also hosts without a public name, and http on the loopback interface.
    """
    parts = _split(endpoint)
    host = parts.hostname if parts is not None else None
    if (
        parts is None
        or not host
        or parts.username is not None
        or parts.password is not None
        or parts.fragment
    ):
        raise _bad("endpoint: must be the URL of a push service")
    if parts.scheme == "http" and allow_private and is_loopback(host):
        return
    if parts.scheme != "https":
        raise _bad("endpoint: must begin with https://")
    if not allow_private and not is_name(host):
        raise _bad("endpoint: must be on a host with a public name")


def origin_of(endpoint: str) -> str:
    """Scheme, host and port of a checked endpoint: the audience of a VAPID signature (RFC 8292, section 2)."""
    parts = urlsplit(endpoint)
    default = {"http": 80, "https": 443}[parts.scheme]
    port = f":{parts.port}" if parts.port not in (None, default) else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def _split(endpoint: str) -> SplitResult | None:
    if len(endpoint) > MAX_ENDPOINT_CHARS or not endpoint.isascii() or not endpoint.isprintable():
        return None
    if any(char in endpoint for char in ' \\<>"'):
        return None
    try:
        parts = urlsplit(endpoint)
        _ = parts.port  # raises ValueError if the port is invalid
    except ValueError:
        return None
    return parts if ":" not in (parts.hostname or "") else None  # IPv6: a VAPID audience cannot name it


def _bad(message: str) -> Invalid:
    return Invalid(message, code="bad_endpoint")
