"""What happened in rooms, as neutral records: the feed makes each once, and each API shows it in its own words."""

from dataclasses import dataclass
from typing import TypeAlias

from homeserver.model import Member, Message, MessageRef, RoomNow, SessionId
from homeserver.protocol.ids import RoomId, UserId


@dataclass(frozen=True, slots=True)
class MessageNew:
    message: Message


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """A message reads differently now: its text or its files changed."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessageDeleted:
    room_id: RoomId
    room_position: int
    ref: MessageRef


@dataclass(frozen=True, slots=True)
class ReadMoved:
    """A person has read a room up to a message; `count` messages of others were new to them."""

    room_id: RoomId
    user_id: UserId
    number: int
    ref: MessageRef
    count: int = 0


@dataclass(frozen=True, slots=True)
class MemberAdded:
    """`now`, here and below: the room as it stands, for followers. What comes close together has the same one."""

    room_id: RoomId
    member: Member
    now: RoomNow | None = None


@dataclass(frozen=True, slots=True)
class MemberRemoved:
    room_id: RoomId
    user_id: UserId
    number: int
    now: RoomNow | None = None


@dataclass(frozen=True, slots=True)
class RoomChanged:
    """Name, description or roles of a room are different now."""

    room_id: RoomId
    now: RoomNow | None = None


@dataclass(frozen=True, slots=True)
class RoomClosed:
    """A room is closed for all; that each of them is out of it follows."""

    room_id: RoomId


@dataclass(frozen=True, slots=True)
class TypingChanged:
    room_id: RoomId
    user_id: UserId
    number: int
    is_typing: bool


@dataclass(frozen=True, slots=True)
class PresenceChanged:
    """A person came to a room's live connection, or went from it."""

    room_id: RoomId
    user_id: UserId
    number: int
    is_online: bool


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session is over; without `session_id`, every one of this person."""

    session_id: SessionId | None
    user_id: UserId


@dataclass(frozen=True, slots=True)
class NewsLost:
    """Too much happened at once: some news will not come. Whoever listens must read up on what they missed."""


Record: TypeAlias = (
    MessageNew
    | MessageEdited
    | MessageDeleted
    | ReadMoved
    | MemberAdded
    | MemberRemoved
    | RoomChanged
    | RoomClosed
    | TypingChanged
    | PresenceChanged
    | SessionEnded
    | NewsLost
)
