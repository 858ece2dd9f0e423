"""Server notices (client-server API, "Server Notices"), sent by an account of the server's own.

Each user has one room for notices, created with the first notice, in which they cannot send. They cannot reject the
invite, but may leave after joining; the next notice invites them again.
"""

import logging
from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from homeserver.model import NOTICES, Content, Draft, Person, Requester
from homeserver.protocol.ids import EventId, RoomId, UserId, make_user_id
from homeserver.protocol.member import membership_in
from homeserver.protocol.versions import rules_for
from homeserver.services.accounts.status import check_admin
from homeserver.services.clientdata.accountdata import AccountData
from homeserver.services.messages.client_events import txn_key
from homeserver.services.rooms import member_events
from homeserver.services.rooms.initial_state import (
    POWER_LEVELS,
    closed_state,
    creator_users,
    opening,
    state_draft,
)
from homeserver.settings.models import NoticeSettings
from homeserver.storage import accounts as stored
from homeserver.storage import rooms
from homeserver.storage.accounts import Account, ProfileRow
from homeserver.storage.db import Database
from homeserver.storage.retry import write_with_retry
from homeserver.timeline.heads import Head
from homeserver.timeline.submission import Decided, KeyTaken
from homeserver.timeline.writer import Timeline

TAG: Final = "m.server_notice"
logger = logging.getLogger(__name__)
_SILENT = -10
_NUMBER = (NOTICES << 32) + 1


class Notices:
    """Sends server notices. `version`: room version of the notice rooms."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Timeline,
        clock: Clock,
        data: AccountData,
        settings: NoticeSettings,
        server_name: str,
        version: str,
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._clock = clock
        self._data = data
        self._settings = settings
        self._server_name = server_name
        self._version = version
        self._user_id = make_user_id(settings.localpart, server_name)
        self._person: Person | None = None  # the sender, once `prepare` has run

    async def prepare(self) -> None:
        """Create or update the notices account from the settings. Raises Conflict if the id is a user's account."""
        if self._settings.enabled:
            self._person = await write_with_retry(self._db, self._prepare)

    async def send(
        self,
        requester: Requester,
        user_id: UserId,
        content: Content,
        *,
        kind: str = "m.room.message",
        state_key: str | None = None,
        txn_id: str | None = None,
    ) -> EventId:
        """Send a notice to a user of this server. A repeated `txn_id` sends nothing, and returns the first event's
        id.

        Raises Forbidden("no_admin"), NotFound("no_notices", "user_not_found"), Invalid.
        """
        check_admin(requester)
        speaker = self._person
        if speaker is None:
            raise NotFound("server notices are not enabled", code="no_notices")
        person = await self._find(user_id)
        room_id = await self._room_of(speaker, person)
        notice = Draft(kind, speaker.user_id, content, state_key=state_key)
        invite = member_events.invite(speaker.user_id, person)

        def decide(head: Head) -> Decided:
            is_there = membership_in(head.state.events, person.user_id) in ("join", "invite")
            return Decided([notice] if is_there else [notice, invite])  # the first is that of a txn_id

        txn = txn_key(requester, room_id, "notice", txn_id)
        written = await self._timeline.decide(room_id, decide, txn=txn)
        return written.events[0].event.event_id

    def check_leave(self, head: Head, user_id: UserId) -> None:
        """Raise Forbidden("notice_room") if the user would reject the invite to their notice room."""
        create = head.state.events.get(("m.room.create", ""))
        is_ours = self._person is not None and create is not None and create.sender == self._user_id
        if is_ours and membership_in(head.state.events, user_id) == "invite":
            raise Forbidden("the server notices room cannot be left", code="notice_room")

    async def _prepare(self, conn: AsyncConnection) -> Person:
        found = (await stored.accounts_of(conn, [self._user_id])).get(self._user_id)
        if found is not None and found.person.number >> 32 != NOTICES:
            raise Conflict(f"notices.localpart: {self._user_id} is a user's account")
        person = Person(
            user_id=self._user_id,
            number=_NUMBER if found is None else found.person.number,
            display_name=self._settings.display_name,
            created_ms=self._clock.now_ms() if found is None else found.person.created_ms,
            avatar_url=self._settings.avatar_url,
        )
        if found is None:
            await stored.add_accounts(conn, [(Account(person), "")])
        elif found.person != person:
            await stored.set_profiles(conn, [ProfileRow(person, "")])
        return person

    async def _find(self, user_id: UserId) -> Person:
        if user_id.partition(":")[2] != self._server_name or user_id == self._user_id:
            raise Invalid("not a user of this server", code="bad_user_id")
        async with self._db.read() as conn:
            account = (await stored.accounts_of(conn, [user_id])).get(user_id)
        if account is None or account.deactivated:
            raise NotFound(f"no user {user_id} on this server", code="user_not_found")
        return account.person

    async def _room_of(self, speaker: Person, person: Person) -> RoomId:
        key = f"notices {person.user_id}"
        async with self._db.read() as conn:
            room_id = (await rooms.rooms_by_key(conn, [key])).get(key)
        if room_id is not None:
            return room_id
        try:
            made = await self._timeline.create_room(
                self._first_events(speaker, person), version=self._version, kind="group", room_key=key
            )
        except KeyTaken as taken:  # another notice created the room just now
            return taken.room_id
        room_id = made.events[0].event.room_id
        reader = Requester(person.user_id, person.number, session_key="")
        try:
            await self._data.set_tag(reader, room_id, TAG, {})
        except TooLarge as error:  # the notice reaches them without the tag too
            logger.info("the notices of %s have no tag: %s", person.user_id, error.code)
        return room_id

    def _first_events(self, speaker: Person, person: Person) -> Sequence[Draft]:
        own, rules = speaker.user_id, rules_for(self._version)
        levels: Content = {"users": creator_users([own], rules), "users_default": _SILENT, "invite": 50}
        return [
            *opening(speaker, rules),
            state_draft(POWER_LEVELS, own, levels),
            *closed_state(own),
            state_draft("m.room.name", own, {"name": self._settings.room_name}),
            member_events.invite(speaker.user_id, person),
        ]


def speakers(settings: NoticeSettings, server_name: str) -> frozenset[UserId]:
    """The users who cannot be ignored: the notices account, if notices are enabled."""
    return frozenset({make_user_id(settings.localpart, server_name)} if settings.enabled else ())
