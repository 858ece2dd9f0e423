"""Evaluation of push rules: the matching rule for each reader of an event.

Conditions that are the same for all readers are evaluated once. For users who never changed a rule this leaves two or
three tests, of names and mentions, and the outcome if none of them holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from homeserver.protocol.ids import UserId
from homeserver.protocol.pushrules.conditions import Answer, Test
from homeserver.protocol.pushrules.defaults import BELOW, MASTER
from homeserver.protocol.pushrules.occasion import Occasion
from homeserver.protocol.pushrules.rules import Kind, Outcome, Rule
from homeserver.protocol.pushrules.ruleset import UNCHANGED, Ruleset


@dataclass(frozen=True, slots=True)
class Reader:
    """A user whom an event may notify. `display_name` is the one in the room, "" for none."""

    user_id: UserId
    display_name: str
    rules: Ruleset


_Plan: TypeAlias = tuple[Sequence[tuple[Test, Outcome]], Outcome]
"""Tests of a reader in order of priority, the outcome of each, and the outcome if none holds."""

_NOTHING = Outcome.of(())
_BY_OWN_ID: Mapping[Kind, str] = {Kind.ROOM: "room_id", Kind.SENDER: "sender"}


class Evaluation:
    """Evaluates the rules of many users for one event."""

    def __init__(self, occasion: Occasion) -> None:
        self._occasion = occasion
        self._master = self._left((MASTER,))
        self._below = {kind: self._left(rules) for kind, rules in BELOW.items()}
        self._shared = self._plan(UNCHANGED)

    @property
    def common(self) -> Outcome:
        """The outcome for users with unchanged rules, except those that the event singles out."""
        return self._shared[1]

    @property
    def singles_out(self) -> bool:
        """True if the outcome of users with unchanged rules depends on their id or name."""
        return bool(self._shared[0])

    def outcome(self, reader: Reader) -> Outcome:
        """The outcome for one reader, even if they are the sender."""
        tests, outcome = self._shared if reader.rules is UNCHANGED else self._plan(reader.rules)
        for holds, then in tests:
            if holds(reader.user_id, reader.display_name):
                return then
        return outcome

    def outcomes(self, readers: Iterable[Reader]) -> dict[UserId, Outcome]:
        """The outcomes of readers to be notified; never the sender.

        May be called several times with some of the readers each, so that other tasks can run in between.
        """
        told: dict[UserId, Outcome] = {}
        sender, shared = self._occasion.event.sender, self._shared
        for reader in readers:
            user_id, name = reader.user_id, reader.display_name
            tests, outcome = shared if reader.rules is UNCHANGED else self._plan(reader.rules)
            for holds, then in tests:
                if holds(user_id, name):
                    outcome = then
                    break
            if outcome.notify and user_id != sender:
                told[user_id] = outcome
        return told

    def _plan(self, ruleset: Ruleset) -> _Plan:
        tests: list[tuple[Test, Outcome]] = []
        for rule, answer in self._candidates(ruleset):
            if answer is True:
                return tests, rule.outcome
            if answer is not False:
                tests.append((answer, rule.outcome))
        return tests, _NOTHING

    def _candidates(self, ruleset: Ruleset) -> Iterator[tuple[Rule, Answer]]:
        """The enabled rules in order of priority, predefined ones only if they can hold."""
        yield from _enabled(self._master, ruleset)
        for kind in Kind:
            yield from self._own(kind, ruleset)
            yield from _enabled(self._below.get(kind, ()), ruleset)

    def _own(self, kind: Kind, ruleset: Ruleset) -> Iterator[tuple[Rule, Answer]]:
        rules = ruleset.own.get(kind)
        if rules is None:
            return
        key = _BY_OWN_ID.get(kind)
        if key is None:
            here = (None, self._occasion.text("room_id"))
            for rule in [rule for rule in rules.values() if rule.room in here]:
                if rule.enabled:
                    yield rule, self._ask(rule)
            return
        about = rules.get(self._occasion.value(key))
        if about is not None and about.enabled:
            yield about, True

    def _left(self, rules: Iterable[Rule]) -> list[tuple[Rule, Answer]]:
        """The rules that can hold for some reader, enabled or not."""
        asked = ((rule, self._ask(rule)) for rule in rules)
        return [(rule, answer) for rule, answer in asked if answer is not False]

    def _ask(self, rule: Rule) -> Answer:
        if rule.unless_mentions and self._occasion.has_mentions:
            return False
        personal: list[Test] = []
        for test in rule.tests:
            answer = test.ask(self._occasion)
            if answer is False:
                return False
            if answer is not True:
                personal.append(answer)
        if len(personal) > 1:
            return lambda user_id, name: all(holds(user_id, name) for holds in personal)
        return personal[0] if personal else True


def _enabled(asked: Iterable[tuple[Rule, Answer]], ruleset: Ruleset) -> Iterator[tuple[Rule, Answer]]:
    """Predefined rules as one user has them; users change their actions, not their conditions."""
    for default, answer in asked:
        rule = ruleset.changed.get(default.rule_id, default)
        if rule.enabled:
            yield rule, answer
