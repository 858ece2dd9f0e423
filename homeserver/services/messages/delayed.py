"""Delayed events: sent later, unless the client restarts or cancels them (MSC4140).

They are sent as their user and by the rules of that moment: a user who was removed from the room by then, or may no
longer send there, sends nothing. A process claims an event for a time; if it dies, another sends the event, and never
twice: the delayed event's id is the transaction id.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Literal

import orjson

from homeserver.clock import Clock
from homeserver.errors import Conflict, HomeserverError, Invalid, NotFound, RateLimited, TooLarge, Unavailable
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import Content, Requester
from homeserver.protocol import canonical
from homeserver.protocol.errors import BadJson
from homeserver.protocol.ids import RoomId, fits
from homeserver.services.accounts.status import check_requester
from homeserver.services.events.access import head_for_member
from homeserver.services.messages.client_events import RoomEvents, txn_key
from homeserver.settings.models import MatrixSettings
from homeserver.storage import accounts
from homeserver.storage import delayed as stored
from homeserver.storage.db import Database
from homeserver.storage.delayed import DelayedRow
from homeserver.timeline.writer import Timeline

__all__ = ["Action", "DelayedEvents", "DelayedRow"]
logger = logging.getLogger(__name__)
Action = Literal["cancel", "restart", "send"]
_LEASE_MS: Final = 30_000  # one that was taken is another's after so long: its taker is dead
_AT_ONCE: Final = 100
_KEPT_MS: Final = 24 * 3600 * 1000  # how long it is known what became of one


class DelayedOutcome(StrEnum):
    """What became of a delayed event."""

    SENT = "sent"
    CANCELLED = "cancelled"
    REFUSED = "refused"


class DelayedEvents:
    """Stores and sends delayed events. Each user sees their own; any caller who knows a delay id may manage the
    event."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Timeline,
        events: RoomEvents,
        clock: Clock,
        limits: RateLimits,
        settings: MatrixSettings,
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._events = events
        self._clock = clock
        self._limits = limits
        self._settings = settings
        self._new = asyncio.Event()

    async def add(
        self,
        requester: Requester,
        room_id: RoomId,
        kind: str,
        content: Content,
        *,
        delay_ms: int,
        state_key: str | None = None,
        txn_id: str | None = None,
    ) -> str:
        """Schedule an event; returns its delay id. A repeated `txn_id` returns the first one's id.

        Raises Forbidden("not_joined", "suspended", "guests_refused"), Invalid("max_delay_exceeded",
        "too_many_delayed", "bad_event"), TooLarge, RateLimited.
        """
        check_requester(requester)
        self._limits.check("send", requester.user_id)
        txn_key = _key(requester, room_id, kind, txn_id)
        async with self._db.read() as conn:
            before = await stored.by_txn(conn, requester.user_id, txn_key)
        if before is not None:
            return before.delay_id
        self._check(delay_ms)
        await head_for_member(self._timeline, requester, room_id)
        now_ms = self._clock.now_ms()
        row = DelayedRow(
            delay_id=secrets.token_urlsafe(24),
            user_id=requester.user_id,
            room_id=room_id,
            type=kind,
            state_key=state_key,
            content=_checked(kind, state_key, content),
            txn_key=txn_key,
            delay_ms=delay_ms,
            created_ms=now_ms,
            started_ms=now_ms,
            due_ms=now_ms + delay_ms,
        )
        async with self._db.write() as conn:
            await accounts.lock_users(conn, [requester.user_id])
            made = await stored.add(conn, row)
            self._check_count(await stored.count_waiting(conn, requester.user_id))
        self._new.set()
        return made.delay_id

    async def waiting(self, requester: Requester) -> Sequence[DelayedRow]:
        """The requester's scheduled events."""
        async with self._db.read() as conn:
            return await stored.waiting_of(conn, requester.user_id, self._settings.max_delayed_events)

    async def steer(self, delay_id: str, action: Action) -> None:
        """Cancel a delayed event, restart its delay, or send it now. Repeating an action changes nothing.

        Raises NotFound("no_delayed_event"), Conflict("delayed_event_over"), and with "send" what sending raises.
        """
        now_ms = self._clock.now_ms()
        if action == "send":
            await self._send_now(delay_id, now_ms)
            return
        async with self._db.write() as conn:
            if action == "cancel":
                done = await stored.cancel(conn, delay_id, DelayedOutcome.CANCELLED, now_ms)
            else:
                done = await stored.restart(conn, delay_id, now_ms)
        if not done:
            await self._explain(delay_id, DelayedOutcome.CANCELLED if action == "cancel" else None)

    async def run(self) -> None:
        """Send events that are due; runs until cancelled."""
        while True:
            self._new.clear()
            now_ms = self._clock.now_ms()
            async with self._db.read() as conn:
                due_ms = await stored.next_due_ms(conn)
            if due_ms is not None and due_ms <= now_ms:
                await self._send_due(now_ms)
                continue
            pause_s = self._settings.delayed_poll_s
            if due_ms is not None:
                pause_s = min(pause_s, (due_ms - now_ms) / 1000)
            try:
                async with asyncio.timeout(pause_s):
                    await self._new.wait()
            except TimeoutError:
                continue

    def _check(self, delay_ms: int) -> None:
        most_ms = self._settings.max_delay_s * 1000
        if delay_ms > most_ms:
            raise Invalid(
                f"the delay must be at most {most_ms} ms", code="max_delay_exceeded", max_delay=most_ms
            )

    def _check_count(self, held: int) -> None:
        most = self._settings.max_delayed_events
        if held > most:
            raise Invalid(f"at most {most} delayed events at a time", code="too_many_delayed")

    async def _send_due(self, now_ms: int) -> None:
        async with self._db.write() as conn:
            rows = await stored.claim_due(conn, now_ms=now_ms, until_ms=now_ms + _LEASE_MS, limit=_AT_ONCE)
            await stored.drop_before(conn, now_ms - _KEPT_MS, _AT_ONCE)
        for row in rows:
            try:
                await self._send(row)
            except (RateLimited, Unavailable) as error:  # it is tried again when its time with us is over
                logger.info("a delayed event could not be sent yet: %s", error.code)
            except HomeserverError as error:
                logger.info("a delayed event was refused: %s", error.code)
                await self._finish(row, DelayedOutcome.REFUSED)

    async def _send_now(self, delay_id: str, now_ms: int) -> None:
        async with self._db.write() as conn:
            row = await stored.claim(conn, delay_id, now_ms + _LEASE_MS)
        if row is None:
            await self._explain(delay_id, DelayedOutcome.SENT)
            return
        try:
            await self._send(row)
        except (RateLimited, Unavailable):
            async with self._db.write() as conn:
                await stored.release(conn, delay_id)
            raise
        except HomeserverError:
            await self._finish(row, DelayedOutcome.REFUSED)
            raise

    async def _send(self, row: DelayedRow) -> None:
        """Send a claimed event. State that another user has set since then is left as it is."""
        async with self._db.read() as conn:
            account = (await accounts.accounts_of(conn, [row.user_id])).get(row.user_id)
        if account is None or account.suspended or account.deactivated or account.status.locked:
            await self._finish(row, DelayedOutcome.REFUSED)
            return
        requester = Requester(row.user_id, account.person.number, f"delayed {row.delay_id}")
        content: Content = orjson.loads(row.content)
        if row.state_key is None:
            await self._events.send(requester, row.room_id, row.type, content, txn_id=row.delay_id)
        elif await self._is_overtaken(row, row.state_key):
            await self._finish(row, DelayedOutcome.CANCELLED)
            return
        else:
            await self._events.set_state(requester, row.room_id, row.type, row.state_key, content)
        await self._finish(row, DelayedOutcome.SENT)

    async def _is_overtaken(self, row: DelayedRow, state_key: str) -> bool:
        current = (await self._timeline.head(row.room_id)).state.events.get((row.type, state_key))
        if current is None or current.sender == row.user_id:
            return False
        return current.origin_server_ts > row.created_ms

    async def _finish(self, row: DelayedRow, outcome: DelayedOutcome) -> None:
        async with self._db.write() as conn:
            await stored.finish(conn, row.delay_id, outcome, self._clock.now_ms())

    async def _explain(self, delay_id: str, wanted: DelayedOutcome | None) -> None:
        """Raise why a delayed event is no longer scheduled, unless its outcome is the wanted one."""
        async with self._db.read() as conn:
            found = await stored.find(conn, delay_id)
        if found is None:
            raise NotFound("no such delayed event", code="no_delayed_event")
        if found.outcome != wanted:
            raise Conflict("this delayed event was sent or cancelled already", code="delayed_event_over")


def _key(requester: Requester, room_id: RoomId, kind: str, txn_id: str | None) -> str:
    """The key of a call: a device's transaction in the room, or a random key if there is no transaction id."""
    key = txn_key(requester, room_id, f"send/{kind}", txn_id)
    return f"none {secrets.token_urlsafe(12)}" if key is None else orjson.dumps([*key]).decode()


def _checked(kind: str, state_key: str | None, content: Content) -> bytes:
    """The content as JSON. Content that no event can have is refused at once; the rest is checked on sending."""
    if not fits(kind) or not fits(state_key or "") or "\0" in f"{kind}{state_key or ''}":
        raise Invalid("a type or a state key must have at most 255 bytes", code="bad_event")
    try:
        made = canonical.encode_strict(content)
    except BadJson as error:
        raise Invalid(str(error), code="bad_event") from error
    if len(made) > canonical.MAX_PDU_BYTES:
        raise TooLarge(f"an event must have at most {canonical.MAX_PDU_BYTES} bytes", code="event_too_large")
    return made
