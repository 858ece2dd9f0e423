"""Statements whose outcome nobody reads travel late, but in order, and never out of their transaction."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from homeserver.storage.db import Database
from homeserver.storage.sqlite import UNANSWERED

SET = text("INSERT INTO cursors (consumer, position) VALUES (:who, :at)").execution_options(**UNANSWERED)
READ = text("SELECT position FROM cursors WHERE consumer = 'push'")


async def test_a_later_statement_sees_them(db: Database) -> None:
    async with db.write() as conn:
        await conn.execute(SET, {"who": "push", "at": 7})
        assert (await conn.execute(READ)).scalar_one() == 7


async def test_the_commit_takes_them_along(db: Database) -> None:
    async with db.write() as conn:
        await conn.execute(SET, [{"who": "push", "at": 7}, {"who": "search", "at": 8}])
    async with db.read() as conn:
        assert (await conn.execute(READ)).scalar_one() == 7


async def test_one_that_fails_takes_everything_back(db: Database) -> None:
    with pytest.raises(IntegrityError):
        await set_twice(db)
    async with db.write() as conn:  # the same connection on SQLite: nothing is left in it
        assert (await conn.execute(READ)).scalar_one_or_none() is None


async def test_a_rollback_forgets_them(db: Database) -> None:
    with pytest.raises(RuntimeError):
        await give_up(db)
    async with db.write() as conn:
        assert (await conn.execute(READ)).scalar_one_or_none() is None


async def set_twice(db: Database) -> None:
    async with db.write() as conn:
        await conn.execute(SET, {"who": "push", "at": 7})
        await conn.execute(SET, {"who": "push", "at": 8})


async def give_up(db: Database) -> None:
    async with db.write() as conn:
        await conn.execute(SET, {"who": "push", "at": 7})
        raise RuntimeError
