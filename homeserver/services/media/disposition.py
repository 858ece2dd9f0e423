"""File names, and the Content-Disposition header (RFC 6266, with RFC 8187 for names beyond ASCII). Pure."""

import re
from urllib.parse import quote

from homeserver.kit.names import one_line

MAX_NAME_CHARS = 200
_SLASHES = re.compile(r"[/\\]+")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 !#$&+.^_`|~()\[\]{}@,=-]")
_ATTR_CHAR = "!#$&+-.^_`|~"  # RFC 8187, besides letters and digits


def clean_name(name: str) -> str:
    """A file name as stored: the last part of a path, one line, no leading dot, bounded; may be empty."""
    last = one_line(_SLASHES.split(one_line(name[:4096]).rstrip("/\\"))[-1]).lstrip(". ")
    if len(last) <= MAX_NAME_CHARS:
        return last
    stem, dot, ending = last.rpartition(".")
    if not dot or len(ending) > 16:
        return last[:MAX_NAME_CHARS]
    return f"{stem[: MAX_NAME_CHARS - len(ending) - 1]}.{ending}"


def content_disposition(name: str, *, inline: bool) -> str:
    """The header's value. Old clients read the ASCII `filename`, others the exact `filename*`."""
    kind = "inline" if inline else "attachment"
    name = clean_name(name)
    if not name:
        return kind
    plain = _NOT_PLAIN.sub("_", name)
    if plain == name:
        return f'{kind}; filename="{plain}"'
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe=_ATTR_CHAR)}"
