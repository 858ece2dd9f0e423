"""A server with the Matrix API, and clients that others wrote."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from homeserver.lifecycle import Running, running
from homeserver.settings.models import RateLimitSettings, Settings
from tests.clients.tellers import tell

Teller = Callable[[str], Awaitable[dict[str, Any]]]


@pytest.fixture
def database_kind() -> str:
    """Clients do not see which database there is; one is enough."""
    return "sqlite"


@pytest.fixture
def overrides() -> dict[str, object]:
    """With the rate limits as they are by default: they must let clients do what they do."""
    return {"matrix": {"enabled": True}, "rate_limits": {"enabled": True}}


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    """Its own for each story: they name their people."""
    async with running(settings) as one:
        yield one


@pytest.fixture
def told(server: Running) -> Teller:
    """Runs a story against the server, which refuses nothing for being too much."""

    async def run(story: str) -> dict[str, Any]:
        seen = await tell(story, server.url)
        metrics = server.hs.core.metrics
        buckets = RateLimitSettings.model_fields
        counts = {one: metrics.value("homeserver_rate_limited_total", bucket=one) for one in buckets}
        assert not any(counts.values()), counts
        return seen

    return run
