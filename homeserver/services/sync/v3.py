"""GET /sync, version 3: all changes for a user since a token, waiting for the first if there are none."""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

import orjson

from homeserver.model import LOG_START, Content, LogPosition, Requester
from homeserver.protocol.ids import UserId
from homeserver.services.clientdata.accountdata import GLOBAL, AccountData
from homeserver.services.e2ee.encryption import Encryption
from homeserver.services.realtime.presence import Presence
from homeserver.services.realtime.typing import Typing
from homeserver.services.sync.changes import News, NewsDesk
from homeserver.services.sync.direct_chats import DirectChats
from homeserver.services.sync.long_polls import LongPolls, Waiter
from homeserver.services.sync.memberships import MembershipPosition, OwnRooms
from homeserver.services.sync.request import SyncContext, SyncRequest
from homeserver.services.sync.rooms import RoomSections, data_event
from homeserver.services.sync.tokens import SyncToken, keys_checksum
from homeserver.storage import accountdata as stored_data
from homeserver.storage import members as stored_members
from homeserver.storage.accountdata import AccountDataItem
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.timeline.consume import Progress

_MOST_MET: Final = 500  # members of rooms just joined whose presence is told though they are offline


class Sources(NamedTuple):
    """Other services whose data goes into a sync."""

    data: AccountData
    typing: Typing
    e2ee: Encryption
    presence: Presence
    direct: DirectChats


class Syncs:
    """Answers /sync. A token is valid on every worker; typing is known within one process only."""

    def __init__(
        self,
        *,
        db: Database,
        evaluation: Progress,
        waiting: LongPolls,
        own: OwnRooms,
        rooms: RoomSections,
        sources: Sources,
        max_wait_s: float,
    ) -> None:
        self._db = db
        self._live = evaluation.live
        self._waiting = waiting
        self._news = NewsDesk(db, evaluation)
        self._own = own
        self._rooms = rooms
        self._data, self._typing, self._e2ee, self._presence, self._direct = sources
        self._max_wait_s = max_wait_s

    async def sync(self, requester: Requester, request: SyncRequest) -> Content:
        """The response body, JSON with pre-rendered parts. Without changes until the timeout: the same token again."""
        end = asyncio.get_running_loop().time() + min(request.timeout_s, self._max_wait_s)
        self._presence.touch(requester, request.presence)
        hears_presence = request.filter.presence.admits_type("m.presence")
        with self._waiting.waiter(requester.user_id, hears_presence=hears_presence) as waiter:
            answer, token = await self._changes(requester, request, waiter)
            while not answer and request.since is not None and not request.full_state and not waiter.is_over:
                if not await waiter.wait_until(end):
                    token = request.since
                    break
                answer, token = await self._changes(requester, request, waiter)
        counts = await self._e2ee.device_keys.counts(requester)
        token = token._replace(keys=keys_checksum(counts))
        if request.since is not None:
            has_new_counts = request.since.keys not in (0, token.keys)
            token = token.after(request.since) if answer or has_new_counts else request.since
        answer["next_batch"] = str(token)
        answer["device_one_time_keys_count"] = dict(counts.one_time)
        answer["device_unused_fallback_key_types"] = list(counts.unused_fallback)
        return answer

    def now(self) -> SyncToken:
        """A token of this moment, for clients that only want future changes."""
        return SyncToken(self._live.position, LOG_START, self._typing.serial, self._presence.serial)

    async def _changes(
        self, requester: Requester, request: SyncRequest, waiter: Waiter
    ) -> tuple[Content, SyncToken]:
        """The response so far, empty if nothing changed, and its next token."""
        since = request.since or SyncToken()
        waiter.woken.clear()  # later entries are either read below, or wake it again
        await self._news.ready()
        status = await self._admitted(requester, request)
        self._waiting.watch(waiter, status.joined)
        # Before anything else, as what it writes belongs into this response.
        await self._direct.note(requester, status.came_after(since.position))
        typing, presence = self._typing.serial, self._presence.serial
        # A member event that was read is committed, and with it everything before it in the log.
        until = max(self._live.position, since.position, status.newest)
        await self._news.ready()  # again, for what was announced since the first time
        begun = until if request.since is None else since.begun
        news = News(data=True)
        if request.since is not None:
            news = await self._news.since(requester.user_id, status.joined, after=since.position, until=until)
        context = SyncContext(
            request=request,
            reader=requester.user_id,
            chain=f"{requester.session_key} {begun}",
            own=status.rooms,
            joined=status.joined,
            after=since.position,
            until=until,
            news=news,
            typing=self._typing.changed_after(since.typing if since.typing <= typing else 0),
            ignored=await self._data.ignored_by(requester.user_id),
        )
        answer = await self._sections(requester, context)
        await self._add_presence(context, since.presence if since.presence <= presence else 0, answer)
        device = since.device
        if not request.is_old:
            device = await self._add_messages(requester, since, until, answer)
        return answer, SyncToken(until, device, typing, presence, begun=begun)

    async def _admitted(self, requester: Requester, request: SyncRequest) -> MembershipPosition:
        """The reader's rooms that the filter admits."""
        found = await self._own.of(requester.user_id, anew=request.since is None or request.full_state)
        wanted = request.filter.room
        if wanted.rooms is None and not wanted.not_rooms:
            return found
        rooms = {room_id: row for room_id, row in found.rooms.items() if wanted.admits_room(room_id)}
        return MembershipPosition.of(rooms)

    async def _sections(self, requester: Requester, context: SyncContext) -> Content:
        answer: Content = {}
        data = await self._changed_data(context)
        rooms = await self._rooms.of(requester, context, data)
        if rooms:
            answer["rooms"] = rooms
        wanted = context.request.filter.account_data
        own = [data_event(one) for one in data if one.room_id == GLOBAL and wanted.admits_type(one.type)]
        if own:
            answer["account_data"] = {"events": own}
        if context.news.keys and not context.is_first and not context.request.is_old:
            lists = await self._e2ee.lists.changes(requester, context.after)
            if lists.changed or lists.left:
                answer["device_lists"] = {"changed": sorted(lists.changed), "left": sorted(lists.left)}
        return answer

    async def _changed_data(self, context: SyncContext) -> Sequence[AccountDataItem]:
        """Account data that changed; all of it for rooms that are new to the client."""
        after = LOG_START if context.request.full_state else context.after
        came = [row.room_id for row in context.moves if row.membership == "join"]
        found: list[AccountDataItem] = []
        if context.news.data or context.request.full_state:
            found = await self._data.changed_after(context.reader, after)
        if came and after != LOG_START:
            async with self._db.read() as conn:
                old = await stored_data.of_rooms(conn, context.reader, came)
            found = [*(one for one in old if one.position <= after), *found]
        return [one for one in found if one.position <= context.until and not _is_no_news(context, one)]

    async def _add_presence(self, context: SyncContext, after: int, answer: Content) -> None:
        """Add changed presence of the reader and of users that the reader shares a room with.

        Users who share a room since this sync are told of in any case: those who joined the reader's rooms, and the
        members of rooms that the reader joined. On a first sync all who are not offline are.
        """
        wanted = context.request.filter.presence
        if not wanted.admits_type("m.presence"):
            return
        came = [] if context.is_first else [row.room_id for row in context.moves if row.membership == "join"]
        new = _newcomers(context)
        if came:
            async with self._db.read() as conn:
                members = await stored_members.first_members_of(conn, came, max(1, _MOST_MET // len(came)))
            new.update(one.user_id for of_room in members.values() for one in of_room)
        reader, serial = context.reader, self._presence.serial if context.is_first else after
        everybody = context.is_first or bool(came)
        found = await self._presence.changes(reader, serial, new | _senders(context), everybody=everybody)
        told = {one["sender"] for one in found}
        found += await self._presence.of_near(reader, new - told - {reader})
        shown = [
            one
            for one in found
            if one["sender"] not in context.ignored and wanted.admits_sender(one["sender"])
        ]
        if shown:
            answer["presence"] = {"events": shown}

    async def _add_messages(
        self, requester: Requester, since: SyncToken, until: LogPosition, answer: Content
    ) -> LogPosition:
        """Add to-device messages; returns the position up to which this response has them."""
        heard = self._live.position >= until
        found = await self._e2ee.to_device.read(requester, since=since.device, heard=heard)
        if found.bodies:
            answer["to_device"] = {"events": [orjson.Fragment(body) for body in found.bodies]}
        return found.position if found.more else max(found.position, until)


def _is_no_news(context: SyncContext, piece: AccountDataItem) -> bool:
    """True if the account data is deleted, and the client never had it."""
    return piece.is_gone and (context.is_first or piece.position <= context.after)


def _newcomers(context: SyncContext) -> set[UserId]:
    """Users who joined the reader's rooms and stayed, as far as the entries in memory tell."""
    found: set[UserId] = set()
    for events in (context.news.timelines or {}).values():
        found.update(user_id for user_id, membership in _memberships(events).items() if membership == "join")
    return found


def _senders(context: SyncContext) -> set[UserId]:
    """The senders of new events in the reader's rooms who did not leave since: they share a room with the reader."""
    found: set[UserId] = set()
    for events in (context.news.timelines or {}).values():
        last = _memberships(events)
        found.update(one.event.sender for one in events if last.get(one.event.sender, "join") == "join")
    return found


def _memberships(events: Sequence[StoredEvent]) -> dict[UserId, str | None]:
    """The last membership that these events of a room set, by user."""
    return {
        UserId(one.event.state_key or ""): one.event.membership
        for one in events
        if one.event.type == "m.room.member"
    }
