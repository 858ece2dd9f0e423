"""Bodies and queries: what is let in and what is said about the rest."""

from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from homeserver.errors import Invalid
from homeserver.http.body import (
    BLANK_IS_ABSENT,
    MAX_DEPTH,
    Body,
    Flag,
    Number,
    Query,
    QueryInt,
    check,
    check_body,
    check_query,
    parse_json,
)


class Note(Body):
    id: Number
    text: Annotated[str, Field(max_length=5)] = ""
    flag: Flag = False


class Listing(Query):
    limit: QueryInt = Field(default=10, ge=1, le=50)


def refusal(raw: str | bytes) -> Invalid:
    with pytest.raises(Invalid) as caught:
        check_body(Note, raw.encode() if isinstance(raw, str) else raw)
    return caught.value


def test_a_body_becomes_a_record_and_unknown_keys_are_ignored() -> None:
    assert check_body(Note, b'{"id": 7, "text": "hi", "new_key": [1]}') == Note(id=7, text="hi")


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"nonsense",
        b'{"id": NaN}',
        b'{"id": 1} {}',
        b'{"id": 1,}',
        b'{"text": "\xff"}',
        rb'{"text": "\ud800"}',
        b"[]",
        b"null",
        b'"text"',
        b'{"id": 1, "id": 2}',
        b'{"id": 1, "deep": {"a": 1, "a": 1}}',
        b'{"a":' * 1500 + b"1" + b"}" * 1500,
        b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
    ],
)
def test_what_is_no_proper_json_object_is_bad_json(raw: bytes) -> None:
    assert refusal(raw).code == "bad_json"


def test_colons_and_quotes_within_strings_are_not_counted_as_names() -> None:
    raw = rb'{"id": 1, "text": "\":\":", "x:y": {"": "\\"}}'
    assert check_body(Note, raw).text == '":":'


@pytest.mark.parametrize(
    "raw", [r'{"id": 1, "text": "\u0000"}', r'{"id": 1, "a\u0000b": 1}', r'{"id": 1, "l": [["\u0000"]]}']
)
def test_nul_characters_are_refused_anywhere(raw: str) -> None:
    assert refusal(raw).code == "invalid_param"


@pytest.mark.parametrize("value", ['"7"', "7.0", "true", "0", "-1", "9007199254740993", "1e400", "null"])
def test_a_number_is_a_positive_integer_and_nothing_like_it(value: str) -> None:
    assert refusal(f'{{"id": {value}}}').code in {"invalid_param", "bad_json"}


def test_a_missing_field_is_named() -> None:
    error = refusal("{}")
    assert (error.code, error.message) == ("missing_param", "id: is required")


def test_an_empty_body_is_an_empty_object() -> None:
    assert refusal(b"  ").code == "missing_param"


def test_all_reasons_are_told_without_the_values() -> None:
    error = refusal('{"id": 1, "text": "secret-too-long", "flag": 1}')
    assert "text: " in error.message
    assert "flag: " in error.message
    assert "secret" not in error.message


def test_queries_take_digits_only() -> None:
    assert check_query(Listing, {"limit": "20", "x": "y"}).limit == 20
    for bad in ("0", "51", "1.0", "1_0", " 1", "abc", "9" * 30, "1\x00"):
        with pytest.raises(Invalid) as caught:
            check_query(Listing, {"limit": bad})
        assert caught.value.code == "invalid_param"


class Inner(Body):
    ranges: list[int | None] = Field(default_factory=list)
    limit: int = 3


class Wish(Body):
    """Every way in which a field may be optional, and one that must be there."""

    who: str
    kind: str | None
    name: str = "nobody"
    flag: Flag = True
    limit: QueryInt = 10
    inner: Inner = Inner()
    others: dict[str, Inner] = Field(default_factory=dict)
    since: str | None = Field(default=None, alias="from")
    link: Annotated[Annotated[str, Field(min_length=1)] | None, BLANK_IS_ABSENT] = None


def test_null_is_as_good_as_absent() -> None:
    bare = check(Wish, {"who": "x", "kind": None})
    for name in ("name", "flag", "limit", "inner", "others", "from", "link"):
        assert check(Wish, {"who": "x", "kind": None, name: None}) == bare, name
    given = {
        "who": "x",
        "kind": "k",
        "inner": {"ranges": [None, 1], "limit": None},
        "others": {"a": {"limit": None}},
    }
    assert check(Wish, given).inner == Inner(ranges=[None, 1])
    assert check(Wish, given).others == {"a": Inner()}


def test_null_is_no_value_of_what_must_be_there() -> None:
    for bad in ({"who": None, "kind": "k"}, {"who": "x"}):
        with pytest.raises(Invalid):
            check(Wish, bad)


def test_blank_is_as_good_as_absent_where_a_field_says_so() -> None:
    bare = check(Wish, {"who": "x", "kind": None})
    assert check(Wish, {"who": "x", "kind": None, "link": " "}) == bare
    assert check(Wish, {"who": "x", "kind": None, "name": ""}).name == ""


class Search(Query):
    dir: Literal["b", "f"]
    limit: QueryInt = Field(default=10, ge=1)
    since: str | None = Field(default=None, alias="from")
    is_open: bool = True
    kind: Literal["user", "guest"] = "user"


def test_a_blank_parameter_is_as_good_as_absent() -> None:
    bare = check_query(Search, {"dir": "b"})
    for name in ("limit", "from", "is_open", "kind"):
        for blank in ("", " ", "\t"):
            assert check_query(Search, {"dir": "b", name: blank}) == bare, name
    with pytest.raises(Invalid):
        check_query(Search, {"dir": ""})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_whatever_is_proper_json_passes_unchanged(value: object) -> None:
    import json

    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value, ensure_ascii=False)) == value
