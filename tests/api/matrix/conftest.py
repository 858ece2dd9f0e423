"""A server with the Matrix API, and clients of it."""

import aiohttp
import pytest

from tests.api.matrix.driver import Client


@pytest.fixture
def overrides() -> dict[str, object]:
    """Nothing looks for pushes to send: its statements would be counted too."""
    return {"matrix": {"enabled": True}, "push": {"poll_interval_s": 60}}


@pytest.fixture
def nobody(client: aiohttp.ClientSession) -> Client:
    """A client that has not logged in."""
    return Client(client)


@pytest.fixture
async def alice(nobody: Client) -> Client:
    return await nobody.register("alice")


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


@pytest.fixture
async def carol(nobody: Client) -> Client:
    return await nobody.register("carol")
