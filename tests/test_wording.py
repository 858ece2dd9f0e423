"""The search for phrases that docstrings and comments avoid (see `test_house.py`)."""

import pytest

from tests.wording import avoided


@pytest.mark.parametrize(
    "docstring",
    [
        "Who is in the room.",
        "Whom a user blocks.",
        "One's own devices.",
        "Build them.",
        "Take them away.",
        "All of them.",
        "Take people out of their rooms.",
        "A deactivated user is taken out.",
        "Put somebody out.",
        "Let somebody in again.",
        "A user may come again.",
        "At most so many devices.",
        "Want to know no more of a room.",
        "A key that is no other\n    than another.",
    ],
)
def test_avoided_phrases_are_found(docstring: str) -> None:
    text = f'def f() -> None:\n    """{docstring}"""\n'
    assert [line for line, _ in avoided(text)] == [2], docstring


@pytest.mark.parametrize(
    "docstring",
    [
        "The users who are in the room.",
        "Whole days are counted.",
        "Build the services.",
        "The order in which events come in.",
        "Read the log again. Entries come in order.",
        "Take an item; errors come out of the queue.",
        "How many users there are, and as many devices.",
        "No more than ten devices; there is no more to read.",
        "True if no other device has the key.",
        "Delete one-time keys.",
    ],
)
def test_plain_english_is_not_found(docstring: str) -> None:
    assert list(avoided(f'def f() -> None:\n    """{docstring}"""\n')) == []


def test_comments_are_searched() -> None:
    assert list(avoided("a = 1\nb = 2  # so many\nc = 'so many'\n")) == [(2, "so many")]


def test_a_phrase_is_found_at_its_line() -> None:
    assert list(avoided('"""First.\n\nThen so\nmany.\n"""\n')) == [(3, "so many")]
