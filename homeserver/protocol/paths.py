r"""Dot-separated property paths (appendices): `content.m\.relates_to.rel_type`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from homeserver.protocol.canonical import JsonObject

Path = tuple[str, ...]

MISSING: Final = object()
"""The result of `find` if there is no value; distinct from null."""


@lru_cache(4096)
def parse(text: str) -> Path:
    r"""Parse a path into names. `\.` is a dot in a name and `\\` a backslash; other escapes stand for themselves."""
    names, name, escaped = [], "", False
    for char in text:
        if escaped:
            name += char if char in ".\\" else "\\" + char
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == ".":
            names.append(name)
            name = ""
        else:
            name += char
    return (*names, name + "\\" if escaped else name)


def find(value: Any, path: Path) -> Any:
    """The value at a path of nested objects, or MISSING. Lists are not descended into."""
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value


def pick(value: JsonObject, paths: Iterable[Path]) -> dict[str, Any]:
    """A copy of an object with only the values at the paths; objects on the way are copied, leaves are shared."""
    picked: dict[str, Any] = {}
    for path in sorted(paths, key=len, reverse=True):  # whole objects replace parts copied before
        found = find(value, path)
        if found is MISSING:
            continue
        place = picked
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = found
    return picked
