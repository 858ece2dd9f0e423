"""From records to what the wire shows. Pure."""

from homeserver.api.messenger import schemas
from homeserver.http.times import iso
from homeserver.model import Person
from homeserver.services import publicids
from homeserver.services.sessions import Tokens


def user(person: Person, namespace: int, *, shows_email: bool) -> schemas.User:
    """A person as somebody of `namespace` sees them."""
    return {
        "id": publicids.to_public(person.number, namespace),
        "email": (person.email or None) if shows_email else None,
        "display_name": person.display_name,
        "tag": person.tag,
        "avatar_url": person.avatar_url or None,
        "created_at": iso(person.created_ms),
    }


def tokens(made: Tokens) -> schemas.Tokens:
    """New tokens, with the person they are for."""
    return {
        "access_token": made.access_token,
        "refresh_token": made.refresh_token,
        "token_type": "bearer",
        "expires_in": made.expires_in_s,
        "user": user(made.person, 0, shows_email=True),
    }
