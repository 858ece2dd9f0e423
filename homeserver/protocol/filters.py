"""Filters (client-server API, "Filtering"): parsed from JSON, and matched against events.

Exclusion takes precedence over inclusion. An absent list includes everything, an empty one nothing. Unknown properties
are ignored; known ones must be well-formed, or null, which counts as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from homeserver.protocol import globs, paths
from homeserver.protocol.canonical import MAX_INTEGER, JsonObject
from homeserver.protocol.errors import BadFilter
from homeserver.protocol.event import Event
from homeserver.protocol.ids import fits, is_user_id
from homeserver.protocol.paths import Path

MAX_ENTRIES = 1000
"""Most entries in a list of a filter."""

MAX_FIELDS = 100
"""Most paths in `event_fields`, each of which is looked up in every event."""

MAX_TYPES = 200
"""Most entries in a list of types."""

MAX_STARS = 400
"""Most stars in a list of types, which are searched for in the type of every event."""

Names: TypeAlias = frozenset[str]
EventFormat: TypeAlias = Literal["client", "federation"]

_NONE: Names = frozenset()


def _any_of(patterns: Names) -> Callable[[str], bool]:
    """A test whether any of the patterns matches; `*` stands for any text."""
    exact = frozenset(pattern for pattern in patterns if "*" not in pattern)
    matchers = [globs.starred(pattern) for pattern in sorted(patterns - exact)]
    if not matchers:
        return exact.__contains__
    return lambda text: text in exact or any(matches(text) for matches in matchers)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """An EventFilter or RoomEventFilter. The fields from `rooms` on only apply to room events.

    None stands for an absent list. `types` may have wildcards. `limit` is as requested: use `limit_within`. The
    `related_by` lists are for the database query, as an event does not know the events that relate to it.
    """

    limit: int | None = None
    types: Names | None = None
    not_types: Names = _NONE
    senders: Names | None = None
    not_senders: Names = _NONE
    rooms: Names | None = None
    not_rooms: Names = _NONE
    contains_url: bool | None = None
    rel_types: Names | None = None
    not_rel_types: Names = _NONE
    related_by_senders: Names | None = None
    related_by_rel_types: Names | None = None
    lazy_load_members: bool = False
    include_redundant_members: bool = False
    unread_thread_notifications: bool = False
    _included: Callable[[str], bool] = field(init=False, compare=False, repr=False)
    _excluded: Callable[[str], bool] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_included", _any_of(self.types or _NONE))
        object.__setattr__(self, "_excluded", _any_of(self.not_types))

    @property
    def looks_at_content(self) -> bool:
        """True if the filter depends on more than type, sender and room."""
        return self.contains_url is not None or self.rel_types is not None or bool(self.not_rel_types)

    def limit_within(self, default: int, most: int) -> int:
        """The number of events to return: the requested limit or `default`, at most `most`."""
        return min(default if self.limit is None else self.limit, most)

    def admits_type(self, event_type: str) -> bool:
        """True if events of this type may pass."""
        return (self.types is None or self._included(event_type)) and not self._excluded(event_type)

    def admits_sender(self, sender: str | None) -> bool:
        """True if events of this sender may pass; None (no sender) only passes if the filter names no senders."""
        return (self.senders is None or sender in self.senders) and sender not in self.not_senders

    def admits_room(self, room_id: str) -> bool:
        """True if events in this room may pass."""
        return (self.rooms is None or room_id in self.rooms) and room_id not in self.not_rooms

    def admits(self, event_type: str, sender: str | None = None) -> bool:
        """True if an event that is no room event passes: presence, account data, receipts."""
        return self.admits_type(event_type) and self.admits_sender(sender)

    def passes(self, event: Event) -> bool:
        """True if a room event passes."""
        return (
            self.admits_type(event.type)
            and self.admits_sender(event.sender)
            and self.admits_room(event.room_id)
            and (not self.looks_at_content or self._passes_content(event.content))
        )

    def _passes_content(self, content: JsonObject) -> bool:
        if self.contains_url is not None and ("url" in content) is not self.contains_url:
            return False
        relation = content.get("m.relates_to")
        rel_type = relation.get("rel_type") if isinstance(relation, Mapping) else None
        rel_type = rel_type if isinstance(rel_type, str) else None
        return (self.rel_types is None or rel_type in self.rel_types) and rel_type not in self.not_rel_types


PASS_ALL = EventFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomFilter:
    """A RoomFilter: the rooms to include, and the filters of their parts."""

    rooms: Names | None = None
    not_rooms: Names = _NONE
    include_leave: bool = False
    state: EventFilter = PASS_ALL
    timeline: EventFilter = PASS_ALL
    ephemeral: EventFilter = PASS_ALL
    account_data: EventFilter = PASS_ALL

    def admits_room(self, room_id: str) -> bool:
        return (self.rooms is None or room_id in self.rooms) and room_id not in self.not_rooms


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A whole filter for /sync. `event_fields`: paths of the fields to keep of each event; None keeps all."""

    event_fields: tuple[Path, ...] | None = None
    event_format: EventFormat = "client"
    presence: EventFilter = PASS_ALL
    account_data: EventFilter = PASS_ALL
    room: RoomFilter = RoomFilter()


def read_filter(json: object) -> Filter:
    """Parse the filter of POST /filter or GET /sync. Raises BadFilter."""
    given = _Given.of(json, "")
    event_format = given.json.get("event_format", "client")
    if event_format not in ("client", "federation"):
        raise BadFilter("event_format must be client or federation")
    fields = given.texts("event_fields", MAX_FIELDS)
    return Filter(
        event_fields=None if fields is None else tuple(sorted(paths.parse(text) for text in fields)),
        event_format=event_format,
        presence=_read_events(given.inner("presence")),
        account_data=_read_events(given.inner("account_data")),
        room=_read_room(given.inner("room")),
    )


def read_room_event_filter(json: object) -> EventFilter:
    """Parse the filter of /messages, /context or /search. Raises BadFilter."""
    return _read_room_events(_Given.of(json, ""))


@dataclass(frozen=True, slots=True)
class _Given:
    """An object within a filter, with its path for error messages: "room.timeline."."""

    json: Mapping[str, Any]
    where: str

    @classmethod
    def of(cls, json: object, where: str) -> _Given:
        if not isinstance(json, dict):
            raise BadFilter(f"{where.rstrip('.') or 'a filter'} is not an object")
        return cls({name: value for name, value in json.items() if value is not None}, where)

    def inner(self, name: str) -> _Given:
        return _Given.of(self.json.get(name, {}), f"{self.where}{name}.")

    def flag(self, name: str) -> bool | None:
        value = self.json.get(name)
        if name in self.json and not isinstance(value, bool):
            raise BadFilter(f"{self.where}{name} is not a boolean")
        return value

    def limit(self) -> int | None:
        value = self.json.get("limit")
        if "limit" in self.json and (type(value) is not int or not 0 <= value <= MAX_INTEGER):
            raise BadFilter(f"{self.where}limit is not an integer of at least 0")
        return value

    def texts(self, name: str, most: int = MAX_ENTRIES) -> Names | None:
        """A list of strings as a set; None if it is absent."""
        if name not in self.json:
            return None
        entries = self.json[name]
        if not isinstance(entries, list) or len(entries) > most:
            raise BadFilter(f"{self.where}{name} is not a list of at most {most}")
        if not all(isinstance(entry, str) and fits(entry) for entry in entries):
            raise BadFilter(f"{self.where}{name} has an entry that is not a string of at most 255 bytes")
        return frozenset(entries)

    def types(self, name: str) -> Names | None:
        """A list of event types, which may have wildcards."""
        entries = self.texts(name, MAX_TYPES)
        if entries is not None and sum(entry.count("*") for entry in entries) > MAX_STARS:
            raise BadFilter(f"{self.where}{name} has more than {MAX_STARS} stars")
        return entries

    def users(self, name: str) -> Names | None:
        return self._checked(name, is_user_id, "user")

    def rooms(self, name: str) -> Names | None:
        return self._checked(name, lambda text: text[:1] == "!" and len(text) > 1, "room")

    def _checked(self, name: str, is_right: Callable[[str], bool], what: str) -> Names | None:
        entries = self.texts(name)
        if entries is not None and not all(is_right(entry) for entry in entries):
            raise BadFilter(f"{self.where}{name} has an entry that is not a {what} ID")
        return entries


def _read_events(given: _Given) -> EventFilter:
    return EventFilter(**_base(given))


def _read_room_events(given: _Given) -> EventFilter:
    return EventFilter(
        **_base(given),
        rooms=given.rooms("rooms"),
        not_rooms=given.rooms("not_rooms") or _NONE,
        contains_url=given.flag("contains_url"),
        rel_types=_renamed(given, "rel_types", "org.matrix.msc3874.rel_types"),
        not_rel_types=_renamed(given, "not_rel_types", "org.matrix.msc3874.not_rel_types") or _NONE,
        related_by_senders=given.users("related_by_senders"),
        related_by_rel_types=given.texts("related_by_rel_types"),
        lazy_load_members=given.flag("lazy_load_members") or False,
        include_redundant_members=given.flag("include_redundant_members") or False,
        unread_thread_notifications=given.flag("unread_thread_notifications") or False,
    )


def _base(given: _Given) -> dict[str, Any]:
    """The fields common to all event filters."""
    return {
        "limit": given.limit(),
        "types": given.types("types"),
        "not_types": given.types("not_types") or _NONE,
        "senders": given.users("senders"),
        "not_senders": given.users("not_senders") or _NONE,
    }


def _read_room(given: _Given) -> RoomFilter:
    return RoomFilter(
        rooms=given.rooms("rooms"),
        not_rooms=given.rooms("not_rooms") or _NONE,
        include_leave=given.flag("include_leave") or False,
        state=_read_room_events(given.inner("state")),
        timeline=_read_room_events(given.inner("timeline")),
        ephemeral=_read_room_events(given.inner("ephemeral")),
        account_data=_read_room_events(given.inner("account_data")),
    )


def _renamed(given: _Given, name: str, before: str) -> Names | None:
    """A list by its stable name, else by its unstable one."""
    return given.texts(name if name in given.json else before)
