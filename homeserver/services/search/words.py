"""Tokens for index and search, the same on both databases.

- Words are runs of letters, digits and the marks that belong to them, folded.
- Scripts without spaces between words (and Korean, whose words have many endings) are indexed by each two neighbouring
  characters, so that any part of a text is found: "東京都" is 東京, 京都, 都, in this order.
- Symbols, among them emoji, are a token each.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Final

from homeserver.folding import LEFT_OUT
from homeserver.kit.textnorm import plain
from homeserver.storage.search import Term

_WORD: Final = re.compile(r"[^\W_]+")
_MAX_WORD: Final = 100  # characters of a word that are indexed
_MAX_WORDS: Final = 10_000  # tokens of one event that are indexed
_MAX_PHRASE: Final = 50  # tokens in a row that are searched for

_SPACELESS: Final = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecd\u1000-\u103f\u1050-\u109f\u1780-\u17d3"  # Thai, Lao, Burmese, Khmer
    "\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31f0-\u31ff"  # kana, bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u1100-\u11ff\uac00-\ud7ff"  # Han, Hangul
)
_FLAG: Final = "\U0001f1e6-\U0001f1ff"  # two letters are one flag
_PICTURES: Final = (
    "\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff"  # with those of later versions
)


def words_of(text: str) -> list[str]:
    """The tokens of a text, in order."""
    found: list[str] = []
    for run, is_spaceless in _runs(text):
        if is_spaceless:
            found += [run[at : at + 2] for at in range(len(run))]
        else:
            found.append(run[:_MAX_WORD])
        if len(found) >= _MAX_WORDS:
            break
    return found[:_MAX_WORDS]


def terms_of(text: str) -> list[Term]:
    """What must be found in an event that matches a search term, without repetitions."""
    return list(dict.fromkeys(_term(run, is_spaceless) for run, is_spaceless in _runs(text)))


def _term(run: str, is_spaceless: bool) -> Term:
    if not is_spaceless:
        return Term(run, (run[:_MAX_WORD],))
    if len(run) == 1:
        return Term(run, (run,), is_prefix=True)
    pairs = [run[at : at + 2] for at in range(len(run) - 1)]
    return Term(run, tuple(pairs[:_MAX_PHRASE]))


def _runs(text: str) -> Iterator[tuple[str, bool]]:
    """The words and symbols of a text, and the runs of scripts without spaces; the flag tells which."""
    folded = plain(text)
    if folded.isascii():
        yield from ((word, False) for word in _WORD.findall(folded))
        return
    for match in _run_pattern().finditer(folded):
        yield match[0], match.lastgroup == "spaceless"


@cache
def _run_pattern() -> re.Pattern[str]:
    """Made once, as all of Unicode is looked at."""
    chars = [chr(at) for at in range(0x80, 0x1F000) if not 0xD800 <= at < 0xE000]
    others = re.compile(f"[{LEFT_OUT}{_SPACELESS}]")
    kept = [char for char in chars if not others.match(char)]
    marks = "".join(char for char in kept if unicodedata.category(char) in ("Mn", "Mc", "Me"))
    symbols = "".join(char for char in kept if unicodedata.category(char) == "So")
    letter = rf"(?:[^\W_{_SPACELESS}]|[{marks}])"
    return re.compile(
        f"(?P<spaceless>[{_SPACELESS}]+)|{letter}+|[{_FLAG}]{{2}}|[{symbols}{_PICTURES}{_FLAG}]"
    )
