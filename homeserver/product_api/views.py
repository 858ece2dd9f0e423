"""Viewers of records: users have different numbers for each host application."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from homeserver import publicids
from homeserver.http.routes import Call
from homeserver.model import Requester


@dataclass(frozen=True, slots=True)
class NumberView:
    """A viewer of a host application's namespace; each API adds what else its JSON depends on."""

    namespace: int

    def number(self, number: int) -> int:
        """A registered user's integer id as this viewer knows it."""
        return publicids.to_public(number, self.namespace)


V = TypeVar("V", bound=NumberView)


class Views(Generic[V]):
    """Makes views. `make`: the view of everybody in a namespace."""

    def __init__(self, make: Callable[[int], V]) -> None:
        self._make = make

    def of(self, requester: Requester) -> V:
        """The view of a requester."""
        return self._make(requester.namespace)

    def in_namespace(self, namespace: int) -> V:
        """The view of everybody in a namespace."""
        return self._make(namespace)


def number_in_path(call: Call[Any, None]) -> int:
    """The number of the user that the path parameter `user_id` names, in the requester's namespace."""
    return publicids.from_public(call.number("user_id"), call.requester.namespace)
