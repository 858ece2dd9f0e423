"""The sections about the ways in: the APIs, other web sites and the pages."""

from pydantic import Field, field_validator

from homeserver.settings.section import Advanced, Origin, Prefix, Section


class UniversitySettings(Section):
    """The chat API of the university portal."""

    enabled: bool = Field(default=True, description="Whether this API is served.")
    prefix: Prefix = Field(default="/api/unet-chat", description="Path that all its addresses begin with.")
    also_at: tuple[Prefix, ...] = Field(
        default=(),
        max_length=10,
        description="More paths under which the same API is served, e.g. /educations/api/unet-chat.",
    )
    service_key_issuer: str = Field(
        default="",
        max_length=32,
        description="Which of `issuers` a service key of this API acts for people of; empty: of none.",
    )
    show_contacts: bool = Field(
        default=False, description="Whether people see each other's e-mail, phone and Telegram name."
    )


class MessengerSettings(Section):
    """The messenger API (also what the pages log in with)."""

    enabled: bool = Field(default=True, description="Whether this API is served.")
    prefix: Prefix = Field(default="/api/v1", description="Path that all its addresses begin with.")
    socket_path: Advanced[Prefix] = Field(default="/ws", description="Path of its WebSocket.")
    service_key_issuer: str = Field(
        default="",
        max_length=32,
        description="Which of `issuers` a service key of this API acts for people of; empty: of none.",
    )
    listed_participants: Advanced[int] = Field(
        default=100,
        ge=2,
        le=1000,
        description="Most participants that a list of chats shows of each; the chat itself shows all.",
    )
    live_chats: Advanced[int] = Field(
        default=10_000,
        ge=10,
        le=100_000,
        description="Most chats that a new socket of one person hears: the latest ones.",
    )
    presence_chats: Advanced[int] = Field(
        default=50,
        ge=0,
        le=1000,
        description="In how many of their latest chats a person is shown as online while a socket is open.",
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
    """The pages in the browser."""

    enabled: bool = Field(default=True, description="Whether the pages are served.")
    demo: bool = Field(
        default=False, description="Make two accounts with known passwords and show them on the login page."
    )
