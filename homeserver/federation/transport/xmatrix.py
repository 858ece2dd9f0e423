"""Signatures of requests: the header `Authorization: X-Matrix` (server-server API, "Request Authentication")."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from homeserver.errors import Unauthenticated
from homeserver.protocol import canonical
from homeserver.protocol.canonical import JsonObject
from homeserver.protocol.ids import ServerName, is_server_name
from homeserver.protocol.signing import ALGORITHM, SigningKey

SCHEME: Final = "X-Matrix"
MAX_HEADER_CHARS: Final = 8000

# name=value, where the value is quoted or bare; old servers write colons into bare values.
_PAIR = re.compile(r'[ \t]*([A-Za-z0-9_.-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^", \t]+))[ \t]*(?:,|$)')
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Credentials:
    """One signature of a request. `destination`: "" from servers that leave it out."""

    origin: ServerName
    destination: str
    key_id: str
    signature: str


def parse(header: str) -> Credentials:
    """The credentials in one header. Raises Unauthenticated("bad_signature")."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != SCHEME.lower() or len(header) > MAX_HEADER_CHARS:
        raise _refused("the request is not signed")
    pairs: dict[str, str] = {}
    at, rest = 0, rest.strip()
    while at < len(rest):
        found = _PAIR.match(rest, at)
        if found is None:
            raise _refused("the header is malformed")
        name, quoted, bare = found.groups()
        value = bare if quoted is None else _ESCAPED.sub(r"\1", quoted)
        if pairs.setdefault(name.lower(), value) != value:
            raise _refused(f"the header has two values of {name.lower()}")
        at = found.end()
    origin, key_id, signature = (pairs.get(name, "") for name in ("origin", "key", "sig"))
    if not is_server_name(origin) or not key_id.startswith(f"{ALGORITHM}:") or not signature:
        raise _refused("the header names no server, key and signature")
    return Credentials(ServerName(origin), pairs.get("destination", ""), key_id, signature)


def parse_all(headers: Sequence[str], own: str) -> list[Credentials]:
    """The signatures of a request to this server, at least one, all of one server. Raises Unauthenticated."""
    found = [parse(header) for header in headers]
    if not found:
        raise _refused("the request is not signed")
    if len({one.origin for one in found}) > 1:
        raise _refused("the request is of several servers")
    if any(one.destination not in ("", own) for one in found):
        raise _refused("the request is meant for another server")
    return found


def signed_bytes(
    method: str, uri: str, origin: str, destination: str, content: JsonObject | None = None
) -> bytes:
    """What the signature of a request covers. `uri`: path and query as on the request line; `content`: None without a
    body; `destination`: "" from old servers, which do not name it."""
    request: JsonObject = {"method": method, "uri": uri, "origin": origin}
    if destination:
        request = {**request, "destination": destination}
    return canonical.encode(request if content is None else {**request, "content": content})


def header(
    key: SigningKey, method: str, uri: str, *, origin: str, destination: str, content: JsonObject | None
) -> str:
    """The header of a request of ours."""
    signature = key.sign(signed_bytes(method, uri, origin, destination, content))
    return f'{SCHEME} origin="{origin}",destination="{destination}",key="{key.key_id}",sig="{signature}"'


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(why, code="bad_signature")
