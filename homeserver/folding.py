"""Normalisation of text, and folding for search, which is applied to stored text and search terms alike."""

import re
import unicodedata
from functools import cache
from typing import Literal

_MAX_MARKS = 30  # combining marks in a row, as in "Stream-Safe Text Format" (UAX #15)


def normalized(form: Literal["NFC", "NFKC"], text: str) -> str:
    """A normal form of Unicode, in linear time: more than 30 combining marks in a row are cut, as sorting them takes
    time by the square of their number."""
    if text.isascii():
        return text
    return unicodedata.normalize(form, _too_many_marks().sub(r"\1", text))


def fold(text: str) -> str:
    """Text for comparison without regard to case, width or composition, in any script; ё counts as е."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", normalized("NFKC", text).casefold())
    return folded.replace("ё", "е")


def like_pattern(text: str) -> str:
    """A LIKE pattern (escape character: backslash) that matches folded text containing this text."""
    return f"%{like_escaped(fold(text.strip()))}%"


def like_escaped(text: str) -> str:
    """Text escaped to match literally in a LIKE pattern (escape character: backslash)."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


@cache
def _too_many_marks() -> re.Pattern[str]:
    """A pattern of marks in a row, of which the first 30 are group 1; made once, as all of Unicode is looked at."""
    marks = "".join(char for char in map(chr, range(0x300, 0x20000)) if _sorts(char))
    return re.compile(f"([{marks}]{{{_MAX_MARKS}}})[{marks}]+")


def _sorts(char: str) -> bool:
    """True if normalisation sorts this character with its neighbours."""
    return (
        unicodedata.combining(char) > 0 or unicodedata.combining(unicodedata.normalize("NFKD", char)[0]) > 0
    )
