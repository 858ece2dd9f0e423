"""One worker's services about people, or two on one database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeserver.clock import FakeClock
from homeserver.services.media.disk import Disk
from homeserver.settings.models import MediaSettings
from homeserver.storage.db import Database
from tests.services.files import ALICE, Store, make_store
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


@pytest.fixture
def settings() -> MediaSettings:
    return MediaSettings(max_upload_bytes=100_000, quota_bytes=250_000, max_pixels=1_000_000, upload_idle_s=5)


@pytest.fixture
async def store(
    db: Database, clock: FakeClock, people: People, settings: MediaSettings, tmp_path: Path
) -> AsyncIterator[Store]:
    assert (await people.register("Alice")).user_id == ALICE.user_id
    disk = Disk()
    made = make_store(db, clock, settings, disk, tmp_path / "media")
    yield made
    made.media.close()
    disk.close()
