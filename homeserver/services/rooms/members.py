"""Members of rooms for the product APIs: list, add, remove, leave."""

from collections.abc import Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Forbidden, Invalid, NotFound
from homeserver.model import Member, Person, Requester, Role
from homeserver.protocol.ids import RoomId, UserId
from homeserver.protocol.member import membership_in
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.events.access import Access, check_may_manage, check_open_to
from homeserver.services.rooms import member_events
from homeserver.services.rooms.product_rules import is_product_room
from homeserver.services.rooms.roomviews import RoomViews
from homeserver.storage import rooms
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import joined_in, kind_of, levels_of, role_in
from homeserver.timeline.submission import NOTHING, Decided, Placed, SideWrite
from homeserver.timeline.writer import Timeline


class Members:
    """Members of rooms. The requester is the first argument of each method."""

    def __init__(
        self, *, timeline: Timeline, access: Access, views: RoomViews, profiles: Profiles, blocks: Blocks
    ) -> None:
        self._timeline = timeline
        self._access = access
        self._views = views
        self._profiles = profiles
        self._blocks = blocks

    async def listing(self, requester: Requester, room_id: RoomId) -> list[Member]:
        """All members of a room, in the order of their joins."""
        return await self._views.members(await self._access.stored_room(requester, room_id))

    async def add(
        self, requester: Requester, room_id: RoomId, number: int, role: Role | None = None
    ) -> Member:
        """Add a user to a group, or change a member's role; for admins. Without a role a new member is no admin, and
        who is a member already keeps theirs.

        Raises NotFound("user_not_found"), Invalid("private_room"),
        Forbidden("not_admin", "blocked", "low_power", "last_admin").
        """
        head = await self.group_to_manage(requester, room_id)
        person = await self._person(number)
        if not await self._profiles.visibility.visible(requester, [person]):
            raise _nobody()
        if membership_in(head.state.events, person.user_id) != "join":
            await self._blocks.check_people(requester.user_id, [person.user_id])
        await self._timeline.decide(room_id, lambda head: self.bringing_in(requester, head, person, role))
        everybody = await self._views.members(await self._access.stored_room(requester, room_id))
        added = next((one for one in everybody if one.person.user_id == person.user_id), None)
        if added is None:  # left, or was removed, since
            raise _not_in_room()
        return added

    async def group_to_manage(self, requester: Requester, room_id: RoomId) -> Head:
        """The head of a group that the requester is an admin of.

        Raises NotFound("room_not_found"), Forbidden("not_admin"), Invalid("private_room").
        """
        head = await self._timeline.head(room_id)
        _check_group_to_manage(requester, head)
        return head

    def bringing_in(
        self, requester: Requester, head: Head, person: Person, role: Role | None = None
    ) -> Decided:
        """The events that add a user to a group with a role, or change a member's role, as `add` says.

        Raises as `group_to_manage`, and Forbidden("guests_refused"). Blocks are of the caller to check.
        """
        _check_group_to_manage(requester, head)
        if membership_in(head.state.events, person.user_id) == "join":
            return _new_role(requester.user_id, head, person.user_id, role)
        drafts = member_events.bring_in(requester.user_id, [person])
        if role == "admin":
            drafts.append(member_events.promotion(head, requester.user_id, person.user_id))
        return Decided(drafts)

    async def remove(self, requester: Requester, room_id: RoomId, number: int) -> None:
        """Remove a user from a room; for admins, or the user themselves. Raises NotFound("user_not_found") if not a
        member."""
        person = (await self._profiles.by_numbers([number])).get(number)
        if person is not None and person.user_id == requester.user_id:
            await self.leave(requester, room_id)
            return
        await self.group_to_manage(requester, room_id)
        if person is None:
            raise _nobody()

        def decide(head: Head) -> Decided:
            _check_group_to_manage(requester, head)
            if membership_in(head.state.events, person.user_id) != "join":
                raise _not_in_room()
            _check_above(requester.user_id, head, person.user_id)
            return Decided([member_events.kick(requester.user_id, person.user_id)])

        await self._timeline.decide(room_id, decide)

    async def leave(self, requester: Requester, room_id: RoomId) -> None:
        """Leave a room, as `leaving` says. Raises NotFound("room_not_found")."""
        joined = await self.order_of_joins((await self._access.room(requester, room_id)).head)

        def decide(head: Head) -> Decided:
            check_open_to(requester, head)
            return self.leaving(requester.user_id, head, joined)

        await self._timeline.decide(room_id, decide)

    async def order_of_joins(self, head: Head) -> Sequence[UserId]:
        """The members of a room of the product APIs in the order of their joins; of other rooms none."""
        if not is_product_room(head):
            return ()
        return [one.person.user_id for one in await self._views.members(head)]

    def leaving(self, own: UserId, head: Head, joined: Sequence[UserId], *, reason: str = "") -> Decided:
        """The events by which a member leaves. If the last admin leaves, the member who joined first becomes admin.

        A private room, or one that has no members left, gives up its key. `joined`: as `order_of_joins` has it.
        """
        others = [one for one in joined_in(head.state.events) if one != own]
        drafts = []
        last_admin = role_in(head, own) == "admin" and not any(
            role_in(head, one) == "admin" for one in others
        )
        if last_admin and others:
            ranks = {user_id: rank for rank, user_id in enumerate(joined)}
            heir = min(others, key=lambda one: ranks.get(one, len(ranks)))  # who joined just now has no rank
            drafts.append(member_events.promotion(head, own, heir))
        drafts.append(member_events.leave(own, reason=reason))
        frees_key = not others or kind_of(head) == "private"
        return Decided(drafts, [SideWrite(_free_keys, head.room_id)] if frees_key else ())

    async def companions(self, requester: Requester, user_ids: Collection[UserId]) -> set[UserId]:
        """The users among these that share a room with the requester."""
        return await self._views.companions(requester.user_id, user_ids)

    async def are_apart(self, requester: Requester, people: Collection[Person]) -> bool:
        """True if there is a block between the requester and any of the users, so that nothing may bring them
        together."""
        return bool(await self._blocks.between(requester.user_id, [one.user_id for one in people]))

    async def check_reach(self, requester: Requester, head: Head) -> None:
        """Raise Forbidden("blocked") if a block separates the requester from the only other member of the room."""
        await self._blocks.check_room(requester, head)

    async def _person(self, number: int) -> Person:
        person = (await self._profiles.by_numbers([number])).get(number)
        if person is None:
            raise _nobody()
        return person


def _check_group_to_manage(requester: Requester, head: Head) -> None:
    check_may_manage(requester, head)
    if kind_of(head) == "private":
        raise Invalid("a private conversation stays between two people", code="private_room")


def _new_role(own: UserId, head: Head, user_id: UserId, role: Role | None) -> Decided:
    """The event that gives a member another role, if it is another one."""
    if role is None or role_in(head, user_id) == role:
        return NOTHING
    if role == "admin":
        return Decided([member_events.promotion(head, own, user_id)])
    if user_id != own:
        _check_above(own, head, user_id)
    elif not any(role_in(head, one) == "admin" for one in joined_in(head.state.events) if one != own):
        raise Forbidden("the last admin stays one", code="last_admin")
    return Decided([member_events.demotion(head, own, user_id)])


def _check_above(own: UserId, head: Head, user_id: UserId) -> None:
    levels = levels_of(head)
    if levels.user(user_id) >= levels.user(own):
        raise Forbidden("this person is as much an admin as you are", code="low_power")


def _not_in_room() -> NotFound:
    return NotFound("this user is not in the room", code="user_not_found")


def _nobody() -> NotFound:
    return NotFound("no such user", code="user_not_found")


async def _free_keys(conn: AsyncConnection, rows: Sequence[Placed[RoomId]]) -> None:
    await rooms.free_keys(conn, [placed.row for placed in rows])
