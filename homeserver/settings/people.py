"""The sections about users: accounts, tokens, guests and rate limits."""

from typing import Literal, Self

from pydantic import Field, model_validator

from homeserver.settings.section import DAY_S, Advanced, Section


class AccountSettings(Section):
    """Local accounts and their password hashes (argon2id)."""

    registration: bool = Field(default=False, description="Whether anyone may register an account.")
    min_password_chars: int = Field(default=8, ge=8, le=128, description="Shortest password.")
    argon2_time_cost: Advanced[int] = Field(default=3, ge=1, le=20, description="Rounds of argon2.")
    argon2_memory_kib: Advanced[int] = Field(
        default=65_536, ge=8192, le=1_048_576, description="Memory of one argon2 computation, in KiB."
    )
    argon2_parallelism: Advanced[int] = Field(default=2, ge=1, le=16, description="Lanes of argon2.")
    hash_concurrency: Advanced[int] = Field(
        default=2, ge=1, le=64, description="Passwords hashed at the same time."
    )
    max_hash_waiting: Advanced[int] = Field(
        default=100, ge=1, le=10_000, description="Most password checks waiting for that; more are refused."
    )
    cached_people: Advanced[int] = Field(
        default=20_000, ge=100, le=1_000_000, description="Users whose profiles are cached."
    )


class TokenSettings(Section):
    """Access and refresh tokens of local accounts."""

    access_ttl_s: int = Field(
        default=900, ge=900, le=DAY_S, description="Lifetime of an access token; at least 15 minutes."
    )
    refresh_ttl_s: int = Field(
        default=7 * DAY_S, ge=3600, le=366 * DAY_S, description="Lifetime of a refresh token."
    )
    cache_entries: Advanced[int] = Field(
        default=10_000, ge=100, le=1_000_000, description="Checked tokens that are cached."
    )
    max_sessions: Advanced[int] = Field(
        default=100,
        ge=5,
        le=10_000,
        description="Most sessions (devices) of one user; a further log-in ends the one unused for longest.",
    )
    purge_interval_s: Advanced[float] = Field(
        default=3600.0, ge=1, le=7 * DAY_S, description="How often ended sessions are deleted."
    )

    @model_validator(mode="after")
    def _check_lives(self) -> Self:
        if self.refresh_ttl_s <= self.access_ttl_s:
            raise ValueError("refresh_ttl_s must be more than access_ttl_s, or nobody could stay logged in")
        return self


class GuestSettings(Section):
    """Guests: users without an account, known by a UUID that their browser made; bridges admit them."""

    enabled: bool = Field(default=True, description="Whether guests are admitted at all.")
    display_name: str = Field(
        default="Guest", min_length=1, max_length=100, description="Display name of guests."
    )
    cookie_name: Advanced[str] = Field(
        default="chat_guest",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Name of the cookie that binds a guest to their browser.",
    )
    cookie_same_site: Literal["lax", "strict", "none"] = Field(
        default="lax",
        description="SameSite attribute of the cookie; none, for pages of other sites, needs https.",
    )
    idle_s: int = Field(
        default=90 * DAY_S,
        ge=3600,
        le=3650 * DAY_S,
        description="A guest inactive for this long is deleted; their messages stay.",
    )
    sweep_interval_s: Advanced[float] = Field(
        default=3600.0, ge=1, le=7 * DAY_S, description="How often idle guests are deleted."
    )
    sweep_batch: Advanced[int] = Field(
        default=500, ge=1, le=10_000, description="Most guests deleted in one transaction."
    )
    max_rooms: Advanced[int] = Field(
        default=200, ge=1, le=1000, description="Most rooms of a guest that an account can take over."
    )


class BucketSettings(Section):
    """A token bucket: `burst` times at once, then `per_second` times a second."""

    per_second: float = Field(gt=0, le=1_000_000, description="Times per second on average.")
    burst: int = Field(ge=1, le=1_000_000, description="Times at once.")


def _bucket(per_second: float, burst: int, description: str) -> BucketSettings:
    bucket: BucketSettings = Field(
        default=BucketSettings(per_second=per_second, burst=burst), description=description
    )
    return bucket


class RateLimitSettings(Section):
    """Rate limits per user, account or address. Refused requests are told when to retry."""

    enabled: bool = Field(default=True, description="Whether rate limits apply at all.")
    login: BucketSettings = _bucket(
        0.2,
        10,
        "Attempts to log in or refresh, per address and per account at an address; also wrong registration tokens.",
    )
    login_account: Advanced[BucketSettings] = _bucket(
        0.2, 30, "Wrong passwords for one account from all addresses that none of its sessions uses."
    )
    registration: BucketSettings = _bucket(0.02, 5, "New accounts per address.")
    guests: Advanced[BucketSettings] = _bucket(0.1, 30, "New guests per address.")
    guest_accounts: Advanced[BucketSettings] = _bucket(0.02, 10, "New Matrix guest accounts per address.")
    send: BucketSettings = _bucket(10, 50, "Messages, edits and redactions per user.")
    send_guest: Advanced[BucketSettings] = _bucket(2, 20, "Messages, edits and redactions per guest.")
    send_guests: Advanced[BucketSettings] = _bucket(
        5, 100, "Messages, edits and redactions of all guests of an address together."
    )
    send_address: Advanced[BucketSettings] = _bucket(
        100, 500, "Messages, edits and redactions of all users of an address together."
    )
    safety: Advanced[BucketSettings] = _bucket(
        0.2, 20, "Blocks and reports per user; reports of guests per address."
    )
    create: Advanced[BucketSettings] = _bucket(0.5, 20, "New rooms and added members per user.")
    directory: Advanced[BucketSettings] = _bucket(
        5,
        100,
        "Requests for published rooms and space hierarchies, and changes of aliases, per user or address.",
    )
    upload: BucketSettings = _bucket(1, 20, "Uploads per user.")
    previews: Advanced[BucketSettings] = _bucket(0.5, 30, "Web pages fetched for URL previews per user.")
    encryption: Advanced[BucketSettings] = _bucket(
        20, 300, "Claims of one-time keys, and to-device requests and their bytes, per user."
    )
    search: Advanced[BucketSettings] = _bucket(
        2, 30, "Message and user directory searches of Matrix clients per user."
    )
    push: Advanced[BucketSettings] = _bucket(0.2, 20, "Push subscriptions per user.")
    openid: Advanced[BucketSettings] = _bucket(0.2, 20, "OpenID tokens per user.")
    login_tokens: Advanced[BucketSettings] = _bucket(1 / 60, 5, "Log-in tokens for other devices per user.")
    profile: Advanced[BucketSettings] = _bucket(0.5, 20, "Profile changes by Matrix clients per user.")
    service_keys: Advanced[BucketSettings] = _bucket(0.2, 10, "Wrong service keys per address.")
    address: BucketSettings = _bucket(
        200, 1000, "Requests per client address; a whole university may share one."
    )
    max_tracked: Advanced[int] = Field(
        default=100_000, ge=1000, le=10_000_000, description="Most users and addresses tracked at a time."
    )
