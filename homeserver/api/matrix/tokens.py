"""Places in a room's timeline as clients carry them: `t<place>` of pages, `s<place>...` and `p<place>...` of syncs."""

import re

from homeserver.errors import Invalid

_TOKEN = re.compile(r"[tsp]([0-9]{1,18})(?:_.*)?")


def place_of(token: str | None) -> int | None:
    """The place that a token names, None without one. Raises Invalid."""
    if token is None:
        return None
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise Invalid("this is no token of ours", code="bad_token")
    return int(found[1])


def token_of(place: int) -> str:
    """The token of a place."""
    return f"t{place}"
