"""Words as they are kept and looked for: runs of letters and digits, folded; the same on both databases."""

import re
from typing import Final

from homeserver.folding import fold

_WORD: Final = re.compile(r"[^\W_]+")
_MAX_WORD: Final = 100  # characters of a word that count
_MAX_WORDS: Final = 10_000  # words of one event that are found


def words_of(text: str) -> list[str]:
    """The words of a text in their order."""
    return [word[:_MAX_WORD] for word in _WORD.findall(fold(text))[:_MAX_WORDS]]
