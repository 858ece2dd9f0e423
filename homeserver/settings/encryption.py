"""The section about end-to-end encryption."""

from pydantic import Field

from homeserver.settings.section import DAY_S, MIB, Advanced, Section


class EncryptionSettings(Section):
    """Device keys, to-device messages, and key backups. The server cannot decrypt anything that they protect."""

    max_items: Advanced[int] = Field(
        default=5000, ge=100, le=5000, description="Most devices or keys named in one request."
    )
    max_key_bytes: Advanced[int] = Field(
        default=16_384, ge=2048, le=MIB, description="Largest public key with its signatures, as JSON."
    )
    max_one_time_keys: Advanced[int] = Field(
        default=1000, ge=50, le=10_000, description="Most unclaimed one-time keys of one device."
    )
    max_one_time_bytes: Advanced[int] = Field(
        default=MIB,
        ge=65_536,
        le=64 * MIB,
        description="Most bytes of the unclaimed one-time keys of one device.",
    )
    max_fallback_keys: Advanced[int] = Field(
        default=10, ge=1, le=100, description="Most fallback keys of one device, one for each algorithm."
    )
    claimed_keep_s: Advanced[int] = Field(
        default=DAY_S,
        ge=60,
        le=30 * DAY_S,
        description="How long a claimed one-time key is remembered, so that a repeated upload does not renew it.",
    )
    max_signatures: Advanced[int] = Field(
        default=500, ge=10, le=10_000, description="Most signatures checked in one request."
    )
    max_message_bytes: Advanced[int] = Field(
        default=65_536, ge=1024, le=MIB, description="Largest to-device message."
    )
    max_inbox_messages: Advanced[int] = Field(
        default=10_000,
        ge=100,
        le=1_000_000,
        description="Most to-device messages waiting for one device; then the oldest of who sent most are dropped.",
    )
    max_inbox_bytes: Advanced[int] = Field(
        default=32 * MIB,
        ge=MIB,
        le=1024 * MIB,
        description="Most bytes of to-device messages waiting for one device.",
    )
    max_user_inbox_bytes: Advanced[int] = Field(
        default=256 * MIB,
        ge=MIB,
        le=16_384 * MIB,
        description="Most bytes of to-device messages waiting for all devices of one user; each has an equal share.",
    )
    cached_inboxes: Advanced[int] = Field(
        default=20_000,
        ge=100,
        le=1_000_000,
        description="Devices that are remembered to have no to-device messages waiting.",
    )
    max_page: Advanced[int] = Field(
        default=100, ge=1, le=1000, description="Most to-device messages in one response."
    )
    max_backups: Advanced[int] = Field(
        default=1000, ge=1, le=10_000, description="Most key backups of one user."
    )
    max_backup_bytes: Advanced[int] = Field(
        default=128 * MIB, ge=MIB, le=16_384 * MIB, description="Most bytes of one user's key backups."
    )
    max_backup_key_bytes: Advanced[int] = Field(
        default=16_384, ge=1024, le=MIB, description="Largest encrypted key in a backup, and its auth_data."
    )
    max_dehydrated_bytes: Advanced[int] = Field(
        default=MIB, ge=65_536, le=16 * MIB, description="Largest dehydrated device."
    )
