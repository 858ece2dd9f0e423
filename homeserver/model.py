"""Frozen records that all layers share. They hold data, no rules, and no wire format.

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

# Our own event types and content keys, namespaced as Matrix asks of extensions.
LINK_EVENT = "chat.homeserver.link"  # state: {"service": str, "service_id": str}
CLOSED_EVENT = "chat.homeserver.closed"  # state: {"closed_by": user id}
ENQUIRY_EVENT = (
    "chat.homeserver.enquiry"  # state: {"service", "service_id", "owner": user id, "enquirer": user id}
)
KIND_KEY = "chat.homeserver.kind"  # in m.room.create: "private" | "group"
ATTACHMENT_REL = "chat.homeserver.attachment"  # rel_type: this file belongs to that message
FILE_URL_KEY = "chat.homeserver.file_url"  # content key: URL of a file on another server
CLIENT_ID_KEY = "chat.homeserver.client_id"  # content key: the client's id of the message, for retries
PAYLOAD_KEY = (
    "chat.homeserver.payload"  # content key: an application's JSON, as text, as events cannot hold floats
)
CALLED_KEY = "chat.homeserver.called"  # content key: the sender's kind of a text message, e.g. "image"


GUEST_NAMESPACE = 2**20 + 1  # namespace of the numbers of guests: above every host application's
MATRIX_GUESTS = GUEST_NAMESPACE + 1  # namespace of the numbers of Matrix guest accounts
NOTICES = GUEST_NAMESPACE + 2  # namespace of the number of the server notices account


def place_at(position: LogPosition) -> Place:
    """How far the history of every room had come when the log stood at a position: to the place of what came then."""
    return Place(position)


class EntryKind(StrEnum):
    """The kind of a log entry."""

    EVENT = "event"
    RECEIPT = "receipt"
    PROFILE = "profile"
    BLOCKS = "blocks"
    SESSION_ENDED = "session_ended"
    SERVICE_KEY_REVOKED = "service_key_revoked"
    DEVICES = "devices"  # a user's devices or keys changed; any SESSION_ENDED may change them too
    KEYS_SIGNED = "keys_signed"  # a user signed other users' keys, which only they see
    TO_DEVICE = "to_device"  # to-device messages for devices of a user
    MEDIA = "media"  # a file was uploaded that downloads may wait for: {"media_id"}
    COUNTS = "counts"  # unread counts of a user, or of all members of the room, changed: {"room_id"}
    ACCOUNT_DATA = "account_data"  # a user's account data changed: {"room_id": "" for global, "type"}
    FORGOTTEN = "forgotten"  # a user forgot a room that they left: {"room_id"}


@dataclass(frozen=True, slots=True)
class Requester:
    """The authenticated user of a request. Every API makes one from its own kind of credential.

    `session_key` scopes transaction ids: the same txn_id from one session names the same message. `device_id` is None
    for credentials without a device (a host application's token, a guest's cookie).
    `namespace` selects the user numbers that this requester's application knows (see `publicids.py`).
    `address` is the client's IP address, for rate limits, and shown to the user and to admins as a session's last use.
    `suspended`, `locked`, `admin`: account status (see `services/accounts/status.py`); most APIs refuse the first two.
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
    """A user's profile at a host application, for APIs that show it. They decide who may see `phone`, `telegram`."""

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
    """An account as other users may see it; the APIs decide who may see `email`. `host`: None for users of no host."""

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
    """An event to be sent; the timeline adds the remaining fields."""

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
    """A joined member of a room. `role` is "admin" from power level 50 on."""

    person: Person
    role: Role
    joined_ms: int


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a message: `media_id` for a local file, else `file_url` (http or https, or a path on this server)."""

    position: LogPosition
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
    """A message's ids."""

    event_id: EventId
    position: LogPosition


@dataclass(frozen=True, slots=True)
class Message:
    """A message in its current form: edits applied, attachments collected, readers counted (without the sender).

    `payload` is JSON that the sender's application added for other instances of itself.
    """

    event_id: EventId
    position: LogPosition
    room_id: RoomId
    room_position: LogPosition
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
    """A room as one user sees it in a list. `members` and `people` are only filled by methods that say so.

    `people`: the joined members in the order of their joins; in a list perhaps only the first of them.
    """

    room_id: RoomId
    position: LogPosition
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
    """A room in its current form, for all its members; `unread` has the unread count of each.

    `room` has nothing that differs between members: no unread count, and no name made up for a private room.
    """

    room: Room
    unread: Mapping[UserId, int]


@dataclass(frozen=True, slots=True)
class RoomPlace:
    """A room's ids."""

    room_id: RoomId
    position: LogPosition


@dataclass(frozen=True, slots=True)
class Page:
    """A slice of a list: at most `limit` items after the first `offset`."""

    limit: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Pusher:
    """A pusher (client-server API, "Push Notifications"): the push gateway of one app on a user's device.

    `data` is the client's, with the gateway's `url`. `told`: the unread count that the gateway was last sent.
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
