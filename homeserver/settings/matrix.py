"""The sections about the Matrix client API."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from homeserver.settings.section import DAY_S, MIB, Advanced, PublicUrl, Section

LanguageCode = Annotated[str, Field(pattern=r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$")]


class PolicyAddress(Section):
    """A policy document in one language."""

    language: LanguageCode = Field(description="Code of the language, e.g. en.")
    url: PublicUrl = Field(description="URL of the document.")


class PolicySettings(Section):
    """A policy document that users must accept at registration (m.login.terms)."""

    id: str = Field(pattern=r"^[a-z0-9_]{1,50}$", description="Machine-readable name, e.g. terms_of_service.")
    version: str = Field(min_length=1, max_length=50, description="Version of the document.")
    name: str = Field(min_length=1, max_length=200, description="Name of the document.")
    addresses: tuple[PolicyAddress, ...] = Field(
        min_length=1, max_length=50, description="Its URLs, by language."
    )


class InteractionSettings(Section):
    """User-interactive authentication (UIA)."""

    ttl_s: Advanced[int] = Field(
        default=900, ge=60, le=DAY_S, description="How long a user may take to complete all stages."
    )
    max_bytes: Advanced[int] = Field(
        default=4096,
        ge=0,
        le=MIB,
        description="Largest request that is stored until all stages are completed; a client repeats a larger one.",
    )
    max_sessions: Advanced[int] = Field(
        default=50,
        ge=5,
        le=10_000,
        description="Most requests of one user, or of one address without a user, that are kept; the oldest go first.",
    )


class GuestAccountSettings(Section):
    """Guest accounts of the Matrix API: created by anyone, without a password."""

    enabled: bool = Field(default=False, description="Whether anyone may create a guest account.")
    idle_s: int = Field(
        default=30 * DAY_S,
        ge=8 * DAY_S,  # last uses are stored every tokens.purge_interval_s
        le=3650 * DAY_S,
        description="A guest account unused for this long is deactivated and leaves its rooms; its messages stay.",
    )
    sweep_interval_s: Advanced[float] = Field(
        default=3600.0, ge=1, le=7 * DAY_S, description="How often idle guests are deactivated."
    )
    sweep_batch: Advanced[int] = Field(
        default=100, ge=1, le=1000, description="Most guests deactivated in one transaction."
    )


class NoticeSettings(Section):
    """Server notices: messages of admins to users, in a room for each user."""

    enabled: bool = Field(default=False, description="Whether admins may send server notices.")
    localpart: str = Field(
        default="notices",
        pattern=r"^[a-z0-9._=/-]{1,64}$",
        description="Localpart of the sending account, created at start; it must not be a user's.",
    )
    display_name: str = Field(
        default="Server notices", max_length=100, description="Display name of that account."
    )
    avatar_url: str = Field(default="", max_length=1000, description="Avatar of that account, an mxc:// URI.")
    room_name: str = Field(default="Server notices", max_length=100, description="Name of the notices rooms.")


class UserDirectorySettings(Section):
    """Visibility of users to each other."""

    all_users: bool = Field(
        default=False,
        description="Whether Matrix clients find all users; else only users in a shared or public room.",
    )
    host_users: Advanced[bool] = Field(
        default=False,
        description="Whether everyone may look up the users of host applications; else only users of the same host, "
        "and those who share a room with them.",
    )
    profiles: Advanced[Literal["everyone", "shared_rooms"]] = Field(
        default="everyone",
        description="Who may read the Matrix profile of a local account: everyone, as the specification has it, or "
        "only users who share a room with it.",
    )


class MatrixSettings(Section):
    """The Matrix client-server API."""

    enabled: bool = Field(default=True, description="Whether this API is served.")
    max_page: Advanced[int] = Field(
        default=100, ge=10, le=1000, description="Most events in one page of history."
    )
    cached_events: Advanced[int] = Field(
        default=20_000, ge=100, le=1_000_000, description="Events whose JSON is cached."
    )
    max_cached_event_bytes: Advanced[int] = Field(
        default=64 * MIB, ge=MIB, le=65_536 * MIB, description="Most bytes of that JSON."
    )
    cached_memberships: Advanced[int] = Field(
        default=50_000,
        ge=100,
        le=10_000_000,
        description="Room memberships of syncing users that are cached.",
    )
    cached_audience: Advanced[int] = Field(
        default=200_000,
        ge=1000,
        le=10_000_000,
        description="Room members that are cached to find the users whom an event may notify.",
    )
    max_account_data_bytes: Advanced[int] = Field(
        default=65_536, ge=4096, le=MIB, description="Largest content of one type of account data, as JSON."
    )
    max_account_data: Advanced[int] = Field(
        default=20_000,
        ge=100,
        le=1_000_000,
        description="Most types of account data of one user, over all rooms.",
    )
    max_account_data_total_bytes: Advanced[int] = Field(
        default=8 * MIB,
        ge=MIB,
        le=256 * MIB,
        description="Most bytes of account data of one user; an initial sync has all of it.",
    )
    max_filters: Advanced[int] = Field(
        default=200, ge=10, le=10_000, description="Most stored filters of one user."
    )
    sync_timeline: Advanced[int] = Field(
        default=10, ge=1, le=100, description="Timeline events per room in a sync without a limit."
    )
    max_sync_timeline: Advanced[int] = Field(
        default=50, ge=1, le=1000, description="Most timeline events per room in a sync."
    )
    max_sync_timeline_bytes: Advanced[int] = Field(
        default=16 * MIB,
        ge=MIB,
        le=1024 * MIB,
        description="Most bytes of the timelines of a sync together; above that each room has fewer events.",
    )
    max_sync_wait_s: Advanced[int] = Field(default=60, ge=1, le=600, description="Longest timeout of a sync.")
    max_waiting_syncs: Advanced[int] = Field(
        default=10_000, ge=10, le=1_000_000, description="Most syncs waiting at the same time."
    )
    max_waiting_syncs_per_user: Advanced[int] = Field(
        default=40, ge=1, le=10_000, description="Most syncs of one user waiting at the same time."
    )
    max_sliding_rooms: Advanced[int] = Field(
        default=500,
        ge=10,
        le=10_000,
        description="Most rooms in one sliding sync response; the next has the rest.",
    )
    max_sliding_connections: Advanced[int] = Field(
        default=10, ge=2, le=1000, description="Most sliding sync connections of one session."
    )
    max_all_sliding_connections: Advanced[int] = Field(
        default=100_000, ge=100, le=10_000_000, description="Most sliding sync connections altogether."
    )
    sliding_connection_days: Advanced[int] = Field(
        default=14,
        ge=1,
        le=365,
        description="Days without use after which a sliding sync connection is deleted.",
    )
    cached_rosters: Advanced[int] = Field(
        default=1000, ge=10, le=100_000, description="Users whose sliding sync room list is cached."
    )
    presence: bool = Field(default=True, description="Whether presence is served to clients.")
    presence_forget_s: Advanced[int] = Field(
        default=120,
        ge=70,
        le=3600,
        description="How long after a user's last request they are shown as offline.",
    )
    presence_idle_s: Advanced[int] = Field(
        default=300,
        ge=1,
        le=86_400,
        description="How long after a user's last action (sending, reading, typing) they are shown as unavailable.",
    )
    max_presences: Advanced[int] = Field(
        default=10_000,
        ge=10,
        le=30_000,
        description="Most users whose presence is tracked.",
    )
    max_room_aliases: Advanced[int] = Field(
        default=100, ge=1, le=10_000, description="Most aliases of a room on this server."
    )
    max_public_rooms: Advanced[int] = Field(
        default=100, ge=10, le=1000, description="Most rooms in one page of the room directory."
    )
    max_space_page: Advanced[int] = Field(
        default=50, ge=1, le=500, description="Most rooms in one page of a space hierarchy."
    )
    max_space_depth: Advanced[int] = Field(
        default=10, ge=1, le=50, description="Deepest level of a space hierarchy."
    )
    max_space_rooms: Advanced[int] = Field(
        default=1000, ge=10, le=20_000, description="Most rooms examined for a space hierarchy."
    )
    max_upgrade_events: Advanced[int] = Field(
        default=5000,
        ge=100,
        le=100_000,
        description="Most state events copied to the new room by an upgrade.",
    )
    login_token_ttl_s: Advanced[int] = Field(
        default=120, ge=10, le=3600, description="Lifetime of a log-in token for another device."
    )
    max_waiting_profiles: Advanced[int] = Field(
        default=10_000,
        ge=10,
        le=1_000_000,
        description="Most users whose profile change waits to be propagated to their rooms.",
    )
    notification_pace_s: Advanced[float] = Field(
        default=0.05,
        ge=0,
        le=10,
        description="Shortest interval between evaluations of push rules and unread counts in a stream of messages."
        " A single message is evaluated at once.",
    )
    catch_up_wait_s: Advanced[float] = Field(
        default=1.0,
        ge=0,
        le=60,
        description="Longest time that a sync waits for the evaluation of push rules, and a search for the index, to"
        " catch up with the newest messages.",
    )
    search_gather_s: Advanced[float] = Field(
        default=1.0,
        ge=0,
        le=60,
        description="How long messages are gathered before they are indexed for search.",
    )
    max_search_page: Advanced[int] = Field(
        default=50, ge=1, le=500, description="Most results in one page of a search."
    )
    max_search_context: Advanced[int] = Field(
        default=10, ge=0, le=50, description="Most context events before a search result, and after it."
    )
    max_delayed_events: Advanced[int] = Field(
        default=100, ge=1, le=10_000, description="Most scheduled delayed events of one user."
    )
    max_delay_s: Advanced[int] = Field(
        default=7 * DAY_S, ge=60, le=366 * DAY_S, description="Longest delay of a delayed event."
    )
    delayed_poll_s: Advanced[float] = Field(
        default=5.0,
        ge=0.05,
        le=60,
        description="How often a process polls for due delayed events that another process accepted.",
    )
    registration_needs_token: bool = Field(
        default=False,
        description="Whether registration needs a registration token (see homeserver registration-token).",
    )
    policies: tuple[PolicySettings, ...] = Field(
        default=(), max_length=20, description="Policies that users must accept at registration."
    )
    shared_secret: SecretStr | None = Field(
        default=None,
        description="Lets programs create accounts at /_synapse/admin/v1/register. Better: shared_secret_file.",
    )
    shared_secret_file: Path | None = Field(default=None, description="File that holds the shared secret.")
    nonce_ttl_s: Advanced[int] = Field(
        default=60, ge=10, le=3600, description="Lifetime of a nonce for that endpoint."
    )
    max_nonces: Advanced[int] = Field(
        default=1000, ge=10, le=100_000, description="Most valid nonces at a time."
    )
    max_address_nonces: Advanced[int] = Field(
        default=20, ge=1, le=1000, description="Most valid nonces of one client address at a time."
    )

    @model_validator(mode="after")
    def _check_secret(self) -> Self:
        if self.shared_secret is not None and len(self.shared_secret.get_secret_value()) < 16:
            raise ValueError("shared_secret must have at least 16 characters")
        return self
