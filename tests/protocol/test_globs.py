"""Globs and property paths, which clients send and any text may meet."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeserver.protocol import globs, paths

from .vectors import BOUNDED


def by_definition(pattern: str, text: str) -> bool:
    """The meaning of a glob, said slowly."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(by_definition(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and by_definition(pattern[1:], text[1:])


def is_edge(text: str, at: int) -> bool:
    def in_word(index: int) -> bool:
        return (
            0 <= index < len(text) and text[index].isascii() and (text[index].isalnum() or text[index] == "_")
        )

    return not (in_word(at - 1) and in_word(at))


def in_words_by_definition(pattern: str, text: str) -> bool:
    edges = [at for at in range(len(text) + 1) if is_edge(text, at)]
    return any(by_definition(pattern, text[start:end]) for start in edges for end in edges if start <= end)


@BOUNDED
@given(st.text("ab*?", max_size=6), st.text("ab?\n", max_size=8))
def test_a_glob_matches_what_its_definition_says(pattern: str, text: str) -> None:
    assert bool(globs.whole(pattern)(text)) == by_definition(pattern, text)


@BOUNDED
@given(st.text("ab*? ", max_size=6), st.text("ab ж-", max_size=8))
def test_a_glob_matches_words_as_its_definition_says(pattern: str, text: str) -> None:
    assert bool(globs.worded(pattern)(text)) == in_words_by_definition(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("ex*ple", "an example event.", True),
        ("ex*ple", "exple", True),
        ("ex*ple", "an exciting triple-whammy", True),
        ("ex*ple", "an example_event", False),
        ("cake*lie", "the cake is a lie", True),
        ("cake*lie", "cupcake is a lie", False),
        ("cake", "piece-of-cake!", True),
        ("@room", "hello @room: listen", True),
        ("@room", "hello @roommate", False),
    ],
)
def test_words_of_a_body(pattern: str, text: str, found: bool) -> None:
    assert bool(globs.worded(pattern)(text)) is found


def test_a_question_mark_may_stand_for_itself() -> None:
    assert globs.whole("m.*?", one=False)("m.room?")
    assert not globs.whole("m.*?", one=False)("m.room")
    assert globs.whole("a?c", one=False)("a?c")
    assert not globs.whole("a?c", one=False)("abc")


@pytest.mark.parametrize("pattern", ["a*" * 200 + "b", "a?" * 250 + "b", "*a?b" * 120, "a" * 500 + "b"])
def test_no_pattern_takes_long(pattern: str) -> None:
    """Going back for every star would take longer than the world has stood."""
    started = time.process_time()
    assert not globs.worded(pattern)("a" * 65_000)
    assert not globs.whole(pattern)("a" * 65_000)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("content.body", ("content", "body")),
        (r"content.m\.relates_to", ("content", "m.relates_to")),
        (r"content.m\\foo", ("content", "m\\foo")),
        (r"content.\x", ("content", r"\x")),
        ("content\\", ("content\\",)),
        ("", ("",)),
        ("a..b", ("a", "", "b")),
    ],
)
def test_paths(text: str, path: tuple[str, ...]) -> None:
    assert paths.parse(text) == path


def test_what_stands_at_a_path() -> None:
    value: dict[str, Any] = {"a": {"b.c": None, "d": [{"e": 1}]}, "f": 2}
    assert paths.find(value, ("a", "b.c")) is None
    assert paths.find(value, ("a", "d")) == [{"e": 1}]
    for nothing in (("a", "d", "0"), ("a", "x"), ("f", "g"), ("",)):
        assert paths.find(value, nothing) is paths.MISSING


def test_only_what_is_asked_for_is_picked() -> None:
    value: dict[str, Any] = {"type": "t", "content": {"body": "b", "url": "u", "info": {"w": 1, "h": 2}}}
    assert paths.pick(value, [("type",), ("content", "info", "w")]) == {
        "type": "t",
        "content": {"info": {"w": 1}},
    }
    assert paths.pick(value, [("content", "body"), ("content",)]) == {"content": value["content"]}
    assert paths.pick(value, [("nothing",), ("type", "x")]) == {}
    assert value["content"]["info"] == {"w": 1, "h": 2}
