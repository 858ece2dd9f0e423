"""The sections about the server as a process: name, network, database, timeline, metrics and logs."""

from pathlib import Path
from typing import Self

from pydantic import Field, IPvAnyNetwork, field_validator, model_validator

from homeserver.settings.section import (
    DAY_S,
    MIB,
    Advanced,
    Host,
    LogFormat,
    LogLevel,
    PublicUrl,
    RoomVersion,
    Section,
    is_loopback,
)


class ServerSettings(Section):
    """Name and addresses of this server."""

    name: str = Field(
        default="localhost",
        pattern=r"^[A-Za-z0-9.-]+(:[0-9]{1,5})?$",
        max_length=230,
        description="The server name, the part of Matrix ids after the colon (@alice:NAME). Never change it.",
    )
    public_url: PublicUrl = Field(
        default="http://127.0.0.1:8008",
        max_length=500,
        description="The URL at which clients reach this server.",
    )
    data_dir: Path = Field(
        default=Path("data"),
        description="Folder for keys, media and the SQLite database; created if it does not exist.",
    )
    min_free_bytes: Advanced[int] = Field(
        default=64 * MIB,
        ge=0,
        le=2**60,
        description="With less free space in data_dir, /ready says that the server is not ready.",
    )
    default_room_version: RoomVersion = Field(
        default="11", description="Room version of new rooms; most clients support 11."
    )


class ListenSettings(Section):
    """The HTTP listener and its limits."""

    host: Host = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 or :: for all.")
    port: int = Field(
        default=8008, ge=0, le=65535, description="Port to listen on; 0 lets the system choose."
    )
    max_body_bytes: Advanced[int] = Field(
        default=1 * MIB, ge=65536, le=64 * MIB, description="Largest JSON body of a request."
    )
    max_public_body_bytes: Advanced[int] = Field(
        default=64 * 1024,
        ge=4096,
        le=64 * MIB,
        description="Largest JSON body of a request without a token, such as a log-in.",
    )
    first_request_s: Advanced[float] = Field(
        default=20.0,
        ge=0.1,
        le=600,
        description="A new connection that sends no request for this long is closed.",
    )
    keep_alive_s: Advanced[float] = Field(
        default=75.0,
        ge=1,
        le=3600,
        description="How long a connection may wait for its next request; a proxy in front should wait less.",
    )
    stalled_answer_s: Advanced[float] = Field(
        default=30.0,
        ge=0.1,
        le=600,
        description="An answer of which the client reads nothing for this long is given up.",
    )
    max_unread_bytes: Advanced[int] = Field(
        default=64 * MIB,
        ge=64 * 1024,
        le=4096 * MIB,
        description="Most bytes of answers that wait until one user, or one address, reads them.",
    )
    max_connections_per_address: Advanced[int] = Field(
        default=2000,
        ge=10,
        le=1_000_000,
        description="Most connections of one address, proxies excepted; its oldest idle one is closed for a new one.",
    )
    max_requests_per_address: Advanced[int] = Field(
        default=5000, ge=10, le=1_000_000, description="Most requests and sockets of one address in progress."
    )
    max_requests_per_user: Advanced[int] = Field(
        default=100, ge=10, le=100_000, description="Most requests and sockets of one user in progress."
    )
    shutdown_grace_s: Advanced[float] = Field(
        default=10.0,
        ge=0,
        le=300,
        description="How long requests and sockets may take to finish when the server stops.",
    )
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        max_length=100,
        description="Networks of your own reverse proxies, whose X-Forwarded-For is trusted, e.g. 127.0.0.1/32.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, networks: tuple[IPvAnyNetwork, ...]) -> tuple[IPvAnyNetwork, ...]:
        if any(network.prefixlen == 0 for network in networks):
            raise ValueError("a network of the whole internet would let anybody choose the address we see")
        return networks


class DatabaseSettings(Section):
    """The database. The content of `url_file` becomes `url` when the settings are loaded."""

    url: str = Field(
        default="",
        pattern=r"^$|^(sqlite|postgresql)(\+[a-z0-9]+)?://",
        max_length=2000,
        repr=False,
        description="postgresql://user:password@host/name or sqlite:///path; empty: SQLite in data_dir.",
    )
    url_file: Path | None = Field(
        default=None, description="File that holds the url, for urls with a password."
    )
    pool_size: int = Field(
        default=10, ge=1, le=200, description="Most database connections at the same time."
    )
    auto_migrate: bool = Field(default=True, description="Run database migrations at start.")
    busy_timeout_ms: Advanced[int] = Field(
        default=5000, ge=0, le=60_000, description="How long SQLite waits for another writer."
    )
    statement_timeout_ms: Advanced[int] = Field(
        default=30_000, ge=100, le=600_000, description="PostgreSQL aborts a statement after this time."
    )

    @model_validator(mode="after")
    def _check_url(self) -> Self:
        if self.url and self.url_file is not None:
            raise ValueError("takes url or url_file, not both")
        return self


class TimelineSettings(Section):
    """The timeline, a log of all events: batch sizes, queues and caches."""

    max_batch_entries: Advanced[int] = Field(
        default=512, ge=1, le=5000, description="Most entries in one transaction."
    )
    max_waiting: Advanced[int] = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="Most entries waiting to be written; more are refused.",
    )
    cached_rooms: Advanced[int] = Field(
        default=5000, ge=10, le=1_000_000, description="Rooms whose state is cached."
    )
    max_state_bytes: Advanced[int] = Field(
        default=128 * MIB, ge=MIB, le=65_536 * MIB, description="Most bytes of the state events among them."
    )
    ring_entries: Advanced[int] = Field(
        default=5000, ge=100, le=5_000_000, description="Recent log entries kept in memory for readers."
    )
    max_ring_bytes: Advanced[int] = Field(
        default=64 * MIB, ge=MIB, le=65_536 * MIB, description="Most bytes of the events among them."
    )
    snapshot_chain: Advanced[int] = Field(
        default=100,
        ge=1,
        le=1000,
        description="State changes stored as deltas before a full snapshot is stored.",
    )
    commit_timeout_s: Advanced[float] = Field(
        default=30.0, ge=1, le=300, description="A write that takes longer fails."
    )
    transaction_keep_s: Advanced[int] = Field(
        default=DAY_S,
        ge=DAY_S,
        le=30 * DAY_S,
        description="How long a repeated send is recognised as the same message.",
    )
    follow_interval_ms: Advanced[int] = Field(
        default=1000,
        ge=10,
        le=60_000,
        description="How often the database is polled for entries of other worker processes.",
    )


class MetricsSettings(Section):
    """Metrics for Prometheus, on a separate port."""

    enabled: bool = Field(default=False, description="Whether /metrics is served.")
    host: Host = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=9108, ge=0, le=65535, description="Port to listen on; 0 lets the system choose."
    )
    allow_public: bool = Field(
        default=False,
        description="Allow listening on an address that other machines can reach, which exposes the metrics.",
    )

    @model_validator(mode="after")
    def _check_address(self) -> Self:
        if self.enabled and not self.allow_public and not is_loopback(self.host):
            raise ValueError(
                f"{self.host} can be reached by other machines and the numbers have no password; "
                "listen on 127.0.0.1, or set allow_public: true where a firewall guards the port"
            )
        return self


class LogSettings(Section):
    """The server's own log, on standard error. It never has tokens, query strings or message bodies."""

    level: LogLevel = Field(default="info", description="Lowest level that is written.")
    format: LogFormat = Field(
        default="text", description="text for humans, json (one object per line) for programs."
    )
    slow_request_ms: int = Field(
        default=1000, ge=1, le=600_000, description="Requests that take longer are logged as warnings."
    )
    max_waiting_lines: Advanced[int] = Field(
        default=10_000,
        ge=100,
        le=1_000_000,
        description="Most lines waiting for a slow reader of the log; more are dropped and counted.",
    )
