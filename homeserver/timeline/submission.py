"""Input of the appender: drafts of one room, or entries of other kinds, and the rows written with them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, NamedTuple, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Conflict, HomeserverError, Unavailable
from homeserver.model import Content, Draft, EntryKind, LogPosition, RoomKind
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage.events import StoredEvent
from homeserver.storage.log import Entry
from homeserver.storage.transactions import TxnKey
from homeserver.timeline.build import Built
from homeserver.timeline.heads import Head, Tip
from homeserver.timeline.received import Received

RowT = TypeVar("RowT")

ROOM_ID_TAKEN: Final = "room_id_taken"


@dataclass(frozen=True, slots=True)
class Placed(Generic[RowT]):
    """A row with the log position of the first entry of its submission."""

    row: RowT
    position: LogPosition


@dataclass(frozen=True, slots=True)
class SideWrite(Generic[RowT]):
    """A row written in the same transaction. `write` is called once with the rows of all submissions."""

    write: Callable[[AsyncConnection, Sequence[Placed[RowT]]], Awaitable[None]]
    row: RowT


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry of the log that is no event."""

    kind: EntryKind
    body: Content
    room_id: RoomId | None = None
    user_id: UserId | None = None


class Decided(NamedTuple):
    """What a decision writes: events, and rows in the same transaction. Without drafts nothing is written."""

    drafts: Sequence[Draft] = ()
    also: Sequence[SideWrite[Any]] = ()


Decide = Callable[[Head], Decided]
"""Makes the drafts for the head that they are appended to; raises if that head does not allow the call. It is asked
again when the room has moved by the time of the write, so it must have no effects and must not be async."""

NOTHING: Final = Decided()


@dataclass(frozen=True, slots=True)
class RoomPart:
    """A decision about one room, as part of a larger transaction."""

    room_id: RoomId
    decide: Decide


class KeyTaken(Conflict):
    """The room key belongs to another room already: `room_id`."""

    code = "room_key_taken"

    def __init__(self, room_id: RoomId) -> None:
        super().__init__("there is such a room already")
        self.room_id = room_id


@dataclass(frozen=True, slots=True)
class Written:
    """The result of a submission: its events or its other entries. `repeated`: an earlier send made them."""

    events: tuple[StoredEvent, ...] = ()
    entries: tuple[Entry, ...] = ()
    repeated: bool = False


@dataclass(slots=True, eq=False)
class Submission:
    """One atomic piece of work: all of it is committed, or nothing.

    Submissions of one `bundle` are committed together, or none of them.
    `kind` is set for a new room, whose first draft is its create event. `room_key` must be free, or the
    submission fails with KeyTaken. `built` follows the room's tip and is built anew when that moves; with `decide`,
    the drafts and `also` are decided anew too. `received`: an event of another server, instead of drafts. `queued`: the
    size it was queued with.
    """

    tip: Tip | None = None
    drafts: Sequence[Draft] = ()
    decide: Decide | None = None
    received: Received | None = None
    entries: Sequence[NewEntry] = ()
    also: Sequence[SideWrite[Any]] = ()
    txn: TxnKey | None = None
    room_key: str | None = None
    kind: RoomKind | None = None
    bundle: object | None = None
    built: list[Built] | None = None
    queued: int = 0
    done: asyncio.Future[Written] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def room_id(self) -> RoomId | None:
        """The room of the drafts."""
        return self.tip.head.room_id if self.tip else None

    @property
    def size(self) -> int:
        """How many log positions the submission takes."""
        return len(self.drafts) + len(self.entries) + (self.received is not None)

    @property
    def states(self) -> int:
        """How many state snapshots the submission creates."""
        return sum(bool(built.changes) + len(built.made) for built in self.built or ())

    def finish(self, written: Written) -> None:
        """Resolve the caller's future, unless it is done already."""
        if not self.done.done():
            self.done.set_result(written)

    def fail(self, error: Exception) -> None:
        """Fail the caller's future; an error that is no HomeserverError becomes Unavailable."""
        if self.done.done():
            return
        if not isinstance(error, HomeserverError):
            unavailable = Unavailable("the event could not be written", code="not_written")
            unavailable.__cause__ = error
            error = unavailable
        self.done.set_exception(error)
        self.done.exception()  # marked as retrieved, or the loop would warn if the caller is gone
