"""The same thing done in many rooms, some at a time: they share a transaction, and others come in between."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from homeserver.errors import HomeserverError

_AT_ONCE = 20
T = TypeVar("T")


async def room_by_room(
    places: Sequence[T], work: Callable[[T], Awaitable[None]]
) -> list[tuple[T, HomeserverError]]:
    """Do the work in every room, or for everybody in rooms; answers where it was refused, and why.

    Raises what is no error of ours.
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
