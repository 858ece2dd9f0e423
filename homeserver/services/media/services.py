"""The services of this package in one record, built by wiring and handed to the APIs."""

from dataclasses import dataclass

from homeserver.services.media.disk import Disk
from homeserver.services.media.gc import MediaGc
from homeserver.services.media.repository import Repository
from homeserver.services.media.store import Media


@dataclass(frozen=True, slots=True)
class MediaServices:
    """Media: storing, serving, deleting."""

    store: Media
    repository: Repository
    gc: MediaGc
    disk: Disk
