"""Text typed by users: names cleaned for display, folded for search."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields as fields_of
from dataclasses import replace
from typing import Any, cast

from homeserver.errors import Invalid
from homeserver.folding import fold, normalized
from homeserver.model import HostProfile, Person

HOST_FIELDS = tuple(field.name for field in fields_of(HostProfile))

# Control characters, lone surrogates, and marks that change the direction of the surrounding text.
_UNSAFE = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
_SPACES = re.compile(r"\s+")


def one_line(text: str) -> str:
    """Text without line breaks, control characters and direction marks; runs of spaces become one."""
    return _SPACES.sub(" ", _UNSAFE.sub(" ", normalized("NFC", text))).strip()


def clean_name(text: str, *, max_chars: int, what: str) -> str:
    """A name as stored. Raises Invalid if nothing is left of it or it is too long."""
    cleaned = one_line(text[: 4 * max_chars])
    if not cleaned:
        raise Invalid(f"{what} must not be empty", code="empty_name")
    if len(cleaned) > max_chars or len(text) > 4 * max_chars:
        raise Invalid(f"{what} must have at most {max_chars} characters", code="name_too_long")
    return cleaned


def search_words(text: str) -> list[str]:
    """The distinct words of a search term, folded; only the first 200 characters are used."""
    return list(dict.fromkeys(fold(one_line(text[:200])).split()))


def with_fields(person: Person, fields: Mapping[str, str]) -> Person:
    """The person with new values for these fields of Person or HostProfile."""
    own = {name: value for name, value in fields.items() if name not in HOST_FIELDS}
    told = {name: value for name, value in fields.items() if name in HOST_FIELDS}
    if person.host is not None or any(told.values()):
        person = replace(person, host=replace(person.host or HostProfile(), **told))
    return replace(person, **cast("dict[str, Any]", own))


def search_text(person: Person) -> str:
    """The text that a user is found by: names and tag, folded."""
    host = person.host or HostProfile()
    parts: Iterable[str] = (
        person.display_name,
        host.last_name,
        host.first_name,
        host.middle_name,
        person.tag,
    )
    return fold(" ".join(dict.fromkeys(part for part in parts if part)))
