"""One push rule, and how it is parsed from a client's request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from homeserver.protocol import canonical
from homeserver.protocol.canonical import JsonObject
from homeserver.protocol.errors import BadPushRule
from homeserver.protocol.ids import fits
from homeserver.protocol.pushrules.conditions import (
    Condition,
    EventMatch,
    EventPropertyIs,
    Owner,
    filled,
    read_condition,
    shown,
)
from homeserver.protocol.pushrules.occasion import BODY

MAX_CONDITIONS = 20
MAX_PATTERN = 512
"""Greatest length of a glob, in characters."""

MAX_RULE_BYTES = 8192
"""Greatest size of a rule's conditions, pattern and actions as JSON."""

Actions = tuple[Any, ...]
"""Each the word "notify", an object `{"set_tweak": name, "value": any}`, or a historical action."""

# "Historical Actions": without effect, but returned to the owner: matrix-js-sdk finds its muted rooms by them.
_HISTORICAL = ("dont_notify", "coalesce")


class Kind(StrEnum):
    """The kinds of rules, highest priority first."""

    OVERRIDE = "override"
    CONTENT = "content"
    ROOM = "room"
    SENDER = "sender"
    UNDERRIDE = "underride"


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The effect of a rule's actions. `sound`: its name ("default"), or None for silence.

    `highlight` is only true together with `notify`.
    """

    actions: Actions
    notify: bool
    highlight: bool
    sound: str | None
    tweaks: Mapping[str, Any]

    @classmethod
    def of(cls, actions: Actions) -> Outcome:
        """The effect of actions, without historical ones; of two that set the same tweak the later is used."""
        actions = tuple(action for action in actions if action not in _HISTORICAL)
        set_by = [action for action in actions if isinstance(action, Mapping)]
        tweaks = {action["set_tweak"]: action.get("value", True) for action in set_by}
        notify, sound = "notify" in actions, tweaks.get("sound")
        return cls(
            actions=actions,
            notify=notify,
            highlight=notify and tweaks.get("highlight", False) is True,
            sound=sound if isinstance(sound, str) else None,
            tweaks=MappingProxyType(tweaks),
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """A push rule. `conditions` are those of override and underride rules, `pattern` that of content rules.

    `unless_mentions`: the rule does not apply to events with m.mentions. `room`: the only room, in lower case, in which
    the rule can hold, if its conditions name one: many users have many such rules.
    """

    kind: Kind
    rule_id: str
    actions: Actions
    conditions: tuple[Condition, ...] = ()
    pattern: str | Owner | None = None
    enabled: bool = True
    default: bool = False
    unless_mentions: bool = False
    tests: tuple[Condition, ...] = field(init=False, compare=False, repr=False)
    room: str | None = field(init=False, compare=False, repr=False)
    outcome: Outcome = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tests", _tests(self))
        named = [test.plain for test in self.tests if isinstance(test, EventMatch) and test.key == "room_id"]
        object.__setattr__(self, "room", named[0] if named else None)
        object.__setattr__(self, "outcome", Outcome.of(self.actions))

    @property
    def searches(self) -> int:
        """The cost of the rule's globs, see `EventMatch.searches`."""
        return sum(test.searches for test in self.tests if isinstance(test, EventMatch))

    def shown(self, user_id: str) -> JsonObject:
        """The rule's JSON for its owner."""
        json: dict[str, Any] = {
            "rule_id": self.rule_id,
            "default": self.default,
            "enabled": self.enabled,
            "actions": list(self.actions),
        }
        if self.kind in (Kind.OVERRIDE, Kind.UNDERRIDE):
            json["conditions"] = [shown(condition, user_id) for condition in self.conditions]
        elif self.kind is Kind.CONTENT:
            json["pattern"] = filled(self.pattern, user_id)
        return json


def read_rule(kind: Kind, rule_id: str, body: JsonObject) -> Rule:
    """Parse a user-defined rule from a request body. Raises BadPushRule."""
    if not rule_id or rule_id.startswith(".") or "/" in rule_id or "\\" in rule_id or not fits(rule_id):
        raise BadPushRule("a rule_id must have 1 to 255 bytes, no slash or backslash, and no leading dot")
    actions = read_actions(body.get("actions"))
    conditions: tuple[Condition, ...] = ()
    pattern = None
    if kind in (Kind.OVERRIDE, Kind.UNDERRIDE):
        conditions = _read_conditions(body.get("conditions"))
    elif kind is Kind.CONTENT:
        pattern = body.get("pattern")
        if not isinstance(pattern, str):
            raise BadPushRule("a content rule must have a pattern")
    rule = Rule(kind, rule_id, actions, conditions, pattern)
    if any(len(glob) > MAX_PATTERN for glob in _globs(rule)):
        raise BadPushRule(f"a pattern must have at most {MAX_PATTERN} characters")
    if len(canonical.encode(rule.shown("@:"))) > MAX_RULE_BYTES:
        raise BadPushRule(f"a rule must have at most {MAX_RULE_BYTES} bytes")
    return rule


def read_actions(json: object) -> Actions:
    """Parse the actions of a request. Raises BadPushRule."""
    if not isinstance(json, list):
        raise BadPushRule("actions must be a list")
    actions = tuple(_read_action(action) for action in json)
    if len(canonical.encode(actions)) > MAX_RULE_BYTES:
        raise BadPushRule(f"actions must have at most {MAX_RULE_BYTES} bytes")
    return actions


def read_kind(text: str) -> Kind:
    """The kind with this name. Raises BadPushRule."""
    try:
        return Kind(text)
    except ValueError:
        raise BadPushRule(f"{text!r} is not a kind of push rule") from None


def _read_action(json: object) -> Any:
    match json:
        case "notify" | "dont_notify" | "coalesce":
            return json
        case {"set_tweak": str()}:
            return json
    raise BadPushRule('an action must be "notify" or an object that sets a tweak')


def _read_conditions(json: object) -> tuple[Condition, ...]:
    if json is None:
        return ()
    if not isinstance(json, list) or len(json) > MAX_CONDITIONS:
        raise BadPushRule(f"conditions must be a list of at most {MAX_CONDITIONS}")
    return tuple(read_condition(condition) for condition in json)


def _globs(rule: Rule) -> list[str]:
    matches = [test for test in rule.tests if isinstance(test, EventMatch)]
    return [test.pattern for test in matches if isinstance(test.pattern, str)]


def _tests(rule: Rule) -> tuple[Condition, ...]:
    """All conditions of a rule, including those implied by its kind."""
    match rule.kind:
        case Kind.CONTENT:
            return (EventMatch(BODY, rule.pattern or ""),)
        case Kind.ROOM:
            return (EventPropertyIs("room_id", rule.rule_id),)
        case Kind.SENDER:
            return (EventPropertyIs("sender", rule.rule_id),)
    return rule.conditions
