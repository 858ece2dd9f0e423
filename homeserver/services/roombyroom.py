"""The same thing done in many rooms, some at a time: they share a transaction, and others come in between."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from homeserver.errors import HomeserverError
from homeserver.protocol.ids import RoomId

_AT_ONCE = 20


async def room_by_room(
    room_ids: Sequence[RoomId], work: Callable[[RoomId], Awaitable[None]]
) -> list[tuple[RoomId, HomeserverError]]:
    """Do the work in every room; answers where it was refused, and why. Raises what is no error of ours."""
    refused = []
    for start in range(0, len(room_ids), _AT_ONCE):
        part = room_ids[start : start + _AT_ONCE]
        results = await asyncio.gather(*(work(room_id) for room_id in part), return_exceptions=True)
        for room_id, result in zip(part, results, strict=True):
            if isinstance(result, HomeserverError):
                refused.append((room_id, result))
            elif isinstance(result, BaseException):
                raise result
    return refused
