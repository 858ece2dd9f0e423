"""A server with the Matrix API, and clients that others wrote."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from homeserver.running import Running
from tests.clients.tellers import tell

Teller = Callable[[str], Awaitable[dict[str, Any]]]


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"matrix": {"enabled": True}}


@pytest.fixture
def told(server: Running) -> Teller:
    """Runs a story against the server."""
    return partial(tell, url=server.url)
