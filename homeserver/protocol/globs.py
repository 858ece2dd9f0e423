"""Glob-style matching (appendices): `*` stands for any text, `?` for one character.

Patterns are untrusted and texts are long, so matching does not backtrack: each piece between two stars is searched
once, from the end of the piece before. The time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

Matcher = Callable[[str], object]
"""A function of a text whose result is truthy if the text matches."""

_EDGE = r"(?!(?<=\w)\w)"  # no letter, digit or underscore on both sides


@lru_cache(4096)
def whole(pattern: str, *, one: bool = True) -> Matcher:
    """A test whether a whole text matches. `one=False`: `?` stands for itself."""
    first, *rest = [_piece(part, one) for part in pattern.split("*")]
    if not rest:
        return re.compile(first, re.DOTALL).fullmatch if one and "?" in pattern else pattern.__eq__
    last = rest.pop()
    between = "".join(f"(?>.*?{piece})" for piece in rest if piece)
    length = len(pattern) - pattern.rindex("*") - 1
    end = rf".{{{length},}}+(?<={last})\Z" if last else ""
    return re.compile(first + between + end, re.DOTALL).match


@lru_cache(4096)
def worded(pattern: str) -> Matcher:
    """A test whether any part of a text matches that begins and ends at a word boundary.

    Word characters are A-Z, a-z, digits and underscores, as the specification has it; any other character is a
    boundary, so that in other alphabets matches are also found inside words.
    """
    pieces = [_piece(part, True) for part in pattern.split("*")]
    if pieces[0] or len(pieces) == 1:
        pieces[0] = _EDGE + pieces[0]
    if pieces[-1]:
        pieces[-1] += _EDGE
    return re.compile("".join(f"(?>.*?{piece})" for piece in pieces if piece), re.DOTALL | re.ASCII).match


def is_plain(pattern: str) -> bool:
    """True if a pattern has no wildcard, so that it only matches itself."""
    return "*" not in pattern and "?" not in pattern


def _piece(part: str, one: bool) -> str:
    """The regular expression of a piece between two stars; its length in characters is fixed."""
    return "".join("." if one and char == "?" else re.escape(char) for char in part)
