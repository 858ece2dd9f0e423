"""From placed events to rows: what one transaction writes, each table once however many events there are.

Two inputs: what accepted events contain (relations, edits, redactions, counts), and how the current state changed
(see `timeline/current.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LogPosition, RoomKind
from homeserver.protocol import canonical
from homeserver.protocol.auth import may_redact
from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.protocol.power import CREATE_KEY, PowerLevels
from homeserver.protocol.redact import redact
from homeserver.protocol.versions import RoomRules
from homeserver.storage import edits, events, graph, members, relations, rooms, state
from homeserver.storage.events import StoredEvent
from homeserver.storage.members import ReadMove
from homeserver.storage.relations import Relation
from homeserver.storage.rooms import HeadMove, HeadRow, NewRoom
from homeserver.storage.state import SnapshotRow
from homeserver.timeline.build import Built, annotation_of, edited_by, is_in_thread, relation_of
from homeserver.timeline.counting import count_threads, uncount
from homeserver.timeline.current import CurrentState, Moment, write_lists, write_members
from homeserver.timeline.heads import Changes, Made, Snapshot
from homeserver.timeline.projection import Projection

_BUMPS = frozenset(  # event types that move a room up in lists
    {
        "m.room.create",
        "m.room.message",
        "m.room.encrypted",
        "m.sticker",
        "m.call.invite",
        "m.poll.start",
        "m.beacon_info",
        "org.matrix.msc3381.poll.start",  # as clients send the two until they are in the specification
        "org.matrix.msc3672.beacon_info",
    }
)


@dataclass(slots=True)
class RoomRows:
    """What a transaction does to one room, gathered event by event in their order."""

    room_id: RoomId
    rules: RoomRules
    kind: RoomKind | None  # of a room created here
    built: list[Built] = field(default_factory=list)
    current: CurrentState = field(init=False)
    read: dict[UserId, ReadMove] = field(default_factory=dict)
    redactions: list[Built] = field(default_factory=list)
    edits: list[tuple[EventId, Event]] = field(default_factory=list)
    last_message: LogPosition | None = None
    active: LogPosition | None = None
    cut: list[Event] = field(default_factory=list)  # redacted forms of events in the state

    def __post_init__(self) -> None:
        self.current = CurrentState(self.room_id)

    def add(self, built: Built) -> None:
        """Add one placed event."""
        self.built.append(built)
        event = built.event
        if event.type in _BUMPS:
            self.active = built.position
        if built.shown:
            self.last_message = built.position
        if built.shown or built.notifies:
            self.read[event.sender] = self._own_read(built)
        if event.type == "m.room.redaction":
            self.redactions.append(built)
        if (edited := edited_by(event)) is not None:
            self.edits.append((edited, event))
        self.current.events = built.after.events
        if built.changes:
            self.current.step(built.delta, Moment(built.position, built.message_seq, built.notify_seq))

    def _own_read(self, built: Built) -> ReadMove:
        """Sending marks everything earlier as read for the sender, within the thread."""
        move = self.read.get(built.event.sender) or ReadMove(self.room_id, built.event.sender)
        if built.shown:
            move = replace(move, position=built.position, own=built.position, seq=built.message_seq)
        if not is_in_thread(built.event):
            move = replace(move, main=built.position, main_seq=built.notify_seq)
        return move

    def add_cut(self, event: Event) -> None:
        """Add the redacted form of an event, if it is in the room's current state."""
        if self.current.cut(event):
            self.cut.append(event)

    @property
    def last(self) -> Built:
        return self.built[-1]


def stored(built: Built) -> StoredEvent:
    """The record of a placed event."""
    if built.place is None:
        raise AssertionError("an event is written only after it was given a place")
    in_graph = built.graph
    return StoredEvent(
        built.event,
        built.given,
        built.place,
        _id_of(built.after),
        built.message_seq,
        built.shown,
        notify_seq=built.notify_seq,
        own_id=None if in_graph is None or in_graph.own is None else _id_of(in_graph.own),
        before_id=None if in_graph is None else _id_of(in_graph.before),
    )


async def write_rooms(conn: AsyncConnection, work: Sequence[RoomRows], projection: Projection) -> None:
    """Write everything that follows from the rooms' new events, but for the entries of the log."""
    placed = [built for room in work for built in room.built]
    await _add_rooms(conn, work)
    if known := [one.event.event_id for one in placed if one.graph is not None and one.graph.was_outlier]:
        await graph.remove_outliers(conn, known)
    await events.add_events(conn, [stored(built) for built in placed])
    await _add_state(conn, work)
    await rooms.move_heads(conn, [_move(room) for room in work])
    if related := [row for room in work for built in room.built if (row := _relation(built)) is not None]:
        await relations.add_relations(conn, related)
        await count_threads(conn, [built for room in work for built in room.built])
    if replaced := [edit for room in work for edit in room.edits]:
        await edits.mark_edited(conn, replaced)
    if any(room.redactions for room in work):
        await _redact(conn, work, projection)
    await write_lists(conn, [room.current for room in work])
    await projection.write(conn, {room.room_id: room.current.delta for room in work if room.current.delta})
    if read := [move for room in work for move in room.read.values()]:
        await members.move_read(conn, read)


async def _add_rooms(conn: AsyncConnection, work: Sequence[RoomRows]) -> None:
    new = [_new_room(room, room.kind) for room in work if room.kind is not None]
    if new:
        await rooms.add_rooms(conn, new)


def _new_room(room: RoomRows, kind: RoomKind) -> NewRoom:
    first, last = room.built[0], room.last
    # Of a room that began elsewhere the create event comes with the state.
    create = first.after.events.get(CREATE_KEY, first.event)
    head = HeadRow(
        room_id=room.room_id,
        position=first.position,
        version=room.rules.version,
        head_position=last.position,
        extremities=last.extremities,
        depth=last.depth,
        state_id=_id_of(last.after),
        state_chain=last.after.chain,
        message_seq=last.message_seq,
        notify_seq=last.notify_seq,
    )
    return NewRoom(head, create.sender, create.origin_server_ts, kind)


async def _add_state(conn: AsyncConnection, work: Sequence[RoomRows]) -> None:
    rows = [row for room in work for built in room.built for row in _snapshot_rows(room.room_id, built)]
    if rows:
        await state.add_snapshots(conn, rows)
    await graph.add_auth(conn, [built.event for room in work for built in room.built])
    await write_members(conn, [room.current for room in work])


def _snapshot_rows(room_id: RoomId, built: Built) -> Iterator[SnapshotRow]:
    if built.changes:
        yield snapshot_row(room_id, Made(built.after, built.before, built.changes))
    for one in built.made:
        yield snapshot_row(room_id, one)


def snapshot_row(room_id: RoomId, made: Made) -> SnapshotRow:
    """The row of a snapshot that has its id: its changes, or all of it."""
    whole = made.snapshot.chain == 0
    changes: Changes = made.snapshot.events if whole else made.changes
    entries = tuple(
        (kind, state_key, None if held is None else held.event_id)
        for (kind, state_key), held in changes.items()
    )
    chain = made.snapshot.chain
    return SnapshotRow(_id_of(made.snapshot), room_id, made.parent.state_id, chain, whole, entries)


def _move(room: RoomRows) -> HeadMove:
    last = room.last
    return HeadMove(
        room_id=room.room_id,
        head_position=last.position,
        extremities=last.extremities,
        depth=last.depth,
        state_id=_id_of(last.after),
        message_seq=last.message_seq,
        notify_seq=last.notify_seq,
        last_message_position=room.last_message,
        active_position=room.active,
        joined=room.current.member_delta,
    )


def _relation(built: Built) -> Relation | None:
    relation = relation_of(built.event.content)
    if relation is None or built.event.is_state:
        return None
    event, (rel_type, target) = built.event, relation
    return Relation(
        event.event_id,
        event.room_id,
        target,
        rel_type,
        event.sender,
        stored(built).place,
        annotation=annotation_of(event.sender, event.type, event.content),
        has_content=rel_type != "m.replace" or edited_by(event) is not None,
    )


async def _redact(conn: AsyncConnection, work: Sequence[RoomRows], projection: Projection) -> None:
    """Redact the targets of redactions that apply: their content is deleted from the database."""
    wanted = [
        (room, built, built.event.redacts)
        for room in work
        for built in room.redactions
        if built.event.redacts is not None
    ]
    targets = await events.events_by_id(conn, {target for _, _, target in wanted})
    authors = {
        target.event.sender
        for _, built, target_id in wanted
        if (target := targets.get(target_id)) is not None and target.event.sender != built.event.sender
    }
    successors = await projection.successors_of(conn, authors) if authors else {}
    cuts: dict[EventId, tuple[EventId, bytes]] = {}
    removed: list[tuple[RoomId, LogPosition]] = []
    gone: list[StoredEvent] = []
    for room, built, target_id in wanted:
        target = targets.get(target_id)
        if target is None or target_id in cuts or not _applies(room, built, target, successors):
            continue
        left = canonical.encode(redact(target.event.pdu, room.rules))
        cuts[target_id] = (built.event.event_id, left)
        if target.event.is_state:
            room.add_cut(Event.from_json(left, room.rules, target_id))
        gone.append(target)
        if target.shown:
            removed.append((room.room_id, target.arrived))
    if cuts:
        await events.cut_events(conn, cuts)
        await uncount(conn, gone)
        if taken_back := [target for target in cuts if _is_edit(targets[target])]:
            await edits.unmark_edited(conn, taken_back)
    if removed:
        await members.count_removed(conn, removed)
        await rooms.find_last_messages(conn, {room_id for room_id, _ in removed})


def _is_edit(target: StoredEvent) -> bool:
    relation = relation_of(target.event.content)
    return relation is not None and relation[0] == "m.replace"


def _applies(room: RoomRows, built: Built, target: StoredEvent, successors: Mapping[UserId, UserId]) -> bool:
    """True if a redaction applies to its target: by the room's rules, or as its author's successor's.

    NOTSPEC: a guest's successor may redact the guest's events, in rooms and by authors that do not leave this server.
    """
    if target.redacted_by is not None or target.event.room_id != room.room_id:
        return False
    if successors.get(target.event.sender) == built.event.sender:
        return True
    levels = PowerLevels.from_state(built.before.events, room.rules)
    return may_redact(built.event, target.event, levels)


def _id_of(snapshot: Snapshot) -> int:
    if snapshot.state_id is None:
        raise AssertionError("a snapshot is written only after it was given an id")
    return snapshot.state_id
