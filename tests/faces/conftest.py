"""A server with every API, and people whom one host application vouches for on all of them."""

from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest

from bridges.marketplace import BRIDGE
from homeserver.bridges import Bridge
from homeserver.lifecycle import Running
from tests.bridges.marketplace.conftest import ISSUER


@pytest.fixture
def overrides() -> dict[str, object]:
    return {
        "issuers": [ISSUER],
        "bridges": {"marketplace": {"issuer": "market"}},
        "matrix": {"enabled": True},
    }


@pytest.fixture
def bridges() -> Mapping[str, Bridge]:
    return {"marketplace": BRIDGE}


@pytest.fixture
async def client(server: Running) -> AsyncIterator[aiohttp.ClientSession]:
    """Keeps no cookies, so that two guests may share it."""
    async with aiohttp.ClientSession(server.url, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session
