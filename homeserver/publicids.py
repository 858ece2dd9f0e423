"""Public ids of the product APIs, derived from stored data without a mapping table, so that every room has them.

Integer ids of messages and rooms are log positions. UUIDs (version 8) pack the position and 62 bits of a hash of the
Matrix id: they cannot be guessed without that id. A user's number is unique on the server; a host application sees its
own users under its own numbers.
"""

from functools import lru_cache
from hashlib import sha256
from uuid import UUID

from homeserver.protocol.ids import EventId, RoomId

NAMESPACE_BITS = 32
LOCAL = 0  # the namespace of local accounts
_LOCAL_SEEN_FROM_OUTSIDE = 2**20  # above every issuer's namespace; 2^52 keeps it exact in JavaScript
_LOCAL_MASK = (1 << NAMESPACE_BITS) - 1
_POSITION_BITS = 60
_CHECK_BITS = 62


HOST_NUMBERS = range(1 << NAMESPACE_BITS, _LOCAL_SEEN_FROM_OUTSIDE << NAMESPACE_BITS)
"""The server-wide numbers of users of host applications."""


def number_of(namespace: int, local: int) -> int:
    """The server-wide number of user `local` of a namespace."""
    return (namespace << NAMESPACE_BITS) | local


def namespace_of(number: int) -> int:
    """The namespace that a server-wide number belongs to."""
    return number >> NAMESPACE_BITS


def numbers_of(namespace: int) -> range:
    """The server-wide numbers of a namespace."""
    return range(number_of(namespace, 0), number_of(namespace + 1, 0))


def to_public(number: int, viewer: int) -> int:
    """The public number of a user for a viewer of namespace `viewer`."""
    namespace = namespace_of(number)
    if namespace == viewer:
        return number & _LOCAL_MASK
    return number_of(_LOCAL_SEEN_FROM_OUTSIDE, number) if namespace == LOCAL else number


def from_public(public: int, viewer: int) -> int:
    """The server-wide number for a public number given by a viewer of namespace `viewer`.

    A number that no user can have is returned unchanged, or as -1.
    """
    if public <= 0:
        return -1
    namespace = namespace_of(public)
    if namespace == 0:
        return number_of(viewer, public)
    if namespace == _LOCAL_SEEN_FROM_OUTSIDE and viewer != LOCAL:
        return public & _LOCAL_MASK
    return -1 if namespace == viewer else public


def message_uuid(position: int, event_id: EventId) -> UUID:
    """The UUID of a message."""
    return _pack(position, event_id)


@lru_cache(4096)  # called several times for each message
def room_uuid(position: int, room_id: RoomId) -> UUID:
    """The UUID of a room; `position` is that of its create event."""
    return _pack(position, room_id)


def position_of(uuid: UUID) -> int:
    """The position that a UUID claims; to be verified by making the UUID again from the data stored there."""
    return ((uuid.int >> 80) << 12) | ((uuid.int >> 64) & 0xFFF)


def _pack(position: int, matrix_id: str) -> UUID:
    if not 0 < position < 2**_POSITION_BITS:
        raise ValueError(f"position {position} does not fit into a UUID")
    check = int.from_bytes(sha256(matrix_id.encode()).digest()[:8]) >> (64 - _CHECK_BITS)
    high = ((position >> 12) << 16) | (8 << 12) | (position & 0xFFF)
    return UUID(int=(high << 64) | (0b10 << 62) | check)
