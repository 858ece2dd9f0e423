"""The room directory (client-server API, "Published Room Directory")."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Forbidden, Invalid, NotFound, Unsupported
from homeserver.folding import fold, like_pattern
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import LogPosition, Requester
from homeserver.protocol.ids import RoomId
from homeserver.services.accounts.status import check_may_act
from homeserver.services.events.access import head_for_member
from homeserver.services.rooms import product_rules
from homeserver.services.rooms.aliases import may_name_room
from homeserver.storage import summaries as stored
from homeserver.storage.db import Database
from homeserver.storage.summaries import DirectoryPlace, PublishedQuery, Summary
from homeserver.timeline.submission import Placed, SideWrite
from homeserver.timeline.writer import Timeline

_TOKEN: Final = re.compile(r"([nb])([0-9]{1,9})_([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class PublicRoomsRequest:
    """`server`: whose directory; None for this server's. `network`: the third-party network; None for rooms of Matrix
    itself."""

    limit: int | None = None
    since: str | None = None
    server: str | None = None
    search: str = ""
    room_types: Collection[str | None] | None = None
    network: str | None = None
    all_networks: bool = False


@dataclass(frozen=True, slots=True)
class PublicPage:
    """One page of the directory, the tokens of the next and previous pages, and the total count of rooms."""

    rooms: Sequence[Summary]
    next: str | None
    previous: str | None
    total: int


class Directory:
    """Visibility of rooms in the directory, and its pages. `max_page`: the most rooms of one page."""

    def __init__(
        self, *, db: Database, timeline: Timeline, limits: RateLimits, server_name: str, max_page: int
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._limits = limits
        self._server = server_name
        self._max_page = max_page

    async def is_published(self, room_id: RoomId) -> bool:
        """True if the room is in the directory. Raises NotFound("room_not_found")."""
        async with self._db.read() as conn:
            found = (await stored.summaries(conn, [room_id])).get(room_id)
        if found is None:
            raise NotFound("no such room", code="room_not_found")
        return found.published

    async def publish(self, requester: Requester, room_id: RoomId, *, is_on: bool) -> None:
        """Add a room to the directory or remove it; for users who may set m.room.canonical_alias.

        Raises NotFound("room_not_found"), Forbidden("not_joined", "low_power", "product_room").
        """
        check_may_act(requester)
        self._limits.check("directory", requester.user_id)
        head = await head_for_member(self._timeline, requester, room_id)
        if is_on and product_rules.is_product_room(head):
            raise Forbidden("rooms of product APIs cannot be published", code="product_room")
        if not may_name_room(head, requester.user_id):
            raise Forbidden("you may not publish this room", code="low_power")
        async with self._db.write() as conn:
            await stored.publish(conn, [(room_id, is_on)])

    async def publish_in(self, requester: Requester, network: str, room_id: RoomId) -> None:
        """Change a room's visibility in a network's directory. Raises Forbidden("no_appservice"), as no requester is
        an appservice."""
        raise Forbidden(
            f"{requester.user_id} is not an application service of {network} and cannot publish {room_id}",
            code="no_appservice",
        )

    async def page(self, request: PublicRoomsRequest, *, asker: str) -> PublicPage:
        """A page of the directory, the largest rooms first. `asker`: key of the rate limit.

        Raises Invalid("bad_token", "invalid_param"), Unsupported("other_server").
        """
        self._limits.check("directory", asker)
        if request.server not in (None, "", self._server):
            raise Unsupported("directories of other servers are not available", code="other_server")
        if request.network is not None and request.all_networks:
            raise Invalid(
                "third_party_instance_id and include_all_networks must not be given together",
                code="invalid_param",
            )
        backward, place = _parse(request.since)
        limit = self._max_page if request.limit is None else min(max(request.limit, 1), self._max_page)
        if request.network is not None:  # no appservice has rooms here
            return PublicPage((), None, None, 0)
        query = PublishedQuery(
            limit=limit + 1,
            place=place,
            backward=backward,
            pattern=like_pattern(fold(request.search.strip())) if request.search.strip() else "",
            room_types=request.room_types,
        )
        async with self._db.read() as conn:
            found = await stored.published(conn, query)
            total = await stored.count_published(conn)
        has_more = len(found) > limit
        if has_more:
            found = found[1:] if backward else found[:-1]
        there_is_next = bool(found) and (has_more or backward)
        there_is_previous = bool(found) and (has_more if backward else place is not None)
        return PublicPage(
            found,
            _token("n", found[-1]) if there_is_next else None,
            _token("b", found[0]) if there_is_previous else None,
            total,
        )


def publication() -> SideWrite[None]:
    """A side write that publishes a new room in the room's own transaction."""
    return SideWrite(_publish_new, None)


async def _publish_new(conn: AsyncConnection, items: Sequence[Placed[None]]) -> None:
    rooms = await stored.rooms_at(conn, [item.position for item in items])
    await stored.publish(conn, [(room_id, True) for room_id in rooms.values()])


def _parse(token: str | None) -> tuple[bool, DirectoryPlace | None]:
    """The direction of a page token (True: backward) and its position in the directory."""
    if token is None:
        return False, None
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise Invalid("not a token of this list", code="bad_token")
    return found[1] == "b", DirectoryPlace(int(found[2]), LogPosition(int(found[3])))


def _token(direction: str, room: Summary) -> str:
    return f"{direction}{room.member_count}_{room.position}"
