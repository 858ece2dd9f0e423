"""The push rules of one user: predefined rules, the user's changes to them, and user-defined rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from homeserver.protocol import canonical
from homeserver.protocol.canonical import JsonObject, same_json
from homeserver.protocol.errors import BadPushRule, UnknownPushRule
from homeserver.protocol.pushrules.conditions import EventMatch, read_condition
from homeserver.protocol.pushrules.defaults import BELOW, BY_ID, MASTER
from homeserver.protocol.pushrules.rules import Actions, Kind, Rule, read_rule

MAX_OWN_RULES = 1000
MAX_OWN_BYTES = 512 * 1024
"""Greatest size of a user's rules as JSON: all of them are sent and stored together, and kept for each room."""

MAX_SEARCHES = 100
"""Most searches of a text that the globs of one user's rules may need per event; a `?` counts as one more."""

_Own: TypeAlias = Mapping[Kind, Mapping[str, Rule]]
_NONE: Mapping[str, Rule] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Ruleset:
    """The rules of a user. Immutable: operations return a new ruleset, or raise.

    `own`: user-defined rules by kind and id, highest priority first; `changed`: predefined rules that differ from the
    defaults.
    """

    own: _Own
    changed: Mapping[str, Rule]

    @property
    def size(self) -> int:
        """The number of user-defined rules."""
        return sum(map(len, self.own.values()))

    def rules(self, kind: Kind) -> list[Rule]:
        """All rules of a kind, highest priority first."""
        defaults = [self.changed.get(rule.rule_id, rule) for rule in BELOW.get(kind, ())]
        first = [self.changed.get(MASTER.rule_id, MASTER)] if kind is MASTER.kind else []
        return [*first, *self.own.get(kind, _NONE).values(), *defaults]

    def find(self, kind: Kind, rule_id: str) -> Rule:
        """The rule of this kind and id. Raises UnknownPushRule."""
        rule = self.own.get(kind, _NONE).get(rule_id) or self.changed.get(rule_id) or BY_ID.get(rule_id)
        if rule is None or rule.kind is not kind:
            raise UnknownPushRule(f"there is no {kind} rule {rule_id!r}")
        return rule

    def put(
        self,
        kind: Kind,
        rule_id: str,
        body: JsonObject,
        *,
        before: str | None = None,
        after: str | None = None,
    ) -> Ruleset:
        """The ruleset with a user-defined rule created or replaced from a request body.

        It is placed right before or after another user-defined rule of its kind (`before` is used if both are given).
        Without these a new rule gets the highest priority. An existing one keeps its place then, and beside itself.
        Raises BadPushRule.
        """
        rule = read_rule(kind, rule_id, body)
        rules = dict(self.own.get(kind, _NONE))
        old = rules.get(rule_id)
        if old is not None:
            rule = replace(rule, enabled=old.enabled)
        if old is not None and {before, after} <= {None, rule_id}:
            rules[rule_id] = rule
        else:
            rules.pop(rule_id, None)
            rules = _inserted(rules, rule, before, after)
        changed = self._with_own(kind, rules)
        if not _is_within_bounds(changed):
            raise BadPushRule(
                f"at most {MAX_OWN_RULES} rules of {MAX_OWN_BYTES} bytes and {MAX_SEARCHES} searched patterns"
            )
        return changed

    def delete(self, kind: Kind, rule_id: str) -> Ruleset:
        """The ruleset without a user-defined rule. Raises UnknownPushRule, also for predefined rules."""
        rules = dict(self.own.get(kind, _NONE))
        if rules.pop(rule_id, None) is None:
            raise UnknownPushRule(f"there is no {kind} rule {rule_id!r} that could be deleted")
        return self._with_own(kind, rules)

    def enable(self, kind: Kind, rule_id: str, enabled: bool) -> Ruleset:
        """The ruleset with a rule enabled or disabled. Raises UnknownPushRule."""
        return self._with(replace(self.find(kind, rule_id), enabled=enabled))

    def act(self, kind: Kind, rule_id: str, actions: Actions) -> Ruleset:
        """The ruleset with new actions for a rule, from `read_actions`. Raises UnknownPushRule, BadPushRule."""
        changed = self._with(replace(self.find(kind, rule_id), actions=actions))
        if not _is_within_bounds(changed):
            raise BadPushRule(f"rules may have at most {MAX_OWN_BYTES} bytes")
        return changed

    def copied(self, old_room: str, new_room: str) -> Ruleset:
        """The ruleset with the rules about a room copied for another one, as for a room upgrade.

        Copied are its room rule, and override and underride rules with a condition on its id. Existing rules about the
        new room are kept; copies beyond the limit of rules are left out.
        """
        ruleset = self
        for kind, rules in self.own.items():
            for rule in rules.values():
                copy = _moved(rule, old_room, new_room)
                if copy is None or copy.rule_id in ruleset.own[kind]:
                    continue
                grown = ruleset._with_own(kind, {copy.rule_id: copy, **ruleset.own[kind]})
                ruleset = grown if _is_within_bounds(grown) else ruleset
        return ruleset

    def is_same_as(self, other: Ruleset) -> bool:
        """True if two rulesets say the same, in the same order. `==` knows no order, and takes 1 for true."""
        return (
            self.own.keys() == other.own.keys()
            and self.changed.keys() == other.changed.keys()
            and all(_are_same(rules.values(), other.own[kind].values()) for kind, rules in self.own.items())
            and all(_are_same([rule], [other.changed[rule_id]]) for rule_id, rule in self.changed.items())
        )

    def shown(self, user_id: str) -> JsonObject:
        """The response of GET /pushrules/, and the content of m.push_rules."""
        return {"global": {kind.value: [rule.shown(user_id) for rule in self.rules(kind)] for kind in Kind}}

    def stored(self) -> JsonObject:
        """JSON for the database, read by `from_stored`: only what differs from the defaults."""
        return {
            "own": {
                kind.value: [_stored(rule) for rule in rules.values()] for kind, rules in self.own.items()
            },
            "changed": {
                rule_id: {"enabled": rule.enabled, "actions": list(rule.actions)}
                for rule_id, rule in self.changed.items()
            },
        }

    @classmethod
    def from_stored(cls, json: JsonObject) -> Ruleset:
        """The ruleset from `stored`. Changes of rules that are no longer predefined are dropped."""
        own = {Kind(kind): _read_stored(Kind(kind), rules) for kind, rules in json["own"].items()}
        changed = {
            rule_id: replace(BY_ID[rule_id], enabled=change["enabled"], actions=tuple(change["actions"]))
            for rule_id, change in json["changed"].items()
            if rule_id in BY_ID
        }
        return _ruleset(own, changed)

    def _with(self, rule: Rule) -> Ruleset:
        """The ruleset with the rule of the same id replaced."""
        if not rule.default:
            return self._with_own(rule.kind, {**self.own[rule.kind], rule.rule_id: rule})
        changed = {**self.changed, rule.rule_id: rule}
        if rule == BY_ID[rule.rule_id]:
            del changed[rule.rule_id]
        return _ruleset(self.own, changed)

    def _with_own(self, kind: Kind, rules: Mapping[str, Rule]) -> Ruleset:
        return _ruleset({**self.own, kind: rules}, self.changed)


UNCHANGED = Ruleset(MappingProxyType({}), MappingProxyType({}))
"""The ruleset of all users who never changed a rule. A singleton, to be compared with `is`."""


def _ruleset(own: _Own, changed: Mapping[str, Rule]) -> Ruleset:
    filled = {kind: MappingProxyType(dict(rules)) for kind, rules in own.items() if rules}
    if not filled and not changed:
        return UNCHANGED
    return Ruleset(MappingProxyType(filled), MappingProxyType(dict(changed)))


def _are_same(some: Collection[Rule], others: Collection[Rule]) -> bool:
    return len(some) == len(others) and all(
        one is other or same_json(_stored(one), _stored(other))
        for one, other in zip(some, others, strict=True)
    )


def _is_within_bounds(ruleset: Ruleset) -> bool:
    own = [rule for rules in ruleset.own.values() for rule in rules.values()]
    if len(own) > MAX_OWN_RULES or sum(rule.searches for rule in own) > MAX_SEARCHES:
        return False
    return len(canonical.encode(ruleset.stored())) <= MAX_OWN_BYTES


def _inserted(
    rules: Mapping[str, Rule], rule: Rule, before: str | None, after: str | None
) -> dict[str, Rule]:
    neighbour = before if before is not None else after
    if neighbour is None:
        return {rule.rule_id: rule, **rules}
    if neighbour not in rules:  # predefined rules do not count
        raise BadPushRule(f"before/after rule not found: {neighbour}")
    order = list(rules)
    order.insert(order.index(neighbour) + (before is None), rule.rule_id)
    return {rule_id: rules.get(rule_id, rule) for rule_id in order}


def _moved(rule: Rule, old_room: str, new_room: str) -> Rule | None:
    """A rule about one room, made about another; None if it is not about that room."""
    if rule.kind is Kind.ROOM:
        return replace(rule, rule_id=new_room) if rule.rule_id == old_room else None
    asks = EventMatch("room_id", old_room)
    if asks not in rule.conditions:
        return None
    conditions = tuple(
        EventMatch("room_id", new_room) if condition == asks else condition for condition in rule.conditions
    )
    return replace(rule, rule_id=new_room, conditions=conditions)


def _stored(rule: Rule) -> JsonObject:
    """The JSON of a user-defined rule, which does not depend on its owner."""
    return rule.shown("@:")


def _read_stored(kind: Kind, rules: list[dict[str, Any]]) -> dict[str, Rule]:
    return {
        rule["rule_id"]: Rule(
            kind,
            rule["rule_id"],
            tuple(rule["actions"]),
            tuple(read_condition(condition) for condition in rule.get("conditions", ())),
            rule.get("pattern"),
            rule["enabled"],
        )
        for rule in rules
    }
