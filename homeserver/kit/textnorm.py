"""Text normalised for comparison: case, width, composition and invisible characters are removed. Pure."""

import re

from homeserver.folding import fold
from homeserver.kit.text import without_unseen

_WORD = re.compile(r"[^\W_]+")
_LINK = re.compile(
    r"(?:https?://|(?<!\w)www\.)\S*"
    r"|(?<![\w.-])[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,3}\.[a-z]{2,24}/\S*"  # bounded: no text is slow to search
)


def plain(text: str) -> str:
    """Normalised text; equal for texts that read the same. What is not seen splits words for programs, not for
    readers."""
    return fold(without_unseen(text))


def words_of(plain_text: str) -> list[str]:
    """The words of a normalised text, in order, without separators."""
    return _WORD.findall(plain_text)


def links_in(plain_text: str) -> int:
    """The number of web links in a normalised text."""
    if "/" not in plain_text and "www." not in plain_text:
        return 0
    return sum(1 for _ in _LINK.finditer(plain_text))
