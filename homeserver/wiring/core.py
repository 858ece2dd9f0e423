"""The log and what it stands on: the first parts that are built."""

from dataclasses import dataclass
from pathlib import Path

from homeserver.clock import Clock
from homeserver.kit.ratelimit import RateLimits
from homeserver.metrics import Metrics
from homeserver.settings.models import Settings
from homeserver.settings.secrets import ServerKeys, open_keys
from homeserver.storage.db import Database, database_url
from homeserver.tasks import Tasks
from homeserver.timeline.appender import Appender
from homeserver.timeline.build import Signer
from homeserver.timeline.chain import Chainer
from homeserver.timeline.heads import Heads
from homeserver.timeline.live import Live
from homeserver.timeline.writer import Timeline


@dataclass(frozen=True, slots=True)
class Core:
    """The log and what it stands on."""

    db: Database
    clock: Clock
    metrics: Metrics
    tasks: Tasks
    limits: RateLimits
    keys: ServerKeys
    live: Live
    appender: Appender
    timeline: Timeline


def build_core(settings: Settings, clock: Clock) -> Core:
    """Build them. Makes the keys at the first start."""
    data_dir = Path(settings.server.data_dir)
    keys = open_keys(data_dir)
    metrics = Metrics()
    db = Database(database_url(settings.database, data_dir), settings.database, metrics.statement_sent)
    live = Live(db, settings.timeline.ring_entries, metrics)
    signer = Signer(settings.server.name, keys.signing, settings.timeline.snapshot_chain)
    chainer = Chainer(signer, clock)
    heads = Heads(db, settings.timeline.cached_rooms)
    live.listen(heads.note)
    appender = Appender(
        db=db, live=live, chainer=chainer, clock=clock, settings=settings.timeline, metrics=metrics
    )
    timeline = Timeline(server=settings.server.name, heads=heads, chainer=chainer, appender=appender)
    return Core(
        db=db,
        clock=clock,
        metrics=metrics,
        tasks=Tasks(metrics),
        limits=RateLimits(settings.rate_limits, clock, metrics.rate_limited),
        keys=keys,
        live=live,
        appender=appender,
        timeline=timeline,
    )
