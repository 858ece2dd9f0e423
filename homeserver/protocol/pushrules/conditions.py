"""The conditions of push rules, parsed from JSON and evaluated for an event (`Occasion`).

Most hold for all readers of an event or for none. The others depend on the reader's id or name: they evaluate to a
test of one reader, made once per event.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

from homeserver.protocol import globs
from homeserver.protocol.canonical import MAX_INTEGER, JsonObject
from homeserver.protocol.errors import BadPushRule
from homeserver.protocol.pushrules.occasion import BODY, Occasion

Test: TypeAlias = Callable[[str, str], bool]
"""A test whether a condition holds for a reader with this user id and display name ("" for none)."""

Answer: TypeAlias = bool | Test

_COUNT = re.compile(r"(==|<=|>=|<|>)?([0-9]{1,15})")
_COMPARE: Mapping[str, Callable[[int, int], bool]] = MappingProxyType(
    {"==": int.__eq__, "<": int.__lt__, ">": int.__gt__, "<=": int.__le__, ">=": int.__ge__}
)


class Owner(Enum):
    """Placeholder in a predefined rule for the user's own id or localpart."""

    USER_ID = "user id"
    LOCALPART = "localpart"

    def of(self, user_id: str) -> str:
        return user_id if self is Owner.USER_ID else localpart(user_id)


def localpart(user_id: str) -> str:
    """The localpart of a user id."""
    return user_id[1 : user_id.index(":")]


class Condition(Protocol):
    """One condition. Equal conditions hold for the same events."""

    def ask(self, occasion: Occasion, /) -> Answer:
        """True if the condition holds, False if not, or a test for each reader."""


@dataclass(frozen=True, slots=True)
class EventMatch:
    """event_match: a string of the event matches a glob. `plain`: a pattern without wildcards, in lower case."""

    key: str
    pattern: str | Owner
    plain: str | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        glob = self.pattern
        plain = isinstance(glob, str) and self.key != BODY and globs.is_plain(glob)
        object.__setattr__(self, "plain", glob.lower() if isinstance(glob, str) and plain else None)

    @property
    def searches(self) -> int:
        """The cost: 0 for a comparison, 1 for a search of the text, more for `?`, which goes through all of it."""
        return 0 if isinstance(self.pattern, Owner) or self.plain is not None else 1 + self.pattern.count("?")

    def ask(self, occasion: Occasion) -> Answer:
        if self.plain is not None:
            return occasion.text(self.key) == self.plain
        if isinstance(self.pattern, str):
            return occasion.matches(self.key, self.pattern)
        return self._ask_owner(occasion, self.pattern.of)

    def _ask_owner(self, occasion: Occasion, part: Callable[[str], str]) -> Answer:
        if self.key != BODY:
            text = occasion.text(self.key)
            return False if text is None else lambda user_id, _: part(user_id).lower() == text
        body = occasion.words(latin=True)
        if body is None:
            return False
        has = body.has_name
        return lambda user_id, _: has(part(user_id).lower())


@dataclass(frozen=True, slots=True)
class EventPropertyIs:
    """event_property_is: a property of the event has exactly this value."""

    key: str
    value: str | int | bool | None

    def ask(self, occasion: Occasion) -> Answer:
        return occasion.equals(self.key, self.value)


@dataclass(frozen=True, slots=True)
class EventPropertyContains:
    """event_property_contains: a list in the event has exactly this value."""

    key: str
    value: str | int | bool | Owner | None

    def ask(self, occasion: Occasion) -> Answer:
        entries, value = occasion.entries(self.key), self.value
        if not isinstance(value, Owner):
            return (type(value), value) in entries
        texts, part = {entry for kind, entry in entries if kind is str}, value.of
        return (lambda user_id, _: part(user_id) in texts) if texts else False


@dataclass(frozen=True, slots=True)
class ContainsDisplayName:
    """contains_display_name: the body has the reader's display name in the room."""

    def ask(self, occasion: Occasion) -> Answer:
        body = occasion.words()
        if body is None:
            return False
        has = body.has_name
        return lambda _, name: has(name.lower())


@dataclass(frozen=True, slots=True)
class RoomMemberCount:
    """room_member_count: the number of joined members; `bound` is as in the JSON, e.g. ">=10"."""

    bound: str

    def ask(self, occasion: Occasion) -> Answer:
        found = _COUNT.fullmatch(self.bound)
        if found is None:
            return False
        return _COMPARE[found[1] or "=="](occasion.member_count, int(found[2]))


@dataclass(frozen=True, slots=True)
class SenderNotificationPermission:
    """sender_notification_permission: the sender's power level suffices for notifications of this name."""

    key: str

    def ask(self, occasion: Occasion) -> Answer:
        return occasion.sender_may_notify(self.key)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A condition of unknown kind: it is stored, and never holds."""

    json: JsonObject

    def ask(self, _: Occasion, /) -> Answer:
        return False


def read_condition(json: Any) -> Condition:
    """Parse a condition from a client or from the database. Raises BadPushRule."""
    match json:
        case {"kind": "event_match", "key": str(key), "pattern": str(pattern)}:
            return EventMatch(key, pattern)
        case {"kind": "event_property_is", "key": str(key), "value": value} if _is_scalar(value):
            return EventPropertyIs(key, value)
        case {"kind": "event_property_contains", "key": str(key), "value": value} if _is_scalar(value):
            return EventPropertyContains(key, value)
        case {"kind": "contains_display_name"}:
            return ContainsDisplayName()
        case {"kind": "room_member_count", "is": str(bound)} if _COUNT.fullmatch(bound):
            return RoomMemberCount(bound)
        case {"kind": "sender_notification_permission", "key": str(key)}:
            return SenderNotificationPermission(key)
        case {"kind": str(kind)} if kind not in _KNOWN:
            return Unknown(json)
        case {"kind": str(kind)}:
            raise BadPushRule(f"a condition of kind {kind} has a missing or malformed property")
    raise BadPushRule("a condition must be an object with a kind")


def shown(condition: Condition, user_id: str) -> JsonObject:
    """The JSON of a condition for its owner."""
    match condition:
        case EventMatch(key, pattern):
            return {"kind": "event_match", "key": key, "pattern": filled(pattern, user_id)}
        case EventPropertyIs(key, value):
            return {"kind": "event_property_is", "key": key, "value": value}
        case EventPropertyContains(key, entry):
            return {"kind": "event_property_contains", "key": key, "value": filled(entry, user_id)}
        case RoomMemberCount(bound):
            return {"kind": "room_member_count", "is": bound}
        case SenderNotificationPermission(key):
            return {"kind": "sender_notification_permission", "key": key}
        case Unknown(json):
            return json
    return {"kind": "contains_display_name"}


def filled(value: Any, user_id: str) -> Any:
    """A value of a condition with placeholders filled in for one user."""
    return value.of(user_id) if isinstance(value, Owner) else value


def _is_scalar(value: object) -> bool:
    """True for a string, an integer within 53 bits, a boolean or null."""
    if type(value) is int:
        return -MAX_INTEGER <= value <= MAX_INTEGER
    return value is None or isinstance(value, str | bool)


_KNOWN = frozenset(
    (
        *("event_match", "event_property_is", "event_property_contains", "contains_display_name"),
        *("room_member_count", "sender_notification_permission"),
    )
)
