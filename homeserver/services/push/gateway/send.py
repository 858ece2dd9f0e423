"""Sends pushes to push gateways."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import NotFound
from homeserver.outbox.worker import Outcome, Prepared, Sending, SendResult, Tried
from homeserver.protocol.ids import RoomId
from homeserver.services.clientdata.accountdata import AccountData
from homeserver.services.push.client import PushClient
from homeserver.services.push.gateway.gateway_api import Scene, notification, rejected
from homeserver.services.push.notifications.counts import Count, Counts
from homeserver.settings.models import PushSettings
from homeserver.storage import events
from homeserver.storage import pushers as stored
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.outbox import Claim
from homeserver.storage.pushers import COUNTS_ONLY, Target
from homeserver.timeline.build import is_in_thread
from homeserver.timeline.heads import Head
from homeserver.timeline.writer import Timeline

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PushJob:
    """A push that is ready to be sent."""

    target: Target
    body: bytes
    unread: int


class GatewayPushes(Sending[PushJob]):
    """Prepares, sends and settles pushes to push gateways."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        timeline: Timeline,
        counts: Counts,
        data: AccountData,
        push_client: PushClient,
        settings: PushSettings,
    ) -> None:
        self._db = db
        self._clock = clock
        self._timeline = timeline
        self._counts = counts
        self._data = data
        self._push_client = push_client
        self._settings = settings

    async def prepare(self, claims: Sequence[Claim]) -> Prepared[PushJob]:
        """The pushes that are still wanted, with their request bodies."""
        of_keys = {one.key: one for one in claims}
        async with self._db.read() as conn:
            targets = await stored.targets(conn, of_keys)
            found = await events.events_at(conn, {key.position for key in of_keys}) if targets else {}
        people = {one.pusher.user_id for one in targets}
        unread = await self._counts.totals(people)
        ignored = {user_id: await self._data.ignored_by(user_id) for user_id in people}
        heads = await self._heads({one.event.room_id for one in found.values()})
        jobs = []
        for target in targets:
            about = found.get(target.key.position)
            if about is not None and about.event.sender in ignored[target.pusher.user_id]:
                continue  # since the push was decided on
            if self._is_wanted(target, about, unread[target.pusher.user_id]):
                scene = _scene(about, heads)
                count = unread[target.pusher.user_id]
                job = PushJob(target, notification(target, count, scene), count.notify)
                jobs.append((of_keys[target.key], job))
        return Prepared(jobs)

    async def _heads(self, room_ids: Collection[RoomId]) -> dict[RoomId, Head]:
        """The current heads of the rooms, mostly from the cache."""
        heads = {}
        for room_id in room_ids:
            try:
                heads[room_id] = await self._timeline.head(room_id)
            except NotFound:
                logger.info("a room that a push is about is gone")
        return heads

    def _is_wanted(self, target: Target, about: StoredEvent | None, unread: Count) -> bool:
        if target.key.position == COUNTS_ONLY:
            return unread.notify != target.pusher.told
        if about is None or about.redacted_by is not None or target.seen >= about.arrived:
            return False
        until_ms = about.event.origin_server_ts + self._settings.ttl_s * 1000
        if until_ms <= self._clock.now_ms():
            return False
        return target.main < about.arrived or is_in_thread(about.event)

    async def send(self, job: PushJob) -> Tried:
        """Send a push to its gateway."""
        answer = await self._push_client.post_json(job.target.pusher.data["url"], job.body)
        if answer.is_taken:
            return Tried(SendResult.GONE if rejected(job.target, answer.body) else SendResult.SENT)
        return Tried(SendResult.AGAIN, wait_ms=answer.retry_ms)

    async def settled(self, conn: AsyncConnection, outcomes: Sequence[Outcome[PushJob]]) -> None:
        """Delete the pushers that were rejected, and store the unread counts that the others were sent."""
        gone = {one.job.target.pusher.pusher_id for one in outcomes if one.result is SendResult.GONE}
        told = [
            (one.job.target.pusher.pusher_id, one.job.unread)
            for one in outcomes
            if one.result is SendResult.SENT
        ]
        if gone:
            await stored.drop_pushers(conn, gone)
        if told:
            await stored.set_told(conn, told)


def _scene(about: StoredEvent | None, heads: Mapping[RoomId, Head]) -> Scene | None:
    head = heads.get(about.event.room_id) if about is not None else None
    return Scene(about.event, head) if about is not None and head is not None else None
