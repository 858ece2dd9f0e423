"""Enquiries: a user asks the owner of a host application's object about it, in a room of the two.

There is one for each object and enquirer. Each side can hide it until the next message, and can call the staff, of
whom one may join.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Conflict, Forbidden, Invalid, NotFound
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import ENQUIRY_EVENT, Draft, Link, LogPosition, Page, Person, Requester
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.accounts.status import is_guest
from homeserver.services.enquiries.enquirykeys import enquiry_key
from homeserver.services.enquiries.enquiryviews import Enquiry, EnquiryBrief, EnquiryViews
from homeserver.services.events.access import OpenRoom
from homeserver.services.rooms.initial_state import ProductInitialState, state_draft
from homeserver.services.rooms.member_events import bring_in, leave, strongest_in
from homeserver.services.rooms.rooms import Rooms
from homeserver.storage import enquiries as stored
from homeserver.storage import rooms as rooms_table
from homeserver.storage.enquiries import EnquiryRow, Help, HelpMove, NewEnquiry, Side
from homeserver.storage.log import Entry
from homeserver.storage.transactions import TxnKey
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import joined_in
from homeserver.timeline.submission import Decided, KeyTaken, Placed, SideWrite
from homeserver.timeline.writer import Timeline

_OWNER_LEVEL = 100  # both sides may close the room
_TRIES = 3  # to get or create a room while others create and close it


@dataclass(frozen=True, slots=True)
class EnquiryRoom:
    """An open enquiry room that the requester has joined, and the enquiry's row: its object and its two sides."""

    room: OpenRoom
    row: EnquiryRow

    @property
    def room_id(self) -> RoomId:
        """The room's id."""
        return self.row.room_id


class Enquiries:
    """Methods take the requester first, or a proof that the requester has joined the room (see
    `services/events/access.py`), except those for the staff and for the host's own servers."""

    def __init__(
        self,
        *,
        timeline: Timeline,
        rooms: Rooms,
        views: EnquiryViews,
        limits: RateLimits,
        initial_state: ProductInitialState,
        blocks: Blocks,
    ) -> None:
        self._db = views.db
        self._timeline = timeline
        self._rooms = rooms
        self._views = views
        self._limits = limits
        self._initial_state = initial_state
        self._blocks = blocks

    async def find(self, requester: Requester, link: Link) -> Enquiry | None:
        """The requester's open enquiry about an object."""
        async with self._db.read() as conn:
            listed = await stored.enquiry_by_object(conn, link, requester.user_id)
        return None if listed is None else await self._views.one(listed)

    async def open(self, requester: Requester, enquirer: Person, *, link: Link, owner: Person) -> Enquiry:
        """Get or create the requester's enquiry about an object. `enquirer` is the requester.

        Raises Invalid("own_object"), Forbidden("blocked"), RateLimited, Conflict("room_changing").
        """
        if owner.user_id == requester.user_id:
            raise Invalid("you cannot enquire about your own object", code="own_object")
        key = enquiry_key(link, requester.user_id)
        for _ in range(_TRIES):
            found = await self.find(requester, link)
            if found is not None:
                return found
            await self._blocks.check_people(requester.user_id, [owner.user_id])
            self._limits.check("create", requester.user_id)
            new = NewEnquiry(link, owner.user_id, requester.user_id, is_guest(requester.number))
            try:
                await self._timeline.create_room(
                    self._first_events(enquirer, owner, link),
                    version=self._initial_state.version,
                    kind="private",
                    room_key=key,
                    also=[SideWrite(_add_enquiries, new)],
                )
            except KeyTaken as taken:
                await self._free_if_left(taken.room_id, requester.user_id, owner.user_id)
        found = await self.find(requester, link)
        if found is None:
            raise Conflict("the room was changed at the same time; try again", code="room_changing")
        return found

    async def about(self, room: OpenRoom) -> EnquiryRoom:
        """The enquiry row of a room. Raises NotFound for any other room."""
        return EnquiryRoom(room, await self._row(room.room_id))

    async def get(self, room: OpenRoom) -> Enquiry:
        """One enquiry as its members see it. Raises NotFound for any other room."""
        async with self._db.read() as conn:
            listed = await stored.listed_enquiry(conn, room.requester.user_id, room.room_id)
        if listed is None:
            raise _no_enquiry()
        return await self._views.one(listed)

    async def listing(self, requester: Requester, service: str, side: Side, page: Page) -> list[Enquiry]:
        """The enquiries that the requester owns or created, latest activity first, without hidden ones."""
        async with self._db.read() as conn:
            listed = await stored.enquiries_on_side(
                conn, requester.user_id, service, side, limit=page.limit, offset=page.offset
            )
        return await self._views.many(listed, requester.user_id)

    def note(self, entry: Entry) -> None:
        """Handle a log entry; must be given every entry, as lists are cached."""
        self._views.note(entry)

    async def rooms_of_owner(
        self, requester: Requester, service: str, limit: int
    ) -> dict[RoomId, LogPosition]:
        """The rooms of the most recently active enquiries to the requester, with their public numbers."""
        async with self._db.read() as conn:
            return await stored.rooms_of_owner(conn, requester.user_id, service, limit)

    async def hide(self, enquiry: EnquiryRoom) -> None:
        """Hide an enquiry from the requester's side until the next message."""
        requester = _check_side(enquiry)
        side: Side = "owner" if enquiry.row.owner == requester.user_id else "enquirer"
        async with self._db.write() as conn:
            await stored.hide(conn, enquiry.room_id, [side])

    async def hide_for_object(self, link: Link, enquirer: UserId) -> int:
        """Hide a user's enquiry about an object from both sides; for the host's own servers. Returns the count
        hidden."""
        async with self._db.write() as conn:
            room_ids = await stored.rooms_by_object(conn, link, enquirer)
            for room_id in room_ids:
                await stored.hide(conn, room_id, ["owner", "enquirer"])
        return len(room_ids)

    async def close(self, enquiry: EnquiryRoom) -> None:
        """Close an enquiry for all its members; for its two sides. A later enquiry about the object gets a new
        room."""
        await self._rooms.leave_or_close(_check_side(enquiry), enquiry.room_id)

    def other_side(self, enquiry: EnquiryRoom) -> UserId:
        """The other user of the requester's enquiry. Raises Forbidden("not_a_side") for the staff."""
        requester, row = _check_side(enquiry), enquiry.row
        return row.enquirer if row.owner == requester.user_id else row.owner

    async def bring_in(self, person: Person, room_id: RoomId) -> None:
        """Add another user to an enquiry; for trusted callers."""
        await self._row(room_id)
        await self._timeline.decide(room_id, lambda head: Decided(_entry(head, person)))

    # --- for the staff ---

    async def call_help(self, enquiry: EnquiryRoom, text: str) -> None:
        """Call the staff, and send `text` to the room. Raises Invalid("help_called") the second time."""
        requester, row = _check_side(enquiry), enquiry.row
        if row.help is not Help.NONE or not await self._step(
            row,
            "call",
            lambda _: [_notice(requester, text)],
            HelpMove(row.room_id, Help.ASKED, None, row.help_round),
        ):
            raise Invalid("support was called already", code="help_called")

    async def join_help(self, staff: Requester, person: Person, room_id: RoomId, text: str) -> None:
        """Join as the helping member of the staff, if the staff was called. Raises Invalid("help_not_called")."""
        row = await self._row(room_id)
        if row.help is not Help.ASKED:
            raise Invalid("support was not called, or has joined already", code="help_not_called")
        move = HelpMove(room_id, Help.JOINED, staff.user_id, row.help_round)
        if not await self._step(
            row, "join", lambda head: [*_entry(head, person), _notice(staff, text)], move
        ):
            raise Invalid("another member of support has joined already", code="help_not_called")

    async def leave_help(self, staff: Requester, room_id: RoomId, text: str) -> None:
        """Leave as the helping member of the staff, who can be called again. Raises Forbidden("not_helper")."""
        row = await self._row(room_id)
        if row.helper != staff.user_id:
            raise Forbidden("you are not the member of support in this chat", code="not_helper")
        drafts = [_notice(staff, text)]
        if staff.user_id not in (row.owner, row.enquirer):
            drafts.append(leave(staff.user_id))
        move = HelpMove(room_id, Help.NONE, None, row.help_round + 1)
        await self._step(row, "leave", lambda _: drafts, move)

    async def waiting(self, service: str, limit: int) -> list[Enquiry]:
        """Enquiries that wait for the staff, longest silent first; for the staff."""
        async with self._db.read() as conn:
            listed = await stored.help_wanted(conn, service, limit)
        return await self._views.many(listed)

    async def briefs(self, room_ids: Collection[RoomId]) -> dict[RoomId, EnquiryBrief]:
        """Object and sides of those rooms that are open enquiries, for notifications; access is not checked."""
        async with self._db.read() as conn:
            found = await stored.enquiries_of(conn, room_ids)
        return {
            room_id: EnquiryBrief(row.link, row.owner, row.enquirer, row.guest_number)
            for room_id, row in found.items()
        }

    async def is_of(self, room_id: RoomId, service: str) -> bool:
        """True if the room is an open enquiry about an object of this service; for the staff."""
        async with self._db.read() as conn:
            row = await stored.enquiry_of(conn, room_id)
        return row is not None and row.link.service == service

    async def _step(
        self, row: EnquiryRow, name: str, drafts: Callable[[Head], Sequence[Draft]], move: HelpMove
    ) -> bool:
        """Write a change of the help state once, whoever else tries at the same time; False if it was written
        already."""
        txn = TxnKey("enquiry help", row.room_id, "", f"{name} {row.help_round}")
        also = [SideWrite(_move_help, move)]
        written = await self._timeline.decide(row.room_id, lambda head: Decided(drafts(head), also), txn=txn)
        return not written.repeated

    async def _row(self, room_id: RoomId) -> EnquiryRow:
        async with self._db.read() as conn:
            row = await stored.enquiry_of(conn, room_id)
        if row is None:
            raise _no_enquiry()
        return row

    async def _free_if_left(self, room_id: RoomId, enquirer: UserId, owner: UserId) -> None:
        """Free the key of a room that one of the two has left by another API, so that they get a new room."""
        head = await self._timeline.stored_head(room_id)
        joined = joined_in(head.state.events)
        if enquirer not in joined or owner not in joined:
            async with self._db.write() as conn:
                await rooms_table.free_keys(conn, [room_id])

    def _first_events(self, enquirer: Person, owner: Person, link: Link) -> list[Draft]:
        own = enquirer.user_id
        drafts = self._initial_state.first_events(
            enquirer, [owner], kind="private", title=None, topic="", link=link
        )
        told = {
            "service": link.service,
            "service_id": link.service_id,
            "owner": owner.user_id,
            "enquirer": own,
        }
        return [
            *(_with_admin(draft, owner.user_id) for draft in drafts),
            state_draft(ENQUIRY_EVENT, own, told),
        ]


def _check_side(enquiry: EnquiryRoom) -> Requester:
    """The requester. Raises Forbidden("not_a_side") unless they are one of the two sides."""
    requester, row = enquiry.room.requester, enquiry.row
    if requester.user_id not in (row.owner, row.enquirer):
        raise Forbidden("only the two sides of the chat may do this", code="not_a_side")
    return requester


def _with_admin(draft: Draft, user_id: UserId) -> Draft:
    if draft.type != "m.room.power_levels":
        return draft
    users = {**draft.content["users"], user_id: _OWNER_LEVEL}
    return state_draft(draft.type, draft.sender, {**draft.content, "users": users})


def _entry(head: Head, person: Person) -> Sequence[Draft]:
    """The events by which a user joins an enquiry, unless they have."""
    joined = joined_in(head.state.events)
    return () if person.user_id in joined else bring_in(strongest_in(head), [person])


def _notice(sender: Requester, text: str) -> Draft:
    return Draft("m.room.message", sender.user_id, {"msgtype": "m.notice", "body": text})


def _no_enquiry() -> NotFound:
    return NotFound("no such chat", code="room_not_found")


async def _add_enquiries(conn: AsyncConnection, items: Sequence[Placed[NewEnquiry]]) -> None:
    for item in items:
        await stored.add_enquiry(conn, item.position, item.row)


async def _move_help(conn: AsyncConnection, items: Sequence[Placed[HelpMove]]) -> None:
    await stored.move_help(conn, [item.row for item in items])
