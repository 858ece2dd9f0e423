"""Start of a built server: migrations, background tasks, listeners; and its stop, in reverse order."""

import asyncio
import gc
import logging
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from homeserver import memory, metrics
from homeserver.app import Homeserver, build
from homeserver.bridges import Bridge, Parts, find
from homeserver.errors import Unavailable
from homeserver.faces import make_app, make_bridges, make_federation_app
from homeserver.http.connections import Connections, most_connections, raise_file_limit
from homeserver.http.sockets import Hub
from homeserver.http.tls import Certificate
from homeserver.services.demo import DemoAccounts
from homeserver.services.media.disk import check_space
from homeserver.settings.models import Settings
from homeserver.storage.log import Entry
from homeserver.storage.migrate import upgrade
from homeserver.timeline.housekeeping import PURGE_INTERVAL_S, follow, purge_transactions
from homeserver.web.pages import DemoAccount

logger = logging.getLogger(__name__)
_CERTIFICATE_S = 60.0  # how often the certificate's files are looked at
_BACKLOG = 512  # connections that the system accepts before we do
# A long list makes some ten thousand objects that live as long as their response. With the default thresholds the
# garbage collector scans them, and every so often all that is cached, while every request waits.
_COLLECTOR = (50_000, 20, 20)


class Running(NamedTuple):
    """A running server, reachable at `url`."""

    hs: Homeserver
    hub: Hub
    url: str
    metrics_port: int | None
    federation_port: int | None = None


@asynccontextmanager
async def working(hs: Homeserver) -> AsyncIterator[None]:
    """Everything below the APIs, running: tables migrated, the log open, background tasks started."""
    settings, core = hs.settings, hs.core
    await upgrade(core.db.url, allowed=settings.database.auto_migrate)
    try:
        await core.db.open()
        await core.live.start()
        for listener in _listeners(hs):
            core.live.listen(listener)
        core.live.listen_own(hs.realtime.presence.note_own)
        if settings.matrix.enabled:
            await hs.events.visibility.load()
            await hs.admin.server_notices.prepare()
        _start_tasks(hs)
        _start_housekeeping(hs)
        await hs.moderation.word_list.load()
        yield
    finally:
        hs.realtime.typing.close()
        hs.realtime.presence.close()
        try:
            async with asyncio.timeout(settings.listen.shutdown_grace_s):
                await core.appender.drain()
        except TimeoutError:
            logger.exception("not everything that waited could be written before the end")
        await core.tasks.stop(settings.listen.shutdown_grace_s)
        await core.outgoing.close()
        if hs.federation is not None:
            await hs.federation.http.close()
        hs.media.store.close()
        hs.media.disk.close()
        hs.accounts.passwords.close()
        await core.db.close()


def _listeners(hs: Homeserver) -> Iterator[Callable[[Entry], None]]:
    """Listeners of the log, in order: first caches, then those that wake readers, who find the caches up to date."""
    yield from (hs.auth.sessions.note, hs.auth.jwt_login.note, hs.auth.service_keys.note)
    yield from (hs.accounts.profiles.note, hs.accounts.blocks.note, hs.enquiries.enquiries.note)
    yield from (hs.events.rendering.note, hs.events.visibility.note, hs.e2ee.to_device.note)
    yield from (hs.realtime.presence.note, hs.clientdata.account_data.note, hs.clientdata.push_rules.note)
    yield from (hs.sliding.room_lists.note, hs.sync.memberships.note)
    yield from (hs.realtime.typing.hear, hs.media.repository.hear, hs.sync.long_polls.hear)
    yield hs.realtime.feed.hear


def _start_tasks(hs: Homeserver) -> None:
    """Start the background tasks that run until the server stops."""
    settings, core = hs.settings, hs.core
    tasks = core.tasks
    tasks.start("appender", core.appender.run)
    tasks.start("feed", hs.realtime.feed.run)
    tasks.start("waiting syncs", hs.sync.long_polls.run)
    tasks.start("follow", partial(follow, core.live, settings.timeline))
    tasks.start("member profiles", hs.rooms.profile_propagation.run)
    if settings.matrix.enabled:
        hs.notifications.start(tasks)
        hs.search.index.start(tasks)
        tasks.start("delayed events", hs.messages.delayed.run)
        tasks.start("farewells", hs.rooms.leave_on_deactivation.run)
        tasks.start("guest exits", hs.rooms.guest_eviction.run)


def _start_housekeeping(hs: Homeserver) -> None:
    """Start the periodic tasks: deleting expired data, polling for changes."""
    settings, core = hs.settings, hs.core
    old_transactions = partial(purge_transactions, core.db, core.clock, settings.timeline)
    for name, work, every_s in (
        ("old transactions", old_transactions, PURGE_INTERVAL_S),
        ("sessions", hs.auth.sessions.tidy, settings.tokens.purge_interval_s),
        ("guests", hs.enquiries.guests.sweep, settings.guests.sweep_interval_s),
        ("guest accounts", hs.accounts.guest_accounts.sweep, settings.guest_accounts.sweep_interval_s),
        ("interactions", hs.auth.uia.purge, settings.interactions.ttl_s),
        ("media sweep", hs.media.gc.run_once, settings.media.sweep_interval_s),
        ("previews", hs.previews.forget_old, settings.previews.sweep_interval_s),
        ("sliding connections", hs.sliding.connections.purge, PURGE_INTERVAL_S),
    ):
        core.tasks.repeat(name, work, every_s=every_s)
    if settings.moderation.word_list is not None:
        core.tasks.repeat(
            "word list", hs.moderation.word_list.load, every_s=settings.moderation.word_list_interval_s
        )


@asynccontextmanager
async def running(
    settings: Settings, hs: Homeserver | None = None, *, find_bridge: Callable[[str], Bridge] = find
) -> AsyncIterator[Running]:
    """A whole server, listening. `find_bridge` finds bridges by name."""
    hs = hs or build(settings)
    stopping = asyncio.Event()

    async def check() -> None:
        if stopping.is_set():
            raise Unavailable("the server is stopping", code="stopping")
        await hs.core.db.check()
        await hs.media.disk.run(
            partial(check_space, Path(settings.server.data_dir), settings.server.min_free_bytes)
        )

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(working(hs))
        accounts = await _demo(hs)
        hub = Hub(settings.sockets, hs.core.clock, hs.core.metrics)
        bridges = make_bridges(hs, hub, find_bridge)
        app = make_app(hs, hub, check=check, demo_accounts=accounts, bridges=list(bridges.values()))
        _start_bridges(hs, bridges)
        runner = await _set_up(stack, app, settings.listen.shutdown_grace_s)
        stack.push_async_callback(hub.stop, settings.listen.shutdown_grace_s)
        metrics_port = await stack.enter_async_context(metrics.listen(hs.core.metrics, settings.metrics))
        listener = await _listen(runner, settings)
        stack.callback(listener.close)
        federation_port = await _listen_for_servers(stack, hs)
        stack.callback(stopping.set)
        stack.callback(hs.sync.long_polls.close)
        stack.callback(hs.media.repository.close)
        host, port = listener.sockets[0].getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        yield Running(hs, hub, url, metrics_port, federation_port)


async def _listen_for_servers(stack: AsyncExitStack, hs: Homeserver) -> int | None:
    """Listen for other servers; the port, None without federation."""
    around = hs.settings.federation
    if hs.federation is None:
        return None
    context = None
    if around.certificate_file is not None and around.private_key_file is not None:
        certificate = Certificate(around.certificate_file, around.private_key_file)
        certificate.load()
        context = certificate.context
        hs.core.tasks.repeat("certificate", certificate.reload, every_s=_CERTIFICATE_S)
    runner = await _set_up(stack, make_federation_app(hs), hs.settings.listen.shutdown_grace_s)
    listener = await _listen(runner, hs.settings, (around.host, around.port), context)
    stack.callback(listener.close)
    port: int = listener.sockets[0].getsockname()[1]
    logger.info("listening for other servers at port %d", port)
    return port


async def _set_up(stack: AsyncExitStack, app: web.Application, grace_s: float) -> web.AppRunner:
    """A runner of an application, until the end of the stack."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=grace_s, handle_signals=False)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    return runner


async def _listen(
    runner: web.AppRunner,
    settings: Settings,
    at: tuple[str, int] | None = None,
    tls: ssl.SSLContext | None = None,
) -> asyncio.Server:
    """Listen, with our bounds on connections; `at` another host and port than those of `listen`."""
    if runner.server is None:
        raise LookupError("the runner is not set up")
    make = Connections(settings.listen, most_connections()).protocol(runner.server)
    host, port = at or (settings.listen.host, settings.listen.port)
    loop = asyncio.get_running_loop()
    return await loop.create_server(make, host, port, backlog=_BACKLOG, ssl=tls)


def _start_bridges(hs: Homeserver, bridges: Mapping[str, Parts]) -> None:
    """Start listeners, tasks and push renderers of the bridges; pushes start only after that."""
    for name, parts in bridges.items():
        for sentence in parts.warnings:
            logger.warning("bridge %s: %s", name, sentence)
        for listener in parts.listeners:
            hs.core.live.listen(listener)
        for task, run in parts.tasks.items():
            hs.core.tasks.start(f"{name}: {task}", run)
        if parts.push is not None:
            hs.push.faces.add(parts.push)
    hs.push.start(hs.core.tasks)


async def serve(settings: Settings, ready: Callable[[Running], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then finish requests in progress and return."""
    memory.spare()
    raise_file_limit()
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    async with running(settings) as server:
        server.hs.core.tasks.start("trim memory", memory.trim)
        # Objects that exist now live until the end: the collector need not scan them again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECTOR)
        logger.info("listening at %s", server.url)
        if ready is not None:
            ready(server)
        await end.wait()
        logger.info("stopping")


async def _demo(hs: Homeserver) -> Sequence[DemoAccount]:
    if not hs.settings.web.demo:
        return ()
    demo = DemoAccounts(
        accounts=hs.accounts.accounts,
        rooms=hs.rooms.rooms,
        access=hs.events.access,
        messages=hs.messages.messages,
        file=Path(hs.settings.server.data_dir) / "demo.json",
    )
    return [DemoAccount(one.email, one.password, one.display_name) for one in await demo.ensure()]
