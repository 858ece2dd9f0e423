"""The verifier: checks that a room's events in the database are what was once signed, and follow the auth rules.

It trusts nothing but this server's public keys: ids are recomputed, hashes and signatures checked, and every event is
authorised again by its auth events and by the state before it, which is rebuilt on the way.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from homeserver.errors import NotFound
from homeserver.model import FIRST_PLACE, Place
from homeserver.protocol import auth, signing
from homeserver.protocol.errors import ProtocolError
from homeserver.protocol.event import Event, StateKey, check_format
from homeserver.protocol.ids import EventId, RoomId, domain_of
from homeserver.protocol.redact import redact
from homeserver.protocol.signing import VerifyKey
from homeserver.protocol.versions import RoomRules, rules_for
from homeserver.storage import events, rooms, state
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of an event, or of the room itself if `event_id` is ""."""

    event_id: str
    what: str


@dataclass(slots=True)
class _Walk:
    """The room as rebuilt from its beginning up to one event."""

    rules: RoomRules
    keys: Mapping[str, Mapping[str, VerifyKey]]
    state: dict[StateKey, Event] = field(default_factory=dict)
    state_events: dict[EventId, Event] = field(default_factory=dict)
    depths: dict[EventId, int] = field(default_factory=dict)
    last: EventId | None = None
    place: Place = FIRST_PLACE
    message_seq: int = 0


async def verify_room(
    db: Database, room_id: RoomId, keys: Mapping[str, Mapping[str, VerifyKey]]
) -> AsyncIterator[Fault]:
    """Check a room from its beginning and yield the faults found. `keys`: {server: {key id: public key}}.

    Raises NotFound for an unknown room.
    """
    async with db.read() as conn:
        head = await rooms.head_of(conn, room_id)
    if head is None:
        raise NotFound("no such room", code="room_not_found")
    walk = _Walk(rules_for(head.version), keys)
    while True:
        async with db.read() as conn:
            page = await events.of_room_after(conn, room_id, after=walk.place, limit=_PAGE)
        if not page:
            break
        for stored in page:
            for what in _faults(walk, stored):
                yield Fault(stored.event.event_id, what)
            _step(walk, stored)
    if walk.last is None or set(head.extremities) != {walk.last}:
        yield Fault("", "the room's head is not its last event")
    async with db.read() as conn:
        kept = await state.state_at(conn, head.state_id)
    if {key: one.event_id for key, one in kept.items()} != {k: e.event_id for k, e in walk.state.items()}:
        yield Fault("", "the stored state is not the one that the events make")


def _step(walk: _Walk, stored: StoredEvent) -> None:
    event = stored.event
    walk.place = stored.place
    walk.last = event.event_id
    walk.depths[event.event_id] = event.depth
    walk.message_seq = stored.message_seq
    if event.is_state:
        walk.state[event.key] = event
        walk.state_events[event.event_id] = event


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
    unknown = [one for one in event.prev_events if one not in walk.depths]
    if unknown:
        raise ProtocolError(f"prev_events are not here: {', '.join(unknown)}")
    if not event.prev_events and walk.last is not None:
        raise ProtocolError("an event in the middle of the room has no prev_events")
    if event.depth != min(
        1 + max((walk.depths[one] for one in event.prev_events), default=0), walk.rules.max_depth
    ):
        raise ProtocolError("the depth is not one more than that of its prev_events")


def _check_auth(walk: _Walk, stored: StoredEvent) -> None:
    event = stored.event
    used = [walk.state_events[one] for one in event.auth_events]
    create = walk.state.get(("m.room.create", ""))
    auth.check_alone(event, used, walk.rules, create=create)
    by_auth_events = {one.key: one for one in used}
    if create is not None:
        by_auth_events.setdefault(create.key, create)
    auth.check_against_state(event, by_auth_events, walk.rules)
    auth.check_against_state(event, walk.state, walk.rules)


def _check_counts(walk: _Walk, stored: StoredEvent) -> None:
    if not walk.message_seq <= stored.message_seq <= walk.message_seq + 1:
        raise ProtocolError("the count of messages jumps")
