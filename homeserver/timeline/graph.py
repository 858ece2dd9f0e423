"""States of events in a room's graph: read, and resolved where branches meet (section 13)."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import immutables
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import EventId
from homeserver.protocol.power import POWER_LEVELS_KEY
from homeserver.protocol.resolve import StateIds, resolve
from homeserver.storage import graph, state
from homeserver.storage.db import Database
from homeserver.storage.events import Status
from homeserver.storage.graph import GraphEvent
from homeserver.timeline.heads import Head, Made, Snapshot
from homeserver.timeline.received import difference, same_state


@dataclass(slots=True)
class Branches:
    """The states after some events of one room. `made`: snapshots that are not stored yet."""

    head: Head
    known: dict[EventId, GraphEvent]
    states: dict[EventId, Snapshot]
    made: list[Made] = field(default_factory=list)


class Graph:
    """Reads and resolves states. `snapshot_chain`: the most deltas in a row, as for events made here."""

    def __init__(self, db: Database, snapshot_chain: int) -> None:
        self._db = db
        self._snapshot_chain = snapshot_chain

    async def branches(self, head: Head, event_ids: Collection[EventId]) -> Branches:
        """The states after these events; events that are not here, and outliers, are left out."""
        states: dict[EventId, Snapshot] = {}
        if len(head.extremities) == 1:  # the state after the only extremity is the current one
            states = {one: head.state for one in head.extremities if one in event_ids}
        wanted = set(event_ids) - states.keys()
        if not wanted:
            return Branches(head, {}, states)
        async with self._db.read() as conn:
            known = await graph.events_by_id(conn, head.room_id, wanted, head.rules)
            ids = {one.state_id for one in known.values() if one.state_id is not None}
            snapshots = await self._snapshots(conn, head, ids)
        for event_id, one in known.items():
            if one.state_id is not None:
                states[event_id] = snapshots[one.state_id]
        return Branches(head, known, states)

    async def _snapshots(
        self, conn: AsyncConnection, head: Head, state_ids: Collection[int]
    ) -> dict[int, Snapshot]:
        found = {one.state_id: one for one in (head.state,) if one.state_id in state_ids}
        left = [state_id for state_id in state_ids if state_id not in found]
        read: dict[int, Snapshot] = {}
        if left:
            events = await state.states_at(conn, left)
            lengths = await graph.chain_lengths(conn, left)
            read = {state_id: Snapshot(events[state_id], lengths[state_id], state_id) for state_id in left}
        return {**read, **{state_id: one for state_id, one in found.items() if state_id is not None}}

    async def merged(self, branches: Branches, event_ids: Collection[EventId]) -> Snapshot:
        """The state resolved from those after some of the events; a new one is added to `branches.made`."""
        distinct = _distinct([branches.states[event_id] for event_id in event_ids])
        if len(distinct) == 1:
            return distinct[0]
        resolved = await self._resolve(branches.head, distinct)
        base = distinct[0]
        for one in distinct:
            if same_state(one.events, resolved):
                return one
        return self.changed(branches, base, difference(base.events, resolved))

    def changed(
        self, branches: Branches, base: Snapshot, changes: Mapping[StateKey, Event | None]
    ) -> Snapshot:
        """A new state: `base` with changes."""
        made = base.changed(changes, self._snapshot_chain)
        branches.made.append(Made(made, base, changes))
        return made

    def whole(self, branches: Branches, events: Mapping[StateKey, Event]) -> Snapshot:
        """A state that another server told us of, by its difference to the room's current one."""
        current = branches.head.state
        changes = difference(current.events, events)
        return self.changed(branches, current, changes) if changes else current

    async def _resolve(self, head: Head, states: Sequence[Snapshot]) -> Mapping[StateKey, Event]:
        ids = [{key: event.event_id for key, event in one.events.items()} for one in states]
        held = {event.event_id: event for one in states for event in one.events.values()}
        async with self._db.read() as conn:
            difference, events, rejected = await _chains(conn, head, ids, held)
        resolved = await asyncio.to_thread(
            resolve, ids, events, head.rules, rejected=rejected, auth_difference=difference
        )
        return immutables.Map({key: events[event_id] for key, event_id in resolved.items()})


async def _chains(
    conn: AsyncConnection, head: Head, states: Sequence[StateIds], held: Mapping[EventId, Event]
) -> tuple[set[EventId], dict[EventId, Event], set[EventId]]:
    """The auth difference of states, the events that their resolution needs, and which of those were rejected."""
    shared = {key for key in states[0] if all(one.get(key) == states[0][key] for one in states)}
    unshared = [{event_id for key, event_id in one.items() if key not in shared} for one in states]
    chains = [one | await graph.auth_chain(conn, one) for one in unshared]
    difference = set[EventId]().union(*chains) - set[EventId].intersection(*chains)
    if difference:
        common = {states[0][key] for key in shared}
        difference -= common | await graph.auth_chain(conn, common)
    power = {
        one[POWER_LEVELS_KEY] for one in states if POWER_LEVELS_KEY in one
    }  # whose chain is the mainline
    needed = difference.union(power, *chains)
    needed |= await graph.auth_chain(conn, needed)
    found = await graph.events_by_id(conn, head.room_id, needed - held.keys(), head.rules)
    rejected = await graph.statuses(conn, head.room_id, needed)
    events = {**{event_id: one.event for event_id, one in found.items()}, **held}
    return difference, events, {one for one, status in rejected.items() if status is Status.REJECTED}


def _distinct(states: Sequence[Snapshot]) -> list[Snapshot]:
    distinct: list[Snapshot] = []
    for one in states:
        if all(one is not other and not same_state(one.events, other.events) for other in distinct):
            distinct.append(one)
    return distinct
