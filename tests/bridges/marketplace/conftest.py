"""A server with the marketplace's bridge."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bridges.marketplace import BRIDGE
from homeserver.lifecycle import Running, running
from homeserver.settings.models import Settings
from tests.bridges.marketplace.people import (
    BUYER,
    SECRET,
    SELLER,
    SUPPORT,
    Shopper,
    guest,
    registered,
)

ISSUER = {
    "name": "market",
    "namespace": 5,
    "secret": SECRET,
    "claims": {"display_name": "username", "role": "user_type"},
}


@pytest.fixture
def market() -> dict[str, object]:
    """Settings of the bridge that a test wants otherwise."""
    return {}


@pytest.fixture
def more() -> dict[str, object]:
    """Sections that a test wants otherwise."""
    return {}


@pytest.fixture
def overrides(market: dict[str, object], more: dict[str, object]) -> dict[str, object]:
    return {"issuers": [ISSUER], "bridges": {"marketplace": {"issuer": "market", **market}}, **more}


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    async with running(settings, find_bridge={"marketplace": BRIDGE}.__getitem__) as one:
        yield one


@pytest.fixture
async def client(server: Running) -> AsyncIterator[aiohttp.ClientSession]:
    """Keeps no cookies."""
    async with aiohttp.ClientSession(server.url, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
async def browser(server: Running) -> AsyncIterator[aiohttp.ClientSession]:
    """Keeps cookies."""
    async with aiohttp.ClientSession(server.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


@pytest.fixture
def seller(client: aiohttp.ClientSession) -> Shopper:
    return registered(client, SELLER)


@pytest.fixture
def buyer(client: aiohttp.ClientSession) -> Shopper:
    return registered(client, BUYER)


@pytest.fixture
def stranger(client: aiohttp.ClientSession) -> Shopper:
    return registered(client, 666)


@pytest.fixture
def support(client: aiohttp.ClientSession) -> Shopper:
    return registered(client, SUPPORT, user_type="support")


@pytest.fixture
def visitor(client: aiohttp.ClientSession) -> Shopper:
    """A guest whose client keeps no cookies."""
    return guest(client)


@pytest.fixture
async def backend(server: Running, client: aiohttp.ClientSession) -> Shopper:
    """One of the marketplace's own servers, with a service key."""
    made = await server.hs.auth.service_keys.create("orders", "marketplace")
    return Shopper(client, "", {"X-Service-Key": made.secret})


@pytest.fixture
def data_dir(settings: Settings) -> Path:
    return Path(settings.server.data_dir)
