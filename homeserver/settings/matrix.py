"""The sections about the Matrix client API."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from homeserver.settings.section import DAY_S, PublicUrl, Section

LanguageCode = Annotated[str, Field(pattern=r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$")]


class PolicyAddress(Section):
    """Where a document stands in one language."""

    language: LanguageCode = Field(description="Code of the language, e.g. en.")
    url: PublicUrl = Field(description="Address of the document.")


class PolicySettings(Section):
    """A document that people must agree to before they get an account."""

    id: str = Field(pattern=r"^[a-z0-9_]{1,50}$", description="A name for programs, e.g. terms_of_service.")
    version: str = Field(min_length=1, max_length=50, description="Version of the document.")
    name: str = Field(min_length=1, max_length=200, description="What it is called.")
    addresses: tuple[PolicyAddress, ...] = Field(
        min_length=1, max_length=50, description="Where it stands, by language."
    )


class InteractionSettings(Section):
    """Calls that ask a person to prove themselves anew (user-interactive authentication)."""

    ttl_s: int = Field(default=900, ge=60, le=DAY_S, description="How long one may take for all stages.")


class MatrixSettings(Section):
    """The Matrix client-server API."""

    enabled: bool = Field(default=False, description="Whether this API is served; it is not complete yet.")
    registration_needs_token: bool = Field(
        default=False,
        description="Whether a registration token is asked for (see homeserver registration-token).",
    )
    policies: tuple[PolicySettings, ...] = Field(
        default=(), max_length=20, description="What people must agree to at registration."
    )
    shared_secret: SecretStr | None = Field(
        default=None,
        description="Lets programs make accounts at /_synapse/admin/v1/register. Better: shared_secret_file.",
    )
    shared_secret_file: Path | None = Field(default=None, description="File that holds this secret.")
    nonce_ttl_s: int = Field(default=60, ge=10, le=3600, description="Life of a nonce for that call.")
    max_nonces: int = Field(default=1000, ge=10, le=100_000, description="Most nonces at a time.")

    @model_validator(mode="after")
    def _check_secret(self) -> Self:
        if self.shared_secret is not None and len(self.shared_secret.get_secret_value()) < 16:
            raise ValueError("shared_secret must have at least 16 characters")
        return self
