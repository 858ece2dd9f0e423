"""The sections about the product APIs, CORS and the web pages."""

from pydantic import Field, field_validator

from homeserver.settings.section import Advanced, Origin, Prefix, Section


class UniversitySettings(Section):
    """The chat API of the university portal."""

    enabled: bool = Field(default=True, description="Whether this API is served.")
    prefix: Prefix = Field(default="/api/unet-chat", description="Path prefix of all its endpoints.")
    also_at: tuple[Prefix, ...] = Field(
        default=(),
        max_length=10,
        description="More paths under which the same API is served, e.g. /educations/api/unet-chat.",
    )
    service_key_issuer: str = Field(
        default="",
        max_length=32,
        description="The one of `issuers` whose users a service key of this API may act for; empty: none.",
    )
    show_contacts: bool = Field(
        default=False,
        description="Whether users see each other's e-mail address, phone number and Telegram name.",
    )


class MessengerSettings(Section):
    """The messenger API (also used by the web pages)."""

    enabled: bool = Field(default=True, description="Whether this API is served.")
    prefix: Prefix = Field(default="/api/v1", description="Path prefix of all its endpoints.")
    socket_path: Advanced[Prefix] = Field(default="/ws", description="Path of its WebSocket.")
    service_key_issuer: str = Field(
        default="",
        max_length=32,
        description="The one of `issuers` whose users a service key of this API may act for; empty: none.",
    )
    listed_participants: Advanced[int] = Field(
        default=100,
        ge=2,
        le=1000,
        description="Most participants shown of each chat in a list; the chat itself shows all.",
    )
    live_chats: Advanced[int] = Field(
        default=10_000,
        ge=10,
        le=100_000,
        description="Most chats whose events a new socket receives: the latest ones of its user.",
    )
    presence_chats: Advanced[int] = Field(
        default=50,
        ge=0,
        le=1000,
        description="In how many of their latest chats a user with an open socket is shown as online.",
    )


class CorsSettings(Section):
    """Which other web sites may call the APIs from a browser."""

    origins: tuple[Origin, ...] = Field(
        default=(),
        max_length=1000,
        description='Origins like https://portal.example.org, or only "*" for all; empty: none.',
    )

    @field_validator("origins")
    @classmethod
    def _check_star(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if "*" in origins and len(origins) > 1:
            raise ValueError('"*" stands for all and must stand alone')
        return origins


class WebSettings(Section):
    """The web pages."""

    enabled: bool = Field(default=True, description="Whether the pages are served.")
    demo: bool = Field(
        default=False, description="Create two accounts with known passwords and show them on the login page."
    )
    demo_public: Advanced[bool] = Field(
        default=False, description="Whether the demo may run where others than this machine reach it."
    )
