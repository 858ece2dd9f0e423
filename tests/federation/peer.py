"""A server that is scripted: with a signing key of its own, behind real TLS, it answers what a test wants."""

import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from homeserver.federation.transport.keyanswers import own_answer
from homeserver.protocol.signing import SigningKey
from tests.net.names import OPEN

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Peer:
    """`name` has a port, so that it is found without a look-up. `answers`: by path, before what it does by itself."""

    key: SigningKey
    name: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    headers: list[str] = field(default_factory=list)
    valid_until_ms: int = 2**50

    def says(self, key: SigningKey | None = None, **changes: Any) -> dict[str, Any]:
        """Its answer about its keys."""
        return {**own_answer(self.name, key or self.key, [], self.valid_until_ms), **changes}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked[request.path] += 1
        self.headers += request.headers.getall("Authorization", [])
        found = self.answers.get(request.path)
        if callable(found):
            found = await found(request)
        if isinstance(found, web.StreamResponse):
            return found
        if found is None and request.path == "/_matrix/key/v2/server":
            found = self.says()
        if found is None:
            return web.json_response({"errcode": "M_NOT_FOUND", "error": "nothing"}, status=404)
        return web.json_response(found)


@asynccontextmanager
async def at_work(tls: ssl.SSLContext, host: str = "localhost") -> AsyncIterator[Peer]:
    """A peer at a port of its own."""
    peer = Peer(SigningKey.generate("peer"))
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", peer.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, OPEN, 0, ssl_context=tls).start()
    peer.name = f"{host}:{runner.addresses[0][1]}"
    yield peer
    await runner.cleanup()
