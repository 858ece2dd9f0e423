"""Which pushers get which evaluated events: pushes are stored with the evaluation, and sent later."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.model import EntryKind
from homeserver.protocol.ids import RoomId, UserId
from homeserver.protocol.pushrules.evaluate import Reader
from homeserver.services.clientdata.accountdata import AccountData
from homeserver.services.clientdata.push_rules import PushRules
from homeserver.services.push.notifications.evaluate import SILENCE, EvaluatedBatch, EvaluatedEvent
from homeserver.services.push.web.decide import ended_by
from homeserver.settings.models import PushSettings
from homeserver.storage import pushers as stored
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.storage.outbox import Key
from homeserver.storage.push import Ended
from homeserver.storage.pushers import COUNTS_ONLY, Candidate, NewPush
from homeserver.timeline.consume import Effect


class Invited(NamedTuple):
    """Push rules and ignored users of invited users, who are in no audience yet."""

    readers: Mapping[UserId, Reader]
    ignored: Mapping[UserId, Collection[UserId]]


class GatewayDecider:
    """Turns evaluated events into pushes in the outbox."""

    def __init__(
        self, *, db: Database, clock: Clock, rules: PushRules, data: AccountData, settings: PushSettings
    ) -> None:
        self._db = db
        self._clock = clock
        self._rules = rules
        self._data = data
        self._settings = settings
        self.has_decided = False

    async def effect(self, found: EvaluatedBatch, entries: Sequence[Entry]) -> Effect | None:
        """What is to be written; None for nothing. A fixed number of queries.

        Sets `has_decided`: True if there are pushes among that.
        """
        ended = [ended_by(one) for one in entries if one.kind is EntryKind.SESSION_ENDED]
        read = {user_id for user_id, _ in found.read} | {mark.user_id for mark in found.hidden}
        rooms = {one.event.room_id for one in found.judged}
        async with self._db.read() as conn:
            people = await stored.candidates(conn, rooms) if rooms else []
            ids = {one.pusher_id for one in people}
            waiting = await stored.waiting.count_waiting(conn, ids) if ids else {}
            counted = await stored.told_pushers(conn, read) if read else []
        pushes = await self._pushes(found, entries, people, waiting) if people else []
        due_ms = self._due_ms()
        pushes += [NewPush(Key(one, COUNTS_ONLY), {}, due_ms) for one in counted]
        self.has_decided = bool(pushes)
        return partial(_write, ended, pushes) if ended or pushes else None

    async def _pushes(
        self,
        found: EvaluatedBatch,
        entries: Sequence[Entry],
        people: Sequence[Candidate],
        waiting: Mapping[str, int],
    ) -> list[NewPush]:
        of_rooms: dict[RoomId, list[Candidate]] = {}
        for one in people:
            of_rooms.setdefault(one.room_id, []).append(one)
        oldest_ms = self._clock.now_ms() - self._settings.ttl_s * 1000
        created_ms = {entry.position: entry.created_ms for entry in entries}
        invited = await self._invited(found, {one.user_id for one in people})
        counts, due_ms = Counter(waiting), self._due_ms()
        decided: list[NewPush] = []
        for judged in found.judged:
            at_ms = created_ms[judged.position]
            if at_ms < oldest_ms:
                continue
            for one, tweaks in _told(judged, of_rooms.get(judged.event.room_id, ()), invited):
                if one.created_ms <= at_ms and counts[one.pusher_id] < self._settings.max_waiting:
                    counts[one.pusher_id] += 1
                    decided.append(NewPush(Key(one.pusher_id, judged.position), tweaks, due_ms))
        return decided

    async def _invited(self, found: EvaluatedBatch, owners: Collection[UserId]) -> Invited:
        people = {
            user_id
            for one in found.judged
            if one.event.membership == "invite" and (user_id := UserId(one.event.state_key or "")) in owners
        }
        rules = {user_id: await self._rules.of(user_id) for user_id in people}
        ignored = {user_id: await self._data.ignored_by(user_id) for user_id in people}
        return Invited({user_id: Reader(user_id, "", rules[user_id]) for user_id in people}, ignored)

    def _due_ms(self) -> int:
        return self._clock.now_ms() + round(self._settings.hold_s * 1000)


def _told(
    judged: EvaluatedEvent, people: Sequence[Candidate], invited: Invited
) -> Iterator[tuple[Candidate, dict[str, object]]]:
    """The pushers that get an event, each with the tweaks of its user's rules."""
    event = judged.event
    for one in people:
        reader = judged.audience.readers.get(one.user_id)
        if event.membership == "invite" and event.state_key == one.user_id:
            reader = invited.readers.get(one.user_id)
            if event.sender in invited.ignored.get(one.user_id, ()):
                continue
        outcome = judged.outcome(reader) if reader is not None else SILENCE
        if outcome.notify:
            yield one, dict(outcome.tweaks)


async def _write(ended: Sequence[Ended], pushes: Sequence[NewPush], conn: AsyncConnection) -> None:
    if ended:
        await stored.drop_ended(conn, ended)
    if pushes:
        await stored.add_pushes(conn, pushes)
