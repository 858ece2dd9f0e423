"""Request and response bodies. Ids of chats, messages, listings and sellers are integers. Ids of buyers are text: the
integer of a registered user, or a guest's UUID."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from typing_extensions import TypedDict

from homeserver.http.body import BLANK_IS_ABSENT, Body, Flag, Number, Query, QueryInt
from homeserver.product_api.schemas import OptionalTextId, TextId

MAX_TEXT_CHARS = 10_000  # the most that the settings allow; the bridge checks the configured limit


def _flag(value: object) -> object:
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower(), value)


PersonId = TextId
OptionalPersonId = OptionalTextId
OptionalText = Annotated[str | None, BLANK_IS_ABSENT]
QueryFlag = Annotated[bool, BeforeValidator(_flag), Field(strict=True)]
Id = Annotated[QueryInt, Field(ge=1, le=2**53 - 1)]


class NewChat(Body):
    iphone_id: Number
    seller_id: Number
    buyer_id: PersonId
    buyer_is_registered: Flag | None = None


class ChatQuery(Query):
    iphone_id: Id
    seller_id: Id
    buyer_id: PersonId


class MyQuery(Query):
    user_id: PersonId
    is_seller: QueryFlag = False
    limit: QueryInt | None = Field(default=None, ge=1, le=20_000)
    offset: QueryInt = Field(default=0, ge=0, le=1_000_000)


class WhoQuery(Query):
    """`user_id`: the caller; optional for a client with a cookie or a token."""

    user_id: OptionalPersonId = None


class PageQuery(WhoQuery):
    limit: QueryInt = Field(default=100, ge=1, le=500)
    offset: QueryInt = Field(
        default=0, ge=0, le=1_000_000, description="So many you have already, from the oldest."
    )
    before: Id | None = Field(
        default=None, description="Instead of `offset`: the newest before this message id."
    )


class StaffQuery(Query):
    support_user_id: OptionalPersonId = None


class OrderQuery(Query):
    post_id: Id
    buyer_id: PersonId


class NewMessage(Body):
    message_text: str = Field(default="", max_length=MAX_TEXT_CHARS)
    message_type: Literal["text", "image", "file"] = "text"
    sender_id: OptionalPersonId = Field(default=None, description="If given, it must be your own id.")
    sender_is_registered: Flag | None = None
    file_url: OptionalText = Field(default=None, max_length=2000)
    file_name: OptionalText = Field(default=None, max_length=500)
    file_size: int | None = Field(default=None, ge=0, le=2**53 - 1)
    client_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="Your own id for the message: a retry with the same id sends nothing.",
    )


class NewReport(Body):
    message_id: Number
    reason: str = Field(default="", max_length=MAX_TEXT_CHARS)


class PushKeys(Body):
    p256dh: str = Field(min_length=1, max_length=200, description="The browser's public key, base64url.")
    auth: str = Field(min_length=1, max_length=100, description="The browser's secret, base64url.")


class PushSubscription(Body):
    """The result of `PushSubscription.toJSON()` in a browser."""

    endpoint: str = Field(min_length=1, max_length=2000)
    keys: PushKeys


class PushEndpoint(Body):
    endpoint: str = Field(min_length=1, max_length=2000)


class TypingFrame(Body):
    is_typing: Flag


class NameQuery(WhoQuery):
    file_name: str = Field(min_length=1, max_length=500)
    content_type: str = Field(default="", max_length=200)


class TicketQuery(WhoQuery):
    """`id`, `e` and `s` as in the URL that upload-url answered."""

    id: str | None = Field(default=None, max_length=100)
    e: QueryInt | None = Field(default=None, ge=0)
    s: str | None = Field(default=None, max_length=200)


class UploadedQuery(WhoQuery):
    file_id: str = Field(min_length=1, max_length=100)
    file_name: str = Field(default="", max_length=500)
    file_size: QueryInt | None = Field(default=None, ge=0)


class UploadForm(Body):
    file: bytes


class Claim(Body):
    guest_id: OptionalText = Field(
        default=None, max_length=255, description="The guest's UUID, without its cookie."
    )


class Message(TypedDict):
    """`message_text` is null for a file without a text."""

    id: int
    chat_id: int
    sender_id: str
    sender_is_registered: bool
    message_text: str | None
    message_type: Literal["text", "image", "file", "system"]
    file_url: str | None
    file_name: str | None
    file_size: int | None
    is_read: bool
    created_at: str


class Chat(TypedDict):
    id: int
    iphone_id: int
    seller_id: int
    buyer_id: str
    buyer_is_registered: bool
    seller_name: str
    buyer_name: str | None
    anonymous_buyer_number: int | None
    is_hidden_by_buyer: bool
    is_hidden_by_seller: bool
    support_joined: bool
    support_user_id: int | None
    created_at: str
    updated_at: str
    unread_count: int
    last_message: str | None
    last_message_time: str | None


class ChatWithMessages(Chat):
    messages: list[Message]


class Marked(TypedDict):
    marked_as_read: int


class Told(TypedDict):
    message: str


class Hidden(TypedDict):
    message: str
    hidden_count: int


class Deleted(TypedDict):
    deleted: bool


class VapidKey(TypedDict):
    publicKey: str


class Done(TypedDict):
    success: bool
    message: str


class File(TypedDict):
    file_id: str
    file_name: str
    file_size: int
    public_url: str


class UploadPlace(TypedDict):
    upload_url: str
    id: str
    method: Literal["server_upload"]


class Me(TypedDict):
    user_id: str | None
    is_registered: bool
    is_staff: bool


class Claimed(TypedDict):
    claimed: int
