"""Names of people: their fields, and the text that they are found by."""

from collections.abc import Iterable, Mapping
from dataclasses import fields as fields_of
from dataclasses import replace
from typing import Any, cast

from homeserver.folding import fold_name
from homeserver.kit.text import one_line
from homeserver.model import HostProfile, Person

HOST_FIELDS = tuple(field.name for field in fields_of(HostProfile))


def search_words(text: str) -> list[str]:
    """The distinct words of a search term, folded; only the first 200 characters are used."""
    return list(dict.fromkeys(fold_name(one_line(text[:200])).split()))


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
    return fold_name(" ".join(dict.fromkeys(part for part in parts if part)))
