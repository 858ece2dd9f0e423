"""A store of files in a folder of its own, and things to put into it."""

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from homeserver.clock import FakeClock
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import Requester
from homeserver.protocol.ids import UserId
from homeserver.services.media.disk import Disk, Places
from homeserver.services.media.gc import MediaGc
from homeserver.services.media.store import Media, Served, StoredMedia
from homeserver.services.media.urls import MediaUrls
from homeserver.settings.models import MediaSettings, RateLimitSettings
from homeserver.storage.db import Database

ALICE = Requester(UserId("@alice:test.example"), 1, "s")


SECRET = b"media address secret of the tests, long enough"


HOUR_MS = 3_600_000


def picture(
    size: tuple[int, int] = (400, 300), kind: str = "PNG", exif: Image.Exif | None = None, mode: str = "RGB"
) -> bytes:
    out = io.BytesIO()
    more = {"exif": exif} if exif is not None else {}
    Image.new(mode, size, "red" if mode == "RGB" else 0).save(out, kind, **more)
    return out.getvalue()


async def chunks(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@dataclass
class Store:
    media: Media
    sweep: MediaGc
    root: Path
    db: Database
    clock: FakeClock
    settings: MediaSettings
    disk: Disk

    def beside(self) -> "Store":
        """What another worker has, on the same files and database."""
        return make_store(self.db, self.clock, self.settings, self.disk, self.root)

    async def put(
        self, data: bytes, name: str = "file", by: Requester = ALICE, declared: str = ""
    ) -> StoredMedia:
        return await self.media.upload(by, name=name, chunks=chunks(data), declared_type=declared)

    async def get(self, url: str) -> Served:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        media_id, last = parts.path.removeprefix("/media/").split("/")
        expiry_ms, signature = int(query["e"]), query["s"]
        if last != "thumb" or "w" not in query:
            return await self.media.open(media_id, expiry_ms, signature)
        return await self.media.thumbnail(
            media_id, width=int(query["w"]), height=int(query["h"]), expiry_ms=expiry_ms, signature=signature
        )

    def on_disk(self) -> list[Path]:
        return [path for path in self.root.rglob("*") if path.is_file()]


def make_store(db: Database, clock: FakeClock, settings: MediaSettings, disk: Disk, root: Path) -> Store:
    places = Places(root)
    media = Media(
        db=db,
        clock=clock,
        settings=settings,
        limits=RateLimits(RateLimitSettings(enabled=False), clock),
        urls=MediaUrls(SECRET, settings.url_ttl_s),
        disk=disk,
        places=places,
    )
    sweep = MediaGc(db=db, clock=clock, disk=disk, places=places)
    return Store(media, sweep, root, db, clock, settings, disk)
