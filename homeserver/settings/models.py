"""The settings: one record per section, and `Settings`, which holds them all.

Durations end in `_s` or `_ms`, sizes in `_bytes`. Every key has a default that is safe and works, a
description and bounds; `config/reference.yaml` is made from them. A part of the server takes the record of
its own section.
"""

from typing import Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from homeserver.settings.chat import MediaSettings, RoomSettings, SocketSettings, ThumbnailSize
from homeserver.settings.encryption import EncryptionSettings
from homeserver.settings.faces import CorsSettings, MessengerSettings, UniversitySettings, WebSettings
from homeserver.settings.federation import FederationSettings
from homeserver.settings.issuers import Algorithm, ClaimSettings, IssuerSettings
from homeserver.settings.matrix import (
    GuestAccountSettings,
    InteractionSettings,
    MatrixSettings,
    NoticeSettings,
    PolicySettings,
    UserDirectorySettings,
)
from homeserver.settings.moderation import ModerationSettings
from homeserver.settings.pairs import (
    check_demo,
    check_issuers,
    check_listeners,
    check_prefixes,
    check_registration,
    check_service_keys,
)
from homeserver.settings.people import (
    AccountSettings,
    BucketSettings,
    GuestSettings,
    RateLimitSettings,
    TokenSettings,
)
from homeserver.settings.previews import PreviewSettings
from homeserver.settings.process import (
    DatabaseSettings,
    ListenSettings,
    LogSettings,
    MetricsSettings,
    ServerSettings,
    TimelineSettings,
)
from homeserver.settings.push import PushSettings
from homeserver.settings.section import Section
from homeserver.settings.wellknown import ContactSettings, TurnSettings, WellKnownSettings

__all__ = [
    "AccountSettings",
    "Algorithm",
    "BucketSettings",
    "ClaimSettings",
    "ContactSettings",
    "CorsSettings",
    "DatabaseSettings",
    "EncryptionSettings",
    "FederationSettings",
    "GuestAccountSettings",
    "GuestSettings",
    "InteractionSettings",
    "IssuerSettings",
    "ListenSettings",
    "LogSettings",
    "MatrixSettings",
    "MediaSettings",
    "MessengerSettings",
    "MetricsSettings",
    "ModerationSettings",
    "NoticeSettings",
    "PolicySettings",
    "PreviewSettings",
    "PushSettings",
    "RateLimitSettings",
    "RoomSettings",
    "ServerSettings",
    "Settings",
    "SocketSettings",
    "ThumbnailSize",
    "TimelineSettings",
    "TokenSettings",
    "TurnSettings",
    "UniversitySettings",
    "UserDirectorySettings",
    "WebSettings",
    "WellKnownSettings",
]


class Settings(Section):
    """All settings of one server. Inconsistent combinations of values are refused at construction."""

    server: ServerSettings = Field(default=ServerSettings(), description="Name and addresses of this server.")
    listen: ListenSettings = Field(default=ListenSettings(), description="The HTTP listener.")
    database: DatabaseSettings = Field(default=DatabaseSettings(), description="The database.")
    timeline: TimelineSettings = Field(default=TimelineSettings(), description="The log of events.")
    accounts: AccountSettings = Field(default=AccountSettings(), description="Local accounts.")
    tokens: TokenSettings = Field(default=TokenSettings(), description="Access and refresh tokens.")
    guests: GuestSettings = Field(default=GuestSettings(), description="Guests: users without an account.")
    issuers: tuple[IssuerSettings, ...] = Field(
        default=(), max_length=100, description="Host applications whose tokens are accepted."
    )
    rate_limits: RateLimitSettings = Field(default=RateLimitSettings(), description="Rate limits.")
    moderation: ModerationSettings = Field(
        default=ModerationSettings(), description="Moderation: repetition, links, words, blocks, reports."
    )
    media: MediaSettings = Field(default=MediaSettings(), description="Media: uploads, quotas, thumbnails.")
    previews: PreviewSettings = Field(
        default=PreviewSettings(), description="URL previews for Matrix clients."
    )
    rooms: RoomSettings = Field(default=RoomSettings(), description="Rooms and messages.")
    e2ee: EncryptionSettings = Field(
        default=EncryptionSettings(),
        description="End-to-end encryption: device keys, to-device messages, backups.",
    )
    sockets: SocketSettings = Field(default=SocketSettings(), description="WebSockets.")
    push: PushSettings = Field(default=PushSettings(), description="Push notifications.")
    university: UniversitySettings = Field(
        default=UniversitySettings(), description="API of the university portal."
    )
    messenger: MessengerSettings = Field(default=MessengerSettings(), description="API of the messenger.")
    matrix: MatrixSettings = Field(default=MatrixSettings(), description="The Matrix client-server API.")
    guest_accounts: GuestAccountSettings = Field(
        default=GuestAccountSettings(), description="Guest accounts of the Matrix API."
    )
    notices: NoticeSettings = Field(default=NoticeSettings(), description="Server notices.")
    user_directory: UserDirectorySettings = Field(
        default=UserDirectorySettings(), description="Visibility of users to each other."
    )
    interactions: InteractionSettings = Field(
        default=InteractionSettings(), description="User-interactive authentication (UIA)."
    )
    well_known: WellKnownSettings = Field(
        default=WellKnownSettings(), description="Files below /.well-known/matrix."
    )
    federation: FederationSettings = Field(default=FederationSettings(), description="Other homeservers.")
    turn: TurnSettings = Field(default=TurnSettings(), description="TURN servers for calls.")
    cors: CorsSettings = Field(
        default=CorsSettings(), description="Cross-origin requests from other web sites."
    )
    web: WebSettings = Field(default=WebSettings(), description="The web pages.")
    metrics: MetricsSettings = Field(default=MetricsSettings(), description="Metrics for Prometheus.")
    bridges: dict[str, dict[str, Any]] = Field(
        default={},
        max_length=100,
        description="Bridges by name, each with its own settings: see docs/bridges.md.",
    )
    logs: LogSettings = Field(default=LogSettings(), description="The server's own log.")

    @model_validator(mode="after")
    def _check_pairs(self) -> Self:
        clashes = [
            *check_issuers(self.issuers),
            *check_prefixes(self.university, self.messenger),
            *check_service_keys(self.university, self.messenger, self.issuers),
            *check_listeners(self.listen, self.metrics),
            *check_demo(self.web, self.listen, self.server),
            *check_registration(self.accounts, self.guest_accounts, self.rate_limits, self.listen),
        ]
        if clashes:
            text = "; ".join(f"{clash.where()}: {clash.message}" for clash in clashes)
            raise PydanticCustomError("clash", "{text}", {"text": text, "clashes": tuple(clashes)})
        return self
