"""Normalisation of text, and folding for search, which is applied to stored text and search terms alike."""

import re
import unicodedata
from functools import cache
from typing import Literal

LEFT_OUT = (
    "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"  # accents without a letter of their own
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"  # Hebrew points
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"  # Arabic vowel signs
    "\U0001f3fb-\U0001f3ff"  # skin tones
)
"""Characters that do not count in folded text, as ranges of a regular expression."""

_LEFT_OUT = re.compile(f"[{LEFT_OUT}]+")
_ACCENTS = re.compile("[\u0300-\u036f]+")
_PLAIN_LETTERS: dict[int, str | int | None] = {
    **str.maketrans("ıłøđðħŋəƒȷĸ", "iloddhnefjk"),
    ord("æ"): "ae",
    ord("œ"): "oe",
    ord("þ"): "th",
    **dict.fromkeys(map(ord, "'’‘‛ʼʻʹʾʿ`´′＇"), None),
}
_LONG_WORDS = "\ufdfa\ufdfb"  # single characters that are 18 and 8 in normal form NFKC
_MAX_LONG_WORDS = 100
_MAX_MARKS = 30  # combining marks in a row, as in "Stream-Safe Text Format" (UAX #15)


def normalized(form: Literal["NFC", "NFKC"], text: str) -> str:
    """A normal form of Unicode in linear time: more than 30 combining marks in a row are cut, as sorting them takes
    time by the square of their number. In NFKC the two characters that stand for whole sentences become spaces in
    texts with more than 100 of them, which would become many times as long."""
    if text.isascii():
        return text
    if form == "NFKC" and sum(map(text.count, _LONG_WORDS)) > _MAX_LONG_WORDS:
        text = text.translate(dict.fromkeys(map(ord, _LONG_WORDS), " "))
    return unicodedata.normalize(form, _too_many_marks().sub(r"\1", text))


def fold(text: str) -> str:
    """Text for comparison without regard to case, width or composition, in any script.

    ё counts as е; vowel signs of Arabic and Hebrew, accents that stand for themselves, and skin tones do not count, if
    there is anything else.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", normalized("NFKC", text).casefold()).replace("ё", "е")
    return _LEFT_OUT.sub("", folded) or folded


def fold_name(text: str) -> str:
    """A name for comparison, folded as it is typed on a plain keyboard: letters without their accents and strokes, and
    no apostrophes, if there is anything else."""
    folded = fold(text)
    bare = folded.translate(_PLAIN_LETTERS)
    if not bare.isascii():
        bare = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", bare)))
    return bare or folded


def like_pattern(folded: str) -> str:
    """A LIKE pattern (escape character: backslash) that matches folded text containing this folded text."""
    return f"%{like_escaped(folded)}%"


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
