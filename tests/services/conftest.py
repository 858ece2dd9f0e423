"""One worker's services about people, or two on one database."""

from collections.abc import AsyncIterator

import pytest

from homeserver.clock import FakeClock
from homeserver.storage.db import Database
from tests.services.people import People, working


@pytest.fixture
async def people(db: Database, clock: FakeClock) -> AsyncIterator[People]:
    async with working(db, clock) as made:
        yield made


@pytest.fixture
async def elsewhere(db: Database, clock: FakeClock, people: People) -> AsyncIterator[People]:
    """A second worker on the database of `people`."""
    async with working(db, clock) as made:
        yield made
