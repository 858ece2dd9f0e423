"""Bringing tables up to date, or refusing to."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from homeserver.storage.migrate import SchemaBehind, upgrade
from tests.conftest import POSTGRES, Databases


@pytest.fixture
def empty_url(databases: Databases, database_kind: str, tmp_path: Path) -> URL:
    """A database without any table."""
    if database_kind == "sqlite":
        return make_url(f"sqlite:///{tmp_path / 'empty.db'}")
    return databases.empty()


async def test_an_empty_database_gets_its_tables_once(empty_url: URL) -> None:
    assert await upgrade(empty_url)
    assert not await upgrade(empty_url)


async def test_workers_that_start_together_do_not_clash(empty_url: URL) -> None:
    await asyncio.gather(*(upgrade(empty_url) for _ in range(3)))
    assert not await upgrade(empty_url)


async def test_an_upgrade_can_be_forbidden(empty_url: URL) -> None:
    with pytest.raises(SchemaBehind):
        await upgrade(empty_url, allowed=False)
    assert await upgrade(empty_url)
    assert not await upgrade(empty_url, allowed=False)


async def test_tables_of_a_newer_program_are_left_alone(empty_url: URL) -> None:
    await upgrade(empty_url)
    driver = "postgresql+psycopg" if POSTGRES and empty_url.get_backend_name() != "sqlite" else "sqlite"
    engine = create_engine(empty_url.set(drivername=driver))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(SchemaBehind):
        await upgrade(empty_url)
