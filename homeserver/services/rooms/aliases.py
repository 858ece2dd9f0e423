"""Room aliases (client-server API, "Room aliases"): create, resolve, delete, and check those in
m.room.canonical_alias.

Only aliases of this server are known. `resolve` is the one place that would ask another server for its aliases.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from homeserver.folding import normalized
from homeserver.kit.ratelimit import RateLimits
from homeserver.kit.text import one_line
from homeserver.model import Content, Requester
from homeserver.protocol.ids import RoomAlias, RoomId, UserId, domain_of, is_room_alias
from homeserver.protocol.member import membership_in
from homeserver.protocol.visibility import HISTORY_VISIBILITY_KEY, history_visibility_of
from homeserver.services.accounts.status import check_may_act
from homeserver.services.events.access import head_for_member
from homeserver.services.rooms.initial_state import state_draft
from homeserver.storage import aliases as stored
from homeserver.storage import rooms
from homeserver.storage.aliases import AliasRow
from homeserver.storage.db import Database
from homeserver.storage.summaries import rooms_at
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import levels_of
from homeserver.timeline.submission import NOTHING, Decided, Placed, SideWrite
from homeserver.timeline.writer import Timeline

CANONICAL: Final = "m.room.canonical_alias"
_SPACE = re.compile(r"\s")


class NewAlias(NamedTuple):
    """The alias of a room that is being created."""

    alias: RoomAlias
    creator: UserId
    created_ms: int


class Aliases:
    """Room aliases of this server. `max_of_room`: the most aliases that a room may have."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Timeline,
        limits: RateLimits,
        clock: Clock,
        server_name: str,
        max_of_room: int,
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._limits = limits
        self._clock = clock
        self._server = server_name
        self._max_of_room = max_of_room

    async def resolve(self, alias: str) -> RoomId:
        """The room of an alias. Raises Invalid("bad_alias"), NotFound("alias_not_found")."""
        return (await self._find(_checked(alias))).room_id

    async def add(self, requester: Requester, alias: str, room_id: RoomId) -> None:
        """Create an alias for a room that the requester has joined.

        Raises Invalid("bad_alias"), Conflict("alias_taken"), TooLarge("too_many_aliases"), and what `head_for_member`
        raises.
        """
        check_may_act(requester)
        self._limits.check("directory", requester.user_id)
        name = self._own(alias)
        await head_for_member(self._timeline, requester, room_id)
        row = AliasRow(name, room_id, requester.user_id, self._clock.now_ms())
        try:
            async with self._db.write() as conn:
                await rooms.lock_heads(conn, [room_id])  # concurrent calls count one after the other
                if name in await stored.find(conn, [name]):
                    raise _taken(name)
                if await stored.count(conn, room_id) >= self._max_of_room:
                    most = self._max_of_room
                    raise TooLarge(
                        f"a room must have at most {most} aliases", code="too_many_aliases", most=most
                    )
                await stored.add(conn, [row])
        except IntegrityError as error:  # created by another call at the same time
            raise _taken(name) from error

    async def remove(self, requester: Requester, alias: str) -> None:
        """Delete an alias, and remove it from m.room.canonical_alias if the requester may set that event.

        Allowed for the alias's creator, and for users who may set m.room.canonical_alias. Raises
        NotFound("alias_not_found"), Forbidden("not_your_alias").
        """
        check_may_act(requester)
        self._limits.check("directory", requester.user_id)
        row = await self._find(_checked(alias))

        def decide(head: Head) -> Decided:
            may_name = may_name_room(head, requester.user_id)
            if row.creator != requester.user_id and not may_name:
                raise Forbidden("this alias was created by another user", code="not_your_alias")
            without = _without(head, row.alias) if may_name else None
            if without is None:
                return NOTHING
            draft = state_draft(CANONICAL, requester.user_id, without)
            return Decided([draft], [SideWrite(_drop, row.alias)])

        written = await self._timeline.decide(row.room_id, decide)
        if not written.events:
            async with self._db.write() as conn:
                await stored.drop(conn, [row.alias])

    async def of_room(self, requester: Requester, room_id: RoomId) -> list[RoomAlias]:
        """A room's aliases on this server; for its members, and for all users if the room is world_readable.

        Raises Forbidden("not_joined").
        """
        head = await self._timeline.head(room_id)
        if history_visibility_of(head.state.events.get(HISTORY_VISIBILITY_KEY)) != "world_readable":
            await head_for_member(self._timeline, requester, room_id)
        async with self._db.read() as conn:
            return await stored.of_room(conn, room_id)

    async def check_canonical(self, room_id: RoomId, before: Mapping[str, Any], content: Content) -> None:
        """Check a new m.room.canonical_alias: each alias that the content `before` does not have must point to the
        room.

        Raises Invalid("bad_alias", "alias_elsewhere").
        """
        new = set(names_in(content)) - set(_readable_names(before))
        if not new:
            return
        async with self._db.read() as conn:
            found = await stored.find(conn, new)
        if any(one not in found or found[one].room_id != room_id for one in new):
            raise Invalid("the alias does not point to this room", code="alias_elsewhere")

    async def claim(self, requester: Requester, localpart: str) -> SideWrite[NewAlias]:
        """A side write that creates the alias of a new room in the room's own transaction.

        Raises Invalid("bad_alias"), Conflict("room_in_use"). The write itself may raise the latter too.
        """
        alias = self._own(f"#{localpart}:{self._server}")
        async with self._db.read() as conn:
            if alias in await stored.find(conn, [alias]):
                raise _in_use(alias)
        return SideWrite(_claim, NewAlias(alias, requester.user_id, self._clock.now_ms()))

    def _own(self, alias: str) -> RoomAlias:
        """The alias, checked to be one that this server can create."""
        name = _checked(alias)
        if domain_of(name) != self._server:
            raise Invalid("not an alias of this server", code="bad_alias")
        localpart = name[1:].partition(":")[0]
        if _SPACE.search(name) or one_line(localpart) != normalized("NFC", localpart):
            raise Invalid("an alias must not have spaces or hidden characters", code="bad_alias")
        return name

    async def _find(self, alias: RoomAlias) -> AliasRow:
        async with self._db.read() as conn:
            row = (await stored.find(conn, [alias])).get(alias)
        if row is None:
            raise NotFound(f"no room has the alias {alias}", code="alias_not_found")
        return row


def may_name_room(head: Head, user_id: UserId) -> bool:
    """True if the user may set m.room.canonical_alias, which also permits publishing the room."""
    if membership_in(head.state.events, user_id) != "join":
        return False
    levels = levels_of(head)
    return levels.user(user_id) >= levels.event(CANONICAL, is_state=True)


def _checked(alias: str) -> RoomAlias:
    if not is_room_alias(alias):
        raise Invalid(f"{alias!r} is not a room alias", code="bad_alias")
    return RoomAlias(alias)


def names_in(content: Mapping[str, Any]) -> list[str]:
    """The aliases in a content of m.room.canonical_alias. Raises Invalid("bad_alias")."""
    alias, others = content.get("alias"), content.get("alt_aliases")
    names = [*([] if alias in (None, "") else [alias]), *([] if others is None else _list(others))]
    for name in names:
        if not isinstance(name, str) or not is_room_alias(name):
            raise Invalid(f"{name!r} is not a room alias", code="bad_alias")
    return names


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise Invalid("alt_aliases must be a list", code="bad_alias")
    return value


def _readable_names(content: Mapping[str, Any]) -> list[str]:
    """The aliases in a stored content, whatever other values it has."""
    alias, others = content.get("alias"), content.get("alt_aliases")
    return [one for one in (alias, *(others if isinstance(others, list) else ())) if isinstance(one, str)]


def _without(head: Head, alias: RoomAlias) -> Content | None:
    """The content of m.room.canonical_alias without this alias; None if it is not in there."""
    current = head.state.events.get((CANONICAL, ""))
    if current is None or alias not in _readable_names(current.content):
        return None
    content: Content = dict(current.content)
    if content.get("alias") == alias:
        del content["alias"]
    others = content.get("alt_aliases")
    if isinstance(others, list):
        content["alt_aliases"] = [one for one in others if one != alias]
        if not content["alt_aliases"]:
            del content["alt_aliases"]
    return content


async def _drop(conn: AsyncConnection, items: Sequence[Placed[RoomAlias]]) -> None:
    await stored.drop(conn, [item.row for item in items])


async def _claim(conn: AsyncConnection, items: Sequence[Placed[NewAlias]]) -> None:
    """Create the aliases of new rooms. A failed batch is retried room by room, so only the room that is late fails."""
    wanted = [item.row.alias for item in items]
    taken = await stored.find(conn, wanted)
    if taken or len(set(wanted)) < len(wanted):
        raise _in_use(next(iter(taken), wanted[0]))
    rooms = await rooms_at(conn, [item.position for item in items])
    await stored.add(
        conn,
        [
            AliasRow(item.row.alias, rooms[item.position], item.row.creator, item.row.created_ms)
            for item in items
        ],
    )


def _taken(alias: str) -> Conflict:
    return Conflict(f"the alias {alias} is taken", code="alias_taken")


def _in_use(alias: str) -> Conflict:
    return Conflict(f"the alias {alias} is taken", code="room_in_use")
