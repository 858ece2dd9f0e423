"""Names that are free on a server which other tests use too: each test's people have its number behind their names.

Within one test the same name is the same person: `fresh("alice")` is "alice-17" in the 17th test of a worker.
"""

import itertools

SERVER = "test.example"
_tests = itertools.count(1)
_number = 0


def next_test() -> None:
    """From now on names are another test's."""
    global _number  # noqa: PLW0603 - of the one test that runs
    _number = next(_tests)


def fresh(name: str) -> str:
    """The name with the number of the test behind it."""
    return f"{name}-{_number}"


def user_id(localpart: str) -> str:
    """The Matrix id of somebody of this test."""
    return f"@{fresh(localpart)}:{SERVER}"


def room_alias(localpart: str) -> str:
    """An alias for a room of this test."""
    return f"#{fresh(localpart)}:{SERVER}"


def fresh_number(number: int) -> int:
    """The number by which a host application knows somebody of this test."""
    return _number * 1000 + number
