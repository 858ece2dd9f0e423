"""Turns feed records into frames for open sockets. A frame is built once per room and host application."""

from collections.abc import Callable, Mapping

from homeserver.api.university import shape
from homeserver.api.university.shape import View, Views
from homeserver.http.audience import Audience
from homeserver.http.sockets import Hub
from homeserver.http.websocket import Socket
from homeserver.product_api.sockets import end_sockets
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.realtime import records
from homeserver.services.realtime.catch_up import Told

FACE = "university"
NEW, EDITED, DELETED = "message:new", "message:edited", "message:deleted"


class Live:
    """A subscriber of the feed (see `services/realtime/feed.py`) that sends frames to the sockets of this API."""

    def __init__(self, *, hub: Hub, views: Views) -> None:
        self._hub = hub
        self._audience = Audience(hub, FACE)
        self._views = views
        self._conversation_ids: dict[RoomId, str] = {}  # of the rooms that somebody listens to

    # --- subscriptions ---

    def join(self, socket: Socket, room_id: RoomId, conversation_id: str, namespace: int) -> None:
        """Subscribe the socket to the room."""
        self._conversation_ids.setdefault(room_id, conversation_id)
        self._audience.join(socket, room_id, namespace)

    def leave(self, socket: Socket, room_id: RoomId, namespace: int) -> None:
        """Unsubscribe the socket from the room."""
        self._audience.leave(socket, room_id, namespace)
        if room_id not in self._audience:
            del self._conversation_ids[room_id]

    # --- the feed ---

    def wants(self, room_id: RoomId) -> bool:
        """Whether records of a room are needed."""
        return room_id in self._conversation_ids

    def deliver(self, record: records.Record) -> None:
        """Handle one record."""
        match record:
            case records.MessageNew(message=message):
                self._tell(
                    message.room_id, NEW, lambda view: told(record, view)[1], position=message.position
                )
            case records.MessageEdited(message=message):
                self._tell(message.room_id, EDITED, lambda view: told(record, view)[1])
            case records.MessageDeleted(room_id=room_id):
                self._tell(room_id, DELETED, lambda view: told(record, view)[1])
            case records.ReadMoved():
                self._read(record)
            case records.RoomChanged(room_id=room_id):
                self._tell(room_id, "conversation:updated", lambda _view: {})
            case records.SessionEnded() | records.NewsLost():
                end_sockets(self._hub, record, "reconnect and sync")
            case _:
                self._about_person(record)

    def _about_person(self, record: records.Record) -> None:
        match record:
            case records.MemberAdded(room_id=room_id, member=member):
                self._tell(room_id, "participant:added", lambda view: {**shape.participant(member, view)})
            case records.MemberRemoved(room_id=room_id, user_id=user_id, number=number):
                self._tell(room_id, "participant:removed", lambda view: {"user_id": view.number(number)})
                self._audience.end(room_id, user_id, "you are no longer in this conversation")
            case records.TypingChanged(room_id=room_id, user_id=user_id, number=number, is_typing=is_typing):
                self._tell(
                    room_id,
                    "typing",
                    lambda view: {"user_id": view.number(number), "is_typing": is_typing},
                    but=user_id,
                )
            case records.PresenceChanged(
                room_id=room_id, user_id=user_id, number=number, is_online=is_online
            ):
                self._tell(
                    room_id,
                    "presence",
                    lambda view: {"user_id": view.number(number), "online": is_online},
                    but=user_id,
                )

    def _read(self, moved: records.ReadMoved) -> None:
        message_id = shape.message_id(moved.ref)
        self._tell(
            moved.room_id,
            "message:read",
            lambda view: {"user_id": view.number(moved.number), "message_id": message_id},
        )

    def _tell(
        self,
        room_id: RoomId,
        kind: str,
        payload: Callable[[View], Mapping[str, object]],
        *,
        position: int | None = None,
        but: UserId | None = None,
    ) -> None:
        """Send one frame per host application to all its sockets. Every payload has the conversation_id."""
        conversation_id = self._conversation_ids.get(room_id)
        if conversation_id is None:
            return

        def frame(namespace: int) -> bytes:
            shown = payload(self._views.in_namespace(namespace))
            return shape.frame(kind, {"conversation_id": conversation_id, **shown})

        self._audience.tell(room_id, frame, position=position, but=but)


def told(record: Told, view: View) -> tuple[str, Mapping[str, object]]:
    """Type and payload of the frame of a message's record, live or in a replay."""
    match record:
        case records.MessageNew(message=message):
            return NEW, {**shape.message(message, view)}
        case records.MessageEdited(message=message):
            return EDITED, {**shape.message(message, view)}
        case records.MessageDeleted(room_id=room_id, room_position=position, ref=ref):
            conversation_id = shape.conversation_id(position, room_id)
            return DELETED, {"id": shape.message_id(ref), "conversation_id": conversation_id}
