"""Account data, global and per room (client-server API, "Client Config", "Room Tagging", "Ignoring Users").

The server reads little of it: tags are changed one by one, and ignored users are read for /sync. Each change is
announced to the user's other devices.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Invalid, NotFound, TooLarge
from homeserver.kit.cache import BoundedCache
from homeserver.model import LOG_START, Content, EntryKind, LogPosition, Requester
from homeserver.protocol.canonical import same_json
from homeserver.protocol.event import Event
from homeserver.protocol.ids import RoomId, UserId, fits, is_user_id
from homeserver.services.clientdata.push_rules import PUSH_RULES, PushRules
from homeserver.storage import accountdata as stored
from homeserver.storage.accountdata import GONE, AccountDataItem, DataKey, DataTotal
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.timeline.entries import Appends, account_data_changed
from homeserver.timeline.submission import NewEntry, Placed, SideWrite

GLOBAL: Final = ""
TAGS: Final = "m.tag"
IGNORED: Final = "m.ignored_user_list"
FULLY_READ: Final = "m.fully_read"
DIRECT: Final = "m.direct"
_BY_OTHER_WAYS: Final = frozenset({FULLY_READ, PUSH_RULES})
_CACHED_IGNORERS: Final = 10_000  # users whose ignored users are cached

Where: TypeAlias = RoomId | Literal[""]


class _Change(NamedTuple):
    """New content, a change of one tag in the stored content (`is_gone` removes it), or more direct chats."""

    key: DataKey
    content: Content
    tag: str | None = None
    is_gone: bool = False
    is_direct: bool = False

    @property
    def goes_into(self) -> bool:
        """True if the change is merged into the stored content instead of replacing it."""
        return self.tag is not None or self.is_direct

    def applied_to(self, before: Content) -> Content:
        if self.is_direct:
            return _with_direct(before, self.content)
        if self.tag is None:
            return self.content
        tags = before.get("tags")
        kept = {name: value for name, value in (tags or {}).items() if name != self.tag}
        return {**before, "tags": kept if self.is_gone else {**kept, self.tag: self.content}}


class DataLimits(NamedTuple):
    """Bounds of account data: the bytes of one item's content, and the items and bytes of one user."""

    content_bytes: int
    items: int
    total_bytes: int

    def check(self, content: bytes) -> None:
        """Raise TooLarge("account_data_too_large") if this content is too large for one item."""
        if len(content) > self.content_bytes:
            raise TooLarge(
                f"account data must have at most {self.content_bytes} bytes", code="account_data_too_large"
            )

    def check_total(self, total: DataTotal, grown: DataTotal) -> None:
        """Raise TooLarge("too_much_account_data") if a user's account data has grown by `grown` above the bounds.

        Who is above them, as they were lower once, may still change and remove items.
        """
        if grown.items > 0 and total.items > self.items:
            raise TooLarge(f"at most {self.items} types of account data", code="too_much_account_data")
        if grown.bytes > 0 and total.bytes > self.total_bytes:
            raise TooLarge(
                f"account data must have at most {self.total_bytes} bytes together",
                code="too_much_account_data",
            )

    def admits(self, content: bytes, total: DataTotal) -> bool:
        """True if an item may have this content, and its user this much account data."""
        return (
            len(content) <= self.content_bytes
            and total.items <= self.items
            and total.bytes <= self.total_bytes
        )


class AccountData:
    """Reads and changes the requester's own account data. `heard`: users that cannot be ignored."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Appends,
        rules: PushRules,
        limits: DataLimits,
        heard: frozenset[UserId],
    ) -> None:
        self._db = db
        self._rules = rules
        self._timeline = timeline
        self._limits = limits
        self._heard = heard
        self._ignored: BoundedCache[UserId, frozenset[UserId]] = BoundedCache(_CACHED_IGNORERS)

    async def get(self, requester: Requester, room_id: Where, kind: str) -> Content:
        """The content of one type. Raises NotFound("account_data_not_found")."""
        if (room_id, kind) == (GLOBAL, PUSH_RULES):
            return dict(await self._rules.shown(requester.user_id))
        found = await self._find(DataKey(requester.user_id, room_id, kind))
        if found is None:
            raise NotFound("no such account data", code="account_data_not_found")
        return found

    async def set(self, requester: Requester, room_id: Where, kind: str, content: Content) -> None:
        """Replace the content of one type; empty content deletes it.

        Announced even if nothing changes: matrix-js-sdk waits until what it has set arrives by /sync.

        Raises Invalid("set_by_server", "invalid_param"), TooLarge("account_data_too_large", "too_much_account_data").
        """
        if kind in _BY_OTHER_WAYS:
            raise Invalid(f"{kind} cannot be set by this call", code="set_by_server")
        await self.put(requester, room_id, kind, content)

    async def remove(self, requester: Requester, room_id: Where, kind: str) -> None:
        """Delete one type, if it is there. Raises Invalid("set_by_server")."""
        if kind in _BY_OTHER_WAYS or await self._find(DataKey(requester.user_id, room_id, kind)) is not None:
            await self.set(requester, room_id, kind, {})

    async def put(self, requester: Requester, room_id: Where, kind: str, content: Content) -> None:
        """Set a type that clients may not set themselves too; for other services. Raises TooLarge as `set` does."""
        await self._write(requester, _Change(DataKey(requester.user_id, room_id, kind), content))

    async def prepared(
        self, requester: Requester, room_id: Where, kind: str, content: Content
    ) -> tuple[NewEntry, SideWrite[Any]]:
        """What `put` writes, for a transaction that writes more: the entry must be its first. Raises TooLarge."""
        return await self._prepared(requester, _Change(DataKey(requester.user_id, room_id, kind), content))

    async def changed_after(self, user_id: UserId, after: LogPosition) -> list[AccountDataItem]:
        """A user's account data changed after a log position, push rules included; after LOG_START all of it."""
        rules = await self._rules.piece(user_id)
        async with self._db.read() as conn:
            found = await stored.changed_after(conn, user_id, after)
        return [*found, rules] if rules.position > after or after == LOG_START else found

    async def tags(self, requester: Requester, room_id: RoomId) -> Mapping[str, Content]:
        """A room's tags."""
        found = await self._find(DataKey(requester.user_id, room_id, TAGS)) or {}
        tags = found.get("tags")
        return tags if isinstance(tags, dict) else {}

    async def set_tag(self, requester: Requester, room_id: RoomId, tag: str, content: Content) -> None:
        """Add or replace a tag of a room. Raises as `set` does."""
        if not tag or not fits(tag):
            raise Invalid("a tag must have at most 255 bytes", code="invalid_param")
        order = content.get("order")
        if order is not None and (isinstance(order, bool) or not isinstance(order, int | float)):
            raise Invalid("order must be a number", code="invalid_param")
        await self._write(requester, _Change(DataKey(requester.user_id, room_id, TAGS), content, tag))

    async def remove_tag(self, requester: Requester, room_id: RoomId, tag: str) -> None:
        """Remove a tag of a room, if it is there."""
        if tag in await self.tags(requester, room_id):
            key = DataKey(requester.user_id, room_id, TAGS)
            await self._write(requester, _Change(key, {}, tag, is_gone=True))

    async def add_direct(self, requester: Requester, chats: Mapping[UserId, Sequence[RoomId]]) -> bool:
        """Add rooms to m.direct; False if all are there already, or there is no more place for them."""
        key = DataKey(requester.user_id, GLOBAL, DIRECT)
        change = _Change(key, {user_id: [*rooms] for user_id, rooms in chats.items()}, is_direct=True)
        held = await self._find(key) or {}
        if same_json(change.applied_to(held), held):
            return False
        try:
            await self._write(requester, change)
        except TooLarge:
            return False
        return True

    async def ignored_by(self, user_id: UserId) -> frozenset[UserId]:
        """The users that a user ignores; cached, else one query."""
        found = self._ignored.get(user_id)
        if found is None:
            age = self._ignored.age
            listed = ignored_in(await self._find(DataKey(user_id, GLOBAL, IGNORED)) or {})
            found = listed - {user_id} - self._heard
            self._ignored.put(user_id, found, age)
        return found

    def note(self, entry: Entry) -> None:
        """Handle a log entry: drop a cached ignore list that changed."""
        if entry.kind is not EntryKind.ACCOUNT_DATA or entry.user_id is None:
            return
        if (entry.body or {}).get("type") == IGNORED:
            self._ignored.drop(entry.user_id)

    async def _find(self, key: DataKey) -> Content | None:
        async with self._db.read() as conn:
            found = (await stored.pieces(conn, [key])).get(key)
        content: Content | None = None if found in (None, GONE) else orjson.loads(found)
        return content

    async def _write(self, requester: Requester, change: _Change) -> None:
        news, also = await self._prepared(requester, change)
        for entry in await self._timeline.append([news], also=[also]):
            self.note(entry)  # this worker at once; other workers read it from the log

    async def _prepared(self, requester: Requester, change: _Change) -> tuple[NewEntry, SideWrite[Any]]:
        _, room_id, kind = change.key
        if not kind or not fits(kind) or not fits(room_id):
            raise Invalid("a type must have 1 to 255 bytes", code="invalid_param")
        await self._check_place(change)
        where: Where = RoomId(room_id) if room_id else ""
        return account_data_changed(requester.user_id, where, kind), SideWrite(self._write_changes, change)

    async def _check_place(self, change: _Change) -> None:
        """Raise TooLarge if there is no place for a change; decided again at the write."""
        key = change.key
        async with self._db.read() as conn:
            before = (await stored.pieces(conn, [key])).get(key, GONE)
            total = (await stored.totals(conn, [key.user_id]))[key.user_id]
        after = orjson.dumps(change.applied_to(orjson.loads(before) if change.goes_into else {}))
        self._limits.check(after)
        grown = stored.size_of(key, after) - stored.size_of(key, before)
        self._limits.check_total(total + grown, grown)

    async def _write_changes(self, conn: AsyncConnection, items: Sequence[Placed[_Change]]) -> None:
        """Apply the changes in log order; partial changes start from the content as it then stands."""
        kept = {item.row.key for item in items if item.row.goes_into}
        before = await stored.pieces(conn, kept) if kept else {}
        contents: dict[DataKey, Content] = {key: orjson.loads(found) for key, found in before.items()}
        positions: dict[DataKey, LogPosition] = {}
        for item in items:
            key = item.row.key
            contents[key] = item.row.applied_to(contents.get(key, {}))
            positions[key] = item.position
        rows = [(key, orjson.dumps(contents[key]), position) for key, position in positions.items()]
        for _, content, _ in rows:
            self._limits.check(content)
        grown = await stored.set_pieces(conn, rows)
        totals = await stored.totals(conn, grown)
        for user_id, more in grown.items():
            self._limits.check_total(totals[user_id], more)


def ignored_in(content: Content) -> frozenset[UserId]:
    """The user ids in the content of m.ignored_user_list."""
    users = content.get("ignored_users")
    if not isinstance(users, dict):
        return frozenset()
    return frozenset(UserId(user_id) for user_id in users if is_user_id(user_id))


def is_ignored(event: Event, ignored: Collection[UserId]) -> bool:
    """True if an event is hidden from a user who ignores these users; their state events are still shown."""
    return event.sender in ignored and not event.is_state


def _with_direct(before: Content, chats: Content) -> Content:
    """m.direct with more chats. `before` may have any form, as clients write it."""
    after = dict(before)
    for user_id, rooms in chats.items():
        held = before.get(user_id)
        known = held if isinstance(held, list) else []
        after[user_id] = [*known, *(room_id for room_id in rooms if room_id not in known)]
    return after
