"""A server with every API, and people whom one host application vouches for on all of them."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from bridges.marketplace import BRIDGE
from homeserver.lifecycle import Running, running
from homeserver.settings.models import Settings
from tests.bridges.marketplace.conftest import ISSUER


@pytest.fixture
def overrides() -> dict[str, object]:
    return {
        "issuers": [ISSUER],
        "bridges": {"marketplace": {"issuer": "market"}},
        "matrix": {"enabled": True},
    }


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    async with running(settings, find_bridge={"marketplace": BRIDGE}.__getitem__) as one:
        yield one


@pytest.fixture
async def client(server: Running) -> AsyncIterator[aiohttp.ClientSession]:
    """Keeps no cookies, so that two guests may share it."""
    async with aiohttp.ClientSession(server.url, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session
