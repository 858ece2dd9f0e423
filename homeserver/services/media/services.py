"""The services of this package, all together: what wiring builds and an API is given."""

from dataclasses import dataclass

from homeserver.services.media.files import Disk
from homeserver.services.media.gc import MediaGc
from homeserver.services.media.repository import Repository
from homeserver.services.media.store import Media


@dataclass(frozen=True, slots=True)
class MediaServices:
    """Files: stored, served, deleted."""

    store: Media
    repository: Repository
    gc: MediaGc
    disk: Disk
