"""Glob-style matching (appendices): `*` stands for any text, `?` for one character.

Patterns are untrusted and texts are long, so nothing backtracks and no regular expression is made of a pattern. Each
piece between two stars is searched once, from the end of the piece before, by `str.find`, which is linear in the text.
Pieces with `?` are searched with one bit for each character of the text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

Matcher = Callable[[str], bool]
"""A test of a text."""

_MAX_MASKS = 256  # of one text that are kept


@lru_cache(4096)
def starred(pattern: str) -> Matcher:
    """A test whether a whole text matches a pattern in which `?` stands for itself."""
    if "*" not in pattern:
        return pattern.__eq__
    first, *between, last = pattern.split("*")
    return partial(_is_between, (first, [piece for piece in between if piece], last))


class GlobText:
    """A text that many globs are tried on."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._masks: dict[str, int] = {}

    def matches(self, pattern: str) -> bool:
        """True if the whole text matches."""
        if "?" not in pattern:
            return starred(pattern)(self._text)
        pieces = pattern.split("*")
        if len(pieces) == 1:
            return len(pattern) == len(self._text) and _is_like(pattern, self._text, 0)
        first, *between, last = pieces
        end = len(self._text) - len(last)
        if end < len(first) or not (_is_like(first, self._text, 0) and _is_like(last, self._text, end)):
            return False
        at = len(first)
        for piece in between:
            at = self._after(piece, at, end)
            if at < 0:
                return False
        return True

    def starts_of(self, piece: str) -> int:
        """The positions where a piece without `*` begins, as bits."""
        found = (1 << max(0, len(self._text) - len(piece) + 1)) - 1
        for index, char in enumerate(piece):
            if not found:
                break
            if char != "?":
                found &= self._mask(char) >> index
        return found

    def _after(self, piece: str, at: int, end: int) -> int:
        """The end of the first place of a piece between two positions; -1 if there is none."""
        is_loose = "?" in piece
        found = first_bit(self.starts_of(piece), at) if is_loose else self._text.find(piece, at, end)
        return found + len(piece) if 0 <= found <= end - len(piece) else -1

    def _mask(self, char: str) -> int:
        """The positions of a character, as bits."""
        mask = self._masks.get(char)
        if mask is None:
            bits = bytearray(len(self._text) // 8 + 1)
            at = self._text.find(char)
            while at >= 0:
                bits[at >> 3] |= 1 << (at & 7)
                at = self._text.find(char, at + 1)
            if len(self._masks) >= _MAX_MASKS:
                self._masks.clear()
            mask = self._masks[char] = int.from_bytes(bits, "little")
        return mask


def first_bit(bits: int, at: int) -> int:
    """The lowest set bit that is not below `at`; -1 if there is none."""
    bits = bits >> at << at
    return (bits & -bits).bit_length() - 1


def is_plain(pattern: str) -> bool:
    """True if a pattern has no wildcard, so that it only matches itself."""
    return "*" not in pattern and "?" not in pattern


def _is_between(parts: tuple[str, Sequence[str], str], text: str) -> bool:
    first, between, last = parts
    at, end = len(first), len(text) - len(last)
    if end < at or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in between:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def _is_like(piece: str, text: str, at: int) -> bool:
    """True if a piece without `*` stands at this position, which is not too near to the end."""
    return all(char in ("?", there) for char, there in zip(piece, text[at : at + len(piece)], strict=True))
