"""Metrics of the server, for Prometheus.

Each server has its own `Metrics` with a registry of its own, so that two servers in one process do not mix. Parts of
the server get it through their constructors. `listen` serves the metrics on a separate port.
"""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from aiohttp import web
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from homeserver.settings.process import MetricsSettings

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
_BATCH_ENTRIES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000)


class Spent:
    """What a block of code has spent so far: database statements sent, and seconds in which it waited for news."""

    __slots__ = ("statements", "waited_s")

    def __init__(self) -> None:
        self.statements = 0
        self.waited_s = 0.0


_spent: ContextVar[Spent | None] = ContextVar("spent", default=None)


@contextmanager
def spending() -> Iterator[Spent]:
    """Count the statements of this block and of tasks that it starts, not those of concurrent work."""
    spent = Spent()
    token = _spent.set(spent)
    try:
        yield spent
    finally:
        _spent.reset(token)


@contextmanager
def waiting() -> Iterator[None]:
    """Within the context a request waits for something to happen (a long poll): that time makes no request slow."""
    began = time.perf_counter()
    try:
        yield
    finally:
        if (spent := _spent.get()) is not None:
            spent.waited_s += time.perf_counter() - began


class Metrics:
    """The metrics of one server. All methods are cheap, synchronous and never raise."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._make_http()
        self._make_timeline()
        self._make_sockets()
        self._make_rest()

    def _make_http(self) -> None:
        self._requests = Counter(
            "homeserver_http_requests",
            "Answered requests by route, method and class of status",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "homeserver_http_request_seconds",
            "Seconds from a request to its answer, without those in which it waited for news",
            ("route", "method"),
            buckets=_REQUEST_SECONDS,
            registry=self.registry,
        )
        self._request_statements = Counter(
            "homeserver_http_request_statements",
            "Statements sent to the database by requests themselves; what is written for many at once is not of them",
            ("route", "method"),
            registry=self.registry,
        )
        self._requests_open = Gauge(
            "homeserver_http_requests_open", "Requests being answered now", registry=self.registry
        )

    def _make_timeline(self) -> None:
        self._entries = Counter(
            "homeserver_entries_appended", "Entries written to the log", registry=self.registry
        )
        self._events = Counter(
            "homeserver_events_appended", "Room events written to the log", registry=self.registry
        )
        self._batch_entries = Histogram(
            "homeserver_batch_entries",
            "Entries in one transaction",
            buckets=_BATCH_ENTRIES,
            registry=self.registry,
        )
        self._commit_seconds = Histogram(
            "homeserver_commit_seconds",
            "Seconds that one transaction of the log takes",
            buckets=_COMMIT_SECONDS,
            registry=self.registry,
        )
        self._waiting = Gauge(
            "homeserver_entries_waiting", "Entries waiting to be written", registry=self.registry
        )
        self._set_aside = Counter(
            "homeserver_entries_set_aside",
            "Entries of the log that a reader could not handle and passed over",
            ("reader",),
            registry=self.registry,
        )
        self._statements = Counter(
            "homeserver_db_statements", "Statements sent to the database", registry=self.registry
        )

    def _make_sockets(self) -> None:
        self._sockets = Gauge("homeserver_sockets_open", "Open WebSockets", ("face",), registry=self.registry)
        self._frames = Counter(
            "homeserver_frames_sent", "Frames sent to WebSockets", ("face",), registry=self.registry
        )
        self._slow_sockets = Counter(
            "homeserver_slow_sockets_closed",
            "WebSockets closed because they did not read",
            ("face",),
            registry=self.registry,
        )

    def _make_rest(self) -> None:
        self._limited = Counter(
            "homeserver_rate_limited", "Requests refused by a rate limit", ("bucket",), registry=self.registry
        )
        self._restarts = Counter(
            "homeserver_task_restarts",
            "Background tasks started again after a crash",
            ("task",),
            registry=self.registry,
        )
        self._failures = Counter(
            "homeserver_task_failures", "Crashes of background tasks", ("task",), registry=self.registry
        )

        self._pushes = Counter(
            "homeserver_pushes",
            "Tries to push to a browser, by what became of them",
            ("outcome",),
            registry=self.registry,
        )

    def request_started(self) -> None:
        """A request has started; `request_done` must follow."""
        self._requests_open.inc()

    def request_done(
        self, *, route: str, method: str, status: int, seconds: float | None, statements: int = 0
    ) -> None:
        """A request has ended. `route`: the path template, never the path itself. `seconds`: None for sockets."""
        method = method if method in _METHODS else "other"
        self._requests_open.dec()
        self._requests.labels(route, method, f"{status // 100}xx").inc()
        if statements:
            self._request_statements.labels(route, method).inc(statements)
        if seconds is not None:
            self._request_seconds.labels(route, method).observe(seconds)

    def batch_committed(self, *, entries: int, events: int, seconds: float) -> None:
        """A transaction of the log is on disk, with this number of entries, and of room events among them."""
        self._entries.inc(entries)
        self._events.inc(events)
        self._batch_entries.observe(entries)
        self._commit_seconds.observe(seconds)

    def set_waiting(self, entries: int) -> None:
        """Set the number of entries that wait to be written."""
        self._waiting.set(entries)

    def statement_sent(self) -> None:
        """A statement was sent to the database; it counts for the block that is `spending`."""
        self._statements.inc()
        if (spent := _spent.get()) is not None:
            spent.statements += 1

    def socket_opened(self, face: str) -> None:
        self._sockets.labels(face).inc()

    def socket_closed(self, face: str) -> None:
        self._sockets.labels(face).dec()

    def frames_sent(self, face: str, count: int = 1) -> None:
        self._frames.labels(face).inc(count)

    def slow_socket_closed(self, face: str) -> None:
        """A socket was closed because its queue was full."""
        self._slow_sockets.labels(face).inc()

    def rate_limited(self, bucket: str) -> None:
        """A request was refused. `bucket`: a key of `rate_limits`, never a user or an address."""
        self._limited.labels(bucket).inc()

    def push_tried(self, outcome: str) -> None:
        """A push was attempted. `outcome`: sent, again (to be retried), gone (subscription ended) or dropped."""
        self._pushes.labels(outcome).inc()

    def set_aside(self, reader: str) -> None:
        """A consumer of the log set aside an entry that it could not handle."""
        self._set_aside.labels(reader).inc()

    def task_failed(self, task: str) -> None:
        self._failures.labels(task).inc()

    def task_restarted(self, task: str) -> None:
        self._restarts.labels(task).inc()

    def value(self, name: str, **labels: str) -> float:
        """A current value, e.g. value("homeserver_frames_sent_total", face="university"); 0 if unknown."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def render(self) -> bytes:
        """All metrics in the Prometheus text format."""
        return generate_latest(self.registry)


@asynccontextmanager
async def listen(metrics: Metrics, settings: MetricsSettings) -> AsyncIterator[int | None]:
    """Serve GET /metrics within the context. Yields the port, or None if metrics are disabled."""
    if not settings.enabled:
        yield None
        return

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/metrics", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
