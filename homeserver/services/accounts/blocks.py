"""Blocks: one person shuts out another, and from then on neither reaches the other, whatever API each of them uses.

A block holds in private rooms of two; in a group, and while a third person is in a private room (support that was
called), both may speak. Both get the same answer, so that nobody learns who shut out whom.

Whom people shut out is kept in memory until the log says that it changed: `note` must be given every new entry.
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

_SILENT_ROOMS = 10_000  # of one person that are looked for; the people that one shuts out are fewer


class _Change(NamedTuple):
    block: Block
    is_on: bool


class Blocks:
    """Who may reach whom."""

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
        """Shut a person out; who is shut out already stays so.

        Raises NotFound("user_not_found"), Invalid("own_block"), TooLarge("too_many_blocked"), RateLimited.
        """
        self._limits.check("safety", requester.user_id)
        person = (await self._profiles.people([user_id])).get(user_id)
        if person is None:
            raise _nobody()
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
        """Let a person reach the requester again, unless they shut out the requester too."""
        self._limits.check("safety", requester.user_id)
        if user_id in (await self._of([requester.user_id]))[requester.user_id]:
            await self._change(requester, user_id, is_on=False)

    async def by_number(self, number: int) -> UserId:
        """Who has this number. Raises NotFound("user_not_found")."""
        person = (await self._profiles.by_numbers([number])).get(number)
        if person is None:
            raise _nobody()
        return person.user_id

    async def listing(self, requester: Requester, page: Page) -> list[Person]:
        """Whom the requester shuts out, the latest first."""
        async with self._db.read() as conn:
            found = await stored.list_blocked(conn, requester.user_id, limit=page.limit, offset=page.offset)
        people = await self._profiles.people(found)
        return [people[user_id] for user_id in found if user_id in people]

    # --- what others ask ---

    async def check_room(self, requester: Requester, head: Head) -> None:
        """Raise Forbidden("blocked") where the requester's words would only reach somebody with a block between.

        Costs no query for people who were here lately.
        """
        other = other_of_two(head, requester.user_id)
        if other is not None:
            await self.check_people(requester.user_id, [other])

    async def check_people(self, user_id: UserId, others: Collection[UserId]) -> None:
        """Raise Forbidden("blocked") if there is a block between a person and any of the others."""
        if await self.between(user_id, others):
            raise blocked()

    async def between(self, user_id: UserId, others: Collection[UserId]) -> set[UserId]:
        """Those of the others who shut out a person, or whom the person shuts out. At most one query."""
        held = await self._of({user_id, *others})
        return {one for one in others if one in held[user_id] or user_id in held[one]}

    async def silent_rooms(self, requester: Requester) -> set[RoomId]:
        """The private rooms of the requester in which the two do not reach each other: one query for all."""
        async with self._db.read() as conn:
            return await stored.silent_rooms(conn, requester.user_id, _SILENT_ROOMS)

    def note(self, entry: Entry) -> None:
        """Hear an entry of the log: whose blocks changed is looked up anew; so is who shut out a guest who is now
        an account."""
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
        for entry in entries:  # here at once; other workers hear it from the log
            self.note(entry)


def other_of_two(head: Head, own: UserId) -> UserId | None:
    """The only other person in a private room; None in a group, and while a third is there."""
    if kind_of(head) != "private":
        return None
    others = [one for one in joined_in(head.state.events) if one != own]
    return others[0] if len(others) == 1 else None


def blocked() -> Forbidden:
    """What both sides of a block are told."""
    return Forbidden("there is a block between you", code="blocked")


def _nobody() -> NotFound:
    return NotFound("no such person", code="user_not_found")


async def _write_changes(conn: AsyncConnection, items: Sequence[Placed[_Change]]) -> None:
    """The last word about a pair counts."""
    last = {(one.row.block.user_id, one.row.block.blocked): one.row for one in items}
    if new := [one.block for one in last.values() if one.is_on]:
        await stored.add_blocks(conn, new)
    if gone := [one.block for one in last.values() if not one.is_on]:
        await stored.remove_blocks(conn, gone)
