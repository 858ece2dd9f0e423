"""Host applications whose tokens are accepted, and how their signatures are verified.

Each issuer has exactly one source of keys, and its algorithms must fit that source. A shared secret beside a
public key would let any owner of that key sign tokens (algorithm confusion), so such settings do not load.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from homeserver.settings.section import Advanced, Section, is_loopback, split_url

Algorithm = Literal[
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
]
SECRET_BYTES: dict[Algorithm, int] = {"HS256": 32, "HS384": 48, "HS512": 64}  # RFC 7518, section 3.2
KEY_SOURCES = ("secret", "secret_file", "jwks_url", "jwks_file", "public_key_file")

ClaimPath = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$", max_length=200)]


class ClaimSettings(Section):
    """The claims of the host's token that hold a user's data. A dot leads into an object: `user.name.first`."""

    user_id: ClaimPath = Field(
        default="user_id", description="The user's id at the host; a token without it is refused."
    )
    display_name: ClaimPath = Field(
        default="name", description="The full name; used if there is no first and last name."
    )
    first_name: ClaimPath = Field(default="first_name", description="First name.")
    last_name: ClaimPath = Field(default="last_name", description="Last name.")
    middle_name: ClaimPath = Field(default="middle_name", description="Middle name or patronymic.")
    email: ClaimPath = Field(default="email", description="E-mail address; who may see it is set per API.")
    avatar_url: ClaimPath = Field(default="avatar", description="URL of the user's avatar.")
    role: ClaimPath = Field(
        default="role", description="The user's role at the host, e.g. student; only shown, grants nothing."
    )
    job: ClaimPath = Field(default="position", description="The user's position at work.")
    bio: ClaimPath = Field(default="bio", description="A short description of the user.")
    phone: ClaimPath = Field(
        default="number_phone", description="Telephone number; who may see it is set per API."
    )
    telegram: ClaimPath = Field(default="telegram_username", description="Telegram user name.")
    study_group: ClaimPath = Field(default="group", description="The study group.")


class IssuerSettings(Section):
    """A host application. The loader reads `secret_file` into `secret`; services use only that."""

    name: str = Field(
        pattern=r"^[a-z0-9]{1,32}$",
        description="Short name, part of its users' Matrix ids (@name_5:server). Never change it.",
    )
    namespace: int = Field(
        ge=1,
        le=2**20 - 1,
        description="Namespace of the numbers of this host's users. Never change it.",
    )
    algorithms: tuple[Algorithm, ...] = Field(
        default=("HS256",),
        min_length=1,
        max_length=8,
        description="Signature algorithms that are accepted; no others are.",
    )
    secret: SecretStr | None = Field(
        default=None, description="Shared secret for HS256 (at least 32 bytes). Better: secret_file."
    )
    secret_file: Path | None = Field(default=None, description="File that holds the shared secret.")
    jwks_url: str | None = Field(
        default=None, description="URL of the host's public keys (JWKS); https, or http on this machine."
    )
    jwks_file: Path | None = Field(default=None, description="File with the host's public keys (JWKS).")
    public_key_file: Path | None = Field(default=None, description="File with the host's public key (PEM).")
    issuer: str | None = Field(
        default=None, min_length=1, max_length=500, description="Required value of the claim `iss`."
    )
    audience: str | None = Field(
        default=None,
        min_length=1,
        max_length=500,
        description="Required value (or member) of the claim `aud`.",
    )
    leeway_s: Advanced[int] = Field(
        default=30, ge=0, le=300, description="How far the host's clock may be off, in seconds."
    )
    max_age_s: Advanced[int] = Field(
        default=30 * 86400,
        ge=60,
        le=366 * 86400,
        description="A token whose expiry lies further ahead than this is refused.",
    )
    jwks_cache_s: Advanced[int] = Field(
        default=600, ge=10, le=86400, description="How long fetched keys are cached."
    )
    jwks_refetch_s: Advanced[int] = Field(
        default=30,
        ge=1,
        le=3600,
        description="The keys are fetched again for an unknown key id, at most this often.",
    )
    jwks_timeout_s: Advanced[float] = Field(
        default=5.0, ge=0.1, le=60, description="Deadline for fetching the keys."
    )
    jwks_max_bytes: Advanced[int] = Field(
        default=262_144, ge=1024, le=4_194_304, description="Largest response of jwks_url."
    )
    claims: ClaimSettings = Field(default=ClaimSettings(), description="Names of the token's claims.")
    refuse_types: Advanced[tuple[str, ...]] = Field(
        default=("refresh",),
        max_length=16,
        description="Tokens whose claim `type` has one of these values are refused.",
    )

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        sources = [name for name in KEY_SOURCES if getattr(self, name) is not None]
        if len(sources) != 1:
            given = "none is set" if not sources else f"set are {' and '.join(sources)}"
            raise ValueError(f"needs exactly one source of keys ({', '.join(KEY_SOURCES)}); {given}")
        if len(set(self.algorithms)) != len(self.algorithms):
            raise ValueError("names an algorithm twice")
        shared = [name for name in self.algorithms if name in SECRET_BYTES]
        if sources[0] in {"secret", "secret_file"} and len(shared) != len(self.algorithms):
            raise ValueError(
                f"{sources[0]} only goes with HS256, HS384 and HS512; the other algorithms need a public key"
            )
        if sources[0] not in {"secret", "secret_file"} and shared:
            raise ValueError(
                f"{shared[0]} must not be allowed beside {sources[0]}: "
                "whoever has the public key could then sign tokens with it"
            )
        return self

    @model_validator(mode="after")
    def _check_secret(self) -> Self:
        if self.secret is None:
            return self
        least = max(SECRET_BYTES.get(name, 0) for name in self.algorithms)
        if len(self.secret.get_secret_value().encode()) < least:
            raise ValueError(f"the secret must have at least {least} bytes for {', '.join(self.algorithms)}")
        return self

    @model_validator(mode="after")
    def _check_jwks_url(self) -> Self:
        if self.jwks_url is not None:
            parts = split_url(self.jwks_url)
            if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
                raise ValueError(
                    "jwks_url must begin with https: keys that come over plain http can be swapped"
                )
        return self
