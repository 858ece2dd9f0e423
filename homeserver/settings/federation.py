"""The section about federation."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, IPvAnyNetwork, StringConstraints, model_validator

from homeserver.settings.section import DAY_S, Advanced, Section

ServerGlob = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.:*?\[\]-]{1,255}$")]


class FederationSettings(Section):
    """Other homeservers: whether and how this server talks to them."""

    enabled: bool = Field(default=False, description="Whether this server talks to other homeservers.")
    host: str = Field(
        default="0.0.0.0",  # noqa: S104 - other servers come from elsewhere
        min_length=1,
        max_length=255,
        description="Address of the listener for other servers.",
    )
    port: int = Field(
        default=8448,
        ge=0,
        le=65535,
        description="Port of the listener for other servers; 0 lets the system choose.",
    )
    certificate_file: Path | None = Field(
        default=None,
        description="File with its TLS certificate and chain (PEM), read again when it changes. Unset: plain HTTP, "
        "for a proxy in front.",
    )
    private_key_file: Path | None = Field(
        default=None, description="File with the private key of the certificate (PEM)."
    )
    ca_file: Path | None = Field(
        default=None, description="File with one more certificate authority that is trusted (PEM)."
    )
    verify_certificates: bool = Field(
        default=True,
        description="Whether the certificates of other servers are checked; false is for tests only.",
    )
    allowed_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        max_length=100,
        description="Private networks with other homeservers, such as 10.0.0.0/8; public ones are always reached.",
    )
    allow: tuple[ServerGlob, ...] = Field(
        default=(),
        max_length=10_000,
        description="Only these servers, by name, with * and ? as wildcards; empty: all.",
    )
    deny: tuple[ServerGlob, ...] = Field(
        default=(), max_length=10_000, description="Never these servers, by name, with * and ? as wildcards."
    )
    key_valid_s: Advanced[int] = Field(
        default=DAY_S,
        ge=3 * 3600,
        le=7 * DAY_S,
        description="For how long other servers may believe our answer about keys.",
    )
    connections: Advanced[int] = Field(
        default=200, ge=1, le=10_000, description="Most connections to other servers at a time."
    )

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        if (self.certificate_file is None) != (self.private_key_file is None):
            raise ValueError("certificate_file and private_key_file need each other")
        return self
