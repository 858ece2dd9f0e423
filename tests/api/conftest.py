"""People of the stories."""

import aiohttp
import pytest

from tests.api.driver import User, register


@pytest.fixture
async def alice(client: aiohttp.ClientSession) -> User:
    return await register(client, "Alice")


@pytest.fixture
async def bob(client: aiohttp.ClientSession) -> User:
    return await register(client, "Bob")


@pytest.fixture
async def carol(client: aiohttp.ClientSession) -> User:
    return await register(client, "Carol")


@pytest.fixture
def nobody(client: aiohttp.ClientSession) -> User:
    """Somebody without a token."""
    return User(client, "", 0)
