"""The interface by which other tables are kept in step with rooms, without the timeline knowing them."""

from collections.abc import Collection, Mapping
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import RoomId, UserId
from homeserver.timeline.current import Delta


class Projection(Protocol):
    """Data derived from rooms, written in the transaction that changes them."""

    async def write(self, conn: AsyncConnection, deltas: Mapping[RoomId, Delta]) -> None:
        """Apply the change of each room's current state, from before the transaction to after it."""
        ...

    async def successors_of(
        self, conn: AsyncConnection, authors: Collection[UserId]
    ) -> Mapping[UserId, UserId]:
        """The accounts that may redact these users' events beside themselves: at most one for each."""
        ...
