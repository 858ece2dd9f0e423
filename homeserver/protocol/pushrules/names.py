"""Fast search for many names in one text."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

_SHORT = 500
"""Text length in characters up to which a search of the whole text per name is fastest."""


class Names:
    """A lower-case text to be searched for names, as whole words and without wildcards.

    Words are of letters and digits of any alphabet, so that Ian is not found in Ukrainian, nor Ян in Январь.
    `latin`: only A-Z, a-z, 0-9 and the underscore are word characters, as for rules with a pattern.
    """

    def __init__(self, text: str, *, latin: bool = False) -> None:
        self._text = text
        self._flags = re.ASCII if latin else re.NOFLAG
        self._first_word = re.compile(r"\w+", self._flags).search
        self._words = None if len(text) <= _SHORT else frozenset(re.findall(r"\w+", text, self._flags))

    def has(self, name: str) -> bool:
        """True if the name, in lower case, is in the text. An empty name never is."""
        if self._words is not None:
            first = self._first_word(name)
            if first is not None and first[0] not in self._words:
                return False
        return name in self._text and bool(name) and bool(_finder(name, self._flags)(self._text))


@lru_cache(4096)
def _finder(name: str, flags: re.RegexFlag) -> Callable[[str], Any]:
    edge = r"(?!(?<=\w)\w)"  # a word boundary
    return re.compile(edge + re.escape(name) + edge, flags).search
