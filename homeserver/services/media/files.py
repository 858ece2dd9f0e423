"""Where files lie on disk, and the blocking work with them; `Disk` runs that in threads of its own.

ROOT/files/ab/abcd...       a file, named by its media id (which we make: no name of a sender gets here)
ROOT/thumbs/ab/abcd...-320x240.webp, -320x240-crop.webp, -320x240-moving.webp
ROOT/incoming/...           files that are still being received
"""

import asyncio
import hashlib
import os
import re
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from homeserver.errors import Conflict, NotFound
from homeserver.model import MediaId

T = TypeVar("T")
_MEDIA_ID = re.compile(r"[a-z2-7]{26}")
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def new_media_id() -> MediaId:
    """130 random bits in letters that no file system confuses."""
    return MediaId("".join(secrets.choice(_ID_LETTERS) for _ in range(26)))


def is_media_id(text: str) -> bool:
    """Whether a text can be a media id of ours, and so a file name."""
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
        """Where a file lies. Raises NotFound for what is no media id."""
        return self.files / _checked(media_id)[:2] / media_id

    def thumb(self, media_id: str, form: str) -> Path:
        """Where a small picture of this form lies. Raises NotFound for what is no media id."""
        return self.thumbs / _checked(media_id)[:2] / f"{media_id}-{form}.webp"

    def thumbs_of(self, media_id: str) -> list[Path]:
        """The small pictures that were made of a file."""
        return list((self.thumbs / _checked(media_id)[:2]).glob(f"{media_id}-*"))


class Incoming:
    """A file that is being received. All methods block, and wait for each other: whoever gives up an upload may
    `discard` it while a last `write` is still on its way."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / secrets.token_hex(16)
        self._handle: int | None = os.open(
            self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
        )
        self._sha256 = hashlib.sha256()
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        """Add data at the end."""
        with self._lock:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._open_handle(), rest) :]
            self._sha256.update(data)

    def finish(self, target: Path) -> str:
        """Have it on the disk for sure, under its name for good; answers the SHA-256 in hex.

        Raises Conflict("file_exists"): nothing is ever put in the place of another file.
        """
        with self._lock:
            os.fsync(self._open_handle())
            self._close()
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                target.touch(0o600, exist_ok=False)  # only one can: then the place is ours
            except FileExistsError as error:
                raise Conflict("there is a file already", code="file_exists") from error
            self.path.replace(target)
            sync_folder(target.parent)
            return self._sha256.hexdigest()

    def discard(self) -> None:
        """Close and delete it, if it is there still."""
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
    """A few threads for work that waits for the disk."""

    def __init__(self, threads: int = 4) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="media")

    async def run(self, work: Callable[[], T]) -> T:
        """The result of blocking work, done off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Let running work end and start no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk for sure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _checked(media_id: str) -> str:
    if not is_media_id(media_id):
        raise NotFound("no such file", code="file_not_found")
    return media_id
