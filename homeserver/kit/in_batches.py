"""The same work in many rooms, a few at a time: they share transactions, and other requests are not held up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from homeserver.errors import HomeserverError

_AT_ONCE = 20
T = TypeVar("T")


async def room_by_room(
    places: Sequence[T], work: Callable[[T], Awaitable[None]]
) -> list[tuple[T, HomeserverError]]:
    """Do the work for every room, or every member of rooms; returns those where it failed, with the error.

    Exceptions other than HomeserverError are raised.
    """
    refused = []
    for start in range(0, len(places), _AT_ONCE):
        part = places[start : start + _AT_ONCE]
        results = await asyncio.gather(*(work(place) for place in part), return_exceptions=True)
        for place, result in zip(part, results, strict=True):
            if isinstance(result, HomeserverError):
                refused.append((place, result))
            elif isinstance(result, BaseException):
                raise result
    return refused
