"""The input of push rules: an event and its room. Each property is looked up once for all rules."""

from __future__ import annotations

from typing import Any

from homeserver.protocol import paths
from homeserver.protocol.canonical import JsonObject
from homeserver.protocol.errors import BadPowerLevel
from homeserver.protocol.event import Event
from homeserver.protocol.globs import GlobText
from homeserver.protocol.power import PowerLevels
from homeserver.protocol.pushrules.words import MAX_SEARCHED, WordSearch

BODY = "content.body"

_SCALARS = frozenset((str, int, bool, type(None)))


class Occasion:
    """An event, with the number of joined members and the power levels of the room right after it.

    Strings are compared case-insensitively, by their lower-case forms. Each glob is matched once for all rules; after
    MAX_SEARCHED characters no glob matches any more, but those on content.body do at the beginning of the text.
    """

    def __init__(self, event: Event, member_count: int, levels: PowerLevels) -> None:
        self.event = event
        self.member_count = member_count
        self.levels = levels
        self._usual: dict[str, Any] = {
            "type": event.type,
            "sender": event.sender,
            "content": event.content,
            "room_id": event.room_id,
            "event_id": event.event_id,
            "state_key": paths.MISSING if event.state_key is None else event.state_key,
        }
        self._pdu: JsonObject | None = None  # parsed only for a rule about another property
        self._values: dict[str, Any] = {}
        self._texts: dict[str, str | None] = {}
        self._globs: dict[str, GlobText] = {}
        self._searched = 0
        self._matched: dict[tuple[str, str], bool] = {}
        self._entries: dict[str, frozenset[tuple[type, Any]]] = {}
        self._searches: dict[bool, WordSearch | None] = {}

    @property
    def has_mentions(self) -> bool:
        """True if the event has m.mentions, even an empty one."""
        return "m.mentions" in self.event.content

    def value(self, key: str) -> Any:
        """The value at a dot-separated path of the event in client format, or `paths.MISSING`."""
        if key not in self._values:
            path = paths.parse(key)
            self._values[key] = paths.find(self._usual if path[0] in self._usual else self._others(), path)
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
        found = self._matched.get((key, pattern))
        if found is None:
            found = self._matched[key, pattern] = self._match(key, pattern.lower())
        return found

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

    def words(self, *, latin: bool = False) -> WordSearch | None:
        """The body, to be searched for names or, with `latin`, for patterns; None if there is none."""
        if latin not in self._searches:
            body = self.text(BODY)
            self._searches[latin] = None if body is None else WordSearch(body, latin=latin)
        return self._searches[latin]

    def _others(self) -> JsonObject:
        if self._pdu is None:
            self._pdu = self.event.pdu
        return self._pdu

    def _match(self, key: str, pattern: str) -> bool:
        if key == BODY:
            body = self.words(latin=True)
            return body is not None and body.has(pattern)
        text = self.text(key)
        if text is None:
            return False
        self._searched += len(text)
        if self._searched > MAX_SEARCHED:
            return False
        if key not in self._globs:
            self._globs[key] = GlobText(text)
        return self._globs[key].matches(pattern)

    def sender_may_notify(self, name: str) -> bool:
        """True if the sender's power level suffices for notifications of this name, such as "room"."""
        try:
            return self.levels.user(self.event.sender) >= self.levels.notification(name)
        except BadPowerLevel:  # possible in old rooms: an unreadable level grants nothing
            return False
