"""The claims of a host application's token about a user. Pure: no database, no clock."""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from homeserver.errors import HomeserverError, Invalid, Unauthenticated
from homeserver.kit.names import HOST_FIELDS, with_fields
from homeserver.kit.text import one_line
from homeserver.model import Person
from homeserver.publicids import MAX_ID
from homeserver.services.accounts import identifiers
from homeserver.services.auth import token_format
from homeserver.settings.models import ClaimSettings, IssuerSettings

_NUMBER = re.compile(r"[1-9][0-9]*")
_LIKE_NUMBER = re.compile(r"0|-[0-9]+|[1-9][0-9]*")  # a text with zeros before it is an id of its own
_MAX_SHOWN_CHARS = 40
_MAX_SUBJECT_CHARS = 255
_MAX_CHARS = 200
_MAX_BIO_CHARS = 2000


@dataclass(frozen=True, slots=True)
class HostPerson:
    """A user as the host describes them. `fields` has only the fields in the token; `email` may be empty."""

    subject: str
    fields: Mapping[str, str]
    email: str

    @property
    def host_id(self) -> int | None:
        """The host's own id of the user if it is a number, None if it is any other text."""
        return int(self.subject) if _NUMBER.fullmatch(self.subject) else None

    def applied_to(self, person: Person) -> Person:
        """The user's profile with the host's claims applied."""
        return with_fields(person, self.fields)

    @property
    def hash(self) -> str:
        """Equal for equal claims."""
        seen = orjson.dumps([dict(self.fields), self.email], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(seen).hexdigest()


def check_claims(claims: Mapping[str, Any], issuer: IssuerSettings, now_ms: int) -> int:
    """When the token expires, in ms, leeway included. Raises Unauthenticated unless it is valid now and for us."""
    now_s = now_ms / 1000
    expires_s = _time(claims.get("exp"))
    if expires_s is None or expires_s - now_s > issuer.max_age_s + issuer.leeway_s:
        raise token_format.unknown_token()
    if now_s >= expires_s + issuer.leeway_s:
        raise token_format.token_expired()
    if "nbf" in claims:
        not_before_s = _time(claims["nbf"])
        if not_before_s is None or now_s + issuer.leeway_s < not_before_s:
            raise token_format.unknown_token()
    if issuer.issuer is not None and claims.get("iss") != issuer.issuer:
        raise token_format.unknown_token()
    if issuer.audience is not None and not _is_for(claims.get("aud"), issuer.audience):
        raise token_format.unknown_token()
    # `token_type` is what one widely used library calls the same claim.
    if any(claims.get(name) in issuer.refuse_types for name in ("type", "token_type")):
        raise token_format.unknown_token()
    return int((expires_s + issuer.leeway_s) * 1000)


def host_person(claims: Mapping[str, Any], settings: ClaimSettings) -> HostPerson:
    """The user in the claims. Raises Unauthenticated without a usable id; other unusable claims are left out.

    An id is a whole number from 1 to 2^53 - 1, in JSON or as text, or any other line of text.
    """
    subject = _text(at_path(claims, settings.user_id))
    if not subject or len(subject) > _MAX_SUBJECT_CHARS or one_line(subject) != subject:
        raise token_format.unknown_token()
    if _LIKE_NUMBER.fullmatch(subject) and not (_NUMBER.fullmatch(subject) and int(subject) <= MAX_ID):
        raise unusable_id(subject)
    fields: dict[str, str] = {}
    for name in HOST_FIELDS:
        value = _text(at_path(claims, getattr(settings, name)))
        if value is not None:
            fields[name] = one_line(value)[: _MAX_BIO_CHARS if name == "bio" else _MAX_CHARS]
    whole = " ".join(part for part in (fields.get("first_name"), fields.get("last_name")) if part)
    whole = whole or one_line(_text(at_path(claims, settings.display_name)) or "")
    if whole:
        fields["display_name"] = whole[:_MAX_CHARS]
    avatar_url = _text(at_path(claims, settings.avatar_url))
    if avatar_url is not None:
        try:
            fields["avatar_url"] = identifiers.checked_avatar_url(avatar_url)
        except Invalid:
            fields["avatar_url"] = ""
    return HostPerson(subject, fields, _email(at_path(claims, settings.email)))


def unusable_id(subject: str) -> Unauthenticated:
    """The error for a user id that cannot be admitted."""
    return Unauthenticated(
        f"the user id {subject[:_MAX_SHOWN_CHARS]} in this token cannot be used here: "
        f"ids are text, or whole numbers from 1 to {MAX_ID}",
        code="unknown_token",
    )


def at_path(claims: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, or None. A claim whose name contains the dots takes precedence."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def _text(value: Any) -> str | None:
    """Strings and integers as text; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def _email(value: Any) -> str:
    if not isinstance(value, str) or not value:
        return ""
    try:
        return identifiers.normal_email(value)
    except HomeserverError:
        return ""


def _time(value: Any) -> float | None:
    """Seconds since 1970 (RFC 7519, section 2), or None if the value is no time."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and abs(value) < 2**53 else None


def _is_for(audience: Any, wanted: str) -> bool:
    return wanted in audience if isinstance(audience, list) else audience == wanted
