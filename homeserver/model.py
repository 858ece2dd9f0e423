"""Frozen records that all layers share. They hold facts, no rules, and know no wire.

Times are milliseconds since 1970 (UTC). A `position` says when something came into the log (see `storage/log.py`): it
is what tokens and cursors count, a message's or room's integer id on the product APIs, and what its UUID is made of.
The `place` of an event says where it stands in the history of its room. Whatever happens here comes last in its room
too, and then the two are one number; history that is fetched later stands below all that was there, and is no news.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, NewType

from homeserver.protocol.ids import DeviceId, EventId, RoomId, UserId

LogPosition = NewType("LogPosition", int)
Place = NewType("Place", int)
LOG_START = LogPosition(0)  # before the first entry of the log
FIRST_PLACE = Place(-(2**62))  # before the beginning of every room, whatever history is fetched
LAST_PLACE = Place(2**62)  # after all that will ever come

SessionId = NewType("SessionId", str)
MediaId = NewType("MediaId", str)

RoomKind = Literal["private", "group"]
MessageKind = Literal["text", "image", "video", "file", "system"]
AttachmentKind = Literal["image", "video", "file"]
Role = Literal["admin", "member"]
Content = dict[str, Any]

# Names of our own event types and content keys, in the reverse-domain form that Matrix asks of extensions.
LINK_EVENT = "chat.homeserver.link"  # state: {"service": str, "service_id": str}
CLOSED_EVENT = "chat.homeserver.closed"  # state: {"closed_by": user id}
ENQUIRY_EVENT = (
    "chat.homeserver.enquiry"  # state: {"service", "service_id", "owner": user id, "enquirer": user id}
)
KIND_KEY = "chat.homeserver.kind"  # in m.room.create: "private" | "group"
ATTACHMENT_REL = "chat.homeserver.attachment"  # rel_type: this file belongs to that message
FILE_URL_KEY = "chat.homeserver.file_url"  # content key: a file that lies on somebody else's server
CLIENT_ID_KEY = "chat.homeserver.client_id"  # content key: the sender's own name for the message
PAYLOAD_KEY = (
    "chat.homeserver.payload"  # content key: an application's JSON, as text: events hold no fractions
)
CALLED_KEY = "chat.homeserver.called"  # content key: what kind its sender calls a text, e.g. "image"


GUEST_NAMESPACE = 2**20 + 1  # of the numbers of guests: above every host application's
MATRIX_GUESTS = GUEST_NAMESPACE + 1  # of the numbers of guest accounts of the Matrix API
NOTICES = GUEST_NAMESPACE + 2  # of the number of the account that speaks for the server


def place_at(position: int) -> Place:
    """How far the history of every room had come when the log stood at a position: to the place of what came then."""
    return Place(position)


class EntryKind(StrEnum):
    """What an entry of the log is about."""

    EVENT = "event"
    RECEIPT = "receipt"
    PROFILE = "profile"
    BLOCKS = "blocks"
    SESSION_ENDED = "session_ended"
    SERVICE_KEY_REVOKED = "service_key_revoked"
    DEVICES = "devices"  # a person's devices or keys changed; so may they at any SESSION_ENDED
    KEYS_SIGNED = "keys_signed"  # a person signed the keys of others, which only they see
    TO_DEVICE = "to_device"  # messages for devices of a person
    MEDIA = "media"  # a file came that downloads may wait for: {"media_id"}
    COUNTS = "counts"  # other unread counts of a person, or of all in the room, than were told: {"room_id"}
    ACCOUNT_DATA = "account_data"  # what a person's clients keep changed: {"room_id": "" for none, "type"}
    FORGOTTEN = "forgotten"  # a person wants to know no more of a room that they left: {"room_id"}


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks. Every face turns its credential into one of these.

    `session_key` scopes transaction ids: the same txn_id from one session names the same message. `device_id` is None
    where a credential stands for no device (a host application's token, a guest's cookie).
    `namespace` numbers the people as this requester's application knows them (see `publicids.py`).
    `address` is the client's IP address, for limits, and for its person and the admins to see where a session is used.
    `suspended`, `locked`, `admin`: how the person stands (see `services/accounts/status.py`); most faces
    refuse the first two.
    """

    user_id: UserId
    number: int
    session_key: str
    session_id: SessionId | None = None
    device_id: DeviceId | None = None
    namespace: int = 0
    address: str = ""
    expires_ms: int | None = None
    suspended: bool = False
    locked: bool = False
    admin: bool = False


@dataclass(frozen=True, slots=True)
class HostProfile:
    """What a host application says of a person, for faces that show it; `phone`, `telegram` are theirs to hold back."""

    first_name: str = ""
    last_name: str = ""
    middle_name: str = ""
    role: str = ""
    job: str = ""
    bio: str = ""
    phone: str = ""
    telegram: str = ""
    study_group: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """An account as others may see it; `email` is for the faces to hold back. `host`: None where no host told of it."""

    user_id: UserId
    number: int
    display_name: str
    created_ms: int
    tag: str = ""
    email: str = ""
    avatar_url: str = ""
    host: HostProfile | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that somebody wants to send; the timeline makes the rest of it."""

    type: str
    sender: UserId
    content: Content
    state_key: str | None = None
    redacts: EventId | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """The object of a host application that a room belongs to, e.g. ("course", "42")."""

    service: str
    service_id: str


@dataclass(frozen=True, slots=True)
class Member:
    """A person in a room. `role` is "admin" from power level 50 on."""

    person: Person
    role: Role
    joined_ms: int


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a message. `media_id` for a file of ours, else `file_url` (http or https, or a path of ours)."""

    position: int
    event_id: EventId
    kind: AttachmentKind
    size: int
    name: str
    created_ms: int
    media_id: MediaId | None = None
    file_url: str | None = None
    content_type: str = ""
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class MessageRef:
    """Enough of a message to name it."""

    event_id: EventId
    position: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it reads now: edits applied, files gathered, readers counted (the sender left out).

    `payload` is what the sender's application put beside the text, for its like.
    """

    event_id: EventId
    position: int
    room_id: RoomId
    room_position: int
    sender: UserId
    sender_number: int
    kind: MessageKind
    text: str | None
    created_ms: int
    reply_to: MessageRef | None = None
    edited_ms: int | None = None
    attachments: tuple[Attachment, ...] = ()
    read_by_count: int = 0
    client_id: str | None = None
    payload: Content | None = None

    @property
    def ref(self) -> MessageRef:
        return MessageRef(self.event_id, self.position)


@dataclass(frozen=True, slots=True)
class Room:
    """A room as one person sees it in a list. `members` and `people` are filled where the call promises it.

    `people`: those who are in it, in the order in which they came; in a list perhaps only the first of them.
    """

    room_id: RoomId
    position: int
    kind: RoomKind
    name: str
    topic: str
    creator: UserId
    creator_number: int
    created_ms: int
    link: Link | None
    member_count: int
    unread_count: int
    last_message: Message | None
    members: tuple[Member, ...] | None = None
    people: tuple[Person, ...] | None = None


@dataclass(frozen=True, slots=True)
class RoomNow:
    """A room as it stands, for all who are in it: `unread` says how much of it each of them has not read.

    In `room` nothing is one person's: no unread count, and a private room has no name but its own.
    """

    room: Room
    unread: Mapping[UserId, int]


@dataclass(frozen=True, slots=True)
class RoomPlace:
    """Enough of a room to name it."""

    room_id: RoomId
    position: int


@dataclass(frozen=True, slots=True)
class Page:
    """A slice of a list: at most `limit` items after `offset` of them."""

    limit: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Pusher:
    """A gateway by which a person's device wants to be told of events.

    `data` is what the client gave, `url` in it the gateway. `told`: how much the gateway believes to be unread.
    """

    pusher_id: str
    user_id: UserId
    session_id: SessionId | None
    app_id: str
    pushkey: str
    app_name: str
    device_name: str
    profile_tag: str
    lang: str
    data: Content
    created_ms: int
    told: int = 0
