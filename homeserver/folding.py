"""Folding of text for search, applied to stored text and search terms alike."""

import unicodedata


def fold(text: str) -> str:
    """Text for comparison without regard to case, width or composition, in any script; ё counts as е."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.replace("ё", "е")


def like_pattern(text: str) -> str:
    """A LIKE pattern (escape character: backslash) that matches folded text containing this text."""
    return f"%{like_escaped(fold(text.strip()))}%"


def like_escaped(text: str) -> str:
    """Text escaped to match literally in a LIKE pattern (escape character: backslash)."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
