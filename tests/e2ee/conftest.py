"""A second worker beside `hs`."""

from collections.abc import AsyncIterator

import pytest

from homeserver.app import Homeserver, build
from homeserver.lifecycle import working
from homeserver.settings.models import Settings


@pytest.fixture
async def elsewhere(hs: Homeserver, settings: Settings) -> AsyncIterator[Homeserver]:
    """Another worker on the database of `hs`."""
    built = build(settings)
    async with working(built):
        yield built
