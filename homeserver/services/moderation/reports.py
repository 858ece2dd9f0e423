"""Content reports (client-server API, "Reporting Content"), by users or by the word list, for the admins.

They are about messages of the product APIs, and events, rooms and users of the Matrix API. The reported user is not
told. What is absent and what the requester may not know of raise the same NotFound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Invalid, NotFound, TooLarge
from homeserver.kit.ratelimit import RateLimits
from homeserver.kit.text import one_line
from homeserver.model import Page, Person, Requester
from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.accounts.status import is_guest
from homeserver.services.events.access import Access
from homeserver.services.events.content import attachment_of, text_of
from homeserver.settings.models import ModerationSettings
from homeserver.storage import events, rooms
from homeserver.storage import reports as stored
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.reports import NewReport, ReportRow
from homeserver.timeline.submission import Placed, SideWrite

MAX_OUTCOME_CHARS = 500
NOBODY = UserId("")  # reporter of word list matches, and sender of reported rooms


@dataclass(frozen=True, slots=True)
class Report:
    """A report as the admins see it. `text`: the message's current text, None if it was deleted.

    `sender` and `reporter` are None for users who no longer exist; `reporter` also for the word list.
    """

    row: ReportRow
    text: str | None
    room_name: str
    sender: Person | None
    reporter: Person | None


class _Found(NamedTuple):
    """A word list match; without `event_id` it is in the message that is being written."""

    reason: str
    now_ms: int
    event_id: EventId | None


class Reports:
    """Stores reports and lists them for the admins."""

    def __init__(
        self,
        *,
        db: Database,
        access: Access,
        profiles: Profiles,
        limits: RateLimits,
        clock: Clock,
        settings: ModerationSettings,
        server: str,
    ) -> None:
        self._db = db
        self._access = access
        self._profiles = profiles
        self._limits = limits
        self._clock = clock
        self._settings = settings
        self._server = server

    async def report(self, requester: Requester, event_id: EventId, reason: str = "") -> None:
        """Report a message that the requester can see; a second report by the same user writes nothing.

        Raises NotFound("message_not_found"), Invalid("own_message"), TooLarge("reason_too_long"), RateLimited.
        """
        self._check(requester, reason)
        event = (await self._access.message(requester, event_id)).event
        await self._write_of_event(requester, event, reason)

    async def report_event(
        self, requester: Requester, room_id: RoomId, event_id: EventId, reason: str
    ) -> None:
        """Report an event of a room that the requester has joined.

        Raises NotFound("event_not_found"), Invalid("own_message"), TooLarge("reason_too_long"), RateLimited.
        """
        self._check(requester, reason)
        event = (await self._access.event(requester, room_id, event_id)).event
        await self._write_of_event(requester, event, reason)

    async def report_room(self, requester: Requester, room_id: RoomId, reason: str) -> None:
        """Report a room that the requester may know of; the room's id is stored in place of an event id.

        Raises NotFound("room_not_found"), TooLarge("reason_too_long"), RateLimited.
        """
        self._check(requester, reason)
        await self._access.known_room(requester, room_id)
        await self._write(requester, reason, room_id, EventId(room_id), NOBODY)

    async def report_user(self, requester: Requester, user_id: UserId, reason: str) -> None:
        """Report a user of this server; their id is stored in place of an event id.

        Raises NotFound("user_not_found"), TooLarge("reason_too_long"), RateLimited.
        """
        self._check(requester, reason)
        if user_id not in await self._profiles.people([user_id]):
            raise NotFound("there is no such person here", code="user_not_found")
        await self._write(requester, reason, RoomId(""), EventId(user_id), user_id)

    def _check(self, requester: Requester, reason: str) -> None:
        """Check that the requester may report now. Raises TooLarge("reason_too_long"), RateLimited."""
        self._limits.check("safety", requester.user_id)
        if is_guest(requester.number):  # one person may be many guests
            self._limits.check_address("safety", requester.address)
        most = self._settings.max_reason_chars
        if len(reason) > most:
            raise TooLarge(f"a reason must have at most {most} characters", code="reason_too_long", most=most)

    async def _write_of_event(self, requester: Requester, event: Event, reason: str) -> None:
        """Store a report of an event. Raises Invalid("own_message")."""
        if event.sender == requester.user_id:
            raise Invalid("you cannot report your own message", code="own_message")
        await self._write(requester, reason, event.room_id, event.event_id, event.sender)

    async def _write(
        self, requester: Requester, reason: str, room_id: RoomId, about: EventId, sender: UserId
    ) -> None:
        new = NewReport(room_id, about, sender, requester.user_id, one_line(reason), self._clock.now_ms())
        async with self._db.write() as conn:
            await stored.add_reports(conn, [new])

    def found(self, entry: str, event_id: EventId | None = None) -> SideWrite[_Found]:
        """The report of a word list match, to be written with the message.

        `event_id`: the message, if it exists already and is being edited.
        """
        return SideWrite(_add_found, _Found(f"word list: {entry}", self._clock.now_ms(), event_id))

    # --- for the admins ---

    async def listing(self, page: Page, *, with_closed: bool = False) -> list[Report]:
        """Reports, oldest first; with a fixed number of queries."""
        async with self._db.read() as conn:
            rows = await stored.list_reports(
                conn, with_closed=with_closed, limit=page.limit, offset=page.offset
            )
            messages = await events.events_by_id(conn, {row.event_id for row in rows})
            places = await rooms.rooms_by_id(conn, {row.room_id for row in rows})
        named = {row.sender for row in rows} | {row.reporter for row in rows if row.reporter}
        people = await self._profiles.people(named)
        return [
            Report(
                row,
                self._text(messages.get(row.event_id)),
                places[row.room_id].name if row.room_id in places else "",
                people.get(row.sender),
                people.get(row.reporter),
            )
            for row in rows
        ]

    async def close(self, report_id: int, outcome: str = "") -> None:
        """Close a report, with its outcome. Raises NotFound("report_not_found"), TooLarge("outcome_too_long")."""
        if len(outcome) > MAX_OUTCOME_CHARS:
            raise TooLarge(
                f"an outcome must have at most {MAX_OUTCOME_CHARS} characters", code="outcome_too_long"
            )
        async with self._db.write() as conn:
            closed = await stored.close_report(conn, report_id, one_line(outcome), self._clock.now_ms())
        if not closed:
            raise NotFound("no such open report", code="report_not_found")

    def _text(self, message: StoredEvent | None) -> str | None:
        if message is None or not message.shown:
            return None
        file = attachment_of(message, self._server)
        parts = (text_of(message), file.name if file is not None else None)
        return " ".join(part for part in parts if part)


async def _add_found(conn: AsyncConnection, items: Sequence[Placed[_Found]]) -> None:
    """Store word list matches; a message that is just being written is found by its position, as its id was not
    known."""
    placed = await events.events_at(conn, {one.position for one in items if one.row.event_id is None})
    named = await events.events_by_id(
        conn, {one.row.event_id for one in items if one.row.event_id is not None}
    )
    new: dict[EventId, NewReport] = {}  # an upsert takes each key once
    for item in items:
        found = item.row
        target = placed.get(item.position) if found.event_id is None else named.get(found.event_id)
        if target is not None:
            event = target.event
            new[event.event_id] = NewReport(
                event.room_id, event.event_id, event.sender, NOBODY, found.reason, found.now_ms
            )
    if new:
        await stored.add_reports_anew(conn, list(new.values()))
