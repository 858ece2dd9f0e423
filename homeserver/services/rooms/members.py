"""Members of rooms: who is in, who comes, who goes."""

from collections.abc import Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Forbidden, Invalid, NotFound
from homeserver.model import Content, Draft, Member, Person, Requester, Role
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.accounts.status import guests_refused, is_matrix_guest
from homeserver.services.events.access import Access
from homeserver.services.rooms.roomviews import RoomViews
from homeserver.storage import rooms
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import ADMIN_LEVEL, joined_in, kind_of, levels_of, role_in
from homeserver.timeline.submission import Placed, SideWrite
from homeserver.timeline.writer import Timeline

MXC = "mxc://"


class Members:
    """The people of rooms; every method takes who asks first."""

    def __init__(
        self, *, timeline: Timeline, access: Access, views: RoomViews, profiles: Profiles, blocks: Blocks
    ) -> None:
        self._timeline = timeline
        self._access = access
        self._views = views
        self._profiles = profiles
        self._blocks = blocks

    async def listing(self, requester: Requester, room_id: RoomId) -> list[Member]:
        """Everybody in a room, in the order in which they came."""
        return await self._views.members(await self._access.stored_room(requester, room_id))

    async def add(self, requester: Requester, room_id: RoomId, number: int, role: Role = "member") -> Member:
        """Put a person into a group; for admins. Somebody who is in it already stays as they are.

        Raises NotFound (code "user_not_found"), Invalid (code "private_room") or Forbidden (code "blocked").
        """
        head = await self._access.room_to_manage(requester, room_id)
        if kind_of(head) == "private":
            raise Invalid("a private conversation stays between two people", code="private_room")
        person = await self._person(number)
        if person.user_id not in joined_in(head.state.events):
            await self._blocks.check_people(requester.user_id, [person.user_id])
            drafts = joining(requester.user_id, [person])
            if role == "admin":
                drafts.append(promotion(head, requester.user_id, person.user_id))
            await self._timeline.send(room_id, drafts)
        everybody = await self._views.members(await self._access.stored_room(requester, room_id))
        return next(one for one in everybody if one.person.number == number)

    async def remove(self, requester: Requester, room_id: RoomId, number: int) -> None:
        """Put a person out of a room; for admins, or oneself. NotFound (code "user_not_found") if they are not in."""
        if number == requester.number:
            await self.leave(requester, room_id)
            return
        head = await self._access.room_to_manage(requester, room_id)
        if kind_of(head) == "private":
            raise Invalid("a private conversation stays between two people", code="private_room")
        person = await self._person(number)
        if person.user_id not in joined_in(head.state.events):
            raise NotFound("this person is not in the room", code="user_not_found")
        levels = levels_of(head)
        if levels.user(person.user_id) >= levels.user(requester.user_id):
            raise Forbidden("this person is as much an admin as you are", code="low_power")
        gone = Draft("m.room.member", requester.user_id, {"membership": "leave"}, state_key=person.user_id)
        await self._timeline.send(room_id, [gone])

    async def leave(self, requester: Requester, room_id: RoomId) -> None:
        """Go out of a room. The last admin makes the longest member one; an empty or private room gives up its key."""
        head = await self._access.room(requester, room_id)
        own = requester.user_id
        others = [one for one in await self._views.members(head) if one.person.user_id != own]
        drafts = []
        last_admin = role_in(head, own) == "admin" and not any(one.role == "admin" for one in others)
        if last_admin and others:
            drafts.append(promotion(head, own, others[0].person.user_id))
        drafts.append(Draft("m.room.member", own, {"membership": "leave"}, state_key=own))
        frees_key = not others or kind_of(head) == "private"
        await self._timeline.send(room_id, drafts, also=[SideWrite(_free_keys, room_id)] if frees_key else ())

    async def companions(self, requester: Requester, user_ids: Collection[UserId]) -> set[UserId]:
        """Those of the people who are in a room together with the requester."""
        return await self._views.companions(requester.user_id, user_ids)

    async def are_apart(self, requester: Requester, people: Collection[Person]) -> bool:
        """Whether there is a block between the requester and any of the people: nothing brings them together."""
        return bool(await self._blocks.between(requester.user_id, [one.user_id for one in people]))

    async def check_reach(self, requester: Requester, head: Head) -> None:
        """Raise Forbidden("blocked") where what the requester writes would only reach a person they do not reach."""
        await self._blocks.check_room(requester, head)

    async def _person(self, number: int) -> Person:
        person = (await self._profiles.by_numbers([number])).get(number)
        if person is None:
            raise NotFound("no such person", code="user_not_found")
        return person


def joining(inviter: UserId, people: Sequence[Person], *, is_direct: bool = False) -> list[Draft]:
    """The events by which people of this server come into a room at once: invited, and joined in their own name.

    Raises Forbidden("guests_refused") for guests of the Matrix API, as rooms of products take none.
    """
    drafts = []
    for person in people:
        if is_matrix_guest(person.number):
            raise guests_refused()
        invite: Content = {**member_content(person), "membership": "invite"}
        if is_direct:
            invite["is_direct"] = True
        drafts.append(Draft("m.room.member", inviter, invite, state_key=person.user_id))
        drafts.append(
            Draft("m.room.member", person.user_id, member_content(person), state_key=person.user_id)
        )
    return drafts


def member_content(person: Person) -> Content:
    """The content of the event by which a person is in a room."""
    content: Content = {"membership": "join"}
    if person.display_name:
        content["displayname"] = person.display_name
    if person.avatar_url.startswith(MXC):  # other addresses mean nothing to clients of Matrix
        content["avatar_url"] = person.avatar_url
    return content


def promotion(head: Head, by: UserId, to: UserId) -> Draft:
    """The power levels with one admin more, as an event of `by`."""
    current = head.state.events.get(("m.room.power_levels", ""))
    content: Content = dict(current.content) if current is not None else {}
    users = content.get("users")
    content["users"] = {**(users if isinstance(users, dict) else {}), to: ADMIN_LEVEL}
    return Draft("m.room.power_levels", by, content, state_key="")


async def _free_keys(conn: AsyncConnection, rows: Sequence[Placed[RoomId]]) -> None:
    await rooms.free_keys(conn, [placed.row for placed in rows])
