"""The sections about the server as a process: name, network, database, log of events, numbers and logs."""

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
    """Who this server is."""

    name: str = Field(
        default="localhost",
        pattern=r"^[A-Za-z0-9.-]+(:[0-9]{1,5})?$",
        max_length=230,
        description="The server's name, the right half of all its ids (@alice:NAME). Never change it.",
    )
    public_url: PublicUrl = Field(
        default="http://127.0.0.1:8008",
        max_length=500,
        description="The address under which people reach this server.",
    )
    data_dir: Path = Field(
        default=Path("data"),
        description="Folder for the keys, the files and the SQLite database; made when it is not there.",
    )
    default_room_version: RoomVersion = Field(
        default="11", description="Room version of new rooms; 11 is what most clients know."
    )


class ListenSettings(Section):
    """Where the server listens, and what it takes from the network."""

    host: Host = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 or :: for all.")
    port: int = Field(
        default=8008, ge=0, le=65535, description="Port to listen on; 0 lets the system choose."
    )
    max_body_bytes: Advanced[int] = Field(
        default=1 * MIB, ge=65536, le=64 * MIB, description="Largest JSON body of a request."
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
        description="Networks of our own proxies, whose X-Forwarded-For is believed, e.g. 127.0.0.1/32.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, networks: tuple[IPvAnyNetwork, ...]) -> tuple[IPvAnyNetwork, ...]:
        if any(network.prefixlen == 0 for network in networks):
            raise ValueError("a network of the whole internet would let anybody choose the address we see")
        return networks


class DatabaseSettings(Section):
    """Where everything is kept. What stands in `url_file` becomes the `url` when the settings are loaded."""

    url: str = Field(
        default="",
        pattern=r"^$|^(sqlite|postgresql)(\+[a-z0-9]+)?://",
        max_length=2000,
        repr=False,
        description="postgresql://user:password@host/name or sqlite:///path; empty: SQLite in data_dir.",
    )
    url_file: Path | None = Field(
        default=None, description="File that holds the url, where it has a password in it."
    )
    pool_size: int = Field(
        default=10, ge=1, le=200, description="Connections to the database at the same time."
    )
    auto_migrate: bool = Field(default=True, description="Bring the tables up to date at start.")
    busy_timeout_ms: Advanced[int] = Field(
        default=5000, ge=0, le=60_000, description="How long SQLite waits for another writer."
    )
    statement_timeout_ms: Advanced[int] = Field(
        default=30_000, ge=100, le=600_000, description="PostgreSQL stops a statement after this."
    )

    @model_validator(mode="after")
    def _check_url(self) -> Self:
        if self.url and self.url_file is not None:
            raise ValueError("takes url or url_file, not both")
        return self


class TimelineSettings(Section):
    """The log of events: how much is written at once and how much is kept in memory."""

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
        default=5000, ge=10, le=1_000_000, description="Rooms whose state is kept in memory."
    )
    ring_entries: Advanced[int] = Field(
        default=5000, ge=100, le=5_000_000, description="Recent entries kept in memory for readers."
    )
    snapshot_chain: Advanced[int] = Field(
        default=100, ge=1, le=1000, description="Changes of room state stored before a full copy is."
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
        description="How often the database is asked for entries of other worker processes.",
    )


class MetricsSettings(Section):
    """Numbers for Prometheus, on a port of their own."""

    enabled: bool = Field(default=False, description="Whether /metrics is served.")
    host: Host = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=9108, ge=0, le=65535, description="Port to listen on; 0 lets the system choose."
    )
    allow_public: bool = Field(
        default=False,
        description="Say so if others may read the numbers: needed to listen on more than this machine.",
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
    """The log of the server, on standard error. Never has tokens, query strings or texts of messages."""

    level: LogLevel = Field(default="info", description="The least important that is written.")
    format: LogFormat = Field(
        default="text", description="text for people, json (one object per line) for machines."
    )
    slow_request_ms: int = Field(
        default=1000, ge=1, le=600_000, description="Requests that take longer are logged as warnings."
    )
    max_waiting_lines: Advanced[int] = Field(
        default=10_000,
        ge=100,
        le=1_000_000,
        description="Lines waiting for a slow reader of the log; more are dropped and counted.",
    )
