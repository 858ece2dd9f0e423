"""Request and response bodies of the university API. Conversations and messages have UUIDs, people integers."""

from typing import Annotated, Literal, NotRequired, Self
from uuid import UUID

from pydantic import Field, model_validator
from typing_extensions import TypedDict

from homeserver.http.body import BLANK_IS_ABSENT, Body, ClientId, Flag, Number, Text
from homeserver.http.paging import PageQuery
from homeserver.product_api.schemas import OptionalTextId

Service = Annotated[Annotated[str, Field(max_length=255)] | None, BLANK_IS_ABSENT]
Uuid = Annotated[UUID | None, BLANK_IS_ABSENT]


class NewConversation(Body):
    """A conversation to create or find: there is one private conversation between two people (and per
    service object), and one group per service object."""

    type: Literal["private", "group"]
    title: str | None = Field(default=None, max_length=10_000)
    participant_ids: tuple[Number, ...] | None = Field(default=None, max_length=100_000)
    service: Service = None
    service_id: OptionalTextId = None

    @model_validator(mode="after")
    def _check_link(self) -> Self:
        if (self.service is None) != (self.service_id is None):
            raise ValueError("service and service_id must be given together")
        return self


class ConversationChange(Body):
    """Absent or null fields stay unchanged."""

    title: str | None = Field(default=None, max_length=10_000)
    description: str | None = Field(default=None, max_length=10_000)


class NewParticipant(Body):
    user_id: Number
    role: Literal["admin", "member"] | None = Field(
        default=None, description="Of a new participant `member`, if not given; a participant keeps theirs."
    )


class NewMessage(Body):
    conversation_id: UUID
    sender_id: Number | None = Field(default=None, description="If given, it must be your own id.")
    text: Text | None = None
    reply_to: Uuid = None
    client_id: ClientId | None = None


class MessageChange(Body):
    text: Text


class ReadMark(Body):
    message_id: Uuid = Field(default=None, description="The last message read; by default the newest.")


class NewAttachment(Body):
    """A file by its URL."""

    message_id: UUID
    file_url: str = Field(
        max_length=2000,
        pattern=r"^(https?://[^/\s<>\"'`\\]|/[^/\s<>\"'`\\])[^\s<>\"'`\\]*$",
        description="An http(s) URL, or a path on this server. No other schemes, as clients show it as a link.",
    )
    file_type: Literal["image", "video", "file"] = "file"
    file_size: Annotated[int, Field(strict=True, ge=0, le=2**53 - 1)] = 0


class AttachmentForm(Body):
    """A file, for an existing message (`message_id`) or as a new message (`conversation_id`)."""

    file: str = Field(json_schema_extra={"format": "binary"})
    message_id: UUID | None = None
    conversation_id: UUID | None = None
    text: Text | None = Field(
        default=None, description="Text of the message with the file; only with conversation_id."
    )
    reply_to: UUID | None = Field(
        default=None, description="The message replied to; only with conversation_id."
    )
    client_id: ClientId | None = None


class AttachmentFields(Body):
    """The fields of that form, without the file. A form has no null: what nobody filled in is blank."""

    message_id: Uuid = None
    conversation_id: Uuid = None
    text: Annotated[Text | None, BLANK_IS_ABSENT] = None
    reply_to: Uuid = None
    client_id: Annotated[ClientId | None, BLANK_IS_ABSENT] = None

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        if (self.message_id is None) == (self.conversation_id is None):
            raise ValueError("exactly one of message_id and conversation_id is required")
        return self


class ConversationQuery(PageQuery):
    service: Service = None
    service_id: OptionalTextId = None
    search: str = Field(
        default="", max_length=200, description="Words of the title or of a participant's name."
    )


class MessageQuery(PageQuery):
    before: Uuid = Field(default=None, description="The latest messages before this one.")
    after: Uuid = Field(default=None, description="The earliest messages after this one.")

    @model_validator(mode="after")
    def _check_one_way(self) -> Self:
        if self.before is not None and self.after is not None:
            raise ValueError("before and after must not be given together")
        return self


class MessageFrame(Body):
    """Payload of `message:new` from a client."""

    text: Text
    reply_to: Uuid = None
    client_id: ClientId | None = None


class TypingFrame(Body):
    is_typing: Flag = True


class SyncFrame(Body):
    after: UUID


class Frame(Body):
    """Any frame of a client."""

    type: str = Field(max_length=100)
    payload: dict[str, object] = Field(default_factory=dict)


# Answers. `created_at` and the like: ISO 8601 in UTC, e.g. 2024-11-04T14:30:00.123Z.


class Participant(TypedDict):
    user_id: int
    role: Literal["admin", "member"]
    joined_at: str
    first_name: str
    last_name: str
    avatar: str


class LastMessage(TypedDict):
    id: str
    sender_id: int
    text: str | None
    created_at: str


class Conversation(TypedDict):
    id: str
    type: Literal["private", "group"]
    title: str | None
    created_by: int
    created_at: str
    service: str | None
    service_id: str | None
    description: str
    link: str | None
    unread_count: int
    member_count: int
    last_message: LastMessage | None
    participants: NotRequired[list[Participant]]


class Attachment(TypedDict):
    id: int
    message_id: str
    file_url: str
    file_type: Literal["image", "video", "file"]
    file_size: int
    created_at: str
    name: str
    content_type: str
    width: int | None
    height: int | None
    thumbnail_url: str | None


class Message(TypedDict):
    id: str
    conversation_id: str
    sender_id: int
    text: str | None
    reply_to: str | None
    is_edited: bool
    created_at: str
    attachments: list[Attachment]
    read_by_count: int
    client_id: str | None


class ChatUser(TypedDict):
    """Unknown fields are empty strings."""

    id: int
    first_name: str
    last_name: str
    middle_name: str
    avatar: str
    role: str
    position: str
    email: str
    bio: str
    number_phone: str
    telegram_username: str
    group: str
