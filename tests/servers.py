"""Servers that tests share: one of each database and settings, started when a test first asks for it.

Starting one takes longer than most stories. Those that share one bring people and rooms of their own (`tests.names`).
"""

import asyncio
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web_app
from sqlalchemy.engine import URL

from homeserver.bridges import Bridge, find
from homeserver.lifecycle import Running, running
from homeserver.settings.models import Settings
from tests.databases import Databases

MOST_KEPT = 4
"""As many run in one worker at a time. Each keeps connections to its database."""
ARGON2_KIB = 256
"""Memory of a password's hash: less than any operator may set, as tests make thousands of accounts."""
_START_S = 60


@dataclass
class _Kept:
    """A server that runs in a task of its own until `end`."""

    url: URL
    end: asyncio.Event = field(default_factory=asyncio.Event)
    ready: asyncio.Future[Running] = field(default_factory=asyncio.Future)

    async def run(self, settings: Settings, bridges: Mapping[str, Bridge] | None) -> None:
        find_bridge = find if bridges is None else bridges.__getitem__
        try:
            async with running(settings, find_bridge=find_bridge) as one:
                self.ready.set_result(one)
                await self.end.wait()
        except Exception as error:
            if self.ready.done():
                raise
            self.ready.set_exception(error)


class Servers:
    """Lends running servers; keeps those that were lent last."""

    def __init__(self, databases: Databases, folder: Path) -> None:
        self._databases = databases
        self._folder = folder
        self._numbers = itertools.count(1)
        self._kept: dict[str, tuple[_Kept, asyncio.Task[None]]] = {}

    async def lend(
        self, kind: str, overrides: Mapping[str, object], bridges: Mapping[str, Bridge] | None
    ) -> Running:
        """A server on a database of this kind with these settings, and these bridges (None: those installed)."""
        name = json.dumps(
            [kind, overrides, None if bridges is None else sorted(bridges)], sort_keys=True, default=str
        )
        kept = self._kept.pop(name, None)
        if kept is not None and kept[1].done():
            await self._close(*kept)
            kept = None
        if kept is None:
            while len(self._kept) >= MOST_KEPT:
                await self._close(*self._kept.pop(next(iter(self._kept))))
            kept = self._start(kind, overrides, bridges)
        self._kept[name] = kept  # the last that was lent stands last
        async with asyncio.timeout(_START_S):
            return await asyncio.shield(kept[0].ready)

    async def drop(self, server: Running) -> None:
        """Lend it no more: nobody knows what a test that failed has left in it."""
        for name, (kept, task) in [*self._kept.items()]:
            if kept.ready.done() and not kept.ready.exception() and kept.ready.result() is server:
                del self._kept[name]
                await self._close(kept, task)

    async def close(self) -> None:
        while self._kept:
            await self._close(*self._kept.popitem()[1])

    def _start(
        self, kind: str, overrides: Mapping[str, object], bridges: Mapping[str, Bridge] | None
    ) -> tuple[_Kept, asyncio.Task[None]]:
        folder = self._folder / f"server{next(self._numbers)}"
        folder.mkdir()
        kept = _Kept(self._databases.url(kind))
        settings = make_settings(kept.url, folder, overrides)
        return kept, asyncio.create_task(
            kept.run(settings, bridges), name=f"server of tests in {folder.name}"
        )

    async def _close(self, kept: _Kept, task: asyncio.Task[None]) -> None:
        kept.end.set()
        await task
        self._databases.take_back(kept.url)
        forget_handlers()


def make_settings(database: URL, folder: Path, overrides: Mapping[str, object]) -> Settings:
    """Settings of a server of its own: cheap passwords, no rate limits, any free port."""
    url = database.set(drivername=database.get_backend_name())
    values: dict[str, dict[str, object]] = {
        "server": {"name": "test.example", "data_dir": folder / "data"},
        "listen": {"port": 0, "shutdown_grace_s": 5},
        "database": {"url": url.render_as_string(hide_password=False), "pool_size": 4},
        "accounts": {
            "registration": True,
            "argon2_time_cost": 1,
            "argon2_parallelism": 1,
        },
        "rate_limits": {"enabled": False},
        "metrics": {"enabled": False},
    }
    given: dict[str, object] = {**values}
    for section, wanted in overrides.items():
        given[section] = {**values.get(section, {}), **wanted} if isinstance(wanted, dict) else wanted
    made = Settings.model_validate(given)
    accounts = made.accounts.model_copy(update={"argon2_memory_kib": ARGON2_KIB})
    return made.model_copy(update={"accounts": accounts})


def forget_handlers() -> None:
    """Let go of the servers that ended: the library remembers the applications of the last thousand handlers."""
    web_app._cached_build_middleware.cache_clear()
