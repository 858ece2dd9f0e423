"""The verifier: checks that a room's events in the database are what was once signed, and follow the auth rules.

It trusts nothing but servers' public keys: ids are recomputed, hashes and signatures checked, and every event is
authorised again by its auth events and by the state before it. That is rebuilt on the way; where the room forks, the
states that are stored with events are read, and resolved again from all branches.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import NotFound
from homeserver.model import FIRST_PLACE, Place
from homeserver.protocol import auth, signing
from homeserver.protocol.errors import ProtocolError
from homeserver.protocol.event import Event, StateKey, check_format
from homeserver.protocol.ids import EventId, RoomId, domain_of
from homeserver.protocol.redact import redact
from homeserver.protocol.signing import VerifyKey
from homeserver.protocol.versions import RoomRules
from homeserver.servers import Servers
from homeserver.storage import events, graph, state
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.graph import GraphEvent
from homeserver.timeline.graph import Graph
from homeserver.timeline.heads import Head, load_tip
from homeserver.timeline.received import same_state, superseded_by

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of an event, or of the room itself if `event_id` is ""."""

    event_id: str
    what: str


@dataclass(slots=True)
class _Walk:
    """The room as rebuilt from its beginning up to one event."""

    head: Head
    graph: Graph
    keys: Mapping[str, Mapping[str, VerifyKey]]
    state: dict[StateKey, Event] = field(default_factory=dict)
    state_events: dict[EventId, Event] = field(default_factory=dict)
    depths: dict[EventId, int] = field(default_factory=dict)
    extremities: set[EventId] = field(default_factory=set)
    known: dict[EventId, GraphEvent] = field(default_factory=dict)
    place: Place = FIRST_PLACE
    message_seq: int = 0

    @property
    def rules(self) -> RoomRules:
        return self.head.rules


async def verify_room(
    db: Database, room_id: RoomId, keys: Mapping[str, Mapping[str, VerifyKey]]
) -> AsyncIterator[Fault]:
    """Check a room from its beginning and yield the faults found. `keys`: {server: {key id: public key}}.

    Raises NotFound for an unknown room.
    """
    async with db.read() as conn:
        tip = await load_tip(conn, room_id, Servers(""))
    if tip is None:
        raise NotFound("no such room", code="room_not_found")
    head = tip.head
    walk = _Walk(head, Graph(db, snapshot_chain=0), keys)
    while True:
        async with db.read() as conn:
            page = await events.of_room_after(conn, room_id, after=walk.place, limit=_PAGE)
            walk.known = await _known(conn, walk.head.rules, page)
        if not page:
            break
        for stored in page:
            await _turn_to_branch(db, walk, stored)
            for what in (*_faults(walk, stored), *await _step(db, walk, stored)):
                yield Fault(stored.event.event_id, what)
    if set(head.extremities) != walk.extremities:
        yield Fault("", "the room's head is not its last events")
    if not same_state(head.state.events, walk.state):
        yield Fault("", "the stored state is not the one that the events make")


async def _known(
    conn: AsyncConnection, rules: RoomRules, page: Sequence[StoredEvent]
) -> dict[EventId, GraphEvent]:
    """The events of a page as they are in the graph, with those that they name."""
    if not page:
        return {}
    wanted = {
        event_id
        for one in page
        for event_id in (one.event.event_id, *one.event.prev_events, *one.event.auth_events)
    }
    return await graph.events_by_id(conn, page[0].event.room_id, wanted, rules)


async def _turn_to_branch(db: Database, walk: _Walk, stored: StoredEvent) -> None:
    """Take the state before the event in the graph for the one that it is checked against."""
    before_id = walk.known[stored.event.event_id].before_id
    if before_id is not None:
        async with db.read() as conn:
            walk.state = await state.state_at(conn, before_id)


async def _step(db: Database, walk: _Walk, stored: StoredEvent) -> list[str]:
    """Go on behind the event; returns what is wrong with the states after it."""
    event = stored.event
    walk.place = stored.place
    walk.depths[event.event_id] = event.depth
    walk.message_seq = stored.message_seq
    if event.is_state:
        walk.state[event.key] = event
        walk.state_events[event.event_id] = event
    in_graph, found = walk.known[event.event_id], []
    walk.extremities -= superseded_by(event, walk.known)
    walk.extremities.add(event.event_id)
    if in_graph.before_id is None or in_graph.state_id is None:
        return []
    async with db.read() as conn:
        kept = await state.states_at(conn, {in_graph.state_id, stored.state_id})
    if not same_state(kept[in_graph.state_id], walk.state):
        found.append("own state: it is not the state before the event with the event")
    if len(walk.extremities) > 1:
        branches = await walk.graph.branches(walk.head, walk.extremities)
        walk.state = dict((await walk.graph.merged(branches, sorted(walk.extremities))).events)
    if not same_state(kept[stored.state_id], walk.state):
        found.append("current state: it is not the one that its branches make")
    return found


def _faults(walk: _Walk, stored: StoredEvent) -> list[str]:
    found = []
    for check in (
        _check_form,
        _check_id,
        _check_hash,
        _check_signatures,
        _check_chain,
        _check_auth,
        _check_counts,
    ):
        try:
            check(walk, stored)
        except (ProtocolError, KeyError, ValueError) as error:
            found.append(f"{check.__name__.removeprefix('_check_')}: {error}")
    return found


def _check_form(walk: _Walk, stored: StoredEvent) -> None:
    check_format(stored.event.pdu, walk.rules)


def _check_id(walk: _Walk, stored: StoredEvent) -> None:
    if signing.event_id_of(stored.event.pdu, walk.rules) != stored.event.event_id:
        raise ProtocolError("the event id is not the hash of the event")


def _check_hash(walk: _Walk, stored: StoredEvent) -> None:
    pdu = stored.event.pdu
    if stored.redacted_by is not None:
        if redact(pdu, walk.rules) != pdu:
            raise ProtocolError("a redacted event still has content")
        return  # its hash covers content that is gone; id and signature cover the hash
    if pdu["hashes"]["sha256"] != signing.content_hash(pdu):
        raise ProtocolError("the content hash does not fit the content")


def _check_signatures(walk: _Walk, stored: StoredEvent) -> None:
    server = domain_of(stored.event.sender)
    signing.verify_event(stored.event.pdu, walk.rules, server, walk.keys.get(server, {}))


def _check_chain(walk: _Walk, stored: StoredEvent) -> None:
    event = stored.event
    if walk.known[event.event_id].before_id is not None:
        return  # of another server, which decides what it names; the depth is what it says
    unknown = [one for one in event.prev_events if one not in walk.depths]
    if unknown:
        raise ProtocolError(f"prev_events are not here: {', '.join(unknown)}")
    if set(event.prev_events) != walk.extremities:
        raise ProtocolError("the prev_events are not the room's last events")
    if event.depth != min(
        1 + max((walk.depths[one] for one in event.prev_events), default=0), walk.rules.max_depth
    ):
        raise ProtocolError("the depth is not one more than that of its prev_events")


def _check_auth(walk: _Walk, stored: StoredEvent) -> None:
    event = stored.event
    used = [walk.state_events.get(one) or walk.known[one].event for one in event.auth_events]
    auth.check_by_own(event, used, walk.rules, create=walk.state.get(("m.room.create", "")))
    auth.check_against_state(event, walk.state, walk.rules)


def _check_counts(walk: _Walk, stored: StoredEvent) -> None:
    if not walk.message_seq <= stored.message_seq <= walk.message_seq + 1:
        raise ProtocolError("the count of messages jumps")
