"""Rooms of the product APIs: create or get, list, change, leave, close."""

from collections.abc import Sequence

import orjson

from homeserver.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import CLOSED_EVENT, Content, Link, Page, Person, Requester, Room, RoomKind, RoomPlace
from homeserver.protocol.canonical import same_json
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.accounts.blocks import blocked
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.events.access import Access, check_may_manage
from homeserver.services.rooms import member_events
from homeserver.services.rooms.initial_state import ProductInitialState, state_draft
from homeserver.services.rooms.members import Members
from homeserver.services.rooms.roomviews import RoomViews
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import is_closed, is_open_to, joined_in, kind_of, levels_of, role_in
from homeserver.timeline.submission import NOTHING, Decided, KeyTaken
from homeserver.timeline.writer import Timeline

_GONE_AT_ONCE = 50
_TRIES = 3  # to get or create a room while others create and leave it


class Rooms:
    """Rooms of the product APIs. The requester is the first argument of each method."""

    def __init__(
        self,
        *,
        timeline: Timeline,
        access: Access,
        views: RoomViews,
        members: Members,
        profiles: Profiles,
        limits: RateLimits,
        initial_state: ProductInitialState,
    ) -> None:
        self._timeline = timeline
        self._access = access
        self._views = views
        self._members = members
        self._profiles = profiles
        self._limits = limits
        self._initial_state = initial_state

    async def create(
        self,
        requester: Requester,
        *,
        kind: RoomKind,
        title: str | None = None,
        topic: str = "",
        people: Sequence[int] = (),
        link: Link | None = None,
    ) -> Room:
        """Create a room, or get an existing one: the private room of the same two users and link, or the group of the
        same link. `people` are users' numbers; the requester is added anyway, as an admin.

        Raises Invalid("unknown_people", "private_needs_two", "empty_title"), TooLarge, RateLimited,
        and Forbidden("blocked") if a new room or member would bring together users with a block between them.
        """
        self._limits.check("create", requester.user_id)
        title = self._initial_state.title(title) if title else None
        topic = self._initial_state.topic(topic)
        others = await self._people(requester, people)
        if kind == "private" and len(others) != 1:
            raise Invalid("a direct chat must have two people", code="private_needs_two")
        key = room_key(kind, [requester.user_id, *(one.user_id for one in others)], link)
        if await self._members.are_apart(requester, others):
            return await self._existing_only(requester, key)
        creator = await self._profiles.own(requester)
        drafts = self._initial_state.first_events(
            creator, others, kind=kind, title=title, topic=topic, link=link
        )
        for _ in range(_TRIES):
            try:
                written = await self._timeline.create_room(
                    drafts, version=self._initial_state.version, kind=kind, room_key=key
                )
                return await self.get(requester, written.events[0].event.room_id)
            except KeyTaken as taken:
                room = await self._get_existing(requester, taken.room_id)
                if room is not None:
                    return room
        raise Conflict("the room was changed at the same time; try again", code="room_changing")

    async def listing(
        self,
        requester: Requester,
        *,
        link_service: str | None = None,
        link_service_id: str | None = None,
        search: str = "",
        page: Page,
        people_of_each: int = 0,
    ) -> list[Room]:
        """The requester's open rooms, latest activity first; optionally by link, and by words of the title.

        `people_of_each`: the most `people` given for each room (at least the two of a private one).
        """
        return await self._views.listing(
            requester.user_id,
            service=link_service,
            service_id=link_service_id,
            search=search,
            page=page,
            people_of_each=people_of_each,
        )

    async def places(self, requester: Requester, limit: int) -> list[RoomPlace]:
        """The ids and positions of the requester's open rooms, latest activity first."""
        return await self._views.places(requester.user_id, limit)

    async def get(self, requester: Requester, room_id: RoomId) -> Room:
        """One room with its members. Raises NotFound("room_not_found")."""
        head = await self._access.stored_room(requester, room_id)
        return await self._views.one(requester.user_id, head)

    async def change(
        self, requester: Requester, room_id: RoomId, *, title: str | None = None, topic: str | None = None
    ) -> Room:
        """Set the title or the topic; for admins.

        Raises Forbidden("not_admin", "blocked"), Invalid("empty_title"), TooLarge, NotFound.
        """
        wanted: dict[str, Content] = {}
        if title is not None:
            wanted["m.room.name"] = {"name": self._initial_state.title(title)}
        if topic is not None:
            wanted["m.room.topic"] = {"topic": self._initial_state.topic(topic)}
        await self._members.check_reach(requester, await self._access.room_to_manage(requester, room_id))

        def decide(head: Head) -> Decided:
            check_may_manage(requester, head)
            state = head.state.events
            return Decided(
                [
                    state_draft(kind, requester.user_id, content)
                    for kind, content in wanted.items()
                    if (there := state.get((kind, ""))) is None or not same_json(there.content, content)
                ]
            )

        await self._timeline.decide(room_id, decide)
        return await self.get(requester, room_id)

    async def close_as(self, own: UserId, room_id: RoomId, *, reason: str = "") -> None:
        """Close a room for all its members, in the name of `own`, who must have the power to. No permission is
        checked here; a room that is closed already stays so."""
        closed = {"closed_by": own, **({"reason": reason} if reason else {})}

        def close(head: Head) -> Decided:
            return NOTHING if is_closed(head) else Decided([state_draft(CLOSED_EVENT, own, closed)])

        # After the first event nobody can join; the others tell Matrix clients, in small batches.
        await self._timeline.decide(room_id, close)
        while (await self._timeline.decide(room_id, lambda head: _leaving_closed(own, head))).events:
            pass

    async def leave_or_close(self, requester: Requester, room_id: RoomId) -> None:
        """Close the room for all members if the requester is an admin; else leave it."""
        head = (await self._access.room(requester, room_id)).head
        if role_in(head, requester.user_id) == "admin":
            await self.close_as(requester.user_id, room_id)
        else:
            await self._members.leave(requester, room_id)

    async def _existing_only(self, requester: Requester, key: str | None) -> Room:
        """The existing room of a key, for a requester who may not create one as a block forbids it; no user of
        `people` is added."""
        room_id = await self._views.room_of_key(key) if key is not None else None
        room = await self._get_existing(requester, room_id) if room_id is not None else None
        if room is None:
            raise blocked()
        return room

    async def _get_existing(self, requester: Requester, room_id: RoomId) -> Room | None:
        """The room of a key; the requester is added to a linked group. None if the room was closed in the meantime."""
        try:
            head = await self._timeline.head(room_id)
        except NotFound:
            return None
        if is_closed(head):
            return None
        if not is_open_to(head, requester.user_id):
            if kind_of(head) == "private":
                return None
            await self._check_host(requester, head)
            await self._let_in(requester, room_id)
        return await self.get(requester, room_id)

    async def _check_host(self, requester: Requester, head: Head) -> None:
        """Raise Forbidden("not_member") where the group belongs to a host whose users the requester may not look up."""
        founder = await self._profiles.people([head.state.events[("m.room.create", "")].sender])
        if not await self._profiles.visibility.visible(requester, founder.values()):
            raise Forbidden("an admin of this group must add you", code="not_member")

    async def _let_in(self, requester: Requester, room_id: RoomId) -> None:
        """Add the requester to the group of a host's object: the host decides which users see the object."""
        if not self._initial_state.settings.linked_groups_open:
            raise Forbidden("an admin of this group must add you", code="not_member")
        person = await self._profiles.own(requester)

        def decide(head: Head) -> Decided:
            before = head.state.events.get(("m.room.member", requester.user_id))
            if is_closed(head) or (before is not None and before.membership == "join"):
                return NOTHING
            removed = (
                before is not None and before.sender != requester.user_id and before.membership != "invite"
            )
            inviter = member_events.inviter_in(head)
            if removed or inviter is None:
                raise Forbidden("you were removed from this group", code="removed")
            return Decided(member_events.bring_in(inviter, [person]))

        await self._timeline.decide(room_id, decide)

    async def _people(self, requester: Requester, numbers: Sequence[int]) -> list[Person]:
        wanted = [number for number in dict.fromkeys(numbers) if number != requester.number]
        if len(wanted) > self._initial_state.settings.max_participants:
            most = self._initial_state.settings.max_participants
            raise TooLarge(f"at most {most} people at once", code="too_many_people", most=most)
        found = await self._profiles.by_numbers(wanted) if wanted else {}
        visible = await self._profiles.visibility.visible(requester, found.values())
        if len(found) != len(wanted) or any(one.user_id not in visible for one in found.values()):
            raise Invalid("some of these users are unknown", code="unknown_people")
        people = {one.user_id: one for one in found.values()}
        return [one for one in people.values() if one.user_id != requester.user_id]


def _leaving_closed(own: UserId, head: Head) -> Decided:
    """The events by which the next members leave a closed room; `own`, who closes it, goes last."""
    levels = levels_of(head)
    joined = joined_in(head.state.events)
    others = [one for one in joined if one != own]
    gone = []
    for user_id in (*others, *([own] if own in joined else ())):
        if own in joined and levels.user(user_id) < levels.user(own):
            gone.append(member_events.kick(own, user_id))
        elif head.servers.is_ours(user_id):
            gone.append(member_events.leave(user_id))
    return Decided(gone[:_GONE_AT_ONCE])


def room_key(kind: RoomKind, people: Sequence[UserId], link: Link | None) -> str | None:
    """The unique key by which a room is found or created; None for rooms that are created anew each time."""
    linked = [link.service, link.service_id] if link is not None else []
    if kind == "private":
        return orjson.dumps(["private", *sorted(people), *linked]).decode()
    return orjson.dumps(["group", *linked]).decode() if linked else None
