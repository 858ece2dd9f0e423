"""What the timeline is given to keep in step with it, without knowing what that is."""

from collections.abc import Collection, Mapping
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import RoomId, UserId
from homeserver.timeline.current import Delta


class Projection(Protocol):
    """Something more that is kept of rooms, written in the transaction that changes them."""

    async def write(self, conn: AsyncConnection, deltas: Mapping[RoomId, Delta]) -> None:
        """Follow the current states of rooms, each from before the transaction to after it."""
        ...

    async def successors_of(
        self, conn: AsyncConnection, authors: Collection[UserId]
    ) -> Mapping[UserId, UserId]:
        """Who else may redact what these people wrote: one account for each who has such."""
        ...
