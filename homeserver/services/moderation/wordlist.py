"""The word list: words that no message may have, and words that are reported to the admins.

Text and list are split into words by one pattern, and the words are looked up: the cost depends on the length of the
text, not of the list. A line is a word or a phrase; a phrase matches whatever separates its words.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from homeserver.errors import Forbidden
from homeserver.kit.textnorm import plain, words_of
from homeserver.settings.models import ModerationSettings

logger = logging.getLogger(__name__)
_TELLS = "report:"
_MAX_PHRASE_WORDS = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the list. `tells`: a match is sent, and reported to the admins."""

    words: tuple[str, ...]
    tells: bool


class _FileStat(NamedTuple):
    """The file's stat: a different one means that the file may have changed."""

    changed_ns: int
    size: int
    inode: int


_Entries = Mapping[str, tuple[Entry, ...]]  # by first word


class WordList:
    """The last valid version of the file; empty without a file."""

    def __init__(self, settings: ModerationSettings) -> None:
        self._settings = settings
        self._entries: _Entries = {}
        self._seen: _FileStat | None = None
        self._complaint = ""

    def check(self, plain_text: str) -> str | None:
        """The entry to report to the admins, if the text matches one. Raises Forbidden("word_refused")."""
        if not self._entries:
            return None
        words, told = words_of(plain_text), None
        for at, word in enumerate(words):
            for entry in self._entries.get(word, ()):
                if tuple(words[at : at + len(entry.words)]) != entry.words:
                    continue
                if not entry.tells:
                    raise Forbidden("the text has words that are not allowed", code="word_refused")
                told = told or " ".join(entry.words)
        return told

    async def load(self) -> None:
        """Load the file if it changed; an invalid file is logged once, and the list stays as it was."""
        if self._settings.word_list is None:
            return
        try:
            found = await asyncio.to_thread(self._read, self._settings.word_list)
        except (OSError, ValueError) as error:
            complaint = str(error)
            if complaint != self._complaint:
                logger.error("the word list stays as it was: %s", complaint)  # noqa: TRY400 - a trace adds nothing
            self._complaint = complaint
            return
        if found is not None:
            self._entries, self._complaint = found, ""
            logger.info("the word list has %d entries now", sum(map(len, found.values())))

    def _read(self, path: Path) -> _Entries | None:
        """The entries; None if the file is unchanged. Runs in a thread. Raises OSError, ValueError."""
        status = path.stat()
        context = _FileStat(status.st_mtime_ns, status.st_size, status.st_ino)
        if context == self._seen:
            return None
        most = self._settings.word_list_max_bytes
        with path.open("rb") as file:
            data = file.read(most + 1)
        self._seen = context
        if len(data) > most:
            raise ValueError(f"{path} has more than {most} bytes")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError(f"{path} is not UTF-8") from None
        return self._parsed(path, text.splitlines())

    def _parsed(self, path: Path, lines: Iterable[str]) -> _Entries:
        entries: dict[str, tuple[Entry, ...]] = {}
        count = 0
        for number, line in enumerate(lines, 1):
            wanted = line.strip()
            if not wanted or wanted.startswith("#"):
                continue
            tells = wanted.lower().startswith(_TELLS)
            words = tuple(words_of(plain(wanted[len(_TELLS) :] if tells else wanted)))
            if not 0 < len(words) <= _MAX_PHRASE_WORDS:
                raise ValueError(f"{path}, line {number}: must have 1 to {_MAX_PHRASE_WORDS} words")
            count += 1
            if count > self._settings.word_list_max_lines:
                raise ValueError(f"{path} has more than {self._settings.word_list_max_lines} entries")
            entries[words[0]] = (*entries.get(words[0], ()), Entry(words, tells))
        return entries
