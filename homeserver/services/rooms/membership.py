"""Membership calls of the client-server API ("Room membership").

Whether a change is allowed is decided by the room's auth rules when the event is built. Added here: finding the
users, building the member events, and making repeated calls succeed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Forbidden, Invalid, NotFound
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import Draft, Requester, RoomPlace
from homeserver.protocol.canonical import same_json
from homeserver.protocol.ids import RoomId, UserId
from homeserver.protocol.member import RESTRICTED_RULES, allowed_rooms_in, join_rule_in, membership_in
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.accounts.status import check_may_act
from homeserver.services.accounts.uservisibility import nameless
from homeserver.services.events.access import check_joined, head_for_member
from homeserver.services.rooms import member_events, product_rules
from homeserver.services.rooms.guestaccess import check_may_enter
from homeserver.services.rooms.members import Members
from homeserver.storage import members as stored
from homeserver.storage import memberships
from homeserver.storage.db import Database
from homeserver.storage.members import MemberRow
from homeserver.timeline.entries import room_forgotten
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import is_open_to
from homeserver.timeline.submission import NOTHING, Decided, Placed, SideWrite
from homeserver.timeline.writer import Timeline

CheckLeave = Callable[[Head, UserId], None]


class Membership:
    """Changes memberships. The requester is the first argument of each method; `reason` is text, and may be empty.

    `check_leave` raises if a user may not leave a room.
    """

    def __init__(
        self,
        *,
        db: Database,
        timeline: Timeline,
        profiles: Profiles,
        limits: RateLimits,
        blocks: Blocks,
        members: Members,
        check_leave: CheckLeave,
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._profiles = profiles
        self._limits = limits
        self._blocks = blocks
        self._members = members
        self._check_leave = check_leave

    async def join(
        self,
        requester: Requester,
        room_id: RoomId,
        *,
        reason: str = "",
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Join a room; does nothing if the user has joined. `extra` is added to the event's content.

        Raises NotFound("room_not_found"), Forbidden("guests_refused", "auth_rule", "room_closed").
        """
        check_may_act(requester)
        self._limits.check("create", requester.user_id)
        own = requester.user_id
        fulfils = await self._fulfils_restriction(await self._timeline.head(room_id), own)
        person = await self._profiles.own(requester)

        def decide(head: Head) -> Decided:
            if not extra and membership_in(head.state.events, own) == "join":
                return NOTHING
            product_rules.check_open(head)
            check_may_enter(requester, head)
            voucher = member_events.inviter_in(head) if fulfils else None
            return Decided([member_events.join(person, reason=reason, extra=extra, voucher=voucher)])

        await self._timeline.decide(room_id, decide)

    async def leave(self, requester: Requester, room_id: RoomId, *, reason: str = "") -> None:
        """Leave a room, reject an invite, or retract a knock. Does nothing if the user has left already.

        A room of the product APIs is left as these do it (`Members.leaving`). Raises NotFound("room_not_found").
        """
        own = requester.user_id
        joined = await self._members.order_of_joins(await self._timeline.head(room_id))

        def decide(head: Head) -> Decided:
            was = head.state.events.get(("m.room.member", own))
            if was is None:
                raise _no_room()
            if was.membership == "leave":
                return NOTHING
            self._check_leave(head, own)
            if product_rules.is_product_room(head) and is_open_to(head, own):
                return self._members.leaving(own, head, joined, reason=reason)
            return Decided([member_events.leave(own, reason=reason)])

        await self._timeline.decide(room_id, decide)

    async def knock(self, requester: Requester, room_id: RoomId, *, reason: str = "") -> None:
        """Knock on a room; repeating a knock changes nothing. Raises Forbidden("auth_rule") if the room allows no
        knocks."""
        check_may_act(requester)
        self._limits.check("create", requester.user_id)
        person = await self._profiles.own(requester)

        def decide(head: Head) -> Decided:
            product_rules.check_open(head)
            return _unless_there(head, member_events.knock(person, reason=reason))

        await self._timeline.decide(room_id, decide)

    async def invite(
        self, requester: Requester, room_id: RoomId, user_id: UserId, *, reason: str = ""
    ) -> None:
        """Invite a user of this server; repeating an invite changes nothing.

        In a group of the product APIs the user joins at once, as its other clients know no invites. Raises
        NotFound("room_not_found", "user_not_found"), Forbidden("blocked", "already_joined").
        """
        check_may_act(requester)
        self._limits.check("create", requester.user_id)
        product_rules.check_others(await head_for_member(self._timeline, requester, room_id))
        person = (await self._profiles.people([user_id])).get(user_id)
        if person is None:
            raise _nobody(user_id)
        await self._blocks.check_people(requester.user_id, [user_id])
        is_visible = bool(await self._profiles.visibility.visible(requester, [person]))
        invited = person if is_visible else nameless(person)

        def decide(head: Head) -> Decided:
            check_joined(requester, head)
            product_rules.check_others(head)
            if membership_in(head.state.events, user_id) == "join":
                raise Forbidden("this user is already in the room", code="already_joined")
            if product_rules.is_product_room(head):
                if not is_visible:
                    raise _nobody(user_id)
                return self._members.bringing_in(requester, head, person)
            return _unless_there(head, member_events.invite(requester.user_id, invited, reason=reason))

        await self._timeline.decide(room_id, decide)

    async def kick(self, requester: Requester, room_id: RoomId, user_id: UserId, *, reason: str = "") -> None:
        """Kick a user, revoke their invite, or reject their knock. Raises Forbidden("not_in_room") if they are not
        in the room."""

        def check(head: Head) -> None:
            product_rules.check_others(head)
            if membership_in(head.state.events, user_id) not in ("join", "invite", "knock"):
                raise Forbidden("this person is not in the room", code="not_in_room")

        kicked = member_events.kick(requester.user_id, user_id, reason=reason)
        await self._change_other(requester, room_id, kicked, check)

    async def ban(self, requester: Requester, room_id: RoomId, user_id: UserId, *, reason: str = "") -> None:
        """Ban a user; repeating a ban changes nothing."""
        banned = member_events.ban(requester.user_id, user_id, reason=reason)
        await self._change_other(requester, room_id, banned, product_rules.check_others)

    async def unban(
        self, requester: Requester, room_id: RoomId, user_id: UserId, *, reason: str = ""
    ) -> None:
        """Unban a user. Raises Forbidden("not_banned") if they are not banned."""

        def check(head: Head) -> None:
            if membership_in(head.state.events, user_id) != "ban":
                raise Forbidden("this person is not banned", code="not_banned")

        unbanned = member_events.kick(requester.user_id, user_id, reason=reason)
        await self._change_other(requester, room_id, unbanned, check)

    async def _change_other(
        self, requester: Requester, room_id: RoomId, draft: Draft, check: Callable[[Head], None]
    ) -> None:
        """Change another user's membership in a room that the requester has joined, if `check` raises nothing."""
        check_may_act(requester)

        def decide(head: Head) -> Decided:
            check_joined(requester, head)
            check(head)
            return _unless_there(head, draft)

        await self._timeline.decide(room_id, decide)

    async def joined_rooms(self, requester: Requester) -> list[RoomId]:
        """The rooms that the requester has joined."""
        async with self._db.read() as conn:
            return await stored.joined_rooms(conn, requester.user_id)

    async def mutual_rooms(
        self, requester: Requester, other: UserId, *, after: int, limit: int
    ) -> tuple[list[RoomPlace], int]:
        """The rooms that the requester shares with another user: a page after a position, and the total count.

        Raises Invalid("bad_user_id") for the requester's own id.
        """
        self._limits.check("directory", requester.user_id)
        if other == requester.user_id:
            raise Invalid("user_id must not be your own", code="bad_user_id")
        async with self._db.read() as conn:
            found = await memberships.mutual_rooms(conn, requester.user_id, other)
        return [one for one in found if one.position > after][:limit], len(found)

    async def forget(self, requester: Requester, room_id: RoomId) -> None:
        """Forget a room the user has left; its history is no longer visible to them.

        Raises NotFound("room_not_found") if the user was never in the room, Invalid("still_in_room").
        """
        async with self._db.read() as conn:
            row = await stored.member(conn, room_id, requester.user_id)
            forgotten = await memberships.forgotten_among(conn, requester.user_id, [room_id])
        if row is None:
            raise _no_room()
        if row.membership not in ("leave", "ban"):
            raise Invalid("leave the room first", code="still_in_room")
        if not forgotten:
            news = room_forgotten(requester.user_id, room_id)
            await self._timeline.append([news], also=[SideWrite(_forget, row)])

    async def _fulfils_restriction(self, head: Head, user_id: UserId) -> bool:
        """True if the room's join rule is restricted, and the user is in one of the rooms that it names."""
        if join_rule_in(head.state.events) not in RESTRICTED_RULES:
            return False
        if membership_in(head.state.events, user_id) in ("join", "invite"):
            return False
        allowed = allowed_rooms_in(head.state.events)
        async with self._db.read() as conn:
            return bool(await stored.joined_among(conn, user_id, allowed))


async def _forget(conn: AsyncConnection, items: Sequence[Placed[MemberRow]]) -> None:
    await memberships.forget(conn, [item.row for item in items])


def _nobody(user_id: UserId) -> NotFound:
    return NotFound(f"no user {user_id} on this server", code="user_not_found")


def _unless_there(head: Head, draft: Draft) -> Decided:
    """Write a member event, unless the current one is of the same sender and content."""
    there = head.state.events.get((draft.type, draft.state_key or ""))
    if there is not None and there.sender == draft.sender and same_json(there.content, draft.content):
        return NOTHING
    return Decided([draft])


def _no_room() -> NotFound:
    return NotFound("no such room", code="room_not_found")
