"""Canonical JSON: the bytes that all servers agree on."""

import json
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeserver.protocol import canonical
from homeserver.protocol.errors import BadJson

from .vectors import BOUNDED, load

LIMIT = 2**53 - 1
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
STRICT_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-LIMIT, LIMIT) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def exact(text: str) -> Any:
    """Parse with whole numbers in exponent form as integers, as only a published vector has them."""
    return json.loads(text, parse_float=lambda number: int(Decimal(number)))


@pytest.mark.parametrize(
    "case", load("vectors")["published"]["canonical_json"], ids=lambda case: str(case["json"])[:30]
)
def test_published_vectors(case: dict[str, str]) -> None:
    assert canonical.encode(exact(case["json"])) == case["canonical"].encode()
    assert canonical.encode_strict(exact(case["json"])) == case["canonical"].encode()


def test_keys_are_sorted_by_code_point_not_by_utf16_unit() -> None:
    assert canonical.encode({"\U00010000": 1, "\uffee": 2, "b": 3, "B": 4, "": 5}) == (
        b'{"":5,"B":4,"b":3,"\xef\xbf\xae":2,"\xf0\x90\x80\x80":1}'
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"a": 1, "b": [2, 3]}', '{"b": [2, 3], "a": 1}', True),
        ("[1, 2]", "[2, 1]", False),
        ('{"a": 1}', '{"a": true}', False),
        ('{"a": [0]}', '{"a": [false]}', False),
        ('{"a": {"b": 1}}', '{"a": {"b": 1.0}}', False),
        ("0.0", "-0.0", False),
        ("100.0", "1e2", True),
        ('"1"', "1", False),
        ("null", "false", False),
        ("{}", "[]", False),
        ('{"a": null}', "{}", False),
        ('{"a": null}', '{"b": null}', False),
        ("[1]", "[1, 1]", False),
        ('"e\u0301"', '"\u00e9"', False),
    ],
)
def test_same_json(one: str, other: str, same: bool) -> None:
    left, right = json.loads(one), json.loads(other)
    assert canonical.same_json(left, right) is canonical.same_json(right, left) is same
    assert canonical.same_json(left, json.loads(one))
    assert (canonical.encode(left) == canonical.encode(right)) is same


def test_same_json_is_not_stopped_by_depth() -> None:
    one: Any = 1
    other: Any = True
    for _ in range(100_000):
        one, other = [one], [other]
    assert not canonical.same_json(one, other)


def test_only_what_must_be_escaped_is() -> None:
    text = "".join(map(chr, range(0x20))) + '"\\/\x7f\u2028\u00e9\U0001f600'
    expected = (
        r'"\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f'
        r"\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f"
        r"\"\\" + '/\x7f\u2028\u00e9\U0001f600"'
    )
    assert canonical.encode(text) == expected.encode()
    assert canonical.encode([text, 2**70]) == f"[{expected},{2**70}]".encode()  # the slow way says the same


@BOUNDED
@given(STRICT_JSON)
def test_encoding_is_what_the_standard_library_says_and_can_be_read_back(value: Any) -> None:
    encoded = canonical.encode(value)
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    assert encoded == plain.encode()
    assert canonical.decode(encoded) == value
    assert canonical.encode_strict(value) == encoded
    canonical.check(value)


def test_old_rooms_take_big_integers_and_floats_as_they_print() -> None:
    value = {"b": -(2**80), "a": 2**64, "c": 1.5, "d": 1e-7, "e": 1e22, "f": 1e10, "g": -0.0}
    assert canonical.encode(value) == (
        b'{"a":18446744073709551616,"b":-1208925819614629174706176,"c":1.5,"d":1e-07,"e":1e+22,"f":10000000000.0,"g":-0.0}'
    )


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        {"a": [float("-inf")]},
        "\ud800",
        {"\ud800": 1},
        {1: 2},
        {None: 1},
        {"a": Ellipsis},
        b"x",
        {1},
    ],
    ids=repr,
)
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(BadJson):
        canonical.encode(value)
    with pytest.raises(BadJson):
        canonical.encode_strict(value)


@pytest.mark.parametrize("value", [1.0, 0.5, -0.0, LIMIT + 1, -LIMIT - 1, 2**70], ids=repr)
def test_new_rooms_take_no_floats_and_no_integers_beyond_53_bits(value: object) -> None:
    for wrapped in (value, [value], {"a": {"b": [value]}}):
        with pytest.raises(BadJson):
            canonical.check(wrapped)
        with pytest.raises(BadJson):
            canonical.encode_strict(wrapped)
        canonical.encode(wrapped)


def test_the_greatest_integers_and_booleans_pass() -> None:
    value = [LIMIT, -LIMIT, True, False, None]
    canonical.check(value)
    assert canonical.encode_strict(value) == b"[9007199254740991,-9007199254740991,true,false,null]"


def test_subclasses_of_plain_types_are_encoded_as_these() -> None:
    assert canonical.encode({"a": Colour.RED, Colour.RED: (1, 2)}) == b'{"a":"red","red":[1,2]}'


def test_deep_nesting_is_encoded_or_refused_but_never_crashes() -> None:
    value: list[Any] = []
    for _ in range(300):
        value = [value]
    assert canonical.encode_strict(value) == b"[" * 301 + b"]" * 301
    for _ in range(100_000):
        value = [value]
    with pytest.raises(BadJson):
        canonical.encode(value)
    while value:  # unwound by hand: freeing such a nest recurses
        value = value[0]


def test_decoding_keeps_integers_that_floats_cannot_hold() -> None:
    assert canonical.decode(b'{"a":123456789012345678901234567890}') == {"a": 123456789012345678901234567890}
    assert canonical.decode('{"a":[1.5,18446744073709551616]}') == {"a": [1.5, 2**64]}


def test_decoding_takes_the_last_of_duplicate_keys() -> None:
    assert canonical.decode(b'{"a":1,"a":2}') == {"a": 2}


def test_one_lone_surrogate_does_not_spoil_its_neighbours() -> None:
    good, bad = canonical.decode(b'[{"a":"x"},{"a":"\\ud800"}]')
    assert canonical.encode(good) == b'{"a":"x"}'
    with pytest.raises(BadJson):
        canonical.encode(bad)


def test_a_number_too_great_for_a_float_cannot_be_encoded() -> None:
    with pytest.raises(BadJson):
        canonical.encode(canonical.decode(b'{"a":1e400}'))


@pytest.mark.parametrize(
    "text", [b"", b"{", b"NaN", b'{"a":Infinity}', b"[-Infinity]", b"\xff", b"[" * 100_000]
)
def test_what_is_no_json(text: bytes) -> None:
    with pytest.raises(BadJson):
        canonical.decode(text)
