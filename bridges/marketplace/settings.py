"""The section `bridges: {marketplace: {...}}`."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

Prefix = Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$", max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=500)]


class SupportTexts(BaseModel):
    """System messages in a chat when support is called, joins and leaves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    called: Text = "Техническая поддержка приглашена в чат"
    joined: Text = "Техническая поддержка присоединилась к чату"
    left: Text = "Техническая поддержка покинула чат"


Page = Annotated[str, Field(max_length=300)]


class PageSettings(BaseModel):
    """The marketplace's page that shows a chat, opened by a click on a notification.

    A URL on the site of the page that asked for notifications, with {chat_id} and {listing} as placeholders.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    buyer: Page = Field(default="/product.html#chat={chat_id}", description="The buyer's page.")
    seller: Page = Field(default="/profile.html#chat={chat_id}", description="The seller's page.")
    support: Page = Field(default="/", description="The page of the staff.")


class MarketplaceSettings(BaseModel):
    """Durations end in _s, sizes in _bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    prefixes: tuple[Prefix, ...] = Field(
        default=("/api/chat", "/api/v1/chat"),
        min_length=1,
        max_length=8,
        description="Paths that the API is served under; the first one stands in the documentation.",
    )
    issuer: str = Field(
        default="",
        max_length=32,
        description="Which of `issuers` the marketplace is; empty: its people have their accounts here.",
    )
    service: str = Field(
        default="marketplace",
        pattern=r"^[a-z0-9_-]{1,64}$",
        description="Name of the marketplace in links of rooms. Never change it.",
    )
    token_cookie: str = Field(
        default="access_token",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Cookie in which the marketplace keeps a person's token.",
    )
    staff_types: tuple[str, ...] = Field(
        default=("support", "admin"),
        max_length=16,
        description="Values of `user_type` in a token that mark staff.",
    )
    trust_user_id: bool = Field(
        default=False,
        description="Believe bare ids without a token. Only on loopback or behind a trusted proxy.",
    )
    posts_url: str | None = Field(
        default=None,
        max_length=1000,
        description="Address of a listing, e.g. http://posts:3000/api/v1/posts/{id}; empty: nothing is checked.",
    )
    posts_seller_field: str = Field(
        default="author_id",
        min_length=1,
        max_length=100,
        description="Where the seller's id stands in a listing; a dot leads into an object.",
    )
    posts_timeout_s: float = Field(default=3.0, ge=0.1, le=30, description="Deadline for asking.")
    posts_max_bytes: int = Field(default=262_144, ge=1024, le=4_194_304, description="Largest answer read.")
    posts_cache_s: int = Field(default=60, ge=0, le=86_400, description="How long an answer is believed.")
    posts_cache_entries: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Listings kept in memory."
    )
    posts_concurrency: int = Field(default=20, ge=1, le=1000, description="Listings asked for at once.")
    max_message_chars: int = Field(default=2000, ge=1, le=10_000, description="Longest message.")
    max_chats: int = Field(
        default=5000, ge=1, le=20_000, description="Most chats in a list, and on a seller's socket."
    )
    cached_chats: int = Field(
        default=20_000,
        ge=100,
        le=1_000_000,
        description="Chats kept in memory as lists show them to sellers.",
    )
    max_upload_bytes: int = Field(
        default=10 * 1024 * 1024,
        ge=1024,
        le=1024**3,
        description="Largest file, within media.max_upload_bytes.",
    )
    upload_types: tuple[str, ...] = Field(
        default=("image/jpeg", "image/png", "image/gif", "image/webp", "application/pdf"),
        min_length=1,
        max_length=50,
        description="What a file may be, as its first bytes show.",
    )
    upload_ticket_s: int = Field(
        default=900, ge=10, le=86_400, description="How long an address from upload-url is good."
    )
    embeds: bool = Field(
        default=True, description="Serve the scripts chat.js and seller-chats.js for the marketplace's pages."
    )
    pages: PageSettings = Field(default=PageSettings(), description="Pages that show a chat.")
    support: SupportTexts = Field(default=SupportTexts(), description="What the system says of support.")

    @field_validator("posts_url")
    @classmethod
    def _check_posts_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or url.count("{id}") != 1:
            raise ValueError("must be an http(s) URL that contains {id} once")
        if "{id}" in parts.netloc:
            raise ValueError("{id} must not be part of the host name")
        return url
