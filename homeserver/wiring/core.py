"""The core: log, database and HTTP clients, which are built first."""

from dataclasses import dataclass
from pathlib import Path

from aiohttp.abc import AbstractResolver

from homeserver.clock import Clock
from homeserver.http.address import ClientAddress
from homeserver.http.places import Places
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

_QUEUES = 2  # of browsers and of push gateways, each with `push.concurrency` requests at a time
_CONNECTIONS = 100  # callers have tighter limits of their own


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The clients for outgoing HTTP, one for each policy.

    `pushes`: for URLs that users register, on the public internet only unless `push.allow_private`. `pages`: for
    previews, on the public internet and `previews.allowed_networks`. `configured`: for URLs from the settings, on any
    network.
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
    """The log, the database and what else all services are built on."""

    db: Database
    clock: Clock
    metrics: Metrics
    tasks: Tasks
    limits: RateLimits
    places: Places
    keys: ServerKeys
    servers: Servers
    live: Live
    appender: Appender
    timeline: Timeline
    outgoing: Outgoing


def build_core(settings: Settings, clock: Clock, resolver: AbstractResolver | None = None) -> Core:
    """Build the core. Creates the keys at the first start. `resolver`: DNS resolver for outgoing requests."""
    data_dir = Path(settings.server.data_dir)
    keys = open_keys(data_dir, starts=True)
    metrics = Metrics()
    db = Database(database_url(settings.database, data_dir), settings.database, metrics.statement_sent)
    live = Live(db, settings.timeline.ring_entries, settings.timeline.max_ring_bytes, metrics)
    signer = Signer(settings.server.name, keys.signing, settings.timeline.snapshot_chain)
    chainer = Chainer(signer, clock)
    servers = Servers(settings.server.name)
    heads = Heads(db, settings.timeline.cached_rooms, settings.timeline.max_state_bytes, servers)
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
    timeline = Timeline(db=db, server=settings.server.name, heads=heads, chainer=chainer, appender=appender)
    return Core(
        db=db,
        clock=clock,
        metrics=metrics,
        tasks=Tasks(metrics),
        limits=RateLimits(settings.rate_limits, clock, metrics.rate_limited),
        places=Places(settings.listen, ClientAddress(settings.listen.trusted_proxies)),
        keys=keys,
        servers=servers,
        live=live,
        appender=appender,
        timeline=timeline,
        outgoing=build_outgoing(settings, resolver),
    )


def build_outgoing(settings: Settings, resolver: AbstractResolver | None = None) -> Outgoing:
    """Build the HTTP clients; they open no connection before the first request."""
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
