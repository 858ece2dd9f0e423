"""Turns feed records into frames for open sockets: one socket is subscribed to all chats of its user.

The feed tells when a connected user joins or leaves a room, so the subscriptions of their sockets are correct at
any time; they are read from the database only when a socket opens.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from homeserver.api.messenger import shape
from homeserver.http.audience import Audience
from homeserver.http.sockets import Hub
from homeserver.http.websocket import Socket
from homeserver.model import Requester, RoomNow, RoomPlace
from homeserver.product_api.sockets import end_sockets
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.realtime import records
from homeserver.services.realtime.catch_up import Told
from homeserver.services.realtime.connections import LiveConnections
from homeserver.services.realtime.typing import Typing

FACE = "messenger"
MAX_TYPING = 200  # typing users that a new socket is told of


@dataclass(slots=True)
class Connected:
    """A user with open sockets (and the namespace of each), or with one that is about to open (`loading`).

    `rooms`: subscriptions. `left`: rooms left while `rooms` was read. `present`: rooms that show them as online.
    """

    requester: Requester
    sockets: dict[Socket, int] = field(default_factory=dict)
    rooms: set[RoomId] = field(default_factory=set)
    left: set[RoomId] = field(default_factory=set)
    present: set[RoomId] = field(default_factory=set)
    loading: int = 0


@dataclass(slots=True)
class OpenChat:
    """A chat with connected members; `people` counts them. `told`: the state that they were sent last."""

    chat_id: int
    people: int = 0
    told: RoomNow | None = None


class Live:
    """A subscriber of the feed (see `services/realtime/feed.py`) that sends frames to the sockets of this API."""

    def __init__(
        self,
        *,
        hub: Hub,
        views: shape.Views,
        connections: LiveConnections,
        typing: Typing,
        presence_chats: int,
    ) -> None:
        self._hub = hub
        self._views = views
        self._connections = connections
        self._typing = typing
        self._presence_chats = presence_chats
        self._audience = Audience(hub, FACE)
        self._people: dict[UserId, Connected] = {}
        self._chats: dict[RoomId, OpenChat] = {}
        self._drawn: tuple[RoomNow, dict[tuple[str, int, int], bytes]] | None = None

    # --- subscriptions ---

    async def enter(
        self, socket: Socket, requester: Requester, load: Callable[[], Awaitable[Sequence[RoomPlace]]]
    ) -> None:
        """Subscribe the socket to all rooms of its user: those that `load` returns and later ones."""
        person = self._people.setdefault(requester.user_id, Connected(requester))
        person.loading += 1
        try:
            hidden = await self._connections.hidden_rooms(requester)
            places = await load()
            for place in places:
                if place.room_id not in person.left:
                    self._take_in(person, place)
            for room_id in person.rooms:
                self._audience.join(socket, room_id, requester.namespace)
            person.sockets[socket] = requester.namespace
            for place in places:
                if place.room_id not in hidden:
                    self._show(person, place.room_id)
        finally:
            person.loading -= 1
            if not person.loading:
                person.left.clear()
            self._drop_if_gone(person)

    def leave(self, socket: Socket, requester: Requester) -> None:
        """Remove a closed socket, if it was added."""
        person = self._people.get(requester.user_id)
        if person is None or socket not in person.sockets:
            return
        namespace = person.sockets.pop(socket)
        for room_id in person.rooms:
            self._audience.leave(socket, room_id, namespace)
        self._drop_if_gone(person)

    def present_in(self, requester: Requester) -> Sequence[tuple[int, RoomId]]:
        """The chats that show a connected user as online."""
        person = self._people[requester.user_id]
        return [(self._chats[room_id].chat_id, room_id) for room_id in person.present]

    def typing_in_rooms(self, requester: Requester) -> Sequence[bytes]:
        """The frames of everybody else who is typing in a connected user's chats."""
        rooms = self._people[requester.user_id].rooms & self._typing.rooms()
        frames = (
            frame
            for room_id in rooms
            for frame in self._typing_in(room_id, requester.user_id, requester.namespace)
        )
        return tuple(islice(frames, MAX_TYPING))

    def _typing_in(self, room_id: RoomId, reader: UserId, namespace: int) -> Iterator[bytes]:
        view, chat_id = self._views.in_namespace(namespace), self._chats[room_id].chat_id
        for user_id, number in self._typing.in_room(room_id).items():
            if user_id != reader:
                here = {"chat_id": chat_id, "user_id": view.number(number), "is_typing": True}
                yield shape.frame("typing", here)

    def _take_in(self, person: Connected, place: RoomPlace) -> None:
        if place.room_id in person.rooms:
            return
        person.rooms.add(place.room_id)
        self._chats.setdefault(place.room_id, OpenChat(place.position)).people += 1
        for socket, namespace in person.sockets.items():
            self._audience.join(socket, place.room_id, namespace)

    def _put_out(self, person: Connected, room_id: RoomId) -> None:
        for socket, namespace in person.sockets.items():
            self._audience.leave(socket, room_id, namespace)
        self._forget(person, room_id)

    def _drop_if_gone(self, person: Connected) -> None:
        if person.sockets or person.loading:
            return
        del self._people[person.requester.user_id]
        for room_id in tuple(person.rooms):
            self._forget(person, room_id)

    def _forget(self, person: Connected, room_id: RoomId) -> None:
        """Forget a user who has left a room or disconnected."""
        person.rooms.discard(room_id)
        if room_id in person.present:
            person.present.discard(room_id)
            self._connections.leave(person.requester, room_id)
        chat = self._chats[room_id]
        chat.people -= 1
        if not chat.people:
            del self._chats[room_id]

    def _show(self, person: Connected, room_id: RoomId) -> None:
        """Show a user as online in one more room, up to the limit."""
        if room_id in person.present or room_id not in person.rooms:
            return
        if len(person.present) < self._presence_chats:
            person.present.add(room_id)
            self._connections.enter(person.requester, room_id)

    # --- the feed ---

    def wants(self, room_id: RoomId) -> bool:
        """Whether records of a room are needed."""
        return room_id in self._audience

    def follows(self, user_id: UserId) -> bool:
        """Whether a user is connected."""
        return user_id in self._people

    def deliver(self, record: records.Record) -> None:
        """Handle one record."""
        match record:
            case records.MessageNew(message=message):
                self._message(record, message.room_id, position=message.position)
            case records.MessageEdited(message=message):
                self._message(record, message.room_id)
            case records.MessageDeleted(room_id=room_id):
                self._message(record, room_id)
            case records.SessionEnded() | records.NewsLost():
                end_sockets(self._hub, record, "reconnect and sync")
            case records.ReadMoved() | records.TypingChanged() | records.PresenceChanged():
                self._about_person(record)
            case _:
                self._about_room(record)

    def _about_person(
        self, record: records.ReadMoved | records.TypingChanged | records.PresenceChanged
    ) -> None:
        chat = self._chats.get(record.room_id)
        if chat is None:
            return
        fact: dict[str, object]
        match record:
            case records.ReadMoved(ref=ref):
                event, fact, but = "message.read", {"message_id": ref.position}, None
            case records.TypingChanged(is_typing=is_typing, user_id=user_id):
                event, fact, but = "typing", {"is_typing": is_typing}, user_id
            case records.PresenceChanged(is_online=is_online, user_id=user_id):
                event, fact, but = "presence", {"online": is_online}, user_id

        def frame(namespace: int) -> bytes:
            who = self._views.in_namespace(namespace).number(record.number)
            return shape.frame(event, {"chat_id": chat.chat_id, "user_id": who, **fact})

        self._audience.tell(record.room_id, frame, but=but)

    def _about_room(self, record: records.Record) -> None:
        match record:
            case records.MemberAdded(now=RoomNow() as now, member=member):
                self._came(now, member.person.user_id)
            case records.MemberRemoved(room_id=room_id, user_id=user_id, now=now):
                self._went(room_id, user_id)
                self._changed(now)
            case records.RoomChanged(now=now):
                self._changed(now)
            case records.RoomClosed(room_id=room_id):
                for user_id in self._audience.people(room_id):
                    self._went(room_id, user_id)

    def _message(self, record: Told, room_id: RoomId, *, position: int | None = None) -> None:
        def frame(namespace: int) -> bytes:
            return told_frame(record, self._views.in_namespace(namespace))

        self._audience.tell(room_id, frame, position=position)

    def _came(self, now: RoomNow, user_id: UserId) -> None:
        """Handle a join. Nothing in the room is unread for the new member."""
        room = now.room
        person = self._people.get(user_id)
        if person is not None:
            person.left.discard(room.room_id)
            self._take_in(person, RoomPlace(room.room_id, room.position))
            for socket, namespace in person.sockets.items():
                socket.put(self._chat_frame("chat.created", now, namespace, 0))
                for frame in self._typing_in(room.room_id, user_id, namespace):
                    socket.put(frame)
            self._show(person, room.room_id)
        self._changed(now, but=user_id)

    def _went(self, room_id: RoomId, user_id: UserId) -> None:
        person = self._people.get(user_id)
        if person is None:
            return
        if person.loading:
            person.left.add(room_id)
        chat = self._chats.get(room_id)
        if chat is not None and room_id in person.rooms:
            gone = shape.frame("chat.deleted", {"id": chat.chat_id})
            for socket in person.sockets:
                socket.put(gone)
            self._put_out(person, room_id)

    def _changed(self, now: RoomNow | None, *, but: UserId | None = None) -> None:
        """Send a room's state to its subscribers, unless they were sent the same already."""
        chat = self._chats.get(now.room.room_id) if now is not None else None
        if now is None or chat is None or chat.told is now:
            return
        chat.told = now
        unread = now.unread

        def frame(namespace: int, user_id: UserId) -> bytes:
            return self._chat_frame("chat.updated", now, namespace, unread.get(user_id, 0))

        self._audience.tell_each(now.room.room_id, frame, but=but)

    def _chat_frame(self, event: str, now: RoomNow, namespace: int, unread: int) -> bytes:
        """The frame of a chat, built once per view."""
        if self._drawn is None or self._drawn[0] is not now:
            self._drawn = (now, {})
        drawn, key = self._drawn[1], (event, namespace, unread)
        if key not in drawn:
            chat = shape.chat(now.room, self._views.in_namespace(namespace), unread=unread)
            drawn[key] = shape.frame(event, {**chat})
        return drawn[key]


def told_frame(record: Told, view: shape.View) -> bytes:
    """The frame of a message's record, live or in a replay."""
    match record:
        case records.MessageNew(message=message):
            return shape.frame("message.created", {**shape.message(message, view)})
        case records.MessageEdited(message=message):
            return shape.frame("message.updated", {**shape.message(message, view)})
        case records.MessageDeleted(room_position=chat_id, ref=ref):
            return shape.frame("message.deleted", {"id": ref.position, "chat_id": chat_id})
