"""A little web for previews: names that lead to one server of the tests, or to addresses that nobody may reach."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

OPEN = (
    "127.0.0.2"  # the settings of the tests allow this one; any other address of this machine stays private
)


@dataclass
class Site(AbstractResolver):
    """Answers by path with what is in `pages`. `leads`: names and the addresses that they mean, look by look."""

    port: int = 0
    pages: dict[str, web.Response] = field(default_factory=dict)
    leads: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    is_held: asyncio.Event | None = None  # an answer waits for it, if there is one

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = self.leads.get(host, [OPEN])
        address = addresses.pop(0) if len(addresses) > 1 else addresses[0]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        to = ResolveResult(hostname=host, host=address, port=self.port, family=kind, proto=0, flags=0)
        return [to]

    async def close(self) -> None:
        """Nothing is open."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if self.is_held is not None:
            await self.is_held.wait()
        page = self.pages.get(request.path)
        if page is None:
            return web.Response(status=404)
        return web.Response(status=page.status, headers=page.headers, body=page.body)

    def put(self, path: str, text: str | bytes, kind: str = "text/html", **headers: str) -> None:
        """A page."""
        body = text.encode() if isinstance(text, str) else text
        self.pages[path] = web.Response(body=body, headers={"Content-Type": kind, **headers})

    def redirect(self, path: str, to: str) -> None:
        """A page that sends on to another."""
        self.pages[path] = web.Response(status=302, headers={"Location": to})


@asynccontextmanager
async def serving() -> AsyncIterator[Site]:
    """A site that answers at every address of this machine."""
    site = Site()
    runner = web.ServerRunner(web.Server(site.answer))  # type: ignore[arg-type]
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 0).start()
    site.port = runner.addresses[0][1]
    try:
        yield site
    finally:
        await runner.cleanup()
