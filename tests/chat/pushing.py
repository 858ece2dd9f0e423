"""The other side of Web Push: a push service on this machine, and browsers that open what it was given."""

import asyncio
import base64
import json
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import http_ece
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from homeserver.services.push.web.service import CONSUMER
from homeserver.storage import log, push
from homeserver.storage.db import Database
from homeserver.storage.push import WaitingPush

SUBJECT = "mailto:admin@test.example"
QUICK = {
    "subject": SUBJECT,
    "allow_private": True,
    "hold_s": 0,
    "poll_interval_s": 60,
    "gather_s": 0.01,
    "first_pause_s": 0.05,
    "timeout_s": 5,
}
"""The section `push` for tests that wait for pushes."""


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True)
class Delivery:
    """A request that the push service got."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Browser:
    """What a browser makes when its person says yes."""

    endpoint: str
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    auth: bytes = field(default_factory=lambda: os.urandom(16))

    def subscription(self) -> dict[str, Any]:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": b64(point), "auth": b64(self.auth)}
        return {"endpoint": self.endpoint, "expirationTime": None, "keys": keys}

    def open(self, delivery: Delivery) -> Any:
        """What the service worker is given."""
        return json.loads(http_ece.decrypt(delivery.body, private_key=self.key, auth_secret=self.auth))


@dataclass
class PushService:
    """Takes whatever it is given; `refusals` are answered first: (status, headers)."""

    url: str = ""
    got: list[Delivery] = field(default_factory=list)
    refusals: deque[tuple[int, dict[str, str]]] = field(default_factory=deque)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(Delivery(request.path, dict(request.headers), await request.read()))
        self._changed.set()
        status, headers = self.refusals.popleft() if self.refusals else (201, {})
        return web.Response(status=status, headers=headers)

    def browser(self, name: str) -> Browser:
        return Browser(f"{self.url}/{name}")

    async def delivered(self, count: int) -> list[Delivery]:
        """Everything, once it is so much."""
        async with asyncio.timeout(30):
            while len(self.got) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.got

    async def texts(self, browser: Browser, count: int) -> list[str]:
        """What the first so many pushes said. They come to a browser in order: what is not among them never came."""
        return [browser.open(one)["body"] for one in (await self.delivered(count))]


@asynccontextmanager
async def push_service() -> AsyncIterator[PushService]:
    made = PushService()
    app = web.Application()
    app.router.add_post("/{name:.*}", made.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


def signed_by(delivery: Delivery, origin: str) -> tuple[str, dict[str, Any]]:
    """The key that signed a delivery, and the claims; fails unless it is good for this push service (RFC 8292)."""
    scheme, _, rest = delivery.headers["Authorization"].partition(" ")
    assert scheme == "vapid"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), unb64(parts["k"]))
    claims: dict[str, Any] = jwt.decode(parts["t"], key, algorithms=["ES256"], audience=origin)
    return parts["k"], claims


async def decided(db: Database, position: int) -> None:
    """Return once it is written down who shall hear of this message; for one that somebody may be told of."""
    async with asyncio.timeout(30):
        while True:
            async with db.read() as conn:
                if (await log.cursor(conn, CONSUMER) or 0) >= position:
                    return
            await asyncio.sleep(0.005)


async def waiting(db: Database, count: int) -> list[WaitingPush]:
    """The pushes that nobody tried yet, in the order of their messages, once there are so many."""
    async with asyncio.timeout(30):
        while True:
            async with db.read() as conn:
                found = await push.untried(conn, 1000)
            if len(found) == count:
                return sorted(found, key=lambda one: one.key.position)
            await asyncio.sleep(0.005)
