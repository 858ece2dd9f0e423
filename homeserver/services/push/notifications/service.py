"""Evaluates the log for notifications: stores counts, decides on pushes, and sends those to gateways."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LOG_START, LogPosition
from homeserver.outbox.worker import Worker
from homeserver.services.push.gateway.decide import GatewayDecider
from homeserver.services.push.gateway.pushers import Pushers
from homeserver.services.push.gateway.send import PushJob
from homeserver.services.push.notifications.evaluate import Evaluator
from homeserver.services.push.notifications.listing import Listing
from homeserver.services.push.notifications.store import NotificationStore
from homeserver.storage.log import Entry
from homeserver.tasks import Tasks
from homeserver.timeline.consume import Effect

CONSUMER = "notifications"


class Notifications:
    """Evaluates each event once, and stores the results. `consume` reads the log under the name CONSUMER;
    `position`: the log was handled at least up to here."""

    def __init__(
        self,
        *,
        consume: Callable[..., Awaitable[None]],
        evaluator: Evaluator,
        keeper: NotificationStore,
        decider: GatewayDecider,
        sender: Worker[PushJob],
        pushers: Pushers,
        listing: Listing,
    ) -> None:
        self._consume = consume
        self._evaluator = evaluator
        self._keeper = keeper
        self._decider = decider
        self._sender = sender
        self.pushers = pushers
        self.listing = listing
        self.position = LOG_START

    def start(self, tasks: Tasks) -> None:
        """Start the tasks that evaluate and send."""
        tasks.start("notifications", self._read)
        tasks.start("push gateways", self._sender.run)

    async def _read(self) -> None:
        self._evaluator.forget()  # evaluations before an interruption may not have been written
        await self._consume(handle=self.handle, after=self._wake)

    def _wake(self) -> None:
        if self._decider.has_decided:
            self._sender.wake()

    async def handle(self, entries: Sequence[Entry]) -> Effect | None:
        """What these entries cause; None for nothing."""
        self.position = LogPosition(entries[0].position - 1)
        found = await self._evaluator.judge(entries)
        effects = [await self._keeper.effect(found), await self._decider.effect(found, entries)]
        wanted = [effect for effect in effects if effect is not None]
        return partial(_write, wanted) if wanted else None


async def _write(effects: Sequence[Effect], conn: AsyncConnection) -> None:
    for effect in effects:
        await effect(conn)
