"""Reports as Matrix clients make them: of an event, a room or a person. They stand among the others (`reports`)."""

from homeserver.errors import NotFound
from homeserver.model import Requester
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.protocol.member import membership_in
from homeserver.protocol.visibility import HISTORY_VISIBILITY_KEY, history_visibility_of
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.events.visibility import Visibility
from homeserver.services.moderation.reports import Reports
from homeserver.storage import events
from homeserver.storage.db import Database
from homeserver.timeline.writer import Timeline

_JOIN_RULES = ("m.room.join_rules", "")


class Complaints:
    """What is absent and what the requester may not know of are answered alike, by NotFound."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Timeline,
        visibility: Visibility,
        profiles: Profiles,
        reports: Reports,
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._visibility = visibility
        self._profiles = profiles
        self._reports = reports

    async def event(self, requester: Requester, room_id: RoomId, event_id: EventId, reason: str) -> None:
        """Report an event of a room that the requester is in.

        Raises NotFound("event_not_found"), Invalid("own_message"), TooLarge("reason_too_long"), RateLimited.
        """
        self._reports.check(requester, reason)
        async with self._db.read() as conn:
            found = (await events.events_by_id(conn, [event_id])).get(event_id)
        if found is None or found.event.room_id != room_id:
            raise NotFound("no such event", code="event_not_found")
        state = (await self._timeline.head(room_id)).state.events
        viewer = await self._visibility.viewer(requester.user_id, room_id)
        if membership_in(state, requester.user_id) != "join" or not viewer.sees(found):
            raise NotFound("no such event", code="event_not_found")
        await self._reports.write(requester, found.event, reason)

    async def room(self, requester: Requester, room_id: RoomId, reason: str) -> None:
        """Report a room that the requester was asked into or is or was in, or that everybody may know of.

        Raises NotFound("room_not_found"), TooLarge("reason_too_long"), RateLimited.
        """
        self._reports.check(requester, reason)
        state = (await self._timeline.head(room_id)).state.events
        rule = state.get(_JOIN_RULES)
        is_open = rule is not None and rule.content.get("join_rule") == "public"
        is_open |= history_visibility_of(state.get(HISTORY_VISIBILITY_KEY)) == "world_readable"
        if not is_open and ("m.room.member", requester.user_id) not in state:
            raise NotFound("no such room", code="room_not_found")
        await self._reports.write_of_room(requester, room_id, reason)

    async def person(self, requester: Requester, user_id: UserId, reason: str) -> None:
        """Report somebody. Raises NotFound("user_not_found"), TooLarge("reason_too_long"), RateLimited."""
        self._reports.check(requester, reason)
        if user_id not in await self._profiles.people([user_id]):
            raise NotFound("there is no such person here", code="user_not_found")
        await self._reports.write_of_person(requester, user_id, reason)
