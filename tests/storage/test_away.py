"""A database that cannot be reached is told as Unavailable, and only that."""

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from homeserver.errors import Unavailable
from homeserver.settings.models import DatabaseSettings
from homeserver.storage.db import Database


@pytest.mark.parametrize(
    "url",
    ["postgresql+psycopg://nobody@127.0.0.1:1/nothing", "sqlite+aiosqlite:////nowhere/at/all.db"],
)
async def test_no_way_to_the_database(url: str) -> None:
    db = Database(make_url(url), DatabaseSettings())
    for attempt in (db.check, lambda: write(db)):
        with pytest.raises(Unavailable) as told:
            await attempt()
        assert told.value.code == "database_away"
    await db.close()


async def write(db: Database) -> None:
    async with db.write() as conn:
        await conn.execute(text("SELECT 1"))


async def test_a_locked_file_is_away_for_the_while(tmp_path: Path) -> None:
    url = make_url(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    one, two = (Database(url, DatabaseSettings(busy_timeout_ms=0)) for _ in range(2))
    async with one.write() as conn:
        await conn.execute(text("CREATE TABLE held (x INTEGER)"))
        with pytest.raises(Unavailable):
            await write(two)
    await write(two)
    await one.close()
    await two.close()


async def test_our_own_faults_stay_what_they_are(db: Database) -> None:
    with pytest.raises(IntegrityError):
        async with db.write() as conn:
            await conn.execute(text("INSERT INTO rooms (room_id) VALUES (NULL)"))
    with pytest.raises(SQLAlchemyError) as told:
        async with db.read() as conn:
            await conn.execute(text("SELECT :secret FROM no_such_table"), {"secret": "hunter2"})
    assert type(told.value).__module__.startswith("sqlalchemy."), "and not Unavailable"
    assert "hunter2" not in str(told.value)
