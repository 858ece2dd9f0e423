"""The sections about /.well-known/matrix and TURN servers."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from homeserver.settings.section import DAY_S, PublicUrl, Section

TurnUri = Annotated[str, Field(pattern=r"^turns?:[^\s]{1,500}$")]


class ContactSettings(Section):
    """A contact of this server (m.support)."""

    matrix_id: str | None = Field(
        default=None, pattern=r"^@[^:\s]+:[^\s]+$", max_length=255, description="Matrix id of the contact."
    )
    email: str | None = Field(
        default=None,
        pattern=r"^[^@\s]+@[^@\s]+$",
        max_length=254,
        description="E-mail address of the contact.",
    )
    role: str = Field(
        default="m.role.admin",
        pattern=r"^[a-z0-9._-]{1,100}$",
        description="Role of the contact: m.role.admin, m.role.security, or a custom one.",
    )

    @model_validator(mode="after")
    def _check_ways(self) -> Self:
        if self.matrix_id is None and self.email is None:
            raise ValueError("a contact needs a matrix_id or an email")
        return self


class WellKnownSettings(Section):
    """Files below /.well-known/matrix; unset ones are not served."""

    server: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9.\[\]:-]+$",
        max_length=255,
        description="Host and port at which other servers reach this one, e.g. matrix.example.org:443.",
    )
    contacts: tuple[ContactSettings, ...] = Field(
        default=(), max_length=20, description="Contacts of this server."
    )
    support_page: PublicUrl | None = Field(default=None, description="URL of a support page.")
    policy_key: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_/+-]{43}$",
        description="Public ed25519 key of the policy server at this name, in unpadded base64.",
    )


class TurnSettings(Section):
    """TURN servers, which relay calls between clients that cannot connect directly."""

    uris: tuple[TurnUri, ...] = Field(
        default=(), max_length=20, description="Their URIs, e.g. turn:turn.example.org?transport=udp."
    )
    secret: SecretStr | None = Field(
        default=None,
        description="Secret shared with them, from which passwords per user are derived. Better: secret_file.",
    )
    secret_file: Path | None = Field(default=None, description="File that holds the shared secret.")
    username: str | None = Field(
        default=None, max_length=255, description="User name for all users, if there is no shared secret."
    )
    password: SecretStr | None = Field(default=None, description="Password of that user name.")
    ttl_s: int = Field(default=DAY_S, ge=60, le=7 * DAY_S, description="How long credentials are valid.")

    @model_validator(mode="after")
    def _check_credentials(self) -> Self:
        has_name = self.username is not None and self.password is not None
        if self.uris and self.secret is None and self.secret_file is None and not has_name:
            raise ValueError("uris need a secret, or a username and a password")
        return self
