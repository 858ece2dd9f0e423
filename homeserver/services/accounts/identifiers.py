"""Validation of identifiers: e-mail addresses, tags, localparts of Matrix ids, avatar URLs. Pure."""

import re
import secrets
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email

from homeserver.errors import Conflict, Invalid
from homeserver.kit.text import one_line
from homeserver.protocol.errors import BadIdentifier
from homeserver.protocol.ids import UserId, make_user_id

MAX_EMAIL_CHARS = 254
MAX_URL_CHARS = 2000
_TAG = re.compile(r"[a-z0-9_.-]{3,32}")
_NOT_IN_TAG = re.compile(r"[^a-z0-9_.-]+")
_OF_HOST_PERSON = re.compile(r"[a-z0-9]{1,32}_[0-9]+")
GUEST = "guest_"  # prefix of guests' localparts, both Matrix guest accounts and a bridge's guests
_OF_GUEST = re.compile(GUEST + r"[0-9a-f]{32}")
_LONGEST_BASE = 25  # leaves room for "-" and a number
_CANDIDATES = 30


def normal_email(email: str) -> str:
    """The canonical form of an e-mail address: stripped, NFC, lower case. Raises Invalid("bad_email")."""
    if len(email) > MAX_EMAIL_CHARS:
        raise Invalid("not an e-mail address", code="bad_email")
    try:
        # Names inside a company network are allowed, and no DNS query is made.
        found = validate_email(email.strip(), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise Invalid(f"not an e-mail address: {error}", code="bad_email") from error
    return found.normalized.lower()


def checked_tag(tag: str) -> str:
    """A tag that a user chose, in lower case, without a leading "@". Raises Invalid("bad_tag")."""
    wanted = tag.strip().removeprefix("@").lower()
    if not _TAG.fullmatch(wanted):
        raise Invalid(
            "a tag must have 3 to 32 characters: letters a-z, digits, and any of _ . -", code="bad_tag"
        )
    return wanted


def tag_from(text: str) -> str:
    """A tag made from an e-mail address or a name; it may be taken."""
    local = text.partition("@")[0].partition("+")[0].lower()
    base = _NOT_IN_TAG.sub("-", local).strip("-._")[:_LONGEST_BASE].strip("-._")
    if not base:
        return "user"
    return base if len(base) >= 3 else f"user-{base}"


def candidates(base: str) -> list[str]:
    """Tags like `base`, in order of preference: itself, numbered ones, and random ones that are surely free."""
    short = base[:_LONGEST_BASE]
    numbered = [f"{short}-{n}" for n in range(2, _CANDIDATES)]
    return [base, *numbered, *(f"{short}-{secrets.randbelow(10**6):06}" for _ in range(4))]


def first_free(names: Collection[str], is_free: Callable[[str], bool]) -> str:
    """The first name that is free. Raises Conflict when none is."""
    for name in names:
        if is_free(name):
            return name
    raise Conflict("all tags like this one are taken; choose another", code="tag_in_use")


def is_localpart_of_host_person(localpart: str) -> bool:
    """True if a localpart has the form reserved for users of host applications."""
    return _OF_HOST_PERSON.fullmatch(localpart) is not None


def checked_localpart(localpart: str, server: str) -> UserId:
    """The Matrix id for a localpart that a user chose, in lower case. Raises Invalid("bad_username")."""
    wanted = localpart.lower()
    if is_localpart_of_host_person(wanted) or _OF_GUEST.fullmatch(wanted):
        raise Invalid("names of this form are reserved for the server", code="bad_username")
    try:
        return make_user_id(wanted, server)
    except BadIdentifier as error:
        raise Invalid(
            "a user name may have letters a-z, digits and . _ = - / +, and must not be too long",
            code="bad_username",
        ) from error


def checked_avatar_url(url: str) -> str:
    """An avatar URL: empty, http(s), mxc, or a path on this server. Raises Invalid("bad_url")."""
    if not url:
        return ""
    bad = Invalid("an avatar must be an http(s) URL or a path on this server", code="bad_url")
    if len(url) > MAX_URL_CHARS or one_line(url) != url or any(char in url for char in " \"'<>\\`"):
        raise bad
    if url.startswith("/") and not url.startswith("//"):
        return url
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise bad from error
    if parts.scheme not in {"http", "https", "mxc"} or not parts.hostname or parts.username is not None:
        raise bad
    return url
