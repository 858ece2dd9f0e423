"""Files: kept, served, deleted."""

from dataclasses import dataclass
from pathlib import Path

from aiohttp.abc import AbstractResolver

from homeserver.services.media.files import Disk, Places
from homeserver.services.media.gc import MediaGc
from homeserver.services.media.repository import Repository
from homeserver.services.media.store import Media
from homeserver.services.media.urls import MediaUrls
from homeserver.services.previews.service import Previews, PreviewStore
from homeserver.services.previews.web import Web
from homeserver.settings.models import Settings
from homeserver.wiring.core import Core
from homeserver.wiring.people import People


@dataclass(frozen=True, slots=True)
class Storehouse:
    """Files: kept, served, deleted."""

    media: Media
    repository: Repository
    sweep: MediaGc
    disk: Disk
    previews: Previews


def build_files(
    settings: Settings, core: Core, people: People, resolver: AbstractResolver | None = None
) -> Storehouse:
    """Build them; nothing is read or written yet. `resolver` finds the addresses of web pages."""
    disk, places = Disk(), Places(Path(settings.server.data_dir) / "media")
    media = Media(
        db=core.db,
        clock=core.clock,
        settings=settings.media,
        limits=people.limits,
        urls=MediaUrls(core.keys.media_url, settings.media.url_ttl_s),
        disk=disk,
        places=places,
    )
    repository = Repository(
        db=core.db,
        timeline=core.timeline,
        clock=core.clock,
        settings=settings.media,
        media=media,
        server=settings.server.name,
    )
    sweep = MediaGc(db=core.db, clock=core.clock, disk=disk, places=places)
    previews = Previews(
        PreviewStore(core.db, media, disk, settings.server.name),
        Web(settings.previews, resolver),
        settings=settings.previews,
        limits=people.limits,
        clock=core.clock,
    )
    return Storehouse(media, repository, sweep, disk, previews)
