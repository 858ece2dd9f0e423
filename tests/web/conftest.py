"""Browsers in front of a whole server.

A test asks for `people` (accounts with names), opens pages for them with `browsers.open`, and looks at what they see.
Whatever a page complains of (an exception, an error on the console, something that the content security policy
stopped) fails the test at its end.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from playwright.async_api import Browser

from homeserver.lifecycle import Running, running
from homeserver.settings.models import Settings
from tests.web.browsers import Browsers
from tests.web.person import Person, register

People = Callable[..., Awaitable[list[Person]]]


@pytest.fixture
def database_kind() -> str:
    """The pages do not see which database there is; one is enough."""
    return "sqlite"


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    """Its own for each test: people look for each other by name."""
    async with running(settings) as one:
        yield one


@pytest.fixture
async def people(server: Running) -> AsyncIterator[People]:
    """Make accounts: `alice, bob = await people("Alice Liddell", "Bob Dodgson")`."""
    async with aiohttp.ClientSession(server.url) as session:

        async def make(*names: str) -> list[Person]:
            return [await register(session, name) for name in names]

        yield make


@pytest.fixture
async def browsers(chromium: Browser, server: Running) -> AsyncIterator[Browsers]:
    """Opens pages, each in a browser of its own; fails the test if one of them complained."""
    opener = Browsers(chromium, server.url)
    yield opener
    await opener.close()
    assert opener.complaints == []
