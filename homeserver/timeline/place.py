"""Assigning log positions to a batch, and ids to its snapshots."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from homeserver.model import Content, EntryKind, LogPosition, Place
from homeserver.protocol.ids import EventId, RoomId
from homeserver.storage.log import Entry, Taken
from homeserver.storage.transactions import TxnKey
from homeserver.timeline.build import Built
from homeserver.timeline.persist import RoomRows, stored
from homeserver.timeline.submission import KeyTaken, Placed, Submission, Written


@dataclass(slots=True)
class Batch:
    """What one transaction writes, and the result of each submission."""

    rooms: dict[RoomId, RoomRows] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    txns: dict[TxnKey, EventId] = field(default_factory=dict)
    keys: dict[str, RoomId] = field(default_factory=dict)
    also: dict[Any, list[Placed[Any]]] = field(default_factory=dict)
    results: list[tuple[Submission, Written]] = field(default_factory=list)
    refused: list[tuple[Submission, KeyTaken]] = field(default_factory=list)


def place(submissions: Sequence[Submission], first: Taken, now_ms: int) -> Batch:
    """Assign positions and ids from `first` on to the submissions, in their order, and gather their rows."""
    batch = Batch()
    position, state_id = first
    for submission in submissions:
        start = len(batch.entries)
        state_id = _number_states(submission, state_id)
        position = _place_events(batch, submission, position)
        for new in submission.entries:
            batch.entries.append(Entry(position, new.kind, new.room_id, new.user_id, now_ms, body=new.body))
            position = LogPosition(position + 1)
        written = batch.entries[start:]
        _place_rest(batch, submission, written[0].position)
        events = tuple(entry.event for entry in written if entry.event is not None)
        others = tuple(entry for entry in written if entry.event is None)
        batch.results.append((submission, Written(events, others)))
    return batch


def _number_states(submission: Submission, state_id: int) -> int:
    for built in submission.built or ():
        if built.changes:
            built.after.state_id = state_id
            state_id += 1
        for made in built.made:
            made.snapshot.state_id = state_id
            state_id += 1
    return state_id


def _place_events(batch: Batch, submission: Submission, position: LogPosition) -> LogPosition:
    if submission.tip is None:
        return position
    head = submission.tip.head
    rows = batch.rooms.get(head.room_id)
    if rows is None:
        rows = batch.rooms[head.room_id] = RoomRows(head.room_id, head.rules, submission.kind)
    for built in submission.built or ():
        built.given, built.place = position, Place(position)  # events made here come last in their room
        rows.add(built)
        event = built.event
        batch.entries.append(
            Entry(
                position,
                EntryKind.EVENT,
                event.room_id,
                None,
                event.origin_server_ts,
                event=stored(built),
                body=_changed(built),
            )
        )
        position = LogPosition(position + 1)
    return position


def _changed(built: Built) -> Content | None:
    """The `body` of the event's log entry: the changed keys; None if that is just the key that the event sets."""
    usual = {built.event.key} if built.event.is_state else set()
    return None if built.changes.keys() == usual else {"changed": sorted(built.changes)}


def _place_rest(batch: Batch, submission: Submission, position: LogPosition) -> None:
    if submission.txn is not None and submission.built:
        batch.txns[submission.txn] = submission.built[0].event.event_id
    if submission.room_key is not None and submission.room_id is not None:
        batch.keys[submission.room_key] = submission.room_id
    for also in submission.also:
        batch.also.setdefault(also.write, []).append(Placed(also.row, position))
