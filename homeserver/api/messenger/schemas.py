"""Request and response bodies of the messenger API. All ids are integers."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import TypedDict

from homeserver.http.body import BLANK_IS_ABSENT, MAX_TEXT_CHARS, Body, ClientId, Flag, Number, QueryInt, Text
from homeserver.http.paging import LimitQuery, PageQuery

_PASSWORD = Field(max_length=10_000)
_EMAIL = Field(max_length=1000)


class Registration(Body):
    email: str = _EMAIL
    password: str = _PASSWORD
    display_name: str = Field(max_length=1000)
    tag: Annotated[str | None, BLANK_IS_ABSENT] = Field(
        default=None, max_length=100, description="Made from the e-mail address if absent."
    )


class Login(Body):
    email: str = _EMAIL
    password: str = _PASSWORD


class Refresh(Body):
    refresh_token: str = Field(min_length=1, max_length=1000)


class ProfileChange(Body):
    """Absent or null fields stay unchanged; an empty `avatar_url` removes the avatar."""

    display_name: str | None = Field(default=None, max_length=1000)
    tag: str | None = Field(default=None, max_length=100)
    avatar_url: str | None = Field(default=None, max_length=2000)


class NewDirectChat(Body):
    user_id: Number


class NewGroupChat(Body):
    title: str = Field(min_length=1, max_length=10_000)
    user_ids: tuple[Number, ...] = Field(max_length=100_000)


class ChatQuery(PageQuery):
    search: str = Field(default="", max_length=200, description="Words of the title or of a person's name.")


MessageType = Literal["text", "image", "file", "system"]
_MAX_ID = 2**53 - 1


class NewMessage(Body):
    """Also the data of the frame `message.send`.

    For an image or a file, `payload` has its URL: `url`, and optionally `name`, `size`, `content_type`, `width` and
    `height`; or `content` is its URL. Everything else in `payload` is for your own use.
    """

    chat_id: Number
    type: MessageType = Field(default="text", description="`system` is reserved for the server.")
    content: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] = ""
    payload: dict[str, Any] | None = None
    client_id: ClientId | None = None


class MessageChange(Body):
    content: Text


class MessageQuery(LimitQuery):
    before: QueryInt | None = Field(
        default=None, ge=1, le=_MAX_ID, description="The latest messages before this one."
    )


class ReadMark(Body):
    message_id: Number | None = Field(
        default=None, description="The last message read; by default the newest."
    )


class TypingData(Body):
    """Data of the frame `typing`."""

    chat_id: Number
    is_typing: Flag = True


class ReadData(ReadMark):
    """Data of the frame `read`. The chat is optional if the message is given."""

    chat_id: Number | None = None

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if self.chat_id is None and self.message_id is None:
            raise ValueError("chat_id or message_id is required")
        return self


class SyncData(Body):
    """Data of the frame `sync`. 0: from the beginning."""

    after: Annotated[int, Field(strict=True, ge=0, le=_MAX_ID)]


class Frame(Body):
    """Any frame of a client."""

    event: str = Field(max_length=100)
    data: dict[str, object] = Field(default_factory=dict)


# Answers. `created_at`: ISO 8601 in UTC with milliseconds; `ts` and `edited_at` with microseconds.


class User(TypedDict):
    """`email` is null except for yourself and people you share a chat with."""

    id: int
    email: str | None
    display_name: str
    tag: str
    avatar_url: str | None
    created_at: str


class Tokens(TypedDict):
    """`expires_in`: the access token's lifetime in seconds."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"]
    expires_in: int
    user: User


class Message(TypedDict):
    """`payload` as the sender gave it. For a file sent by another API the server makes it: `url`, `name`,
    `size`, `content_type`, `width`, `height`, `thumbnail_url`, and all `attachments`, each with these."""

    id: int
    chat_id: int
    author_id: int
    type: MessageType
    content: str
    payload: dict[str, Any] | None
    ts: str
    edited_at: str | None


class Chat(TypedDict):
    """A list has only the first participants of large groups."""

    id: int
    title: str
    is_group: bool
    created_at: str
    participants: list[User]
    last_message: Message | None
    unread_count: int
