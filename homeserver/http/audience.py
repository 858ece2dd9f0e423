"""Room subscriptions of one face's sockets, and sending frames to them.

Users of different host applications see different user numbers (see `publicids.py`), so a frame is
built once per room and application, and every socket there gets the same bytes.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from homeserver.http.sockets import Hub
from homeserver.http.websocket import Socket
from homeserver.protocol.ids import RoomId, UserId


class RoomKey(NamedTuple):
    """The group of sockets subscribed to a room that see the same user numbers."""

    face: str
    room_id: RoomId
    namespace: int


class Audience:
    """The sockets of one face, by the rooms that they are subscribed to."""

    def __init__(self, hub: Hub, face: str) -> None:
        self._hub = hub
        self._face = face
        self._rooms: dict[RoomId, Counter[int]] = {}  # sockets by namespace

    def __contains__(self, room_id: RoomId) -> bool:
        return room_id in self._rooms

    def join(self, socket: Socket, room_id: RoomId, namespace: int) -> None:
        """Subscribe the socket to the room. Once per socket and room; `leave` must follow."""
        self._rooms.setdefault(room_id, Counter())[namespace] += 1
        self._hub.join(socket, self._key(room_id, namespace))

    def leave(self, socket: Socket, room_id: RoomId, namespace: int) -> None:
        """Unsubscribe the socket from the room."""
        self._hub.leave(socket, self._key(room_id, namespace))
        namespaces = self._rooms[room_id]
        namespaces[namespace] -= 1
        if not namespaces[namespace]:
            del namespaces[namespace]
        if not namespaces:
            del self._rooms[room_id]

    def people(self, room_id: RoomId) -> set[UserId]:
        """The users with sockets subscribed to a room."""
        return {socket.visitor.user_id for socket, _ in self._sockets(room_id)}

    def tell(
        self,
        room_id: RoomId,
        frame: Callable[[int], bytes],
        *,
        position: int | None = None,
        but: UserId | None = None,
    ) -> None:
        """Queue a frame per namespace for a room's subscribers, except user `but`. `position`: see `Hub.broadcast`."""
        for namespace in self._rooms.get(room_id, ()):
            key = self._key(room_id, namespace)
            self._hub.broadcast(key, frame(namespace), position=position, but=but)

    def tell_each(
        self, room_id: RoomId, frame: Callable[[int, UserId], bytes], *, but: UserId | None = None
    ) -> None:
        """The same for a frame that differs by namespace and user."""
        for socket, namespace in self._sockets(room_id):
            if socket.visitor.user_id != but:
                socket.put(frame(namespace, socket.visitor.user_id))

    def end(self, room_id: RoomId, user_id: UserId, reason: str) -> None:
        """Close a user's sockets in a room, after the frames queued so far."""
        for namespace in tuple(self._rooms.get(room_id, ())):
            self._hub.end_in_group(self._key(room_id, namespace), user_id, reason)

    def _sockets(self, room_id: RoomId) -> list[tuple[Socket, int]]:
        return [
            (socket, namespace)
            for namespace in self._rooms.get(room_id, ())
            for socket in self._hub.sockets(self._key(room_id, namespace))
        ]

    def _key(self, room_id: RoomId, namespace: int) -> RoomKey:
        return RoomKey(self._face, room_id, namespace)
