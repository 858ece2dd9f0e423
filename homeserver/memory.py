"""Returns freed memory to the operating system.

By default glibc keeps a heap for every database thread, and in each the free memory that large results left behind: a
third of the process after an hour. With another C library than glibc, all of this does nothing.
"""

import asyncio
import ctypes
from collections.abc import Callable

_MALLOC = {-8: 1, -3: 65_536, -1: 131_072}  # of mallopt(3): M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
_TRIM_S = 30


def spare() -> None:
    """Use one heap, and return free memory at its end. Must be called before threads are started."""
    mallopt = _function("mallopt")
    if mallopt is not None:
        for parameter, value in _MALLOC.items():
            mallopt(parameter, value)


async def trim() -> None:
    """Periodically return free memory within the heap, until cancelled."""
    malloc_trim = _function("malloc_trim")
    while malloc_trim is not None:
        await asyncio.sleep(_TRIM_S)
        await asyncio.to_thread(malloc_trim, 0)


def _function(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None)
