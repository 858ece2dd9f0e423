"""Tables of the product APIs that are kept in step with the timeline: links, closed rooms, guests' successors."""

from collections.abc import Collection, Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver import product_state
from homeserver.product_state import CLOSED, LINK
from homeserver.protocol.ids import RoomId, UserId
from homeserver.servers import Servers
from homeserver.storage import guests, rooms
from homeserver.timeline.current import Delta


class ProductProjection:
    """A `timeline.projection.Projection`: each room's link and closed flag, and the accounts that guests became."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    async def write(self, conn: AsyncConnection, deltas: Mapping[RoomId, Delta]) -> None:
        """Update links and closed flags from the rooms' new state."""
        links = {
            room_id: product_state.link_in(delta[LINK].new, self._servers)
            for room_id, delta in deltas.items()
            if LINK in delta
        }
        if links:
            await rooms.set_links(conn, links)
        closed = {
            room_id: product_state.closes(delta[CLOSED].new, self._servers)
            for room_id, delta in deltas.items()
            if CLOSED in delta
        }
        if shut := [room_id for room_id, is_closed in closed.items() if is_closed]:
            await rooms.close_rooms(conn, shut)
        if opened := [room_id for room_id, is_closed in closed.items() if not is_closed]:
            await rooms.reopen_rooms(conn, opened)

    async def successors_of(
        self, conn: AsyncConnection, authors: Collection[UserId]
    ) -> Mapping[UserId, UserId]:
        """The accounts of those authors who were guests and became accounts, by guest."""
        return await guests.successors_of(conn, authors)
