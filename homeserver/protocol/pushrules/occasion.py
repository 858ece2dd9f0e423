"""An event as push rules look at it: each property is looked up once, whoever asks."""

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
    """An event, and the room as it is right after it: how many have joined, and the power levels.

    Texts are compared without regard to case, by their lower-case forms.
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
        """Whether the sender said who is meant, be it nobody."""
        return "m.mentions" in self.event.content

    def value(self, key: str) -> Any:
        """What stands at a dot-separated path of the event as clients see it, or `paths.MISSING`."""
        if key not in self._values:
            self._values[key] = paths.find(self._whole, paths.parse(key))
        return self._values[key]

    def text(self, key: str) -> str | None:
        """The text there in lower case; None if there is none."""
        try:
            return self._texts[key]
        except KeyError:
            value = self.value(key)
            text = self._texts[key] = value.lower() if isinstance(value, str) else None
            return text

    def matches(self, key: str, pattern: str) -> bool:
        """Whether the text there matches a glob: all of it, or some words of a message's body."""
        text = self.text(key)
        if text is None:
            return False
        if key != BODY:
            return bool(globs.whole(pattern.lower())(text))
        if pattern not in self._worded:
            self._worded[pattern] = bool(globs.worded(pattern.lower())(text))
        return self._worded[pattern]

    def equals(self, key: str, wanted: object) -> bool:
        """Whether exactly this text, integer, boolean or null stands there."""
        value = self.value(key)
        return type(value) is type(wanted) and value == wanted

    def entries(self, key: str) -> frozenset[tuple[type, Any]]:
        """The texts, integers, booleans and nulls in the list there, each with its type: 1 is not true."""
        if key not in self._entries:
            value = self.value(key)
            found = value if isinstance(value, list) else ()
            self._entries[key] = frozenset((type(entry), entry) for entry in found if type(entry) in _SCALARS)
        return self._entries[key]

    def names(self, *, latin: bool = False) -> Names | None:
        """The body, to look for names in it; None if there is none."""
        if latin not in self._names:
            body = self.text(BODY)
            self._names[latin] = Names(body, latin=latin) if body else None
        return self._names[latin]

    def sender_may_notify(self, name: str) -> bool:
        """Whether the sender's power suffices for notifications of this name, such as "room"."""
        try:
            return self.levels.user(self.event.sender) >= self.levels.notification(name)
        except BadPowerLevel:  # of old rooms: what cannot be read gives nobody the right
            return False
