"""What a text, a name, a title and the name of a file are, wherever people write them. Pure.

A text is kept as it was typed, and shows something: spaces, control characters, and characters that no font draws by
themselves make no text. A name is one line in NFC, without control characters, direction marks, or characters that only
hide where a name differs from another one. The name of a file is a name, and no path.

What Matrix clients put into the contents of events is theirs and stays as sent; it is cleaned where a product shows it.
"""

import re
import unicodedata
from typing import Final
from urllib.parse import unquote, urlsplit

from homeserver.errors import Invalid, TooLarge
from homeserver.folding import normalized

MAX_FILE_NAME_CHARS: Final = 200
_MAX_ENDING_CHARS: Final = 16  # of a file's name, the dot not counted
_MAX_PATH_CHARS: Final = 4096  # of what is given as a file's name
_NAMELESS: Final = "file"

# Default_Ignorable_Code_Point of Unicode: drawn as nothing, unless with others as in emoji sequences.
_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# A letter of Braille and a note without ink, marks of annotations and of what was lost in pasting, hieroglyph joiners.
_BLANK = "\u2800\U0001d159\ufff9-\ufffc\U00013430-\U0001343f"
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF)
)
_UNSEEN = re.compile(f"[{_IGNORABLE}{_BLANK}{_NONCHARACTERS}]+")
_INKLESS = frozenset({"Cc", "Cs", "Zs", "Zl", "Zp", "Mn", "Mc", "Me"})  # marks alone have nothing to stand on
_PLAIN = re.compile(r"[!-~]")

# Controls, line ends, lone surrogates, and what turns the direction of the text after it.
_BREAKS = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
# Direction marks, and others that no name needs; joiners and variation selectors are parts of words and emoji.
_HIDDEN = re.compile(
    f"[{_NONCHARACTERS}\u00ad\u061c\u180e\u200b\u200e\u200f\u2060-\u2065\u206a-\u206f"
    "\ufeff\ufff9-\ufffc\U0001d173-\U0001d17a]+"
)
_SPACES = re.compile(r"\s+")
_SLASHES = re.compile(r"(?:[/\\]|%2f|%5c)+", re.IGNORECASE)  # encoded too, as some clients send them


def shows(text: str) -> bool:
    """Whether there is anything to be seen in a text."""
    if _PLAIN.search(text):
        return True
    seen = _UNSEEN.sub("", text)
    return any(unicodedata.category(char) not in _INKLESS for char in seen)


def without_unseen(text: str) -> str:
    """The text without the characters that are drawn as nothing, those of emoji sequences included."""
    return text if text.isascii() else _UNSEEN.sub("", text)


def check_text(text: str, most: int) -> None:
    """Raise TooLarge("text_too_long") for a message's text over `most` characters, Invalid("empty_text") for one that
    shows nothing."""
    if len(text) > most:
        raise TooLarge(f"a message must have at most {most} characters", code="text_too_long", most=most)
    if not shows(text):
        raise Invalid("the text must not be empty", code="empty_text")


def one_line(text: str) -> str:
    """A name as it is stored and shown: in NFC, without what is not in names; runs of spaces become one. Empty if it
    shows nothing."""
    line = _BREAKS.sub(" ", normalized("NFC", text))
    line = _SPACES.sub(" ", line if line.isascii() else _HIDDEN.sub("", line)).strip()
    return line if shows(line) else ""


def checked_name(text: str, *, most: int, what: str) -> str:
    """A name as it is stored. Raises Invalid("empty_name", "name_too_long")."""
    name = one_line(text[: 4 * most])
    if not name:
        raise Invalid(f"{what} must not be empty", code="empty_name")
    if len(name) > most or len(text) > 4 * most:
        raise Invalid(f"{what} must have at most {most} characters", code="name_too_long")
    return name


def checked_title(text: str, most: int) -> str:
    """A room's title as it is stored. Raises Invalid("empty_title"), TooLarge("title_too_long")."""
    title = one_line(text[: 4 * most])
    if not title:
        raise Invalid("a title must not be empty", code="empty_title")
    if len(title) > most or len(text) > 4 * most:
        raise TooLarge(f"a title must have at most {most} characters", code="title_too_long", most=most)
    return title


def checked_topic(text: str, most: int) -> str:
    """A room's description as it is stored; it may be empty. Raises TooLarge("topic_too_long")."""
    topic = one_line(text[: 4 * most])
    if len(topic) > most or len(text) > 4 * most:
        raise TooLarge(f"a description must have at most {most} characters", code="topic_too_long", most=most)
    return topic


def file_name(text: str) -> str:
    """The name of a file as it is stored and shown: the last part of a path, without dots at its ends, bounded; the
    ending stays. Never empty."""
    line = one_line(text[-_MAX_PATH_CHARS:]).rstrip("/\\")
    name = one_line(_SLASHES.split(line)[-1].strip(". "))
    if not name:
        return _NAMELESS
    if len(name) <= MAX_FILE_NAME_CHARS:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > _MAX_ENDING_CHARS:
        return name[:MAX_FILE_NAME_CHARS].rstrip(". ")
    return f"{stem[: MAX_FILE_NAME_CHARS - len(ending) - 1].rstrip('. ')}.{ending}"


def file_name_in(url: str) -> str:
    """The name of the file that a URL leads to, decoded."""
    try:
        path = urlsplit(url).path
    except ValueError:
        path = ""
    return file_name(unquote(path.rstrip("/").rpartition("/")[2]))
