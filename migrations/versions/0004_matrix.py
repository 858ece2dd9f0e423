"""Tables of the Matrix client API.

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _history()
    _accounts()
    _device_keys()
    _cross_signing()
    _device_messages()
    _backups()
    _client_settings()


def _history() -> None:
    op.create_index("ix_relations_room_id_rel_type", "relations", ["room_id", "rel_type"])
    op.create_index("ix_events_room_id_origin_server_ts", "events", ["room_id", "origin_server_ts"])
    op.create_index(
        "ix_events_room_id_type_state_key",
        "events",
        ["room_id", "type", "state_key"],
        sqlite_where=sa.text("state_key IS NOT NULL"),
        postgresql_where=sa.text("state_key IS NOT NULL"),
    )


def _accounts() -> None:
    op.create_table(
        "interactions",
        sa.Column("interaction_id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), server_default="", nullable=False),
        sa.Column("done", sa.Text(), server_default="[]", nullable=False),
        sa.Column("params", sa.LargeBinary(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("interaction_id", name=op.f("pk_interactions")),
    )
    op.create_index(op.f("ix_interactions_created_ms"), "interactions", ["created_ms"])
    op.create_table(
        "registration_tokens",
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("uses_allowed", sa.Integer(), nullable=True),
        sa.Column("uses", sa.Integer(), server_default="0", nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_registration_tokens")),
    )


def _device_keys() -> None:
    op.create_table(
        "device_keys",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "device_id", name=op.f("pk_device_keys")),
    )
    op.create_table(
        "one_time_keys",
        sa.Column(
            "key_order",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            autoincrement=True,
        ),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("claimed_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key_order", name=op.f("pk_one_time_keys")),
        sa.UniqueConstraint("user_id", "device_id", "algorithm", "key_id", name="uq_one_time_keys_name"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_one_time_keys_unclaimed",
        "one_time_keys",
        ["user_id", "device_id", "algorithm", "key_order"],
        sqlite_where=sa.text("claimed_ms IS NULL"),
        postgresql_where=sa.text("claimed_ms IS NULL"),
    )
    op.create_table(
        "fallback_keys",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("used", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "device_id", "algorithm", name=op.f("pk_fallback_keys")),
    )
    op.create_table(
        "dehydrated_devices",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), server_default="", nullable=False),
        sa.Column("device_data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_dehydrated_devices")),
    )


def _cross_signing() -> None:
    op.create_table(
        "cross_signing_keys",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("usage", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "usage", name=op.f("pk_cross_signing_keys")),
    )
    op.create_table(
        "key_signatures",
        sa.Column("signer", sa.Text(), nullable=False),
        sa.Column("signer_key", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("signer", "signer_key", "user_id", "target", name=op.f("pk_key_signatures")),
    )
    op.create_index("ix_key_signatures_target", "key_signatures", ["user_id", "target"])
    op.create_table(
        "device_lists",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_device_lists")),
    )
    op.create_index(op.f("ix_device_lists_position"), "device_lists", ["position"])


def _device_messages() -> None:
    op.create_table(
        "device_inboxes",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("messages", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "device_id", name=op.f("pk_device_inboxes")),
    )
    op.create_table(
        "device_messages",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "device_id", "position", name=op.f("pk_device_messages")),
    )


def _backups() -> None:
    op.create_table(
        "backup_heads",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_backup_heads")),
    )
    op.create_table(
        "backups",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("auth_data", sa.LargeBinary(), nullable=False),
        sa.Column("etag", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("key_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("user_id", "version", name=op.f("pk_backups")),
    )
    op.create_table(
        "backup_keys",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("first_message_index", sa.BigInteger(), nullable=False),
        sa.Column("forwarded_count", sa.BigInteger(), nullable=False),
        sa.Column("is_verified", sa.Boolean(), nullable=False),
        sa.Column("session_data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "version", "room_id", "session_id", name=op.f("pk_backup_keys")),
    )


def _client_settings() -> None:
    op.create_table(
        "account_data",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("room_id", sa.Text(), server_default="", nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "room_id", "type", name=op.f("pk_account_data")),
    )
    op.create_index("ix_account_data_user_id_position", "account_data", ["user_id", "position"])
    op.create_table(
        "filters",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("filter_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "filter_id", name=op.f("pk_filters")),
    )
