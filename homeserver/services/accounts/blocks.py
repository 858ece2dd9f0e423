"""Blocks: after one user blocks another, neither can reach the other on any API.

A block applies in private rooms of two; in a group, and while a third user is in a private room (support that was
called), both may send. Both get the same error, so that neither learns who blocked whom.

Block lists are cached until the log says that they changed: `note` must be given every new entry.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Forbidden, Invalid, NotFound, TooLarge
from homeserver.kit.cache import BoundedCache
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import EntryKind, Page, Person, Requester
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.accounts.profiles import Profiles
from homeserver.settings.models import ModerationSettings
from homeserver.storage import blocks as stored
from homeserver.storage.blocks import Block
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.timeline.entries import Appends, blocks_changed
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import joined_in, kind_of
from homeserver.timeline.submission import Placed, SideWrite

_SILENT_ROOMS = 10_000  # most rooms looked up for one user; block lists are shorter than that


class _Change(NamedTuple):
    block: Block
    is_on: bool


class Blocks:
    """Changes and checks blocks between users."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Appends,
        profiles: Profiles,
        limits: RateLimits,
        clock: Clock,
        settings: ModerationSettings,
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._profiles = profiles
        self._limits = limits
        self._clock = clock
        self._settings = settings
        self._blocked: BoundedCache[UserId, frozenset[UserId]] = BoundedCache(settings.cached_blockers)

    async def block(self, requester: Requester, user_id: UserId) -> None:
        """Block a user; nothing happens if they are blocked already.

        Raises NotFound("user_not_found"), Invalid("own_block"), TooLarge("too_many_blocked"), RateLimited.
        """
        self._limits.check("safety", requester.user_id)
        person = (await self._profiles.people([user_id])).get(user_id)
        if person is None or person.user_id not in await self._profiles.visibility.visible(
            requester, [person]
        ):
            raise _nobody()  # the list of blocked users would tell their names
        if person.user_id == requester.user_id:
            raise Invalid("you cannot block yourself", code="own_block")
        held = (await self._of([requester.user_id]))[requester.user_id]
        if person.user_id in held:
            return
        if len(held) >= self._settings.max_blocked:
            most = self._settings.max_blocked
            raise TooLarge(f"you can block at most {most} people", code="too_many_blocked", most=most)
        await self._change(requester, person.user_id, is_on=True)

    async def unblock(self, requester: Requester, user_id: UserId) -> None:
        """Remove the requester's block of a user. A block in the other direction stays."""
        self._limits.check("safety", requester.user_id)
        if user_id in (await self._of([requester.user_id]))[requester.user_id]:
            await self._change(requester, user_id, is_on=False)

    async def by_number(self, number: int) -> UserId:
        """The id of the user with this number. Raises NotFound("user_not_found")."""
        person = (await self._profiles.by_numbers([number])).get(number)
        if person is None:
            raise _nobody()
        return person.user_id

    async def listing(self, requester: Requester, page: Page) -> list[Person]:
        """The users that the requester blocks, the latest first."""
        async with self._db.read() as conn:
            found = await stored.list_blocked(conn, requester.user_id, limit=page.limit, offset=page.offset)
        people = await self._profiles.people(found)
        return [people[user_id] for user_id in found if user_id in people]

    # --- checks for other services ---

    async def check_room(self, requester: Requester, head: Head) -> None:
        """Raise Forbidden("blocked") where the room's only other member is blocked, in either direction.

        Costs no query for users whose block lists are cached.
        """
        other = other_of_two(head, requester.user_id)
        if other is not None:
            await self.check_people(requester.user_id, [other])

    async def is_silent(self, requester: Requester, head: Head) -> bool:
        """True where `check_room` raises."""
        other = other_of_two(head, requester.user_id)
        return other is not None and bool(await self.between(requester.user_id, [other]))

    async def check_people(self, user_id: UserId, others: Collection[UserId]) -> None:
        """Raise Forbidden("blocked") if there is a block between a user and any of the others, in either direction."""
        if await self.between(user_id, others):
            raise blocked()

    async def between(self, user_id: UserId, others: Collection[UserId]) -> set[UserId]:
        """Those of `others` with a block between them and the user, in either direction. At most one query."""
        held = await self._of({user_id, *others})
        return {one for one in others if one in held[user_id] or user_id in held[one]}

    async def silent_rooms(self, requester: Requester) -> set[RoomId]:
        """The requester's private rooms whose two members cannot reach each other. One query for all."""
        async with self._db.read() as conn:
            return await stored.silent_rooms(conn, requester.user_id, _SILENT_ROOMS)

    def note(self, entry: Entry) -> None:
        """Handle a log entry: drop cached block lists that changed, also those that name a guest who now has an
        account."""
        if entry.kind is not EntryKind.BLOCKS or entry.user_id is None:
            return
        self._blocked.drop(entry.user_id)
        guest = (entry.body or {}).get("guest")
        if guest is not None:
            self._blocked.drop_where(lambda _user_id, blocked: guest in blocked)

    async def _of(self, user_ids: Collection[UserId]) -> dict[UserId, frozenset[UserId]]:
        found: dict[UserId, frozenset[UserId]] = {}
        for user_id in user_ids:
            blocked = self._blocked.get(user_id)
            if blocked is not None:
                found[user_id] = blocked
        absent = [user_id for user_id in user_ids if user_id not in found]
        if absent:
            age = self._blocked.age
            async with self._db.read() as conn:
                loaded = await stored.blocked_by(conn, absent)
            for user_id, blocked in loaded.items():
                self._blocked.put(user_id, blocked, age)
            found |= loaded
        return found

    async def _change(self, requester: Requester, other: UserId, *, is_on: bool) -> None:
        change = _Change(Block(requester.user_id, other, self._clock.now_ms()), is_on)
        entries = await self._timeline.append(
            [blocks_changed(requester.user_id)], also=[SideWrite(_write_changes, change)]
        )
        for entry in entries:  # this worker at once; other workers read it from the log
            self.note(entry)


def other_of_two(head: Head, own: UserId) -> UserId | None:
    """The only other member of a private room; None in a group, and while a third user is in it."""
    if kind_of(head) != "private":
        return None
    others = [one for one in joined_in(head.state.events) if one != own]
    return others[0] if len(others) == 1 else None


def blocked() -> Forbidden:
    """What both sides of a block are told."""
    return Forbidden("one of you has blocked the other", code="blocked")


def _nobody() -> NotFound:
    return NotFound("no such user", code="user_not_found")


async def _write_changes(conn: AsyncConnection, items: Sequence[Placed[_Change]]) -> None:
    """Apply the changes; of several about one pair the last counts."""
    last = {(one.row.block.user_id, one.row.block.blocked): one.row for one in items}
    if new := [one.block for one in last.values() if one.is_on]:
        await stored.add_blocks(conn, new)
    if gone := [one.block for one in last.values() if not one.is_on]:
        await stored.remove_blocks(conn, gone)
