"""Garbage collection of media: files due for deletion, aborted uploads, files without a database row."""

import itertools
import time
from collections.abc import Collection
from functools import partial
from pathlib import Path

from homeserver.clock import Clock
from homeserver.model import MediaId
from homeserver.services.media.disk import Disk, Places, is_media_id
from homeserver.storage import media as stored
from homeserver.storage.db import Database

_BATCH = 100
_FOLDERS = 16  # of 1024, checked for orphans per run
_ORPHAN_AGE_S = 86_400.0  # younger files may still be in an upload
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


class MediaGc:
    """Deletes files in runs; a failed run is made up for by the next one."""

    def __init__(self, *, db: Database, clock: Clock, disk: Disk, places: Places) -> None:
        self._db = db
        self._clock = clock
        self._disk = disk
        self._places = places
        self._folders = itertools.cycle(a + b for a in _LETTERS for b in _LETTERS)

    async def run_once(self) -> int:
        """Delete due files, and the orphans of the next few folders; returns how many files were deleted."""
        async with self._db.write() as conn:
            await stored.forget_pending(conn, now_ms=self._clock.now_ms())
        deleted = await self._delete_due()
        older_than_s = time.time() - _ORPHAN_AGE_S  # file times are of the system's clock
        deleted += await self._disk.run(partial(_delete_old, self._places.incoming, older_than_s))
        for folder in itertools.islice(self._folders, _FOLDERS):
            deleted += await self._delete_orphans(folder, older_than_s)
        return deleted

    async def _delete_due(self) -> int:
        deleted = 0
        while True:
            async with self._db.read() as conn:
                due = await stored.media_due(conn, now_ms=self._clock.now_ms(), limit=_BATCH)
            if not due:
                return deleted
            # The files first: a row without its file is found again, a file without its row would be slower to.
            await self._disk.run(partial(_delete_files, self._places, due))
            async with self._db.write() as conn:
                await stored.forget_media(conn, due)
            deleted += len(due)

    async def _delete_orphans(self, folder: str, older_than_s: float) -> int:
        found = await self._disk.run(partial(_old_media, self._places, folder, older_than_s))
        orphans: list[MediaId] = []
        for start in range(0, len(found), _BATCH):
            batch = found[start : start + _BATCH]
            async with self._db.read() as conn:
                listed = await stored.media_of(conn, batch)
            orphans += [media_id for media_id in batch if media_id not in listed]
        if orphans:
            await self._disk.run(partial(_delete_files, self._places, orphans))
        return len(orphans)


def _delete_files(places: Places, media_ids: Collection[MediaId]) -> None:
    for media_id in media_ids:
        for path in (*places.thumbs_of(media_id), places.file(media_id)):
            path.unlink(missing_ok=True)


def _delete_old(folder: Path, older_than_s: float) -> int:
    old = [path for path in _files_in(folder) if path.stat().st_mtime < older_than_s]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _old_media(places: Places, folder: str, older_than_s: float) -> list[MediaId]:
    """The media ids of the files in a folder, recent ones left out."""
    paths = [*_files_in(places.files / folder), *_files_in(places.thumbs / folder)]
    found = {path.name.partition("-")[0] for path in paths if path.stat().st_mtime < older_than_s}
    return sorted(MediaId(name) for name in found if is_media_id(name))


def _files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
