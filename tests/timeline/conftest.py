"""A timeline on a real database, with nothing of the services above it but what they keep of rooms."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from homeserver.clock import FakeClock
from homeserver.metrics import Metrics
from homeserver.model import Draft
from homeserver.protocol.ids import RoomId, UserId
from homeserver.protocol.signing import SigningKey
from homeserver.servers import Servers
from homeserver.services.rooms.product_projection import ProductProjection
from homeserver.settings.models import TimelineSettings
from homeserver.storage.db import Database
from homeserver.timeline.appender import Appender
from homeserver.timeline.build import Signer
from homeserver.timeline.chain import Chainer
from homeserver.timeline.graph import Graph
from homeserver.timeline.heads import Heads
from homeserver.timeline.incoming import Incoming
from homeserver.timeline.live import Live
from homeserver.timeline.verify import Fault, verify_room
from homeserver.timeline.writer import Timeline

SERVER = "test.example"
SERVERS = Servers(SERVER)
ALICE = UserId("@alice:test.example")
BOB = UserId("@bob:test.example")


def room_drafts(by: UserId = ALICE, **content: object) -> list[Draft]:
    """The first events of an ordinary room."""
    levels = {"users": {by: 100}, "events_default": 0, "state_default": 50}
    return [
        Draft("m.room.create", by, {"room_version": "11", **content}, state_key=""),
        Draft("m.room.member", by, {"membership": "join"}, state_key=by),
        Draft("m.room.power_levels", by, levels, state_key=""),
        Draft("m.room.join_rules", by, {"join_rule": "public"}, state_key=""),
    ]


def message(text: str, sender: UserId = ALICE, **content: object) -> Draft:
    return Draft("m.room.message", sender, {"msgtype": "m.text", "body": text, **content})


@dataclass
class Writing:
    """A running timeline: one worker on a database."""

    timeline: Timeline
    live: Live
    heads: Heads
    appender: Appender
    db: Database
    key: SigningKey
    metrics: Metrics
    incoming: Incoming
    graph: Graph
    server: str = SERVER

    async def new_room(self, *, key: str | None = None, version: str = "11") -> RoomId:
        drafts = self.drafts(version)
        written = await self.timeline.create_room(drafts, version=version, kind="group", room_key=key)
        return written.events[0].event.room_id

    def drafts(self, version: str = "11") -> list[Draft]:
        """The first events of a room of this version."""
        creator = {} if version in ("11", "12") else {"creator": ALICE}
        drafts = room_drafts(room_version=version, **creator)
        if version == "12":  # its creators stand above all levels and may not be in `users`
            drafts[2] = Draft("m.room.power_levels", ALICE, {"state_default": 50}, state_key="")
        return drafts

    async def faults(self, room_id: RoomId, *others: "Writing") -> list[Fault]:
        """What the verifier says of a room that these servers took part in."""
        keys = {one.server: {one.key.key_id: one.key.verify_key} for one in (self, *others)}
        return [fault async for fault in verify_room(self.db, room_id, keys)]


@asynccontextmanager
async def running(
    db: Database,
    clock: FakeClock,
    key: SigningKey,
    settings: TimelineSettings | None = None,
    server: str = SERVER,
) -> AsyncIterator[Writing]:
    settings = settings or TimelineSettings()
    servers = Servers(server)
    metrics = Metrics()
    live = Live(db, settings.ring_entries, settings.max_ring_bytes, metrics)
    await live.start()
    chainer = Chainer(Signer(server, key, settings.snapshot_chain), clock)
    heads = Heads(db, settings.cached_rooms, settings.max_state_bytes, servers)
    live.listen(heads.note)
    appender = Appender(
        db=db,
        live=live,
        chainer=chainer,
        clock=clock,
        settings=settings,
        metrics=metrics,
        projection=ProductProjection(servers),
    )
    timeline = Timeline(db=db, server=server, heads=heads, chainer=chainer, appender=appender)
    task = asyncio.create_task(appender.run())
    try:
        incoming = Incoming(db=db, heads=heads, chainer=chainer, appender=appender)
        graph = Graph(db, settings.snapshot_chain)
        yield Writing(timeline, live, heads, appender, db, key, metrics, incoming, graph, server)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def key() -> SigningKey:
    return SigningKey.generate("test")


@pytest.fixture
async def writing(db: Database, clock: FakeClock, key: SigningKey) -> AsyncIterator[Writing]:
    async with running(db, clock, key) as one:
        yield one


@pytest.fixture
async def workers(
    db: Database, clock: FakeClock, key: SigningKey
) -> AsyncIterator[Callable[..., Awaitable[Writing]]]:
    """Start further workers on the same database, with the same key."""
    async with AsyncExitStack() as stack:

        async def start(settings: TimelineSettings | None = None) -> Writing:
            return await stack.enter_async_context(running(db, clock, key, settings))

        yield start
