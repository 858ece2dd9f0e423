"""The sections about the Matrix client API."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from homeserver.settings.section import DAY_S, MIB, Advanced, PublicUrl, Section

LanguageCode = Annotated[str, Field(pattern=r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$")]


class PolicyAddress(Section):
    """Where a document stands in one language."""

    language: LanguageCode = Field(description="Code of the language, e.g. en.")
    url: PublicUrl = Field(description="Address of the document.")


class PolicySettings(Section):
    """A document that people must agree to before they get an account."""

    id: str = Field(pattern=r"^[a-z0-9_]{1,50}$", description="A name for programs, e.g. terms_of_service.")
    version: str = Field(min_length=1, max_length=50, description="Version of the document.")
    name: str = Field(min_length=1, max_length=200, description="What it is called.")
    addresses: tuple[PolicyAddress, ...] = Field(
        min_length=1, max_length=50, description="Where it stands, by language."
    )


class InteractionSettings(Section):
    """Calls that ask a person to prove themselves anew (user-interactive authentication)."""

    ttl_s: Advanced[int] = Field(
        default=900, ge=60, le=DAY_S, description="How long one may take for all stages."
    )
    max_bytes: Advanced[int] = Field(
        default=65_536, ge=20_000, le=MIB, description="Largest request that is kept until all were passed."
    )


class GuestAccountSettings(Section):
    """Guest accounts of the Matrix API: made by anybody, without a password."""

    enabled: bool = Field(default=False, description="Whether anybody may make a guest account.")
    idle_s: int = Field(
        default=30 * DAY_S,
        ge=8 * DAY_S,  # uses are written down every tokens.purge_interval_s
        le=3650 * DAY_S,
        description="A guest who was not here for so long is closed and leaves; what they wrote stays.",
    )
    sweep_interval_s: Advanced[float] = Field(
        default=3600.0, ge=1, le=7 * DAY_S, description="How often idle guests are looked for."
    )
    sweep_batch: Advanced[int] = Field(
        default=100, ge=1, le=1000, description="Most guests closed in one transaction."
    )


class NoticeSettings(Section):
    """What admins let the server say to its people, in a room for each."""

    enabled: bool = Field(default=False, description="Whether admins may send notices.")
    localpart: str = Field(
        default="notices",
        pattern=r"^[a-z0-9._=/-]{1,64}$",
        description="The account that speaks, made at the start; it may not be somebody's.",
    )
    display_name: str = Field(default="Server notices", max_length=100, description="Its name.")
    avatar_url: str = Field(default="", max_length=1000, description="Its picture, an mxc:// address.")
    room_name: str = Field(default="Server notices", max_length=100, description="The name of the rooms.")


class UserDirectorySettings(Section):
    """Whom Matrix clients find by name."""

    all_users: bool = Field(
        default=False,
        description="Whether everybody is found by everybody; else those in a common or a public room.",
    )


class MatrixSettings(Section):
    """The Matrix client-server API."""

    enabled: bool = Field(default=True, description="Whether this API is served.")
    max_page: Advanced[int] = Field(
        default=100, ge=10, le=1000, description="Most events in one page of history."
    )
    cached_events: Advanced[int] = Field(
        default=20_000, ge=100, le=1_000_000, description="Events whose JSON is kept in memory."
    )
    cached_memberships: Advanced[int] = Field(
        default=50_000, ge=100, le=10_000_000, description="Rooms of people who sync that are kept in memory."
    )
    cached_audience: Advanced[int] = Field(
        default=200_000,
        ge=1000,
        le=10_000_000,
        description="Members of rooms that are kept in memory to see whom an event is told to.",
    )
    max_account_data_bytes: Advanced[int] = Field(
        default=65_536, ge=4096, le=MIB, description="Largest piece of account data, as JSON."
    )
    max_account_data: Advanced[int] = Field(
        default=20_000, ge=100, le=1_000_000, description="Most pieces of account data of one person."
    )
    max_filters: Advanced[int] = Field(
        default=200, ge=10, le=10_000, description="Most stored filters of one person."
    )
    sync_timeline: Advanced[int] = Field(
        default=10, ge=1, le=100, description="Events of a room in a sync that asks for no number."
    )
    max_sync_timeline: Advanced[int] = Field(
        default=50, ge=1, le=1000, description="Most events of one room in a sync."
    )
    max_sync_wait_s: Advanced[int] = Field(
        default=60, ge=1, le=600, description="How long a sync waits for news at most."
    )
    max_waiting_syncs: Advanced[int] = Field(
        default=10_000, ge=10, le=1_000_000, description="Most syncs that wait at the same time."
    )
    max_sliding_rooms: Advanced[int] = Field(
        default=500, ge=10, le=10_000, description="Most rooms in one answer of sliding sync; more come next."
    )
    max_sliding_connections: Advanced[int] = Field(
        default=10, ge=2, le=1000, description="Most connections of sliding sync of one session."
    )
    max_all_sliding_connections: Advanced[int] = Field(
        default=100_000, ge=100, le=10_000_000, description="Most of them altogether."
    )
    sliding_connection_days: Advanced[int] = Field(
        default=14, ge=1, le=365, description="After how many days without use a connection is forgotten."
    )
    cached_rosters: Advanced[int] = Field(
        default=1000, ge=10, le=100_000, description="People whose list of rooms is kept in memory."
    )
    presence: bool = Field(default=True, description="Whether clients are told who is online.")
    presence_forget_s: Advanced[int] = Field(
        default=120, ge=70, le=3600, description="After how long without a word somebody is offline."
    )
    max_presences: Advanced[int] = Field(
        default=10_000,
        ge=10,
        le=30_000,
        description="Most people of whom it is known whether they are online.",
    )
    max_room_aliases: Advanced[int] = Field(
        default=100, ge=1, le=10_000, description="Most names that a room may have on this server."
    )
    max_public_rooms: Advanced[int] = Field(
        default=100, ge=10, le=1000, description="Most published rooms in one page of the list."
    )
    max_space_page: Advanced[int] = Field(
        default=50, ge=1, le=500, description="Most rooms in one page of a space."
    )
    max_space_depth: Advanced[int] = Field(
        default=10, ge=1, le=50, description="How deep spaces are looked into."
    )
    max_space_rooms: Advanced[int] = Field(
        default=1000, ge=10, le=20_000, description="Most rooms of a space that are looked at."
    )
    max_upgrade_events: Advanced[int] = Field(
        default=5000,
        ge=100,
        le=100_000,
        description="Most pieces of state that go into the room which replaces another.",
    )
    login_token_ttl_s: Advanced[int] = Field(
        default=120, ge=10, le=3600, description="Life of a token that lets another own device in."
    )
    max_waiting_profiles: Advanced[int] = Field(
        default=10_000,
        ge=10,
        le=1_000_000,
        description="Most people whose new name or picture waits to be told to their rooms.",
    )
    notification_pace_s: Advanced[float] = Field(
        default=0.05,
        ge=0,
        le=10,
        description="How often, at most, it is looked at whom a stream of messages notifies and what is unread."
        " A message that comes alone is looked at at once.",
    )
    search_gather_s: Advanced[float] = Field(
        default=1.0, ge=0, le=60, description="How long messages come together before a search finds them."
    )
    max_search_page: Advanced[int] = Field(
        default=50, ge=1, le=500, description="Most results in one answer of a search."
    )
    max_search_context: Advanced[int] = Field(
        default=10, ge=0, le=50, description="Most events before a result of a search, and after it."
    )
    max_delayed_events: Advanced[int] = Field(
        default=100, ge=1, le=10_000, description="Most events of one person that wait to be sent later."
    )
    max_delay_s: Advanced[int] = Field(
        default=7 * DAY_S, ge=60, le=366 * DAY_S, description="How much later an event may be sent."
    )
    delayed_poll_s: Advanced[float] = Field(
        default=5.0,
        ge=0.05,
        le=60,
        description="How often a process looks for events to send that were given to another one.",
    )
    registration_needs_token: bool = Field(
        default=False,
        description="Whether a registration token is asked for (see homeserver registration-token).",
    )
    policies: tuple[PolicySettings, ...] = Field(
        default=(), max_length=20, description="What people must agree to at registration."
    )
    shared_secret: SecretStr | None = Field(
        default=None,
        description="Lets programs make accounts at /_synapse/admin/v1/register. Better: shared_secret_file.",
    )
    shared_secret_file: Path | None = Field(default=None, description="File that holds this secret.")
    nonce_ttl_s: Advanced[int] = Field(
        default=60, ge=10, le=3600, description="Life of a nonce for that call."
    )
    max_nonces: Advanced[int] = Field(default=1000, ge=10, le=100_000, description="Most nonces at a time.")

    @model_validator(mode="after")
    def _check_secret(self) -> Self:
        if self.shared_secret is not None and len(self.shared_secret.get_secret_value()) < 16:
            raise ValueError("shared_secret must have at least 16 characters")
        return self
