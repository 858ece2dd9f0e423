"""Files on disk, and blocking work with them; `Disk` runs that in threads of its own.

ROOT/files/ab/abcd...       a file, named by its media id (which the server makes; no client's name is a path)
ROOT/thumbs/ab/abcd...-320x240.webp, -320x240-crop.webp, -320x240-moving.webp
ROOT/incoming/...           files that are still being received
"""

import asyncio
import hashlib
import os
import re
import secrets
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from homeserver.errors import Conflict, NotFound, Unavailable
from homeserver.model import MediaId

T = TypeVar("T")
_MEDIA_ID = re.compile(r"[a-z2-7]{26}")
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def new_media_id() -> MediaId:
    """A new media id: 130 random bits in letters that are safe on case-insensitive file systems."""
    return MediaId("".join(secrets.choice(_ID_LETTERS) for _ in range(26)))


def is_media_id(text: str) -> bool:
    """True if a text has the form of a media id of ours, and so can be a file name."""
    return _MEDIA_ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Places:
    """The paths of files under `root`."""

    root: Path

    @property
    def incoming(self) -> Path:
        return self.root / "incoming"

    @property
    def files(self) -> Path:
        return self.root / "files"

    @property
    def thumbs(self) -> Path:
        return self.root / "thumbs"

    def file(self, media_id: str) -> Path:
        """The path of a file. Raises NotFound for an invalid media id."""
        return self.files / _checked(media_id)[:2] / media_id

    def thumb(self, media_id: str, form: str) -> Path:
        """The path of a thumbnail of this form. Raises NotFound for an invalid media id."""
        return self.thumbs / _checked(media_id)[:2] / f"{media_id}-{form}.webp"

    def thumbs_of(self, media_id: str) -> list[Path]:
        """The thumbnails that were made of a file."""
        return list((self.thumbs / _checked(media_id)[:2]).glob(f"{media_id}-*"))


class Incoming:
    """A file that is being received. All methods block and exclude each other: an aborted upload may be discarded
    while its last `write` still runs."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / secrets.token_hex(16)
        self._handle: int | None = os.open(
            self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
        )
        self._sha256 = hashlib.sha256()
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        """Append data."""
        with self._lock:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._open_handle(), rest) :]
            self._sha256.update(data)

    def finish(self, target: Path) -> str:
        """Sync the file to disk and move it to its final path; returns the SHA-256 in hex.

        Raises Conflict("file_exists"): no file is ever overwritten.
        """
        with self._lock:
            os.fsync(self._open_handle())
            self._close()
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                target.touch(0o600, exist_ok=False)  # atomic: only one upload can claim the path
            except FileExistsError as error:
                raise Conflict("the file exists already", code="file_exists") from error
            self.path.replace(target)
            sync_folder(target.parent)
            return self._sha256.hexdigest()

    def discard(self) -> None:
        """Close and delete the file, if it still exists."""
        with self._lock:
            self._close()
            self.path.unlink(missing_ok=True)

    def _open_handle(self) -> int:
        if self._handle is None:
            raise ValueError("this file is closed")
        return self._handle

    def _close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class Disk:
    """A few threads for blocking disk I/O."""

    def __init__(self, threads: int = 4) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="media")

    async def run(self, work: Callable[[], T]) -> T:
        """Run blocking work off the event loop and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Wait for running work and start no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def check_space(folder: Path, min_free_bytes: int) -> None:
    """Raise Unavailable("disk_full") if less than this is free on the file system of a folder. Blocking."""
    if shutil.disk_usage(folder).free < min_free_bytes:
        raise Unavailable("the server has hardly any space left", code="disk_full")


def sync_folder(folder: Path) -> None:
    """fsync a folder, so that its entries are durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _checked(media_id: str) -> str:
    if not is_media_id(media_id):
        raise NotFound("no such file", code="file_not_found")
    return media_id
