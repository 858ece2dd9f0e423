"""Search for whole words in one text: names, and the patterns of push rules on content.body.

Word boundaries are written into the text and into what is searched for, so that a search is one `str.find`, whose time
is linear, whatever text and pattern are.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from homeserver.protocol.globs import GlobText, first_bit

MAX_SEARCHED = 8 * 2**20
"""Most characters that are searched in one text of an event, all readers taken together."""

_START = 1000
"""Characters at the beginning of a text that are still searched after that."""

_SHORT = 500
"""Text length in characters up to which a search of the whole text is fastest."""

_EDGE = "\ud800"  # in no text, as it cannot be encoded


class _Sought(NamedTuple):
    """A pattern. `pieces`: the texts between its stars, with boundaries; `word`: a whole word of it, "" for none.

    `part`: the longest of the texts, without boundaries.
    """

    pieces: tuple[str, ...]
    word: str
    part: str


class WordSearch:
    """A lower-case text to be searched for words.

    `latin`: only A-Z, a-z, 0-9 and the underscore are word characters, as the specification has it for patterns: any
    other character is a boundary, so that in other alphabets patterns are also found inside words. Otherwise words are
    of letters and digits of any alphabet, so that Ian is not found in Ukrainian, nor Ян in Январь.
    """

    def __init__(self, text: str, *, latin: bool = False) -> None:
        self._flags = re.ASCII if latin else re.NOFLAG
        self._left = MAX_SEARCHED
        self._read(text)

    def has_name(self, name: str) -> bool:
        """True if a name, in lower case, is in the text, without wildcards. An empty name never is."""
        if self._words is None and name not in self._text:  # the usual case, and the cheapest
            return False
        return bool(name) and self._has(_name(name, self._flags))

    def has(self, pattern: str) -> bool:
        """True if any part of the text matches that begins and ends at a word boundary."""
        if "?" in pattern:
            return self._has_loosely(pattern)
        return self._has(_pattern(pattern, self._flags))

    def _read(self, text: str) -> None:
        self._text = text
        self._marked: str | None = None  # made for the first search that needs it
        self._globs: GlobText | None = None
        self._edges = 0
        self._words = None if len(text) <= _SHORT else frozenset(re.findall(r"\w+", text, self._flags))

    def _has(self, sought: _Sought) -> bool:
        if self._words is not None and sought.word and sought.word not in self._words:
            return False
        self._spend()
        if sought.part not in self._text:
            return False
        if self._marked is None:
            self._marked = _marked(self._text, self._flags)
        at = 0
        for piece in sought.pieces:
            found = self._marked.find(piece, at)
            if found < 0:
                return False
            at = found + len(piece)
        return True

    def _has_loosely(self, pattern: str) -> bool:
        self._spend()
        if self._globs is None:
            self._globs, self._edges = GlobText(self._text), _edges(self._text, self._flags)
        pieces, at = pattern.split("*"), 0
        for index, piece in enumerate(pieces):
            if not piece:
                continue
            starts = self._globs.starts_of(piece)
            if index == 0:
                starts &= self._edges
            if index == len(pieces) - 1:
                starts &= self._edges >> len(piece)
            found = first_bit(starts, at)
            if found < 0:
                return False
            at = found + len(piece)
        return True

    def _spend(self) -> None:
        """Count a search; when there were too many, only the beginning of the text is searched from now on."""
        if len(self._text) <= _START:
            return
        self._left -= len(self._text)
        if self._left < 0:
            self._read(self._text[:_START])


@lru_cache(4096)
def _name(name: str, flags: re.RegexFlag) -> _Sought:
    word = re.search(r"\w+", name, flags)
    return _Sought((_marked(name, flags),), word[0] if word else "", name)


@lru_cache(4096)
def _pattern(pattern: str, flags: re.RegexFlag) -> _Sought:
    """A pattern without `?`. Beside a star there may be a boundary or none."""
    texts = pattern.split("*")
    marked = [_marked(text, flags) for text in texts]
    for index in range(len(texts)):
        if index > 0:
            marked[index] = marked[index].removeprefix(_EDGE)
        if index < len(texts) - 1:
            marked[index] = marked[index].removesuffix(_EDGE)
    word = re.search(rf"{_EDGE}(\w+){_EDGE}", "*".join(marked), flags)
    return _Sought(tuple(piece for piece in marked if piece), word[1] if word else "", max(texts, key=len))


def _marked(text: str, flags: re.RegexFlag) -> str:
    """A text with a mark at both ends of each word."""
    return re.sub(r"\w+", rf"{_EDGE}\g<0>{_EDGE}", text, flags=flags)


def _edges(text: str, flags: re.RegexFlag) -> int:
    """The positions, as bits, that have no word character on one side or on both."""
    inside = bytearray(len(text) // 8 + 1)
    for word in re.finditer(r"\w{2,}", text, flags):
        for at in range(word.start() + 1, word.end()):
            inside[at >> 3] |= 1 << (at & 7)
    return ((1 << len(text) + 1) - 1) & ~int.from_bytes(inside, "little")
