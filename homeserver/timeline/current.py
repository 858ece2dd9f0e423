"""What is stored of rooms' current states: members, and what room lists show.

It follows changes of the current state, not single events: in a room that is not forked a state event changes one key,
state resolution may change many at once and remove some.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import immutables
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LogPosition
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage import members, rooms, summaries
from homeserver.storage.members import MemberRow
from homeserver.timeline.summary import SUMMARISED, summary_of, text_in

_NAME: Final = ("m.room.name", "name")  # with a state key of ""
_TOPIC: Final = ("m.room.topic", "topic")


class Change(NamedTuple):
    """The old and the new event of one key of the current state; None where there is none."""

    old: Event | None
    new: Event | None


Delta = Mapping[StateKey, Change]


class Moment(NamedTuple):
    """When the current state changed: the log position, and the room's message counts there."""

    position: LogPosition
    message_seq: int
    notify_seq: int


@dataclass(slots=True)
class CurrentState:
    """What a transaction does to the current state of one room, gathered step by step.

    `delta`: from before the transaction to now. `events`: the whole current state now.
    """

    room_id: RoomId
    delta: dict[StateKey, Change] = field(default_factory=dict)
    events: immutables.Map[StateKey, Event] = field(default_factory=immutables.Map)
    joined: dict[UserId, MemberRow] = field(default_factory=dict)
    changed: dict[UserId, MemberRow] = field(default_factory=dict)
    member_delta: int = 0

    def step(self, delta: Delta, at: Moment) -> None:
        """Add a change of the current state to `events`; `delta` is the difference to the state before it."""
        for key, change in delta.items():
            self._merge(key, change)
            if key[0] == "m.room.member":
                self._move_member(UserId(key[1]), change, at)

    def cut(self, event: Event) -> bool:
        """Replace an event by its redacted form; False if it is not in the current state."""
        held = self.events.get(event.key)
        if held is None or held.event_id != event.event_id:
            return False
        self._merge(event.key, Change(held, event))
        self.events = self.events.set(event.key, event)
        return True

    def _merge(self, key: StateKey, change: Change) -> None:
        before = self.delta.get(key, change)
        self.delta[key] = Change(before.old, change.new)

    def _move_member(self, user_id: UserId, change: Change, at: Moment) -> None:
        event = change.new or change.old
        if event is None:
            return
        membership = (event.membership if change.new is not None else None) or "leave"
        row = MemberRow(
            room_id=self.room_id,
            user_id=user_id,
            membership=membership,
            sender=event.sender,
            event_id=event.event_id,
            position=at.position,
            joined_ms=event.origin_server_ts,
            read_position=at.position,
            own_position=at.position,
            read_seq=at.message_seq,
            main_seq=at.notify_seq,
        )
        was_joined = change.old is not None and change.old.membership == "join"
        if row.membership == "join" and not was_joined:
            self.member_delta += 1
            self.joined[user_id] = row
            self.changed.pop(user_id, None)
        else:
            self.member_delta -= was_joined and row.membership != "join"
            self.changed[user_id] = row


async def write_members(conn: AsyncConnection, work: Sequence[CurrentState]) -> None:
    """Write the members of the rooms."""
    if joined := [row for room in work for row in room.joined.values()]:
        await members.set_joined(conn, joined)
    if changed := [row for room in work for row in room.changed.values()]:
        await members.set_members(conn, changed)


async def write_lists(conn: AsyncConnection, work: Sequence[CurrentState]) -> None:
    """Write what room lists show, after redactions have cut what they show."""
    if names := {room.room_id: text_in(room.events, *_NAME) for room in work if _is_touched(room, _NAME)}:
        await rooms.set_names(conn, names)
    if topics := {room.room_id: text_in(room.events, *_TOPIC) for room in work if _is_touched(room, _TOPIC)}:
        await rooms.set_topics(conn, topics)
    if shown := [room for room in work if any(kind in SUMMARISED for kind, _ in room.delta)]:
        await summaries.set_summaries(conn, [summary_of(room.room_id, room.events) for room in shown])


def _is_touched(room: CurrentState, text: tuple[str, str]) -> bool:
    return (text[0], "") in room.delta
