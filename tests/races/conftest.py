"""A server with every API, and what the races need of it."""

import itertools
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest

from bridges.marketplace import BRIDGE
from homeserver.bridges import Bridge
from homeserver.lifecycle import Running
from tests.bridges.marketplace.conftest import ISSUER
from tests.races import matrix_admin

_names = itertools.count(1)


@pytest.fixture
def overrides() -> dict[str, object]:
    return {
        "issuers": [ISSUER],
        "bridges": {"marketplace": {"issuer": "market"}},
        "matrix": {"enabled": True, "shared_secret": matrix_admin.SECRET},
        "notices": {"enabled": True},
        "push": {"poll_interval_s": 60, "subject": "mailto:push@example.org"},
    }


@pytest.fixture
def bridges() -> Mapping[str, Bridge]:
    return {"marketplace": BRIDGE}


@pytest.fixture
async def client(server: Running) -> AsyncIterator[aiohttp.ClientSession]:
    """Keeps no cookies, so that its people do not disturb each other."""
    async with aiohttp.ClientSession(server.url, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
async def service_key(server: Running) -> str:
    made = await server.hs.auth.service_keys.create(f"races {next(_names)}", "marketplace")
    return made.secret
