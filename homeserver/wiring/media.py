"""Wiring of media and URL previews."""

from pathlib import Path

from homeserver.services.media.disk import Disk, Places
from homeserver.services.media.gc import MediaGc
from homeserver.services.media.repository import Repository
from homeserver.services.media.services import MediaServices
from homeserver.services.media.store import Media
from homeserver.services.media.urls import MediaUrls
from homeserver.services.previews.service import Previews, PreviewStore
from homeserver.services.previews.web import Web
from homeserver.settings.models import Settings
from homeserver.wiring.core import Core


def build_media(settings: Settings, core: Core) -> MediaServices:
    """Build the media services; no file is read or written yet."""
    disk, places = Disk(), Places(Path(settings.server.data_dir) / "media")
    store = Media(
        db=core.db,
        clock=core.clock,
        settings=settings.media,
        limits=core.limits,
        urls=MediaUrls(core.keys.media_url, settings.media.url_ttl_s),
        disk=disk,
        places=places,
    )
    repository = Repository(
        db=core.db,
        timeline=core.timeline,
        clock=core.clock,
        settings=settings.media,
        media=store,
        server=settings.server.name,
    )
    return MediaServices(
        store, repository, MediaGc(db=core.db, clock=core.clock, disk=disk, places=places), disk
    )


def build_previews(settings: Settings, core: Core, media: MediaServices) -> Previews:
    """Build the URL previews."""
    return Previews(
        PreviewStore(core.db, media.store, media.disk, settings.server.name),
        Web(settings.previews, core.outgoing.pages),
        settings=settings.previews,
        limits=core.limits,
        clock=core.clock,
    )
