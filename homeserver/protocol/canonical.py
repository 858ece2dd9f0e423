"""Canonical JSON (appendices, "Canonical JSON"): the one byte form that is hashed and signed.

UTF-8, object keys sorted by code point, no whitespace, shortest escapes. From room version 6 on a value must meet
the strict rules of `check`; before, big integers and floats are accepted and hashed as Python prints them, as the
servers of that time did.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn, TypeAlias

import orjson

from homeserver.protocol.errors import BadJson

JsonObject: TypeAlias = Mapping[str, Any]
"""A JSON object that must not be changed any more."""

MAX_PDU_BYTES = 65536
"""Greatest size of a PDU as canonical JSON in federation format, signatures included."""

MAX_INTEGER = 2**53 - 1
"""Greatest integer of strict canonical JSON; the least is its negative."""

_SORTED = orjson.OPT_SORT_KEYS
_STRICT = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_SCALARS = frozenset((str, int, bool, type(None)))


def encode(value: object) -> bytes:
    """The canonical bytes of a JSON value; big integers and floats are accepted (room versions 1-5, other JSON).

    Raises BadJson for values without a JSON form: NaN, infinities, lone surrogates, keys that are no strings.
    """
    if _is_plain(value):
        try:
            return orjson.dumps(value, option=_SORTED)
        except TypeError:  # an integer beyond 64 bits, deep nesting, or invalid: the slow encoder tells
            pass
    return _encode_slowly(value)


def encode_strict(value: object) -> bytes:
    """The canonical bytes of a value that meets the rules of `check` (room versions 6 and later). Raises BadJson."""
    if _is_plain(value):
        try:
            return orjson.dumps(value, option=_STRICT)
        except TypeError:  # too deep for the fast encoder, or a violation that check() names
            pass
    check(value)
    return _encode_slowly(value)


def same_json(one: object, other: object) -> bool:
    """True if two JSON values have the same canonical form, in which 1, 1.0 and true differ; `==` takes them for equal.

    Lists must have one order; the order of keys does not count, nor whether an object is a dict or another mapping.
    """
    todo: list[tuple[Any, Any]] = [(one, other)]
    while todo:
        left, right = todo.pop()
        if isinstance(left, Mapping):
            if not isinstance(right, Mapping) or left.keys() != right.keys():
                return False
            todo.extend((value, right[key]) for key, value in left.items())
        elif isinstance(left, list | tuple):
            if not isinstance(right, list | tuple) or len(left) != len(right):
                return False
            todo.extend(zip(left, right, strict=True))
        elif left != right or (isinstance(left, int | float) and repr(left) != repr(right)):
            return False
    return True


def check(value: object) -> None:
    """Raise BadJson unless `value` is strict canonical JSON: no floats, integers within 53 bits, valid Unicode."""
    todo: list[object] = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            todo.extend(item.keys())
            todo.extend(item.values())
            _check_keys(item)
        elif isinstance(item, (list, tuple)):
            todo.extend(item)
        else:
            _check_scalar(item)


def is_strict(value: object) -> bool:
    """True if `check` allows the value."""
    try:
        check(value)
    except BadJson:
        return False
    return True


def decode(data: bytes | str) -> Any:
    """Parse JSON received from other servers without losing details that hashes depend on.

    The fast parser turns integers beyond 64 bits into floats and refuses a whole document for one lone
    surrogate; such documents are parsed by the standard library, so that only the one bad event of many is
    dropped later. Of duplicate keys the last is used. Raises BadJson for invalid JSON.
    """
    try:
        value = orjson.loads(data)
        if _is_plain(value):  # a float may have been a big integer
            return value
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadJson(f"not JSON: {error}") from None


def _is_plain(value: object) -> bool:
    """True if the fast encoder's output is canonical: the value has no floats and no subclasses."""
    todo: list[Any] = [value]
    while todo:
        item = todo.pop()
        kind = type(item)
        if kind is dict:
            todo.extend(item.values())
        elif kind is list or kind is tuple:
            todo.extend(item)
        elif kind not in _SCALARS:
            return False
    return True


def _encode_slowly(value: object) -> bytes:
    """Encode with the standard library: exact for every integer and float, strict about the rest."""
    _check_all_keys(value)
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BadJson(f"no canonical JSON: {error}") from None


def _check_all_keys(value: object) -> None:
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            _check_keys(item)
            todo.extend(item.values())
        elif isinstance(item, (list, tuple)):
            todo.extend(item)


def _check_keys(item: dict[object, object]) -> None:
    for key in item:
        if not isinstance(key, str):
            raise BadJson(f"object key {key!r} is not a string")


def _check_scalar(item: object) -> None:
    if isinstance(item, str):
        if not item.isascii():
            _check_text(item)
    elif item is None or isinstance(item, bool):
        return
    elif not isinstance(item, int):
        raise BadJson(f"{type(item).__name__} values have no strict canonical JSON")
    elif not -MAX_INTEGER <= item <= MAX_INTEGER:
        raise BadJson("integer beyond 53 bits")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadJson("text with a lone surrogate") from None


def _no_constant(name: str) -> NoReturn:
    raise BadJson(f"{name} is not JSON")
