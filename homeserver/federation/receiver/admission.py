"""What becomes of a received event: accepted, soft-failed or rejected, and the states around it in the graph.

These are the checks 4 to 6 of the server-server API, "Checks performed on receipt of a PDU". Format, signatures and
hash were checked before.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from homeserver.protocol import auth
from homeserver.protocol.errors import AuthRefused
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import EventId
from homeserver.protocol.power import CREATE_KEY
from homeserver.storage import graph as stored
from homeserver.storage.db import Database
from homeserver.storage.events import Status
from homeserver.storage.graph import GraphEvent
from homeserver.timeline.graph import Branches, Graph
from homeserver.timeline.heads import Head
from homeserver.timeline.incoming import Incoming
from homeserver.timeline.received import Received, States, place_in, superseded_by
from homeserver.timeline.submission import Written


class MissingEvents(Exception):
    """Events that an event names and that are not here: `prev`, whose states are needed, and `auth` events."""

    def __init__(self, prev: Collection[EventId], auth: Collection[EventId]) -> None:
        super().__init__(f"missing: prev_events {sorted(prev)}, auth_events {sorted(auth)}")
        self.prev = frozenset(prev)
        self.auth = frozenset(auth)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`status`, and why an event was not accepted; `written`: of an accepted one that is new."""

    status: Status
    reason: str = ""
    written: Written | None = None


class Admission:
    """Checks events against the states that they are in, and appends or sets them aside."""

    def __init__(self, db: Database, graph: Graph, incoming: Incoming) -> None:
        self._db = db
        self._graph = graph
        self._incoming = incoming

    async def admit(self, event: Event, *, given: Mapping[StateKey, Event] | None = None) -> Outcome:
        """Take an event of a room that is here. A repeated one changes nothing.

        `given`: the state before the event, as another server told it, where its prev events are not here.
        Raises MissingEvents, NotFound for an unknown room, Unavailable.
        """
        outcome = Outcome(Status.ACCEPTED)

        async def prepare(head: Head) -> Received | None:
            nonlocal outcome
            step = await self._step(head, event)
            if step.status is not None:
                outcome = Outcome(step.status)
                return None
            states = await self._states(step, given)
            outcome = self._judge(step, states)
            if outcome.status is Status.REJECTED:
                states = replace(states, own=states.before)
            if outcome.status is not Status.ACCEPTED:
                await self._incoming.set_aside(event, outcome.status, states, was_outlier=step.was_outlier)
                return None
            superseded = superseded_by(event, step.branches.known)
            states = await self._with_current(step, states, superseded)
            return place_in(head, event, states, superseded, was_outlier=step.was_outlier)

        written = await self._incoming.receive(event.room_id, prepare)
        return Outcome(outcome.status, outcome.reason, written)

    async def _step(self, head: Head, event: Event) -> "_Step":
        branches = await self._graph.branches(head, {*event.prev_events, *head.extremities})
        async with self._db.read() as conn:
            known = await stored.events_by_id(
                conn, event.room_id, {event.event_id, *event.auth_events}, head.rules
            )
        own = known.pop(event.event_id, None)
        status = None if own is None or own.status is Status.OUTLIER else own.status
        return _Step(head, event, branches, known, status, own is not None)

    async def _states(self, step: "_Step", given: Mapping[StateKey, Event] | None) -> States:
        """The states before the event and after it in the graph."""
        event, branches = step.event, step.branches
        missing = [one for one in event.prev_events if one not in branches.states]
        lacking = [one for one in event.auth_events if one not in step.auth]
        if (missing and given is None) or lacking:
            raise MissingEvents(missing if given is None else (), lacking)
        if given is None:
            before = await self._graph.merged(branches, event.prev_events)
        else:
            before = self._graph.whole(branches, given)
        own = before
        if event.is_state:
            own = self._graph.changed(branches, before, {event.key: event})
        return States(before, own, own, branches.made)

    def _judge(self, step: "_Step", states: States) -> Outcome:
        """Checks 4, 5 and 6. The state after a rejected event is that before it."""
        head, event = step.head, step.event
        auth_events = [one.event for one in step.auth.values()]
        rejected = {one.event.event_id for one in step.auth.values() if one.status is Status.REJECTED}
        create = states.before.events.get(CREATE_KEY)
        try:
            auth.check_by_own(event, auth_events, head.rules, rejected=rejected, create=create)
            auth.check_against_state(event, states.before.events, head.rules)
        except AuthRefused as refused:
            return Outcome(Status.REJECTED, str(refused))
        try:
            auth.check_against_state(event, head.state.events, head.rules)
        except AuthRefused as refused:
            return Outcome(Status.SOFT_FAILED, str(refused))
        return Outcome(Status.ACCEPTED)

    async def _with_current(self, step: "_Step", states: States, superseded: Collection[EventId]) -> States:
        """The same with the room's current state after the event, resolved from all its extremities."""
        left = [one for one in step.head.extremities if one not in superseded]
        if not left:
            return states
        step.branches.states[step.event.event_id] = states.own
        return replace(states, current=await self._graph.merged(step.branches, [*left, step.event.event_id]))


@dataclass(slots=True)
class _Step:
    """An event on one head: what is known of its neighbours. `status`: of the event itself, if it was here before."""

    head: Head
    event: Event
    branches: Branches
    auth: dict[EventId, GraphEvent]
    status: Status | None
    was_outlier: bool
