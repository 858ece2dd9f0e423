"""From values to `Settings`, or to errors for operators: where the error is, what is wrong, what was probably meant."""

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from homeserver.settings.models import Settings
from homeserver.settings.shape import KeyPath, child_of, fields_of, item_of, written
from homeserver.settings.tree import Problem, SettingsError, Tree

# pydantic's error types in plain words; {} is filled from the error's context.
_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large a number",
    "float_type": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "model_type": "must be a section with keys of its own",
    "path_type": "must be a path",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "has not the right form (it must match {pattern})",
    "ip_any_network": "must be a network like 10.0.0.0/8 or ::1/128",
}


def explain(tree: Tree) -> Settings:
    """The settings of a tree. Raises SettingsError with every problem and its location."""
    try:
        return Settings.model_validate_json(json.dumps(tree.values), strict=True)
    except ValidationError as error:
        errors = _without_echoes(error.errors(include_url=False))
        found = [problem for details in errors for problem in _problems(details, tree)]
        raise SettingsError(*dict.fromkeys(found)) from None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known key that `word` was probably meant to be."""
    folded = word.lower().replace("-", "_")
    near = difflib.get_close_matches(folded, list(known), n=1, cutoff=0.6)
    return near[0] if near else None


def _without_echoes(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Drop follow-up errors: a list whose only item is wrong is also reported as too short."""
    places = [error["loc"] for error in errors]

    def is_echo(error: ErrorDetails) -> bool:
        loc = error["loc"]
        return error["type"] == "too_short" and any(place[: len(loc)] == loc != place for place in places)

    return [error for error in errors if not is_echo(error)]


def _problems(details: ErrorDetails, tree: Tree) -> list[Problem]:
    facts: dict[str, Any] = details.get("ctx", {})
    if details["type"] == "clash":
        return [
            Problem(tree.where(clash.path), written(clash.path), clash.message) for clash in facts["clashes"]
        ]
    path = _known_part(details["loc"])
    if details["type"] == "extra_forbidden":
        return [_unknown(path, tree)]
    if details["type"] in _WORDS:
        message = _WORDS[details["type"]].format(**facts)
    else:
        message = details["msg"].removeprefix("Value error, ")
    return [Problem(tree.where(path), written(path), message)]


def _known_part(loc: tuple[str | int, ...]) -> KeyPath:
    """The path of keys in a location; pydantic appends names of its own."""
    kind: object = Settings
    for at, key in enumerate(loc):
        inner = child_of(kind, key)
        if inner is None:
            is_key = isinstance(key, str) and (fields_of(kind) or item_of(kind) is not None)
            return loc[: at + 1] if is_key else loc[:at]
        kind = inner
    return loc


def _unknown(path: KeyPath, tree: Tree) -> Problem:
    kind: object = Settings
    for key in path[:-1]:
        kind = child_of(kind, key)
    near = nearest(str(path[-1]), fields_of(kind))
    if near is not None:
        hint = f"; did you mean {near}?"
    elif elsewhere := _homes_of(str(path[-1])):
        hint = f"; there is {' and '.join(elsewhere)}"
    else:
        hint = f"; known here are {', '.join(fields_of(kind))}"
    return Problem(tree.where(path, of_key=True), written(path), f"is not a known key{hint}")


def _homes_of(key: str) -> list[str]:
    """The sections that have a key of this name, for one in the wrong section."""
    return [
        f"{name}.{key}" for name, field in Settings.model_fields.items() if key in fields_of(field.annotation)
    ]
