"""Phrases that docstrings and comments avoid, as the field has terms for what they mean."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

_MEMBERS = r"(?:them|it|somebody|people|users?|members?|guests?)"
AVOIDED = re.compile(
    "|".join(
        (
            r"\b(?:knows?|good) no more\b",  # forget; invalid
            rf"\btak(?:e|es|en|ing)(?: {_MEMBERS})? out\b",  # remove
            rf"\bput(?:s|ting)? {_MEMBERS} out\b",  # kick, ban
            r"\bput out of\b",
            rf"\blet(?:s|ting)? {_MEMBERS} in again\b",  # unban
            r"\bcom(?:e|es|ing) (?:in |into it )?again\b",  # rejoin, retry
            r"\bso many\b",  # the parameter's name
            r"\bshut(?:s|ting)? out\b",  # block
            r"\b(?:no|none) other than\b",
            r"\bwhose ever\b",
            r"\bhas a word\b",  # is asked
        )
    ).replace(" ", r"\s+"),
    re.IGNORECASE,
)
AVOIDED_START = re.compile(r"(?:Who|Whom|One's own)\b")  # the users who...; the sender's own...
ONLY_PRONOUNS = re.compile(
    r"(?:\w+ )?(?:all of )?(?:it|them|one|these|those)(?: away| out| back| anew)?\.?", re.IGNORECASE
)
"""A docstring that does not name what it speaks of: "Build them." """

_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def avoided(text: str) -> Iterator[tuple[int, str]]:
    """(line, phrase) for each avoided phrase in the docstrings and comments of a module."""
    for node in ast.walk(ast.parse(text)):
        docstring = ast.get_docstring(node, clean=False) if isinstance(node, _DOCUMENTED) else None
        if isinstance(node, _DOCUMENTED) and docstring:
            yield from _in_docstring(node.body[0].lineno, docstring)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield from ((token.start[0], match[0]) for match in AVOIDED.finditer(token.string))


def _in_docstring(first_line: int, docstring: str) -> Iterator[tuple[int, str]]:
    start = AVOIDED_START.match(docstring.strip()) or ONLY_PRONOUNS.fullmatch(docstring.strip())
    if start:
        yield first_line, start[0]
    for match in AVOIDED.finditer(docstring):
        yield first_line + docstring.count("\n", 0, match.start()), " ".join(match[0].split())
