"""State resolution (section 13): merges the states of the branches of a forked room.

`resolve` selects the algorithm by room version; v2 and v2.1 are here, v1 in resolve_v1. Where existing servers differ
from the specification's text this follows them: servers that resolve differently split the room.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass

from homeserver.protocol.auth import auth_types_of, check_against_state
from homeserver.protocol.errors import AuthRefused, BadPowerLevel, MissingEvent
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import EventId
from homeserver.protocol.member import JOIN_RULES_KEY
from homeserver.protocol.power import CREATE_KEY, POWER_LEVELS_KEY, Level, PowerLevels
from homeserver.protocol.resolve_v1 import resolve_v1
from homeserver.protocol.versions import RoomRules, StateResolution

StateIds = Mapping[StateKey, EventId]

_POWER_KEYS = frozenset({POWER_LEVELS_KEY, JOIN_RULES_KEY, CREATE_KEY})


def resolve(
    state_sets: Sequence[StateIds],
    events: Mapping[EventId, Event],
    rules: RoomRules,
    *,
    rejected: Collection[EventId] = frozenset(),
    auth_difference: Collection[EventId] | None = None,
) -> dict[StateKey, EventId]:
    """The resolved state of several states of one room; the order of states and events does not matter.

    `events`: the events of the states and of their auth chains; `rejected`: the ids of those that were rejected.
    Callers with an index of auth chains may pass the `auth_difference` of the states; then only the chains of events
    on which the states differ are walked. Raises MissingEvent if a needed event is not in `events`.
    """
    states = _distinct(state_sets)
    if len(states) <= 1:
        return states[0] if states else {}
    if rules.state_resolution is StateResolution.V1:
        return resolve_v1(states, events, rules)
    return _resolve_v2(states, _Room(events, rules, rejected), auth_difference)


def _distinct(state_sets: Sequence[StateIds]) -> list[dict[StateKey, EventId]]:
    distinct: list[dict[StateKey, EventId]] = []
    for state in state_sets:
        copy = dict(state)
        if copy not in distinct:
            distinct.append(copy)
    return distinct


@dataclass(frozen=True, slots=True)
class _Room:
    """The input of a resolution."""

    events: Mapping[EventId, Event]
    rules: RoomRules
    rejected: Collection[EventId]

    def event(self, event_id: EventId) -> Event:
        try:
            return self.events[event_id]
        except KeyError:
            raise MissingEvent(event_id) from None

    def auth_event(self, event: Event, key: StateKey) -> Event | None:
        """The event at `key` among the event's own auth events."""
        for event_id in event.auth_events:
            auth_event = self.event(event_id)
            if (auth_event.type, auth_event.state_key) == key:
                return auth_event
        return None

    def create_of(self, event: Event) -> Event | None:
        """The create event: from room version 12 on by the room id, before that among the auth events."""
        if self.rules.room_id_is_hash:
            return self.event(EventId("$" + event.room_id[1:]))
        return self.auth_event(event, CREATE_KEY)


def _resolve_v2(
    states: Sequence[dict[StateKey, EventId]], room: _Room, auth_difference: Collection[EventId] | None
) -> dict[StateKey, EventId]:
    """v2, and v2.1 with its two changes; the numbers are the steps of section 13."""
    newer = room.rules.state_resolution is StateResolution.V2_1
    unconflicted, conflicted = _split(states)
    full = conflicted | set(
        _auth_difference(states, unconflicted, room) if auth_difference is None else auth_difference
    )
    if newer:
        full |= _conflicted_subgraph(conflicted, room)
    power = _with_auth_events_in(full, (e for e in full if _is_power_event(room.event(e))), room)
    resolved = {} if newer else dict(unconflicted)
    _apply(_power_order(power, room), resolved, room)  # 1 and 2
    mainline = _mainline(resolved.get(POWER_LEVELS_KEY), room)
    _apply(_mainline_order(full - power, mainline, room), resolved, room)  # 3 and 4
    resolved.update(unconflicted)  # 5
    return resolved


def _split(
    states: Sequence[dict[StateKey, EventId]],
) -> tuple[dict[StateKey, EventId], set[EventId]]:
    """The unconflicted state, and all conflicted events. A key that one state lacks is conflicted."""
    first, others = states[0], states[1:]
    unconflicted = {
        key: event_id
        for key, event_id in first.items()
        if all(state.get(key) == event_id for state in others)
    }
    conflicted = {event_id for state in states for key, event_id in state.items() if key not in unconflicted}
    return unconflicted, conflicted


def _auth_difference(
    states: Sequence[dict[StateKey, EventId]], unconflicted: StateIds, room: _Room
) -> set[EventId]:
    """Events that are in the auth chains (own events included) of some states, but not of all.

    The chains of the events that all states share are in all of them. So the chains of the others are compared, and
    events reachable from the shared ones are removed at the end, with one walk for all states, and often none.
    """
    chains = [
        _chain((event_id for key, event_id in state.items() if key not in unconflicted), room)
        for state in states
    ]
    difference = set[EventId]().union(*chains) - set[EventId].intersection(*chains)
    if difference:
        difference -= _reached(unconflicted.values(), difference, room)
    return difference


def _chain(start: Iterable[EventId], room: _Room) -> set[EventId]:
    """The events and their auth chains."""
    todo, chain = list(start), set[EventId]()
    while todo:
        event_id = todo.pop()
        if event_id not in chain:
            chain.add(event_id)
            todo.extend(room.event(event_id).auth_events)
    return chain


def _reached(start: Iterable[EventId], wanted: set[EventId], room: _Room) -> set[EventId]:
    """Which of `wanted` are in the chains of `start`; the walk ends when all are found."""
    todo, seen, missing = list(start), set[EventId](), set(wanted)
    while todo and missing:
        event_id = todo.pop()
        if event_id not in seen:
            seen.add(event_id)
            missing.discard(event_id)
            todo.extend(room.event(event_id).auth_events)
    return wanted - missing


def _conflicted_subgraph(conflicted: set[EventId], room: _Room) -> set[EventId]:
    """v2.1: every event on a path along auth_events from one conflicted event to another, the ends included."""
    below = _chain(conflicted, room)
    parents: dict[EventId, list[EventId]] = {}
    for event_id in below:
        for auth_id in room.event(event_id).auth_events:
            parents.setdefault(auth_id, []).append(event_id)
    todo, above = list(conflicted), set[EventId]()
    while todo:
        event_id = todo.pop()
        if event_id not in above:
            above.add(event_id)
            todo.extend(parents.get(event_id, ()))
    return above  # all of them are also in `below`


def _is_power_event(event: Event) -> bool:
    """An event that can take rights away. Existing servers ask for the empty state key, and count the create event."""
    if event.type == "m.room.member":
        return event.membership in ("leave", "ban") and event.sender != event.state_key
    return event.key in _POWER_KEYS


def _with_auth_events_in(full: set[EventId], start: Iterable[EventId], room: _Room) -> set[EventId]:
    """The events, and those of their auth chains that are reachable through events of `full` only."""
    todo, found = list(start), set[EventId]()
    while todo:
        event_id = todo.pop()
        if event_id not in found:
            found.add(event_id)
            todo.extend(auth_id for auth_id in room.event(event_id).auth_events if auth_id in full)
    return found


def _power_order(power: set[EventId], room: _Room) -> list[EventId]:
    """Reverse topological power ordering: auth events first, ties by `_power_rank`."""
    waits_for = {
        event_id: {one for one in room.event(event_id).auth_events if one in power} for event_id in power
    }
    followers: dict[EventId, list[EventId]] = {}
    for event_id, auth_ids in waits_for.items():
        for auth_id in auth_ids:
            followers.setdefault(auth_id, []).append(event_id)
    ready = [_power_rank(event_id, room) for event_id, auth_ids in waits_for.items() if not auth_ids]
    heapq.heapify(ready)
    order = []
    while ready:
        event_id = heapq.heappop(ready)[-1]
        order.append(event_id)
        for follower in followers.get(event_id, ()):
            waits_for[follower].discard(event_id)
            if not waits_for[follower]:
                heapq.heappush(ready, _power_rank(follower, room))
    return order


def _power_rank(event_id: EventId, room: _Room) -> tuple[Level, int, EventId]:
    """Sort key: higher power level of the sender first, then earlier origin_server_ts, then smaller id."""
    event = room.event(event_id)
    return -_sender_level(event, room), event.origin_server_ts, event_id


def _sender_level(event: Event, room: _Room) -> Level:
    """The sender's level by the event's own auth events; 0 if it cannot be read."""
    power = room.auth_event(event, POWER_LEVELS_KEY)
    levels = PowerLevels.from_events(room.create_of(event), power, room.rules)
    try:
        return levels.user(event.sender)
    except BadPowerLevel:
        return 0


def _mainline(power_id: EventId | None, room: _Room) -> dict[EventId, float]:
    """Positions of a power levels event (0), the one in its auth events (1), the one in that one's, and so on."""
    positions: dict[EventId, float] = {}
    event = None if power_id is None else room.event(power_id)
    while event is not None:
        positions[event.event_id] = len(positions)
        event = room.auth_event(event, POWER_LEVELS_KEY)
    return positions


def _mainline_order(
    event_ids: Iterable[EventId], mainline: dict[EventId, float], room: _Room
) -> list[EventId]:
    """Greater mainline position (oldest power levels) first, then earlier origin_server_ts, then smaller id."""
    positions = dict(mainline)

    def rank(event_id: EventId) -> tuple[float, int, EventId]:
        event = room.event(event_id)
        return -_mainline_position(event, positions, room), event.origin_server_ts, event_id

    return sorted(event_ids, key=rank)


def _mainline_position(event: Event, positions: dict[EventId, float], room: _Room) -> float:
    """The position of the closest mainline event along power levels events; infinite if there is none.

    Positions found are added to `positions`, so that each path is walked once.
    """
    way: list[EventId] = []
    step: Event | None = event
    while step is not None and step.event_id not in positions:
        way.append(step.event_id)
        step = room.auth_event(step, POWER_LEVELS_KEY)
    position = math.inf if step is None else positions[step.event_id]
    positions.update(dict.fromkeys(way, position))
    return position


def _apply(order: Iterable[EventId], resolved: MutableMapping[StateKey, EventId], room: _Room) -> None:
    """Iterative auth checks: each event that passes is added to `resolved`, others are skipped."""
    for event_id in order:
        event = room.event(event_id)
        try:
            check_against_state(event, _auth_state(event, resolved, room), room.rules)
        except AuthRefused:
            continue
        resolved[event.key] = event_id


def _auth_state(event: Event, resolved: StateIds, room: _Room) -> dict[StateKey, Event]:
    """For each state key that the auth rules need: the event resolved so far, else the event's own auth event."""
    state: dict[StateKey, Event] = {}
    for key in auth_types_of(event, room.rules):
        if key in resolved:
            state[key] = room.event(resolved[key])
        else:
            own = room.auth_event(event, key)
            if own is not None and own.event_id not in room.rejected:
                state[key] = own
    create = room.create_of(event) if room.rules.room_id_is_hash else None
    if create is not None:
        state[CREATE_KEY] = create
    return state
