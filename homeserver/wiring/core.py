"""The log and what it stands on: the first parts that are built."""

from dataclasses import dataclass
from pathlib import Path

from aiohttp.abc import AbstractResolver

from homeserver.clock import Clock
from homeserver.kit.ratelimit import RateLimits
from homeserver.metrics import Metrics
from homeserver.net.client import HttpClient
from homeserver.net.publicnet import Guard
from homeserver.servers import Servers
from homeserver.services.rooms.product_projection import ProductProjection
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

_QUEUES = 2  # to browsers and to push gateways, each with `push.concurrency` requests at a time
_CONNECTIONS = 100  # callers have tighter bounds of their own


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The clients for outgoing HTTP, one for each policy.

    `pushes`: to addresses that people name, with the public internet open alone unless `push.allow_private`. `pages`:
    the same for previews, and `previews.allowed_networks`. `configured`: to addresses from the settings, which may be
    anywhere.
    """

    pushes: HttpClient
    pages: HttpClient
    configured: HttpClient

    async def close(self) -> None:
        """Close all connections."""
        for client in (self.pushes, self.pages, self.configured):
            await client.close()


@dataclass(frozen=True, slots=True)
class Core:
    """The log and what it stands on."""

    db: Database
    clock: Clock
    metrics: Metrics
    tasks: Tasks
    limits: RateLimits
    keys: ServerKeys
    servers: Servers
    live: Live
    appender: Appender
    timeline: Timeline
    outgoing: Outgoing


def build_core(settings: Settings, clock: Clock, resolver: AbstractResolver | None = None) -> Core:
    """Build them. Makes the keys at the first start. `resolver` finds the addresses of names in outgoing requests."""
    data_dir = Path(settings.server.data_dir)
    keys = open_keys(data_dir)
    metrics = Metrics()
    db = Database(database_url(settings.database, data_dir), settings.database, metrics.statement_sent)
    live = Live(db, settings.timeline.ring_entries, metrics)
    signer = Signer(settings.server.name, keys.signing, settings.timeline.snapshot_chain)
    chainer = Chainer(signer, clock)
    servers = Servers(settings.server.name)
    heads = Heads(db, settings.timeline.cached_rooms, servers)
    live.listen(heads.note)
    appender = Appender(
        db=db,
        live=live,
        chainer=chainer,
        clock=clock,
        settings=settings.timeline,
        metrics=metrics,
        projection=ProductProjection(servers),
    )
    timeline = Timeline(server=settings.server.name, heads=heads, chainer=chainer, appender=appender)
    return Core(
        db=db,
        clock=clock,
        metrics=metrics,
        tasks=Tasks(metrics),
        limits=RateLimits(settings.rate_limits, clock, metrics.rate_limited),
        keys=keys,
        servers=servers,
        live=live,
        appender=appender,
        timeline=timeline,
        outgoing=build_outgoing(settings, resolver),
    )


def build_outgoing(settings: Settings, resolver: AbstractResolver | None = None) -> Outgoing:
    """Build the clients; they connect to nobody before they are asked to."""
    return Outgoing(
        pushes=HttpClient(
            Guard(None if settings.push.allow_private else ()),
            connections=_QUEUES * settings.push.concurrency,
            resolver=resolver,
        ),
        pages=HttpClient(
            Guard(settings.previews.allowed_networks),
            connections=settings.previews.concurrency,
            keeps=False,
            resolver=resolver,
        ),
        configured=HttpClient(Guard(None), connections=_CONNECTIONS, resolver=resolver),
    )
