"""Tokenisation for index and search: runs of letters and digits, folded; the same on both databases."""

import re
from typing import Final

from homeserver.folding import fold

_WORD: Final = re.compile(r"[^\W_]+")
_MAX_WORD: Final = 100  # characters of a word that are indexed
_MAX_WORDS: Final = 10_000  # words of one event that are indexed


def words_of(text: str) -> list[str]:
    """The words of a text, in order."""
    return [word[:_MAX_WORD] for word in _WORD.findall(fold(text))[:_MAX_WORDS]]
