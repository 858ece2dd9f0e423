"""Transactions that are retried if they lose a race."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Unavailable
from homeserver.storage.db import Database
from homeserver.storage.dialect import may_pass_when_repeated

T = TypeVar("T")
_TRIES = 5


async def write_with_retry(db: Database, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Run `work` in one transaction, again from the start if it lost a race. Raises Unavailable in the end.

    `work` looks before it writes, so a second run sees what the other one did.
    """
    for _ in range(_TRIES):
        try:
            async with db.write() as conn:
                return await work(conn)
        except DBAPIError as error:
            if not may_pass_when_repeated(error):
                raise
            last = error
    raise Unavailable("too many requests for this account at once; try again", code="busy") from last
