"""The input of push rules: an event and its room. Each property is looked up once for all rules."""

from __future__ import annotations

from typing import Any

from homeserver.protocol import globs, paths
from homeserver.protocol.errors import BadPowerLevel
from homeserver.protocol.event import Event
from homeserver.protocol.power import PowerLevels
from homeserver.protocol.pushrules.names import Names

BODY = "content.body"

_SCALARS = frozenset((str, int, bool, type(None)))


class Occasion:
    """An event, with the number of joined members and the power levels of the room right after it.

    Strings are compared case-insensitively, by their lower-case forms.
    """

    def __init__(self, event: Event, member_count: int, levels: PowerLevels) -> None:
        self.event = event
        self.member_count = member_count
        self.levels = levels
        self._whole = {**event.pdu, "event_id": event.event_id, "room_id": event.room_id}
        self._values: dict[str, Any] = {}
        self._texts: dict[str, str | None] = {}
        self._worded: dict[str, bool] = {}
        self._entries: dict[str, frozenset[tuple[type, Any]]] = {}
        self._names: dict[bool, Names | None] = {}

    @property
    def has_mentions(self) -> bool:
        """True if the event has m.mentions, even an empty one."""
        return "m.mentions" in self.event.content

    def value(self, key: str) -> Any:
        """The value at a dot-separated path of the event in client format, or `paths.MISSING`."""
        if key not in self._values:
            self._values[key] = paths.find(self._whole, paths.parse(key))
        return self._values[key]

    def text(self, key: str) -> str | None:
        """The string at a path, in lower case; None if there is none."""
        try:
            return self._texts[key]
        except KeyError:
            value = self.value(key)
            text = self._texts[key] = value.lower() if isinstance(value, str) else None
            return text

    def matches(self, key: str, pattern: str) -> bool:
        """True if the string at a path matches a glob: as a whole, or, for content.body, in some words."""
        text = self.text(key)
        if text is None:
            return False
        if key != BODY:
            return bool(globs.whole(pattern.lower())(text))
        if pattern not in self._worded:
            self._worded[pattern] = bool(globs.worded(pattern.lower())(text))
        return self._worded[pattern]

    def equals(self, key: str, wanted: object) -> bool:
        """True if the value at a path is exactly this string, integer, boolean or null."""
        value = self.value(key)
        return type(value) is type(wanted) and value == wanted

    def entries(self, key: str) -> frozenset[tuple[type, Any]]:
        """The strings, integers, booleans and nulls in the list at a path, each with its type: 1 is not true."""
        if key not in self._entries:
            value = self.value(key)
            found = value if isinstance(value, list) else ()
            self._entries[key] = frozenset((type(entry), entry) for entry in found if type(entry) in _SCALARS)
        return self._entries[key]

    def names(self, *, latin: bool = False) -> Names | None:
        """The body, to search for names; None if there is none."""
        if latin not in self._names:
            body = self.text(BODY)
            self._names[latin] = Names(body, latin=latin) if body else None
        return self._names[latin]

    def sender_may_notify(self, name: str) -> bool:
        """True if the sender's power level suffices for notifications of this name, such as "room"."""
        try:
            return self.levels.user(self.event.sender) >= self.levels.notification(name)
        except BadPowerLevel:  # possible in old rooms: an unreadable level grants nothing
            return False
