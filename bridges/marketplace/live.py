"""Turns feed records into frames for open sockets: those of one chat, and sellers' sockets for all their chats.

A frame is built once per view: one for the guest of a chat, one for everyone else.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bridges.marketplace import shape
from bridges.marketplace.shape import View
from homeserver import product_state
from homeserver.bridges import Entry
from homeserver.http.sockets import Hub
from homeserver.http.websocket import Socket
from homeserver.model import Message
from homeserver.product_api.sockets import end_sockets
from homeserver.protocol.ids import RoomId, UserId
from homeserver.servers import Servers
from homeserver.services.realtime import records
from homeserver.services.realtime.catch_up import Told

FACE = "marketplace"


class ChatKey(NamedTuple):
    """The sockets of a chat that see the same ids: `guest` is None for all but the chat's own guest."""

    face: str
    room_id: RoomId
    guest: UserId | None


class InboxKey(NamedTuple):
    """The sockets of a seller for all their chats."""

    face: str
    seller: UserId


@dataclass(slots=True)
class OpenChat:
    """A chat with open sockets, and their views of it."""

    chat_id: int
    views: dict[UserId | None, View] = field(default_factory=dict)
    sockets: Counter[UserId | None] = field(default_factory=Counter)


@dataclass(slots=True)
class Inbox:
    """A seller with open sockets, and the chats that they are subscribed to."""

    number: int
    rooms: dict[RoomId, int] = field(default_factory=dict)  # their public numbers
    sockets: int = 0


class Live:
    """A watcher of the feed (see `homeserver/services/realtime/feed.py`)."""

    def __init__(
        self, *, hub: Hub, plain: View, servers: Servers, service: str, called_text: str, max_chats: int
    ) -> None:
        self._hub = hub
        self._servers = servers
        self._plain = plain
        self._service = service
        self._called_text = called_text
        self._max_chats = max_chats
        self._chats: dict[RoomId, OpenChat] = {}
        self._inboxes: dict[UserId, Inbox] = {}
        self._sellers: dict[RoomId, UserId] = {}  # of the chats that an inbox is subscribed to

    # --- subscriptions ---

    def join_chat(self, socket: Socket, room_id: RoomId, chat_id: int, view: View) -> None:
        """Subscribe the socket to the chat."""
        chat = self._chats.setdefault(room_id, OpenChat(chat_id))
        chat.views[view.own] = view
        chat.sockets[view.own] += 1
        self._hub.join(socket, ChatKey(FACE, room_id, view.own))

    def leave_chat(self, socket: Socket, room_id: RoomId, view: View) -> None:
        """Unsubscribe the socket from the chat."""
        self._hub.leave(socket, ChatKey(FACE, room_id, view.own))
        chat = self._chats[room_id]
        chat.sockets[view.own] -= 1
        if not chat.sockets[view.own]:
            del chat.sockets[view.own], chat.views[view.own]
        if not chat.sockets:
            del self._chats[room_id]

    def join_inbox(self, socket: Socket, seller: UserId, number: int) -> None:
        """Subscribe the socket to the seller's new chats; `learn` adds the existing ones."""
        inbox = self._inboxes.setdefault(seller, Inbox(number))
        inbox.sockets += 1
        self._hub.join(socket, InboxKey(FACE, seller))

    def learn(self, seller: UserId, chats: Mapping[RoomId, int]) -> None:
        """Add a seller's existing chats, with their public numbers."""
        self._inboxes[seller].rooms |= chats
        self._sellers |= dict.fromkeys(chats, seller)

    def leave_inbox(self, socket: Socket, seller: UserId) -> None:
        """Unsubscribe the socket from the seller's chats."""
        self._hub.leave(socket, InboxKey(FACE, seller))
        inbox = self._inboxes[seller]
        inbox.sockets -= 1
        if not inbox.sockets:
            for room_id in inbox.rooms:
                self._sellers.pop(room_id, None)
            del self._inboxes[seller]

    def attends(self, user_id: UserId, room_id: RoomId) -> bool:
        """Whether a seller's inbox is open and subscribed to this chat."""
        return user_id in self._inboxes and self._sellers.get(room_id) == user_id

    # --- the log and the feed ---

    def hear(self, entry: Entry) -> None:
        """Handle a log entry before the feed's records: a new chat is added to its seller's inbox at once."""
        event = entry.event.event if entry.event is not None else None
        enquiry = product_state.enquiry_in(event, self._servers)
        if event is None or enquiry is None or enquiry.get("service") != self._service:
            return
        seller = UserId(str(enquiry.get("owner")))
        inbox = self._inboxes.get(seller)
        if inbox is not None and len(inbox.rooms) < self._max_chats:
            self.learn(seller, {event.room_id: 0})

    def wants(self, room_id: RoomId) -> bool:
        """Whether records of a room are needed."""
        return room_id in self._chats or room_id in self._sellers

    def deliver(self, record: records.Record) -> None:
        """Handle one record."""
        match record:
            case records.MessageNew(message=message):
                self._message(message)
            case records.MessageEdited(message=message):
                self._tell(message.room_id, lambda view: told_frame(record, view))
                self._tell_seller(message.room_id, told_frame(record, self._plain))
            case records.MessageDeleted(room_id=room_id):
                self._tell(room_id, lambda view: told_frame(record, view))
                self._tell_seller(room_id, told_frame(record, self._plain))
            case records.SessionEnded() | records.NewsLost():
                end_sockets(self._hub, record, "reconnect")
            case _:
                self._about_person(record)

    def _about_person(self, record: records.Record) -> None:
        match record:
            case records.ReadMoved():
                self._read(record)
            case records.TypingChanged(room_id=room_id, user_id=user_id, number=number, is_typing=is_typing):
                self._tell(
                    room_id,
                    lambda view: shape.typing_frame(view.person_id(user_id, number), is_typing=is_typing),
                    but=user_id,
                )
            case records.PresenceChanged(
                room_id=room_id, user_id=user_id, number=number, is_online=is_online
            ):
                kind = "user_connected" if is_online else "user_disconnected"
                self._tell(
                    room_id,
                    lambda view: shape.frame(kind, user_id=view.person_id(user_id, number)),
                    but=user_id,
                )
            case records.MemberRemoved(room_id=room_id, user_id=user_id):
                self._removed(room_id, user_id)
            case records.RoomClosed(room_id=room_id):
                self._closed(room_id)
            case _:
                return

    def _message(self, message: Message) -> None:
        self._tell(
            message.room_id, lambda view: shape.message_frame(message, view), position=message.position
        )
        if message.kind == shape.SYSTEM and message.text == self._called_text:
            self._tell(message.room_id, lambda view: shape.message_frame(message, view, "support_invited"))
        seller = self._sellers.get(message.room_id)
        # The widget shows frames of this socket and of the chat's own: the seller's own messages must not come twice.
        if seller is not None:
            self._inboxes[seller].rooms[message.room_id] = message.room_position
        if seller is not None and message.sender_number != self._inboxes[seller].number:
            self._tell_seller(message.room_id, shape.message_frame(message, self._plain))

    def _read(self, moved: records.ReadMoved) -> None:
        self._tell(
            moved.room_id,
            lambda view: shape.frame(
                "messages_read", user_id=view.person_id(moved.user_id, moved.number), count=moved.count
            ),
            but=moved.user_id,
        )
        seller = self._sellers.get(moved.room_id)
        if seller is None:
            return
        reader = self._plain.person_id(moved.user_id, moved.number)
        chat_id = self._inboxes[seller].rooms.get(moved.room_id)
        frame = shape.frame("messages_read", chat_id=chat_id, user_id=reader, count=moved.count)
        self._tell_seller(moved.room_id, frame)

    def _removed(self, room_id: RoomId, user_id: UserId) -> None:
        """Close the removed user's sockets, after the frames queued so far."""
        chat = self._chats.get(room_id)
        for guest in tuple(chat.views) if chat is not None else ():
            self._hub.end_in_group(ChatKey(FACE, room_id, guest), user_id, "you are no longer in this chat")
        if self._sellers.get(room_id) == user_id:
            self._forget_for_seller(room_id)

    def _closed(self, room_id: RoomId) -> None:
        """The chat is closed: all members are gone, though not each is removed by an event."""
        chat = self._chats.get(room_id)
        keys = [ChatKey(FACE, room_id, guest) for guest in chat.views] if chat is not None else []
        for key in keys:
            for user_id in {socket.visitor.user_id for socket in self._hub.sockets(key)}:
                self._hub.end_in_group(key, user_id, "the chat was deleted")
        self._forget_for_seller(room_id)

    def _forget_for_seller(self, room_id: RoomId) -> None:
        seller = self._sellers.get(room_id)
        if seller is not None:
            chat_id = self._inboxes[seller].rooms.pop(room_id, None)
            self._tell_seller(room_id, shape.frame("chat_deleted", chat_id=chat_id))
            del self._sellers[room_id]

    def _tell_seller(self, room_id: RoomId, frame: bytes) -> None:
        """Send one frame to the open inbox that is subscribed to this chat."""
        seller = self._sellers.get(room_id)
        if seller is not None:
            self._hub.broadcast(InboxKey(FACE, seller), frame)

    def _tell(
        self,
        room_id: RoomId,
        frame: Callable[[View], bytes],
        *,
        position: int = 0,
        but: UserId | None = None,
    ) -> None:
        """Send one frame per view of the chat to all its sockets."""
        chat = self._chats.get(room_id)
        if chat is None:
            return
        for guest, view in chat.views.items():
            self._hub.broadcast(ChatKey(FACE, room_id, guest), frame(view), position=position, but=but)


def told_frame(record: Told, view: View) -> bytes:
    """The frame of a message's record."""
    match record:
        case records.MessageNew(message=message):
            return shape.message_frame(message, view)
        case records.MessageEdited(message=message):
            return shape.message_frame(message, view, "message_edited")
        case records.MessageDeleted(room_position=chat_id, ref=ref):
            return shape.frame("message_deleted", id=ref.position, chat_id=chat_id)
