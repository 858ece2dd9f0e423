"""Pagination tokens: `t<position>` of pages, `s<position>...` and `p<position>...` of syncs."""

import re

from homeserver.errors import Invalid
from homeserver.model import FIRST_PLACE, LOG_START, LogPosition, Place

_TOKEN = re.compile(r"[tsp](-?[0-9]{1,18})(?:_.*)?")


def place_of(token: str | None) -> Place | None:
    """The position that a token names, None without one or if it is empty. Raises Invalid.

    No event has the place 0: news stand above it, history that was fetched below; it names the beginning.
    """
    number = _number_of(token)
    return None if number is None else Place(number) if number else FIRST_PLACE


def position_of(token: str | None) -> LogPosition | None:
    """The position of the log that a token names, None without one. Raises Invalid."""
    number = _number_of(token)
    return None if number is None else max(LogPosition(number), LOG_START)


def token_of(place: Place) -> str:
    """The token of a position."""
    return "t0" if place == FIRST_PLACE else f"t{place}"


def token_at(position: LogPosition) -> str:
    """The token of a position."""
    return f"t{position}"


def _number_of(token: str | None) -> int | None:
    if not token:
        return None
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise Invalid("not a valid token", code="bad_token")
    return int(found[1])
