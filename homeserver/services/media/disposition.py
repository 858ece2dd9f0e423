"""The Content-Disposition header (RFC 6266, with RFC 8187 for names beyond ASCII). Pure."""

import re
from urllib.parse import quote

from homeserver.kit.text import file_name

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 !#$&+.^_`|~()\[\]{}@,=-]")
_ATTR_CHAR = "!#$&+-.^_`|~"  # RFC 8187, besides letters and digits


def content_disposition(name: str, *, inline: bool) -> str:
    """The header's value. Old clients read the ASCII `filename`, others the exact `filename*`."""
    kind = "inline" if inline else "attachment"
    if not name:
        return kind
    name = file_name(name)
    plain = _NOT_PLAIN.sub("_", name)
    if plain == name:
        return f'{kind}; filename="{plain}"'
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe=_ATTR_CHAR)}"
