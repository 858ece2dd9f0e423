"""Globs and property paths, which clients send and any text may meet."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeserver.protocol import globs, paths
from homeserver.protocol.globs import GlobText
from homeserver.protocol.pushrules import words
from homeserver.protocol.pushrules.words import WordSearch

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
    assert GlobText(text).matches(pattern) == by_definition(pattern, text)
    if "?" not in pattern:
        assert globs.starred(pattern)(text) == by_definition(pattern, text)


@BOUNDED
@given(st.text("ab*? ", max_size=6), st.text("ab ж-", max_size=8))
def test_a_glob_matches_words_as_its_definition_says(pattern: str, text: str) -> None:
    expected = in_words_by_definition(pattern, text)
    assert WordSearch(text, latin=True).has(pattern) == expected
    padding = "- " * words._SHORT  # long texts are searched with the help of their words
    if not set(pattern) & set("*? "):
        assert WordSearch(padding + text, latin=True).has(pattern) == (expected or not pattern)


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
    assert WordSearch(text, latin=True).has(pattern) is found


def test_a_question_mark_may_stand_for_itself() -> None:
    assert globs.starred("m.*?")("m.room?")
    assert not globs.starred("m.*?")("m.room")
    assert globs.starred("a?c")("a?c")
    assert not globs.starred("a?c")("abc")


NEARLY = [
    ("a*" * 200 + "b", "a" * 65_000),
    ("a?" * 250 + "b", "a" * 65_000),
    ("*a?b" * 120, "a" * 65_000),
    ("a" * 500 + "b", "a" * 65_000),
    ("a*" + "a" * 500 + "b*c", "a" * 65_000),
    ("*" + "a?" * 250 + "b*", "a" * 65_000),
    ("- " * 250 + "b", "- " * 32_000),
    ("a" * 500, "a" * 65_000),
    ("b" + "a" * 500, "a" * 65_000),
    ("a" * 250 + "b" + "a" * 250, "a" * 65_000),
    ("a b" * 170, "a ba b" * 10_000),
    ("ab " * 170, "ab " * 150 + "abab " * 15_000),
    ("?" * 511 + "b", "a" * 65_000),
    ("*?" * 255 + "b", "a" * 65_000),
    (
        "".join(chr(0x4E00 + at) for at in range(500)) + "?b",
        "".join(chr(0x4E00 + at) for at in range(20_000)),
    ),
    ("ya" * 255, "xya" * 21_000),
]


@pytest.mark.parametrize(("pattern", "text"), NEARLY)
def test_no_pattern_takes_long(pattern: str, text: str) -> None:
    """Patterns that nearly match, as many as one event may meet, do not stop the server."""
    started = time.process_time()
    body, glob_text = WordSearch(text, latin=True), GlobText(text)
    for _ in range(50):
        assert not body.has(pattern)
        assert not glob_text.matches(pattern)
        assert not globs.starred(pattern)(text)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("name", ["ya" * 120, "a" * 255, "я" * 255, "y-" * 120])
def test_no_name_takes_long(name: str) -> None:
    started = time.process_time()
    body = WordSearch("xya" * 20_000 + "a" * 5000 + "я" * 5000 + "xy-" * 1000)
    for number in range(100):
        assert not body.has_name(f"{name}{number}"), name
    assert time.process_time() - started < 0.5


def test_an_event_has_a_bounded_number_of_searches() -> None:
    body = WordSearch("early " + "x" * 60_000 + " late", latin=True)
    assert all(map(body.has, ("early", "late", "l?te")))
    for number in range(words.MAX_SEARCHED // 60_000 + 1):
        assert not body.has(f"?{number}")
    assert all(map(body.has, ("early", "e*y")))
    assert not body.has("late")


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
