"""Push rules of users: read, changed one by one, and sent to their devices as account data m.push_rules."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, TypeAlias

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Invalid, NotFound
from homeserver.kit.cache import BoundedCache
from homeserver.model import LOG_START, EntryKind, LogPosition, Requester
from homeserver.protocol.canonical import JsonObject
from homeserver.protocol.errors import ProtocolError, UnknownPushRule
from homeserver.protocol.ids import RoomId, UserId
from homeserver.protocol.pushrules.rules import read_actions, read_kind
from homeserver.protocol.pushrules.ruleset import UNCHANGED, Ruleset
from homeserver.storage import pushrules as stored
from homeserver.storage.accountdata import AccountDataItem
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.storage.pushrules import StoredRules
from homeserver.timeline.entries import Appends, account_data_changed
from homeserver.timeline.submission import Placed, SideWrite

PUSH_RULES: Final = "m.push_rules"
_CACHED: Final = 10_000  # users whose rules are cached
_AT_ONCE: Final = 200  # users whose rules are copied to another room per transaction

Change: TypeAlias = Callable[[Ruleset], Ruleset]


class Known(NamedTuple):
    """A user's rules, and the log position of their last change; LOG_START for none."""

    rules: Ruleset
    position: LogPosition


class _Wish(NamedTuple):
    user_id: UserId
    change: Change


class PushRules:
    """Reads and changes push rules; methods with a requester are about their own.

    `note` must be given every new entry of the log.
    """

    def __init__(self, *, db: Database, timeline: Appends) -> None:
        self._db = db
        self._timeline = timeline
        self._known: BoundedCache[UserId, Known] = BoundedCache(_CACHED)

    async def of(self, user_id: UserId) -> Ruleset:
        """A user's rules."""
        return (await self._find(user_id)).rules

    async def shown(self, user_id: UserId) -> JsonObject:
        """The content of m.push_rules."""
        return (await self.of(user_id)).shown(user_id)

    async def piece(self, user_id: UserId) -> AccountDataItem:
        """A user's m.push_rules as an item of account data."""
        known = await self._find(user_id)
        return AccountDataItem("", PUSH_RULES, orjson.dumps(known.rules.shown(user_id)), known.position)

    async def of_kind(self, requester: Requester, kind: str) -> list[JsonObject]:
        """The rules of a kind, highest priority first. Raises Invalid("bad_push_rule")."""
        rules = await self.of(requester.user_id)
        with _api_errors():
            return [rule.shown(requester.user_id) for rule in rules.rules(read_kind(kind))]

    async def rule(self, requester: Requester, kind: str, rule_id: str) -> JsonObject:
        """One rule. Raises NotFound("push_rule_not_found"), Invalid("bad_push_rule")."""
        rules = await self.of(requester.user_id)
        with _api_errors():
            return rules.find(read_kind(kind), rule_id).shown(requester.user_id)

    async def put(
        self,
        requester: Requester,
        kind: str,
        rule_id: str,
        body: JsonObject,
        *,
        before: str | None = None,
        after: str | None = None,
    ) -> None:
        """Create or replace a user-defined rule. Raises Invalid("bad_push_rule")."""
        await self._change(
            requester,
            lambda rules: rules.put(read_kind(kind), rule_id, body, before=before, after=after),
        )

    async def delete(self, requester: Requester, kind: str, rule_id: str) -> None:
        """Delete a user-defined rule. Raises NotFound("push_rule_not_found"), Invalid("bad_push_rule")."""
        await self._change(requester, lambda rules: rules.delete(read_kind(kind), rule_id))

    async def enable(self, requester: Requester, kind: str, rule_id: str, *, enabled: bool) -> None:
        """Enable or disable a rule. Raises NotFound("push_rule_not_found"), Invalid("bad_push_rule")."""
        await self._change(requester, lambda rules: rules.enable(read_kind(kind), rule_id, enabled))

    async def act(self, requester: Requester, kind: str, rule_id: str, actions: Sequence[Any]) -> None:
        """Set the actions of a rule. Raises NotFound("push_rule_not_found"), Invalid("bad_push_rule")."""
        with _api_errors():
            wanted = read_actions(list(actions))
        await self._change(requester, lambda rules: rules.act(read_kind(kind), rule_id, wanted))

    async def carry(self, old_room: RoomId, new_room: RoomId) -> None:
        """Copy the members' rules about an upgraded room to its successor."""
        async with self._db.read() as conn:
            rows = await stored.rules_in(conn, old_room)
        requests = [
            _Wish(row.user_id, lambda rules: rules.copied(old_room, new_room))
            for row in rows
            if not (rules := _read(row.rules)).is_same_as(rules.copied(old_room, new_room))
        ]
        for start in range(0, len(requests), _AT_ONCE):
            await asyncio.gather(*(self._append(request) for request in requests[start : start + _AT_ONCE]))

    def note(self, entry: Entry) -> None:
        """Handle a log entry: drop cached rules that changed."""
        if entry.kind is not EntryKind.ACCOUNT_DATA or entry.user_id is None:
            return
        if (entry.body or {}).get("type") == PUSH_RULES:
            self._known.drop(entry.user_id)

    async def _change(self, requester: Requester, change: Change) -> None:
        rules = (await self._stored(requester.user_id)).rules  # a cached one may lack another worker's change
        with _api_errors():
            changed = change(rules)
        if not changed.is_same_as(rules):
            await self._append(_Wish(requester.user_id, change))

    async def _append(self, request: _Wish) -> None:
        news = account_data_changed(request.user_id, "", PUSH_RULES)
        for entry in await self._timeline.append([news], also=[SideWrite(_write, request)]):
            self.note(entry)  # this worker at once; other workers read it from the log

    async def _find(self, user_id: UserId) -> Known:
        known = self._known.get(user_id)
        if known is None:
            age = self._known.age
            known = await self._stored(user_id)
            self._known.put(user_id, known, age)
        return known

    async def _stored(self, user_id: UserId) -> Known:
        async with self._db.read() as conn:
            row = (await stored.rules_of(conn, [user_id])).get(user_id)
        return Known(UNCHANGED, LOG_START) if row is None else Known(_read(row.rules), row.position)


def rules_from(row: StoredRules) -> Ruleset:
    """The rules in a database row."""
    return _read(row.rules)


@contextmanager
def _api_errors() -> Iterator[None]:
    """Turn errors of the protocol's push rules into errors of the API."""
    try:
        yield
    except UnknownPushRule as error:
        raise NotFound(str(error), code="push_rule_not_found") from error
    except ProtocolError as error:
        raise Invalid(str(error), code="bad_push_rule") from error


def _read(rules: bytes) -> Ruleset:
    return Ruleset.from_stored(orjson.loads(rules))


async def _write(conn: AsyncConnection, items: Sequence[Placed[_Wish]]) -> None:
    """Apply the changes in log order, each to the rules as they then stand."""
    rows = await stored.rules_of(conn, {item.row.user_id for item in items})
    rules = {user_id: _read(row.rules) for user_id, row in rows.items()}
    positions: dict[UserId, LogPosition] = {}
    for item in items:
        user_id = item.row.user_id
        with _api_errors():
            rules[user_id] = item.row.change(rules.get(user_id, UNCHANGED))
        positions[user_id] = item.position
    await stored.set_rules(
        conn,
        [
            StoredRules(user_id, orjson.dumps(rules[user_id].stored()), position)
            for user_id, position in positions.items()
        ],
    )
