"""A push gateway on this machine (push gateway API), which keeps what it is told."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.api.matrix.driver import Client

PATH = "/_matrix/push/v1/notify"
QUICK = {
    "allow_private": True,
    "hold_s": 0,
    "poll_interval_s": 60,
    "first_pause_s": 0.05,
    "timeout_s": 5,
}
"""The section `push` for tests that wait for pushes."""


@dataclass
class Gateway:
    """Answers with `failures` first, and knows none of the devices in `gone`."""

    url: str = ""
    got: list[Any] = field(default_factory=list)
    failures: deque[int] = field(default_factory=deque)
    gone: set[str] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        told = (await request.json())["notification"]
        self.got.append(told)
        self._changed.set()
        if self.failures:
            return web.Response(status=self.failures.popleft())
        keys = [device["pushkey"] for device in told["devices"]]
        return web.json_response({"rejected": [key for key in keys if key in self.gone]})

    async def told(self, count: int) -> list[Any]:
        """Everything, once it is so much."""
        async with asyncio.timeout(30):
            while len(self.got) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.got

    async def texts(self, count: int) -> list[Any]:
        return [one.get("content", {}).get("body") for one in await self.told(count)]

    def pusher(self, pushkey: str = "key", **more: Any) -> dict[str, Any]:
        """The body that sets a pusher here."""
        return {
            "kind": "http",
            "app_id": "org.example.app",
            "pushkey": pushkey,
            "app_display_name": "App",
            "device_display_name": "Phone",
            "lang": "en",
            "data": {"url": self.url},
            **more,
        }

    async def tell(self, client: Client, pushkey: str = "key", **more: Any) -> None:
        """Let it hear of what a client is notified of."""
        await client.call("POST", "pushers/set", body=self.pusher(pushkey, **more))


@asynccontextmanager
async def push_gateway() -> AsyncIterator[Gateway]:
    made = Gateway()
    app = web.Application()
    app.router.add_post(PATH, made.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    try:
        yield made
    finally:
        await runner.cleanup()
