"""The sections about what this server tells of itself: whom to ask for help, where calls are relayed."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from homeserver.settings.section import DAY_S, PublicUrl, Section

TurnUri = Annotated[str, Field(pattern=r"^turns?:[^\s]{1,500}$")]


class ContactSettings(Section):
    """Somebody who answers for this server."""

    matrix_id: str | None = Field(
        default=None, pattern=r"^@[^:\s]+:[^\s]+$", max_length=255, description="Their Matrix id."
    )
    email: str | None = Field(
        default=None, pattern=r"^[^@\s]+@[^@\s]+$", max_length=254, description="Their e-mail address."
    )
    role: str = Field(
        default="m.role.admin",
        pattern=r"^[a-z0-9._-]{1,100}$",
        description="What they are asked about: m.role.admin, m.role.security, or a name of your own.",
    )

    @model_validator(mode="after")
    def _check_ways(self) -> Self:
        if self.matrix_id is None and self.email is None:
            raise ValueError("a contact needs a matrix_id or an email")
        return self


class WellKnownSettings(Section):
    """What stands below /.well-known/matrix; what is not set is not there."""

    server: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9.\[\]:-]+$",
        max_length=255,
        description="Where other servers reach this one, e.g. matrix.example.org:443.",
    )
    contacts: tuple[ContactSettings, ...] = Field(
        default=(), max_length=20, description="Who answers for this server."
    )
    support_page: PublicUrl | None = Field(default=None, description="Address of a page with help.")
    policy_key: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_/+-]{43}$",
        description="Public ed25519 key of the policy server at this name, in unpadded base64.",
    )


class TurnSettings(Section):
    """The TURN servers that carry calls between people who cannot reach each other."""

    uris: tuple[TurnUri, ...] = Field(
        default=(), max_length=20, description="Their addresses, e.g. turn:turn.example.org?transport=udp."
    )
    secret: SecretStr | None = Field(
        default=None,
        description="Secret shared with them, from which passwords of one person are made. Better: secret_file.",
    )
    secret_file: Path | None = Field(default=None, description="File that holds this secret.")
    username: str | None = Field(
        default=None, max_length=255, description="One name for everybody, where there is no shared secret."
    )
    password: SecretStr | None = Field(default=None, description="Its password.")
    ttl_s: int = Field(default=DAY_S, ge=60, le=7 * DAY_S, description="How long credentials are good.")

    @model_validator(mode="after")
    def _check_credentials(self) -> Self:
        has_name = self.username is not None and self.password is not None
        if self.uris and self.secret is None and self.secret_file is None and not has_name:
            raise ValueError("uris need a secret, or a username and a password")
        return self
