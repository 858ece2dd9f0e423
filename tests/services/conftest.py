"""One worker's services about people, or two on one database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeserver.clock import FakeClock
from homeserver.kit.ratelimit import RateLimits
from homeserver.services.media.files import Disk, Places
from homeserver.services.media.gc import MediaGc
from homeserver.services.media.store import Media
from homeserver.services.media.urls import MediaUrls
from homeserver.settings.models import MediaSettings, RateLimitSettings
from homeserver.storage.db import Database
from tests.services.files import ALICE, SECRET, Store
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
    root = tmp_path / "media"
    disk, places = Disk(), Places(root)
    media = Media(
        db=db,
        clock=clock,
        settings=settings,
        limits=RateLimits(RateLimitSettings(enabled=False), clock),
        urls=MediaUrls(SECRET, settings.url_ttl_s),
        disk=disk,
        places=places,
    )
    yield Store(media, MediaGc(db=db, clock=clock, disk=disk, places=places), root, db, clock)
    media.close()
    disk.close()
