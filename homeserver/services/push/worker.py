"""The outboxes of pushes to browsers and to push gateways, processed under the same settings."""

from typing import TypeVar

from homeserver.clock import Clock
from homeserver.metrics import Metrics
from homeserver.outbox.queue import Backoff, Queue
from homeserver.outbox.worker import Sending, Worker
from homeserver.settings.models import PushSettings
from homeserver.storage.db import Database
from homeserver.storage.outbox import Outbox

_LEASE_DEADLINES = 3  # after this many request timeouts a claimed push is free again: its worker is dead
Job = TypeVar("Job")


def push_worker(
    outbox: Outbox,
    sending: Sending[Job],
    *,
    db: Database,
    clock: Clock,
    settings: PushSettings,
    metrics: Metrics,
) -> Worker[Job]:
    """A worker that processes one outbox of pushes."""
    queue = Queue(
        outbox,
        db=db,
        clock=clock,
        lease_s=_LEASE_DEADLINES * settings.timeout_s,
        backoff=Backoff(settings.first_pause_s, settings.longest_pause_s, settings.max_tries),
    )
    return Worker(
        queue,
        sending,
        concurrency=settings.concurrency,
        poll_interval_s=settings.poll_interval_s,
        tried=metrics.push_tried,
    )
