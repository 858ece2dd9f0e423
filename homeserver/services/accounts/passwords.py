"""Password hashes (argon2id), computed off the event loop by a small pool with a bounded queue."""

import asyncio
import base64
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from homeserver.errors import RateLimited
from homeserver.settings.models import AccountSettings

T = TypeVar("T")
_HASH_BYTES = 32
_SALT_BYTES = 16
_RETRY_MS = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a password check. `is_outdated`: the hash was made with other parameters than today's."""

    is_right: bool
    is_outdated: bool = False


class Passwords:
    """Hashes and checks passwords in threads. Both raise RateLimited when the queue is full."""

    def __init__(self, settings: AccountSettings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_time_cost,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
            hash_len=_HASH_BYTES,
            salt_len=_SALT_BYTES,
        )
        self._pool = ThreadPoolExecutor(settings.hash_concurrency, thread_name_prefix="argon2")
        self._max_jobs = settings.hash_concurrency + settings.max_hash_waiting
        self._jobs = 0
        self._nobodys = _random_hash(settings)

    async def hash(self, password: str) -> str:
        """The hash to store, salt and parameters included."""
        return await self._run(lambda: self._hasher.hash(_bytes(password)))

    async def verify(self, stored: str | None, password: str) -> Verdict:
        """Check a password. Without a stored hash the answer is wrong, after the same time."""
        return await self._run(lambda: self._verify(stored, password))

    def close(self) -> None:
        """Wait for running computations and refuse new ones."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str | None, password: str) -> Verdict:
        try:
            self._hasher.verify(stored or self._nobodys, _bytes(password))
        except (VerificationError, InvalidHashError):
            return Verdict(is_right=False)
        if stored is None:
            return Verdict(is_right=False)
        return Verdict(is_right=True, is_outdated=self._hasher.check_needs_rehash(stored))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._jobs >= self._max_jobs:
            raise RateLimited("too many passwords are being checked", retry_ms=_RETRY_MS, code="busy")
        self._jobs += 1
        loop = asyncio.get_running_loop()
        job = self._pool.submit(work)
        # Counted until the thread is done, not until the caller gives up: a cancelled call still computes.
        job.add_done_callback(lambda done: self._release(loop, done))
        return await asyncio.wrap_future(job)

    def _release(self, loop: asyncio.AbstractEventLoop, done: Future[T]) -> None:
        def count_down() -> None:
            self._jobs -= 1

        if done.cancelled():
            count_down()  # by `close`, on the loop's own thread
            return
        try:
            loop.call_soon_threadsafe(count_down)
        except RuntimeError:  # the loop was closed meanwhile: the count is of no use any more
            count_down()


def _bytes(password: str) -> bytes:
    """The password's bytes, normalised: keyboards compose letters in different ways."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _random_hash(settings: AccountSettings) -> str:
    """The hash of a random password with the same parameters, so that checking against it costs the same."""

    def random_text(size: int) -> str:
        return base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")

    parameters = (
        f"m={settings.argon2_memory_kib},t={settings.argon2_time_cost},p={settings.argon2_parallelism}"
    )
    return f"$argon2id$v=19${parameters}${random_text(_SALT_BYTES)}${random_text(_HASH_BYTES)}"
