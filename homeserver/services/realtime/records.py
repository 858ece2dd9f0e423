"""Neutral records of what happened in rooms: the feed makes each once, and each API renders it in its own format."""

from dataclasses import dataclass
from typing import TypeAlias

from homeserver.model import LogPosition, Member, Message, MessageRef, RoomNow, SessionId
from homeserver.protocol.ids import RoomId, UserId


@dataclass(frozen=True, slots=True)
class MessageNew:
    message: Message


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """The text or the files of a message changed."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessageDeleted:
    room_id: RoomId
    room_position: LogPosition
    ref: MessageRef


@dataclass(frozen=True, slots=True)
class ReadMoved:
    """A user has read a room up to a message; `count` messages of other users were new to them."""

    room_id: RoomId
    user_id: UserId
    number: int
    ref: MessageRef
    count: int = 0


@dataclass(frozen=True, slots=True)
class MemberAdded:
    """A user joined. `now`, here and below: the room's current state, for followers; close records share one."""

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
    """Name, description or roles of a room changed."""

    room_id: RoomId
    now: RoomNow | None = None


@dataclass(frozen=True, slots=True)
class RoomClosed:
    """A room was closed for all its members; the removal of each follows."""

    room_id: RoomId


@dataclass(frozen=True, slots=True)
class TypingChanged:
    room_id: RoomId
    user_id: UserId
    number: int
    is_typing: bool


@dataclass(frozen=True, slots=True)
class PresenceChanged:
    """A user's first live connection to a room opened, or the last one closed."""

    room_id: RoomId
    user_id: UserId
    number: int
    is_online: bool


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session has ended; without `session_id`, all sessions of the user."""

    session_id: SessionId | None
    user_id: UserId


@dataclass(frozen=True, slots=True)
class NewsLost:
    """The queue was full and records were dropped: receivers must read what they missed."""


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
