"""Text as it is compared: case, width, composition and what nobody sees are left out. Pure."""

import re

from homeserver.folding import fold

# Soft hyphens, joiners, direction marks, variation selectors: they part a word for a program and not for a reader.
_UNSEEN = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]+")
_WORD = re.compile(r"[^\W_]+")
_LINK = re.compile(
    r"(?:https?://|(?<!\w)www\.)\S*"
    r"|(?<![\w.-])[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,3}\.[a-z]{2,24}/\S*"  # bounded: no text is slow to search
)


def plain(text: str) -> str:
    """Text for comparing; equal for what reads the same."""
    return fold(text if text.isascii() else _UNSEEN.sub("", text))


def words_of(plain_text: str) -> list[str]:
    """The words of a plain text, in their order, without what stands between them."""
    return _WORD.findall(plain_text)


def links_in(plain_text: str) -> int:
    """How many addresses of the web stand in a plain text."""
    if "/" not in plain_text and "www." not in plain_text:
        return 0
    return sum(1 for _ in _LINK.finditer(plain_text))
