"""Enquiries: rooms between the owner of a host application's object and a user who asks about it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, bindparam, exists, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import Link, LogPosition
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage.schema.timeline import enquiries, members, rooms

Side = Literal["owner", "enquirer"]


class Help(StrEnum):
    """Whether staff was called into an enquiry."""

    NONE = ""
    ASKED = "asked"
    JOINED = "joined"


@dataclass(frozen=True, slots=True)
class NewEnquiry:
    """Makes a new room an enquiry. `is_guest`: the enquirer gets one of the owner's guest numbers."""

    link: Link
    owner: UserId
    enquirer: UserId
    is_guest: bool


@dataclass(frozen=True, slots=True)
class EnquiryRow:
    """An enquiry. It is hidden from a side while its last message is not after the position where that side hid it."""

    room_id: RoomId
    link: Link
    owner: UserId
    enquirer: UserId
    guest_number: int | None
    owner_hid: int
    enquirer_hid: int
    help: Help
    helper: UserId | None
    help_round: int


class ListedEnquiry(NamedTuple):
    """An enquiry with what a user's list shows of its room. A tuple, as a list may have thousands of them.

    `position` is the room's.
    """

    room_id: RoomId
    position: LogPosition
    created_ms: int
    last_message_position: LogPosition | None
    service: str
    service_id: str
    owner: UserId
    enquirer: UserId
    guest_number: int | None
    owner_hid: int
    enquirer_hid: int
    help: str
    helper: UserId | None
    unread_count: int  # may be below zero


@dataclass(frozen=True, slots=True)
class HelpMove:
    """Staff was called into an enquiry, joined or left."""

    room_id: RoomId
    help: Help
    helper: UserId | None
    round: int


_COLUMNS = (
    enquiries.c.room_id,
    enquiries.c.owner,
    enquiries.c.enquirer,
    enquiries.c.guest_number,
    enquiries.c.owner_hid,
    enquiries.c.enquirer_hid,
    enquiries.c.help,
    enquiries.c.helper,
    enquiries.c.help_round,
    enquiries.c.service.label("of_service"),
    enquiries.c.object_id,
)
_last = func.coalesce(rooms.c.last_message_position, rooms.c.position)
_OPEN: Select[Any] = (
    select(*_COLUMNS)
    .join_from(enquiries, rooms, rooms.c.room_id == enquiries.c.room_id)
    .where(~rooms.c.closed)
)
_ONE = _OPEN.where(enquiries.c.room_id == bindparam("of_room"))
_MANY = _OPEN.where(enquiries.c.room_id.in_(bindparam("room_ids", expanding=True)))
_SHOWN = (  # the columns of ListedEnquiry but the last, in its order
    rooms.c.room_id,
    rooms.c.position,
    rooms.c.created_ms,
    rooms.c.last_message_position,
    enquiries.c.service,
    enquiries.c.object_id,
    enquiries.c.owner,
    enquiries.c.enquirer,
    enquiries.c.guest_number,
    enquiries.c.owner_hid,
    enquiries.c.enquirer_hid,
    enquiries.c.help,
    enquiries.c.helper,
)
_HELP_WANTED = (  # for no particular user: nothing is unread
    select(*_SHOWN, literal(0))
    .join_from(enquiries, rooms, rooms.c.room_id == enquiries.c.room_id)
    .where(
        ~rooms.c.closed,
        enquiries.c.service == bindparam("in_service"),
        enquiries.c.help == bindparam("state"),
    )
    .order_by(rooms.c.active_position)
    .limit(bindparam("count"))
)
_LIST: Select[Any] = (
    select(*_SHOWN, rooms.c.message_seq - members.c.read_seq - members.c.unread_removed)
    .select_from(enquiries)
    .join(rooms, rooms.c.room_id == enquiries.c.room_id)
    .join(members, members.c.room_id == enquiries.c.room_id)
    .where(members.c.user_id == bindparam("viewer"), members.c.membership == "join", ~rooms.c.closed)
)


def _of_side(side: ColumnElement[Any], hid: ColumnElement[Any]) -> Select[Any]:
    return (
        _LIST.where(side == bindparam("viewer"), enquiries.c.service == bindparam("in_service"), _last > hid)
        .order_by(rooms.c.active_position.desc())
        .limit(bindparam("count"))
        .offset(bindparam("skip"))
    )


_LISTS: dict[Side, Select[Any]] = {
    "owner": _of_side(enquiries.c.owner, enquiries.c.owner_hid),
    "enquirer": _of_side(enquiries.c.enquirer, enquiries.c.enquirer_hid),
}
_ONE_LISTED = _LIST.where(enquiries.c.room_id == bindparam("of_room"))
_owners = members.alias("owners")
_BY_OBJECT = _LIST.where(
    enquiries.c.service == bindparam("in_service"),
    enquiries.c.object_id == bindparam("of_object"),
    enquiries.c.enquirer == bindparam("viewer"),
    exists().where(
        _owners.c.room_id == enquiries.c.room_id,
        _owners.c.user_id == enquiries.c.owner,
        _owners.c.membership == "join",
    ),
).order_by(rooms.c.position)
_OPEN_OF = select(enquiries.c.room_id).where(
    enquiries.c.service == bindparam("in_service"),
    enquiries.c.object_id == bindparam("of_object"),
    enquiries.c.enquirer == bindparam("by"),
)
_ROOMS_OF_OWNER = (
    select(enquiries.c.room_id, rooms.c.position)
    .join_from(enquiries, rooms, rooms.c.room_id == enquiries.c.room_id)
    .where(
        enquiries.c.owner == bindparam("of"), enquiries.c.service == bindparam("in_service"), ~rooms.c.closed
    )
    .order_by(rooms.c.active_position.desc())
    .limit(bindparam("count"))
)
_NUMBER_OF = (  # a guest keeps their number with an owner
    select(func.max(enquiries.c.guest_number)).where(
        enquiries.c.owner == bindparam("of"), enquiries.c.enquirer == bindparam("by")
    )
)
_NEXT_NUMBER = select(func.coalesce(func.max(enquiries.c.guest_number), 0) + 1).where(
    enquiries.c.owner == bindparam("of")
)
_ROOM_AT = select(rooms.c.room_id).where(rooms.c.position == bindparam("at"))
_ADD = insert(enquiries)
_seen = select(_last).where(rooms.c.room_id == enquiries.c.room_id).correlate(enquiries).scalar_subquery()
_HIDE: dict[Side, Any] = {
    "owner": update(enquiries).where(enquiries.c.room_id == bindparam("of_room")).values(owner_hid=_seen),
    "enquirer": update(enquiries)
    .where(enquiries.c.room_id == bindparam("of_room"))
    .values(enquirer_hid=_seen),
}
_MOVE_HELP = (
    update(enquiries)
    .where(enquiries.c.room_id == bindparam("of_room"))
    .values(
        {
            "help": bindparam("new_help"),
            "helper": bindparam("new_helper"),
            "help_round": bindparam("new_round"),
        }
    )
)
_OF_ENQUIRER = select(enquiries.c.room_id, enquiries.c.service, enquiries.c.object_id).where(
    enquiries.c.enquirer == bindparam("by")
)
_HAND_OVER = (
    update(enquiries)
    .where(enquiries.c.enquirer == bindparam("of_guest"))
    .values(enquirer=bindparam("to_account"))  # the number stays taken
)


async def add_enquiry(conn: AsyncConnection, position: LogPosition, new: NewEnquiry) -> None:
    """Make an enquiry of the room whose create event has this position, in the transaction that creates the room.

    That transaction holds the lock on the log's head, so no two guests get one number.
    """
    number = None
    if new.is_guest:
        both = {"of": new.owner, "by": new.enquirer}
        number = (await conn.execute(_NUMBER_OF, both)).scalar_one_or_none()
        if number is None:
            number = (await conn.execute(_NEXT_NUMBER, {"of": new.owner})).scalar_one()
    room_id = (await conn.execute(_ROOM_AT, {"at": position})).scalar_one()
    values = {
        "room_id": room_id,
        "service": new.link.service,
        "object_id": new.link.service_id,
        "owner": new.owner,
        "enquirer": new.enquirer,
        "guest_number": number,
    }
    await conn.execute(_ADD, values)


async def enquiry_of(conn: AsyncConnection, room_id: RoomId) -> EnquiryRow | None:
    """The enquiry of a room; None if the room is none, or is closed."""
    row = (await conn.execute(_ONE, {"of_room": room_id})).one_or_none()
    return None if row is None else _enquiry(row)


async def enquiries_of(conn: AsyncConnection, room_ids: Collection[RoomId]) -> dict[RoomId, EnquiryRow]:
    """Those of the rooms that are open enquiries."""
    rows = await conn.execute(_MANY, {"room_ids": list(room_ids)})
    return {row.room_id: _enquiry(row) for row in rows}


async def enquiry_by_object(conn: AsyncConnection, link: Link, enquirer: UserId) -> ListedEnquiry | None:
    """A user's open enquiry about an object in which both sides still are; the oldest, if a guest's enquiry has been
    handed over to them too."""
    values = {"in_service": link.service, "of_object": link.service_id, "viewer": enquirer}
    row = (await conn.execute(_BY_OBJECT, values)).first()
    return None if row is None else ListedEnquiry._make(row)


async def rooms_by_object(conn: AsyncConnection, link: Link, enquirer: UserId) -> list[RoomId]:
    """The rooms in which a user asks about an object."""
    values = {"in_service": link.service, "of_object": link.service_id, "by": enquirer}
    return list((await conn.execute(_OPEN_OF, values)).scalars())


async def enquiries_on_side(
    conn: AsyncConnection, viewer: UserId, service: str, side: Side, *, limit: int, offset: int
) -> list[ListedEnquiry]:
    """Open enquiries whose owner or enquirer (`side`) a user is and that they did not hide, latest activity first."""
    values = {"viewer": viewer, "in_service": service, "count": limit, "skip": offset}
    rows = (await conn.execute(_LISTS[side], values)).all()  # one by one takes half as long again
    return [ListedEnquiry._make(row) for row in rows]


async def listed_enquiry(conn: AsyncConnection, viewer: UserId, room_id: RoomId) -> ListedEnquiry | None:
    """One open enquiry as one of its members sees it, hidden or not."""
    row = (await conn.execute(_ONE_LISTED, {"viewer": viewer, "of_room": room_id})).one_or_none()
    return None if row is None else ListedEnquiry._make(row)


async def help_wanted(conn: AsyncConnection, service: str, limit: int) -> list[ListedEnquiry]:
    """Enquiries that wait for staff, the longest without a message first."""
    values = {"in_service": service, "state": Help.ASKED.value, "count": limit}
    return [ListedEnquiry._make(row) for row in await conn.execute(_HELP_WANTED, values)]


async def rooms_of_owner(
    conn: AsyncConnection, owner: UserId, service: str, limit: int
) -> dict[RoomId, LogPosition]:
    """An owner's latest active open enquiries, hidden ones too, with their rooms' positions."""
    values = {"of": owner, "in_service": service, "count": limit}
    return {row.room_id: row.position for row in await conn.execute(_ROOMS_OF_OWNER, values)}


async def hide(conn: AsyncConnection, room_id: RoomId, sides: Sequence[Side]) -> None:
    """Hide an enquiry from these sides until the next message."""
    for side in sides:
        await conn.execute(_HIDE[side], {"of_room": room_id})


async def move_help(conn: AsyncConnection, moves: Sequence[HelpMove]) -> None:
    """Store that staff was called, joined or left."""
    rows = [
        {
            "of_room": one.room_id,
            "new_help": one.help.value,
            "new_helper": one.helper,
            "new_round": one.round,
        }
        for one in moves
    ]
    await conn.execute(_MOVE_HELP, rows)


async def objects_of(conn: AsyncConnection, enquirer: UserId) -> dict[RoomId, Link]:
    """The objects that a user asks about, by room."""
    rows = await conn.execute(_OF_ENQUIRER, {"by": enquirer})
    return {row.room_id: Link(row.service, row.object_id) for row in rows}


async def hand_over(conn: AsyncConnection, guest: UserId, account: UserId) -> None:
    """Move a guest's enquiries to the account that the guest became."""
    await conn.execute(_HAND_OVER, {"of_guest": guest, "to_account": account})


def _enquiry(row: Row[Any]) -> EnquiryRow:
    return EnquiryRow(
        room_id=row.room_id,
        link=Link(row.of_service, row.object_id),
        owner=row.owner,
        enquirer=row.enquirer,
        guest_number=row.guest_number,
        owner_hid=row.owner_hid,
        enquirer_hid=row.enquirer_hid,
        help=Help(row.help),
        helper=row.helper,
        help_round=row.help_round,
    )
