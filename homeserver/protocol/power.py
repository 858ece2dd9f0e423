"""Power levels: reading them from the state (section 10) and the rule on changing them (rule 11)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from homeserver.protocol.canonical import MAX_INTEGER, JsonObject
from homeserver.protocol.errors import AuthRefused, BadPowerLevel
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import UserId, is_user_id
from homeserver.protocol.versions import RoomRules

Level: TypeAlias = int | float
"""An integer, or `INFINITE`. Python compares integers of any size with infinity exactly."""

INFINITE = math.inf
"""The level of creators from room version 12 on: above every integer, equal to itself."""

POWER_LEVELS_KEY: StateKey = ("m.room.power_levels", "")
CREATE_KEY: StateKey = ("m.room.create", "")

_NAMED = ("users_default", "events_default", "state_default", "ban", "redact", "kick", "invite")
_TABLES = ("users", "events", "notifications")
_TEXT_LEVEL = re.compile(r"[+-]?[0-9]{1,400}")
_EMPTY: JsonObject = {}


def creators(create: Event, rules: RoomRules) -> frozenset[UserId]:
    """The creators of a room: one before room version 12; the sender and the additional ones from then on."""
    if not rules.creator_is_sender:
        named = create.content.get("creator")
        return frozenset([UserId(named)]) if isinstance(named, str) else frozenset()
    more = create.content.get("additional_creators") if rules.additional_creators else None
    if not isinstance(more, list):
        return frozenset([create.sender])
    return frozenset([create.sender, *(UserId(one) for one in more if isinstance(one, str))])


def read_level(value: object, rules: RoomRules) -> int:
    """A level from an event. Raises BadPowerLevel if the value is not allowed in this room version."""
    if type(value) is int:  # booleans are no levels
        return value
    if rules.string_power_levels and isinstance(value, str) and _TEXT_LEVEL.fullmatch(value.strip()):
        level = int(value)
        if not rules.strict_json or -MAX_INTEGER <= level <= MAX_INTEGER:
            return level
    if rules.float_power_levels and isinstance(value, float) and math.isfinite(value):
        return int(value)  # truncated towards zero
    raise BadPowerLevel(f"{value!r} is not a power level")


@dataclass(frozen=True, slots=True)
class PowerLevels:
    """The power levels of a room at one state. Levels are parsed on access, so methods raise BadPowerLevel.

    `content` is that of the m.room.power_levels event, None if there is none. A null in it counts as absent.
    """

    content: JsonObject | None
    creators: frozenset[UserId]
    rules: RoomRules

    @classmethod
    def from_state(cls, state: Mapping[StateKey, Event], rules: RoomRules) -> Self:
        return cls.from_events(state.get(CREATE_KEY), state.get(POWER_LEVELS_KEY), rules)

    @classmethod
    def from_events(cls, create: Event | None, power: Event | None, rules: RoomRules) -> Self:
        """From the two relevant events; without a create event there are no creators."""
        makers = creators(create, rules) if create is not None else frozenset()
        return cls(None if power is None else power.content, makers, rules)

    def user(self, user_id: str) -> Level:
        """The level of a user."""
        if user_id in self.creators:
            if self.rules.additional_creators:
                return INFINITE
            if self.content is None:
                return 100
        found = self._entry("users", user_id)
        return self._named("users_default", 0) if found is None else found

    def event(self, event_type: str, *, is_state: bool) -> Level:
        """The level needed to send an event of this type."""
        found = self._entry("events", event_type)
        if found is not None:
            return found
        return self._named("state_default", 50) if is_state else self._named("events_default", 0)

    @property
    def invite(self) -> Level:
        return self._named("invite", 0)

    @property
    def kick(self) -> Level:
        return self._named("kick", 50)

    @property
    def ban(self) -> Level:
        return self._named("ban", 50)

    @property
    def redact(self) -> Level:
        return self._named("redact", 50)

    def notification(self, name: str) -> Level:
        """The level needed for a notification by `name` ("room"). Used by push rules, not by auth rules."""
        found = self._entry("notifications", name)
        return 50 if found is None else found

    def _named(self, name: str, default: int) -> Level:
        value = None if self.content is None else self.content.get(name)
        return default if value is None else read_level(value, self.rules)

    def _entry(self, table: str, name: str) -> Level | None:
        entries = None if self.content is None else self.content.get(table)
        value = entries.get(name) if isinstance(entries, dict) else None
        return None if value is None else read_level(value, self.rules)


class ReadableLevels(PowerLevels):
    """The same to be shown, or asked ahead of the rules: a level that cannot be read gives nobody a right.

    Rooms up to version 9 may begin with any JSON as their levels. No method raises BadPowerLevel.
    """

    __slots__ = ()

    def _named(self, name: str, default: int) -> Level:
        try:
            return super()._named(name, default)
        except BadPowerLevel:
            return -INFINITE if name == "users_default" else INFINITE

    def _entry(self, table: str, name: str) -> Level | None:
        try:
            return super()._entry(table, name)
        except BadPowerLevel:
            return -INFINITE if table == "users" else INFINITE


def integer_levels(content: JsonObject, rules: RoomRules) -> dict[str, Any]:
    """The content of m.room.power_levels with all its levels as integers, which every room version takes.

    What cannot be read by the rules of the content's own room is left out. Integers that are too large for JSON become
    the largest of it.
    """
    made = {name: value for name, value in content.items() if name not in _NAMED and name not in _TABLES}
    made |= _integers({name: content[name] for name in _NAMED if name in content}, rules)
    for table in _TABLES:
        if table in content:
            entries = _integers(_table(content, table), rules)
            made[table] = {name: one for name, one in entries.items() if table != "users" or is_user_id(name)}
    return made


def are_readable(content: JsonObject, rules: RoomRules) -> bool:
    """True if each level can be read. If one cannot, the room's levels can never be changed."""
    made = integer_levels(content, rules)
    pairs = [(content, made, _NAMED), *((_table(content, one), _table(made, one), None) for one in _TABLES)]
    return all(
        old[name] is None or name in new
        for old, new, names in pairs
        for name in old
        if names is None or name in names
    )


def _integers(entries: JsonObject, rules: RoomRules) -> dict[str, int]:
    found = {}
    for name, value in entries.items():
        try:
            level = read_level(value, rules)
        except BadPowerLevel:
            continue
        found[name] = max(-MAX_INTEGER, min(level, MAX_INTEGER))
    return found


def check_power_levels(event: Event, levels: PowerLevels) -> None:
    """Rule 11: the sender may set these power levels; `levels`: the current ones. Raises AuthRefused."""
    rules, new, old = levels.rules, event.content, levels.content
    if not rules.string_power_levels:
        _check_integers(new)
    _check_users(new, levels)
    if old is None:  # 11.5
        return
    own = levels.user(event.sender)
    for name, before, after in _changes(old, new, _NAMED, rules):
        if _above(before, own) or _above(after, own):
            raise AuthRefused("11.6", f"{name} is or would be above the sender's level")
    for table in ("events", "notifications") if rules.notification_levels_checked else ("events",):
        _check_entries(table, (old, new), own, rules)
    _check_user_entries(event, old, own, rules)


def _check_integers(content: JsonObject) -> None:
    for name in _NAMED:
        if name in content and type(content[name]) is not int:
            raise AuthRefused("11.1", f"{name} is not an integer")
    for table in ("events", "notifications"):
        entries = content.get(table, _EMPTY)
        if not isinstance(entries, dict) or any(type(level) is not int for level in entries.values()):
            raise AuthRefused("11.2", f"{table} is not an object of integers")


def _check_users(content: JsonObject, levels: PowerLevels) -> None:
    users = content.get("users", _EMPTY)
    if not isinstance(users, dict):
        raise AuthRefused("11.3", "users is not an object")
    for user_id, value in users.items():
        if not is_user_id(user_id):
            raise AuthRefused("11.3", f"{user_id!r} is not a user id")
        try:
            read_level(value, levels.rules)
        except BadPowerLevel as error:
            raise AuthRefused("11.3", str(error)) from None
        if levels.rules.additional_creators and user_id in levels.creators:
            raise AuthRefused("11.4", f"{user_id} is a creator")


def _check_entries(table: str, pair: tuple[JsonObject, JsonObject], own: Level, rules: RoomRules) -> None:
    old, new = _table(pair[0], table), _table(pair[1], table)
    if not isinstance(pair[1].get(table, _EMPTY), dict):  # rule 11.2 says so from version 10 on
        raise AuthRefused("11.8", f"{table} is not an object")
    for name, before, after in _changes(old, new, old.keys() | new.keys(), rules):
        if _above(before, own):
            raise AuthRefused("11.7", f"{name} in {table} is above the sender's level")
        if _above(after, own):
            raise AuthRefused("11.8", f"{name} in {table} would be above the sender's level")


def _check_user_entries(event: Event, before_content: JsonObject, own: Level, rules: RoomRules) -> None:
    old, new = _table(before_content, "users"), _table(event.content, "users")
    for user_id, before, after in _changes(old, new, old.keys() | new.keys(), rules):
        if before is not None and user_id != event.sender and before >= own:
            raise AuthRefused("11.9", f"{user_id} is not below the sender's level")
        if _above(after, own):
            raise AuthRefused("11.10", f"{user_id} would be above the sender's level")


def _changes(
    old: JsonObject, new: JsonObject, names: Iterable[str], rules: RoomRules
) -> Iterator[tuple[str, int | None, int | None]]:
    """The (name, level before, level after) of every name that is added, changed or removed; None is absent.

    Levels are compared as numbers: "50" and 50 are no change.
    """
    for name in names:
        if name in old or name in new:
            before = None if old.get(name) is None else read_level(old[name], rules)
            after = read_level(new[name], rules) if name in new else None
            if before != after:
                yield name, before, after


def _above(level: int | None, own: Level) -> bool:
    return level is not None and level > own


def _table(content: JsonObject, name: str) -> JsonObject:
    entries = content.get(name)
    return entries if isinstance(entries, dict) else _EMPTY
