"""Folding of text for search: the same for what is stored and what is looked for."""

import unicodedata


def fold(text: str) -> str:
    """Text for comparing without regard to case, width or composition, in any script; ё counts as е."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.replace("ё", "е")


def like_pattern(text: str) -> str:
    """A LIKE pattern (escape character: backslash) for stored folded text that contains this text."""
    return f"%{like_escaped(fold(text.strip()))}%"


def like_escaped(text: str) -> str:
    """Text that stands for itself in a LIKE pattern (escape character: backslash)."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
