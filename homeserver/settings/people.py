"""The sections about people: accounts, tokens and how often somebody may do what."""

from typing import Literal, Self

from pydantic import Field, model_validator

from homeserver.settings.section import DAY_S, Advanced, Section


class AccountSettings(Section):
    """Accounts made here, and how their passwords are kept (argon2id)."""

    registration: bool = Field(default=False, description="Whether anybody may make an account.")
    min_password_chars: int = Field(default=8, ge=8, le=128, description="Shortest password.")
    argon2_time_cost: Advanced[int] = Field(default=3, ge=1, le=20, description="Rounds of argon2.")
    argon2_memory_kib: Advanced[int] = Field(
        default=65_536, ge=8192, le=1_048_576, description="Memory of one argon2 computation, in KiB."
    )
    argon2_parallelism: Advanced[int] = Field(default=2, ge=1, le=16, description="Lanes of argon2.")
    hash_concurrency: Advanced[int] = Field(
        default=2, ge=1, le=64, description="Passwords checked at the same time."
    )
    max_hash_waiting: Advanced[int] = Field(
        default=100, ge=1, le=10_000, description="Most password checks waiting; more are refused."
    )
    cached_people: Advanced[int] = Field(
        default=20_000, ge=100, le=1_000_000, description="People whose profiles are kept in memory."
    )


class TokenSettings(Section):
    """Tokens of the sessions of people with an account here."""

    access_ttl_s: int = Field(
        default=900, ge=900, le=DAY_S, description="Life of an access token; never under 15 minutes."
    )
    refresh_ttl_s: int = Field(
        default=7 * DAY_S, ge=3600, le=366 * DAY_S, description="Life of a refresh token."
    )
    cache_entries: Advanced[int] = Field(
        default=10_000, ge=100, le=1_000_000, description="Checked tokens kept in memory."
    )
    purge_interval_s: Advanced[float] = Field(
        default=3600.0, ge=1, le=7 * DAY_S, description="How often ended sessions are cleared away."
    )

    @model_validator(mode="after")
    def _check_lives(self) -> Self:
        if self.refresh_ttl_s <= self.access_ttl_s:
            raise ValueError("refresh_ttl_s must be more than access_ttl_s, or nobody could stay logged in")
        return self


class GuestSettings(Section):
    """People without an account, known by a UUID that their browser made; bridges let them in."""

    enabled: bool = Field(default=True, description="Whether there may be guests at all.")
    display_name: str = Field(
        default="Guest", min_length=1, max_length=100, description="What guests are called."
    )
    cookie_name: Advanced[str] = Field(
        default="chat_guest",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Name of the cookie that binds a guest to their browser.",
    )
    cookie_same_site: Literal["lax", "strict", "none"] = Field(
        default="lax",
        description="Which sites' pages send the cookie; none, for pages of other sites, needs https.",
    )
    idle_s: int = Field(
        default=90 * DAY_S,
        ge=3600,
        le=3650 * DAY_S,
        description="A guest who was not here for so long is forgotten; what they wrote stays.",
    )
    sweep_interval_s: Advanced[float] = Field(
        default=3600.0, ge=1, le=7 * DAY_S, description="How often idle guests are looked for."
    )
    sweep_batch: Advanced[int] = Field(
        default=500, ge=1, le=10_000, description="Most guests forgotten in one transaction."
    )
    max_rooms: Advanced[int] = Field(
        default=200, ge=1, le=1000, description="Most rooms of a guest that an account can take over."
    )


class BucketSettings(Section):
    """How often something may be done: `burst` times at once, then `per_second` times a second."""

    per_second: float = Field(gt=0, le=1_000_000, description="Times per second in the long run.")
    burst: int = Field(ge=1, le=1_000_000, description="Times at once.")


def _bucket(per_second: float, burst: int, description: str) -> BucketSettings:
    bucket: BucketSettings = Field(
        default=BucketSettings(per_second=per_second, burst=burst), description=description
    )
    return bucket


class RateLimitSettings(Section):
    """How often one person, account or address may do what. Whoever does more is told when to come back."""

    enabled: bool = Field(default=True, description="Whether anything is limited at all.")
    login: BucketSettings = _bucket(
        0.2, 10, "Tries to log in or refresh, per account and per address; also wrong registration tokens."
    )
    registration: BucketSettings = _bucket(0.02, 5, "New accounts per address.")
    guests: Advanced[BucketSettings] = _bucket(0.1, 30, "New guests per address.")
    guest_accounts: Advanced[BucketSettings] = _bucket(
        0.02, 10, "New guest accounts of Matrix clients per address."
    )
    send: BucketSettings = _bucket(10, 50, "Messages, edits and deletions per person.")
    send_guest: Advanced[BucketSettings] = _bucket(2, 20, "Messages, edits and deletions per guest.")
    send_guests: Advanced[BucketSettings] = _bucket(5, 100, "The same, all guests of an address together.")
    send_address: Advanced[BucketSettings] = _bucket(100, 500, "The same, all people of an address together.")
    safety: Advanced[BucketSettings] = _bucket(
        0.2, 20, "Blocks and reports per person; reports of guests per address."
    )
    create: Advanced[BucketSettings] = _bucket(0.5, 20, "New rooms and added members per person.")
    directory: Advanced[BucketSettings] = _bucket(
        5, 100, "Looks at published rooms and spaces, and changes of rooms' names, per person or address."
    )
    upload: BucketSettings = _bucket(1, 20, "Files per person.")
    previews: Advanced[BucketSettings] = _bucket(0.5, 30, "Web pages fetched for previews per person.")
    encryption: Advanced[BucketSettings] = _bucket(
        20, 300, "Claims of one-time keys, and calls that send to devices, per person."
    )
    search: Advanced[BucketSettings] = _bucket(
        2, 30, "Searches of messages and of people by Matrix clients, per person."
    )
    push: Advanced[BucketSettings] = _bucket(0.2, 20, "Subscriptions to pushes per person.")
    openid: Advanced[BucketSettings] = _bucket(0.2, 20, "OpenID tokens per person.")
    login_tokens: Advanced[BucketSettings] = _bucket(1 / 60, 5, "Log-in tokens for other devices per person.")
    profile: Advanced[BucketSettings] = _bucket(
        0.5, 20, "Changes of the own profile by Matrix clients per person."
    )
    service_keys: Advanced[BucketSettings] = _bucket(0.2, 10, "Wrong service keys per address.")
    address: BucketSettings = _bucket(200, 1000, "Requests per client address; a university may share one.")
    max_tracked: Advanced[int] = Field(
        default=100_000, ge=1000, le=10_000_000, description="Most persons and addresses counted at a time."
    )
