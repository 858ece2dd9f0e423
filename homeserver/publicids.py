"""Public ids of the product APIs, derived from stored data without a mapping table, so that every room has them.

Integer ids of messages and rooms are log positions. UUIDs (version 8) pack the position and 62 bits of a hash of the
Matrix id: they cannot be guessed without that id.

A user's number is unique on the server: the namespace of their host, and 32 bits. A host application sees its own users
under its own ids, which may have 53 bits, as many as JavaScript's numbers. So it sees everybody else, and those of its
users whose id is a text, in the upper half of that range, where the bits above 32 are one of these slots:

    0        accounts of this server
    1 to 3   guests, guest accounts, the account of server notices
    3 + N    users of the host with namespace N

An id of the host that would stand in a slot in use cannot be admitted (`is_ambiguous`).
"""

from collections.abc import Collection
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, Self
from uuid import UUID

from homeserver.protocol.ids import EventId, RoomId

NAMESPACE_BITS = 32
LOCAL = 0  # the namespace of local accounts
MAX_ID = 2**53 - 1  # the largest whole number that JavaScript holds
FIRST_FREE_NUMBER = 2**31
"""Host ids below this are the lower bits of the user's number; other users get lower bits from here on."""
_SLOTS = 2**20  # above every issuer's namespace
_HOST_SLOTS = _SLOTS + 3
_LAST_WITH_SLOT = (
    2**21 - 1 - _HOST_SLOTS
)  # the few namespaces above it keep their number as seen from outside
_LOCAL_MASK = (1 << NAMESPACE_BITS) - 1
_ID_BITS = 53
_POSITION_BITS = 60
_CHECK_BITS = 62


HOST_NUMBERS = range(1 << NAMESPACE_BITS, _SLOTS << NAMESPACE_BITS)
"""The server-wide numbers of users of host applications."""


def number_of(namespace: int, local: int) -> int:
    """The server-wide number of user `local` of a namespace."""
    return (namespace << NAMESPACE_BITS) | local


def namespace_of(number: int) -> int:
    """The namespace that a server-wide number belongs to."""
    return number >> NAMESPACE_BITS


def is_within(number: int, numbers: range) -> bool:
    """True if a number is one of a range without gaps; `in` would look at each number for a UserNumber."""
    return numbers.start <= number < numbers.stop


def numbers_of(namespace: int) -> range:
    """The server-wide numbers of a namespace."""
    return range(number_of(namespace, 0), number_of(namespace + 1, 0))


class UserNumber(int):
    """A user's number, with the id that their host gave them where the number does not contain it."""

    host_id: int

    def __new__(cls, number: int, host_id: int) -> Self:
        """A number with this id of the host, 2^31 or more."""
        made = super().__new__(cls, number)
        made.host_id = host_id
        return made


def user_number(number: int, host_id: int | None) -> int:
    """The number of a stored user."""
    return number if host_id is None else UserNumber(number, host_id)


class Wanted(NamedTuple):
    """What a large public number may mean: an id of the viewer's host, or else the number of somebody outside."""

    namespace: int
    host_id: int
    number: int


def to_public(number: int, viewer: int) -> int:
    """The public number of a user for a viewer of namespace `viewer`."""
    namespace = namespace_of(number)
    if viewer == LOCAL:
        return int(number)
    if namespace == viewer:
        if isinstance(number, UserNumber):
            return number.host_id
        if number & _LOCAL_MASK < FIRST_FREE_NUMBER:
            return number & _LOCAL_MASK
    return _outside(number)


def from_public(public: int, viewer: int) -> int:
    """The server-wide number for a public number given by a viewer of namespace `viewer`; -1 if nobody can have it.

    A large one of a host's viewer must be looked up: it is returned below -1, for `wanted`.
    """
    if not 0 < public <= MAX_ID:
        return -1
    if viewer == LOCAL:
        return public
    if public < FIRST_FREE_NUMBER:
        return number_of(viewer, public)
    return -((viewer << _ID_BITS) | public)


def wanted(number: int) -> Wanted:
    """What a number below -1 from `from_public` may mean."""
    namespace, public = -number >> _ID_BITS, -number & MAX_ID
    return Wanted(namespace, public, _inside(public))


def is_ambiguous(host_id: int, namespaces: Collection[int]) -> bool:
    """True if a host's id of a user is the number of somebody outside, where these namespaces are in use."""
    slot = host_id >> NAMESPACE_BITS
    taken = {_outside(number_of(one, 0)) >> NAMESPACE_BITS for one in namespaces}
    return host_id >= FIRST_FREE_NUMBER and (_SLOTS <= slot <= _HOST_SLOTS or slot in taken)


def _outside(number: int) -> int:
    """A number as viewers of other namespaces see it."""
    namespace = namespace_of(number)
    if namespace == LOCAL:
        return number_of(_SLOTS, number)
    if namespace > _LAST_WITH_SLOT:
        return int(number)  # guests are in their slots already
    return number_of(_HOST_SLOTS + namespace, number & _LOCAL_MASK)


def _inside(public: int) -> int:
    """The number that `_outside` made this of."""
    slot = public >> NAMESPACE_BITS
    if slot == _SLOTS:
        return public & _LOCAL_MASK
    return number_of(slot - _HOST_SLOTS, public & _LOCAL_MASK) if slot > _HOST_SLOTS else public


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
