"""Identifiers: server names, users, rooms, events, aliases (appendices, "Identifier Grammar").

All are plain strings at run time; the NewTypes keep them apart for the type checker.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NewType

from homeserver.protocol.errors import BadIdentifier

ServerName = NewType("ServerName", str)
UserId = NewType("UserId", str)
RoomId = NewType("RoomId", str)
EventId = NewType("EventId", str)
RoomAlias = NewType("RoomAlias", str)
DeviceId = NewType("DeviceId", str)

MAX_ID_BYTES = 255
"""Greatest length of an identifier in UTF-8, sigil and domain included."""

_SERVER_NAME = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,255})(?::[0-9]{1,5})?", re.ASCII)
_NEW_LOCALPART = re.compile(r"[a-z0-9._=/+-]+")
_HASH_ROOM_ID = re.compile(r"![0-9A-Za-z_-]{43}")
_UNSAFE = re.compile("[\0\ud800-\udfff]")  # NUL and lone surrogates are allowed in no identifier
_NOT_PRINTABLE_ASCII = re.compile(r"[^\x21-\x7e]")


def fits(text: str) -> bool:
    """True if `text` is within the limit of 255 bytes of identifiers, event types and state keys."""
    if text.isascii():
        return len(text) <= MAX_ID_BYTES
    return len(text.encode("utf-8", "surrogatepass")) <= MAX_ID_BYTES


@lru_cache(4096)  # few distinct names, checked for the sender of every event
def is_server_name(text: str) -> bool:
    """True for a host name, IPv4 or bracketed IPv6 literal, with an optional port. Case-sensitive."""
    return _SERVER_NAME.fullmatch(text) is not None


def domain_of(identifier: str) -> ServerName:
    """The server name after the first colon. Raises BadIdentifier if there is none (hashed event and room ids)."""
    _, colon, domain = identifier.partition(":")
    if not colon:
        raise BadIdentifier(f"{identifier!r} names no server")
    return ServerName(domain)


def parse_user_id(text: str) -> tuple[str, ServerName]:
    """Split a user id into localpart and server; historical localparts pass. Raises BadIdentifier."""
    if not is_user_id(text):
        raise BadIdentifier(f"{text!r} is not a user id")
    localpart, _, server = text[1:].partition(":")
    return localpart, ServerName(server)


def is_user_id(text: str, historical: bool = True) -> bool:
    """True if `text` is a user id; `historical` allows ids of the historical grammar, which events must accept."""
    if not _is_id("@", text):
        return False
    return historical or _NEW_LOCALPART.fullmatch(text[1 : text.index(":")]) is not None


def is_presentable_user_id(text: str) -> bool:
    """True if a user id may be used outside of events: localpart not empty and within U+0021 to U+007E."""
    return is_user_id(text) and text[1] != ":" and not _NOT_PRINTABLE_ASCII.search(text)


def make_user_id(localpart: str, server: str) -> UserId:
    """A user id for a new account. Raises BadIdentifier unless it meets the current grammar and length."""
    user_id = f"@{localpart}:{server}"
    if not is_user_id(user_id, historical=False):
        raise BadIdentifier(f"{user_id!r} is not a valid user ID")
    return UserId(user_id)


def is_room_id(text: str) -> bool:
    """`!opaque:domain` (room versions 1-11) or `!` and 43 characters of URL-safe base64 (12)."""
    return is_hash_room_id(text) or (_is_id("!", text) and text[1] != ":")


def is_hash_room_id(text: str) -> bool:
    """The form that room version 12 makes from the id of the create event."""
    return _HASH_ROOM_ID.fullmatch(text) is not None


def make_room_id(opaque: str, server: str) -> RoomId:
    """A room id of versions 1-11 from an opaque part that the caller chose. Raises BadIdentifier."""
    room_id = f"!{opaque}:{server}"
    if not (opaque.isascii() and opaque.isalnum() and is_room_id(room_id)):
        raise BadIdentifier(f"{room_id!r} is not a valid room ID")
    return RoomId(room_id)


def is_event_id(text: str) -> bool:
    """`$opaque:domain` (room versions 1-2) or `$` and a hash (3 and later)."""
    return len(text) > 1 and text[0] == "$" and fits(text) and not _UNSAFE.search(text)


def is_room_alias(text: str) -> bool:
    """`#localpart:domain`."""
    return _is_id("#", text) and text[1] != ":"


def _is_id(sigil: str, text: str) -> bool:
    """True for a sigil, an opaque part without a colon, a colon, a server name; at most 255 bytes, none unsafe."""
    _, colon, server = text.partition(":")
    return (
        text[:1] == sigil
        and bool(colon)
        and is_server_name(server)
        and fits(text)
        and not _UNSAFE.search(text)
    )
