"""State resolution v1, for room version 1 alone (section 13). Use it through `resolve.resolve`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha1

from homeserver.protocol.auth import MEMBER, check_against_state
from homeserver.protocol.errors import AuthRefused, MissingEvent
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import EventId
from homeserver.protocol.member import JOIN_RULES_KEY
from homeserver.protocol.power import POWER_LEVELS_KEY
from homeserver.protocol.versions import RoomRules

State = dict[StateKey, Event]


def resolve_v1(
    states: Sequence[Mapping[StateKey, EventId]], events: Mapping[EventId, Event], rules: RoomRules
) -> dict[StateKey, EventId]:
    """The numbers are the steps of the section; every event of the states must be given, auth chains need not."""
    candidates: dict[StateKey, set[EventId]] = {}
    for state in states:
        for key, event_id in state.items():
            candidates.setdefault(key, set()).add(event_id)
    conflicts = {key: _oldest_first(ids, events) for key, ids in candidates.items() if len(ids) > 1}
    resolved: State = {  # 1: a key that only some states have, with one event, is no conflict
        key: _event(next(iter(ids)), events) for key, ids in candidates.items() if len(ids) == 1
    }
    for key in (POWER_LEVELS_KEY, JOIN_RULES_KEY):  # 2 and 3
        if key in conflicts:
            resolved[key] = _last_that_passes(key, conflicts.pop(key), resolved, rules)
    members = [key for key in conflicts if key[0] == MEMBER]  # 4: the keys do not see each other
    resolved |= {key: _last_that_passes(key, conflicts.pop(key), resolved, rules) for key in members}
    resolved |= {key: _newest_that_passes(found, resolved, rules) for key, found in conflicts.items()}  # 5
    return {key: event.event_id for key, event in resolved.items()}


def _oldest_first(ids: Iterable[EventId], events: Mapping[EventId, Event]) -> list[Event]:
    """By ascending depth; of equal depth by descending SHA-1 of the id."""
    newest_first = sorted((_event(one, events) for one in ids), key=lambda one: (-one.depth, _digest(one)))
    return newest_first[::-1]


def _digest(event: Event) -> str:
    return sha1(event.event_id.encode(), usedforsecurity=False).hexdigest()


def _last_that_passes(key: StateKey, events: list[Event], resolved: State, rules: RoomRules) -> Event:
    """The first event, replaced by each next one that passes with it in the state; the first that fails ends it."""
    state, chosen = dict(resolved), events[0]
    for event in events[1:]:
        state[key] = chosen
        if not _passes(event, state, rules):
            break
        chosen = event
    return chosen


def _newest_that_passes(events: list[Event], resolved: State, rules: RoomRules) -> Event:
    """The newest event that passes; if none does, the oldest."""
    for event in reversed(events):
        if _passes(event, resolved, rules):
            return event
    return events[0]


def _passes(event: Event, state: State, rules: RoomRules) -> bool:
    try:
        check_against_state(event, state, rules)
    except AuthRefused:
        return False
    return True


def _event(event_id: EventId, events: Mapping[EventId, Event]) -> Event:
    try:
        return events[event_id]
    except KeyError:
        raise MissingEvent(event_id) from None
