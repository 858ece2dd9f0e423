"""An accepted event of another server on a room's head. Pure: no I/O.

A room of one line has one state after each event. Where servers write at the same time the graph forks: then the state
after an event in the graph is that of its own branch, and the room's current state is resolved from all branches.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from homeserver.errors import Unavailable
from homeserver.model import RoomKind
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import EventId
from homeserver.storage.events import Status
from homeserver.storage.graph import GraphEvent
from homeserver.timeline.build import Built, InGraph, grown
from homeserver.timeline.heads import Changes, Head, Made, Snapshot

ROOM_MOVED: Final = "room_moved"


@dataclass(frozen=True, slots=True)
class Received:
    """An event of another server that passed all checks, with what it makes of a room's head.

    `on`: the extremities of that head, `extremities` those after the event, `changes` the difference that it makes to
    the room's current state. `graph`: its states in the graph, where they are other ones. `after`: the current state
    after it, if it was made already.
    """

    event: Event
    on: tuple[EventId, ...]
    extremities: tuple[EventId, ...]
    changes: Changes
    graph: InGraph
    after: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class Adopted:
    """A room of other servers: `event` makes one of our users a member, `state` is the room's state before it.

    `outliers`: all events of the state, and their auth chains. `kind`: of the room if it is not here yet.
    """

    event: Event
    version: str
    kind: RoomKind
    state: Mapping[StateKey, Event]
    outliers: Sequence[Event]


def append(head: Head, received: Received, snapshot_chain: int) -> tuple[Head, Built]:
    """The head after a received event, which gets no new signature. Unavailable("room_moved") on another head."""
    if head.extremities != received.on:
        raise Unavailable("the room has changed; try again", code=ROOM_MOVED)
    changes = received.changes
    after = received.after or (head.state.changed(changes, snapshot_chain) if changes else head.state)
    return grown(head, received.event, after, changes, received.extremities, received.graph)


@dataclass(frozen=True, slots=True)
class States:
    """The states that go with a received event: `before` and `own`, after it, in the graph; `current`: resolved from
    all extremities after it. `made`: which of these snapshots, and of those that they are deltas to, are new.
    """

    before: Snapshot
    own: Snapshot
    current: Snapshot
    made: Sequence[Made] = ()


def place_in(
    head: Head, event: Event, states: States, superseded: Collection[EventId], *, was_outlier: bool = False
) -> Received:
    """What an accepted event makes of a head. `superseded`: the events that are extremities no more."""
    left = tuple(one for one in head.extremities if one not in superseded)
    is_current = states.own is states.current or same_state(states.own.events, states.current.events)
    own = None if is_current else states.own
    wanted = (states.before,) if own is None else (states.before, own)
    graph = InGraph(own, states.before, needed(states.made, wanted), was_outlier)
    changes: Changes = {event.key: event} if event.is_state else {}
    if states.before is not head.state or states.current is not states.own:  # else the room has one line
        changes = difference(head.state.events, states.current.events)
    return Received(event, head.extremities, (*left, event.event_id), changes, graph)


def joined(head: Head, join: Event, state: Mapping[StateKey, Event], snapshot_chain: int) -> Received:
    """What the first event of ours makes of a room that other servers know: its state is the one before it."""
    current = {**state, join.key: join}
    changes = difference(head.state.events, current)
    after = head.state.changed(changes, snapshot_chain)
    back: Changes = {join.key: state.get(join.key)}
    before = after.changed(back, snapshot_chain)
    graph = InGraph(None, before, (Made(before, after, back),))
    return Received(join, head.extremities, (join.event_id,), changes, graph, after)


def superseded_by(event: Event, known: Mapping[EventId, GraphEvent]) -> set[EventId]:
    """The events that are extremities no more after an event: its prev events, and those behind the ones among them
    that were rejected or soft-failed and so are no extremities. `known`: the prev events that are here."""
    found, todo = set[EventId](), list(event.prev_events)
    while todo:
        event_id = todo.pop()
        found.add(event_id)
        prev = known.get(event_id)
        if prev is not None and prev.status in (Status.REJECTED, Status.SOFT_FAILED):
            todo += [one for one in prev.event.prev_events if one not in found]
    return found


def needed(made: Sequence[Made], wanted: Sequence[Snapshot]) -> tuple[Made, ...]:
    """The new snapshots that are stored: those wanted, and those that they are deltas to; parents first."""
    todo, found = list(wanted), set[int]()
    by_snapshot = {id(one.snapshot): one for one in made}
    while todo:
        one = by_snapshot.get(id(todo.pop()))
        if one is not None and id(one.snapshot) not in found:
            found.add(id(one.snapshot))
            todo.append(one.parent)
    return tuple(one for one in made if id(one.snapshot) in found)


def difference(old: Mapping[StateKey, Event], new: Mapping[StateKey, Event]) -> Changes:
    """How to get from one state to another; an event whose redacted form is held by one of them is the same."""
    if old is new:
        return {}
    changes: dict[StateKey, Event | None] = {
        key: event
        for key, event in new.items()
        if (held := old.get(key)) is None or held.event_id != event.event_id
    }
    return {**changes, **dict.fromkeys(key for key in old if key not in new)}


def same_state(one: Mapping[StateKey, Event], other: Mapping[StateKey, Event]) -> bool:
    """True if two states consist of the same events."""
    if one is other:
        return True
    return len(one) == len(other) and all(
        (held := other.get(key)) is not None and held.event_id == event.event_id for key, event in one.items()
    )
