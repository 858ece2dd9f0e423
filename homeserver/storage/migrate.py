"""Schema migrations: one linear history of Alembic revisions for both databases.

An upgrade takes a lock, so that only one of several workers runs it, and is one transaction: it happens whole or not
at all. Before an SQLite file with data is changed, it is copied to a file beside it.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import URL

from homeserver.errors import Unavailable
from homeserver.storage.sqlite import make_private

if TYPE_CHECKING:  # Alembic is imported only if there is something to do: most starts are spared its weight
    from alembic.config import Config

MIGRATIONS = Path(__file__).resolve().parent.parent.parent / "migrations"
_LOCK = 5_072_011_993  # any number, the same for all workers of this project


class SchemaBehind(Unavailable):
    """The tables are older than this program, and it is not allowed to upgrade them."""

    code = "schema_behind"


def alembic_config(connection: Connection | None = None) -> "Config":
    """Alembic's settings without a file; `connection` is the one to work on."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


async def upgrade(url: URL, *, allowed: bool = True) -> bool:
    """Upgrade the database to the newest revision; True if there was anything to do.

    Raises SchemaBehind if there was and `allowed` is False, or if the database is newer than this program.
    """
    return await asyncio.to_thread(_upgrade, url, allowed)


def _upgrade(url: URL, allowed: bool) -> bool:
    is_sqlite = url.get_backend_name() == "sqlite"
    if is_sqlite:
        make_private(url.database)
    engine = create_engine(url.set(drivername="sqlite" if is_sqlite else "postgresql+psycopg"))
    try:
        with engine.connect() as connection:
            current, newest = _revisions(connection)
            connection.rollback()
            if current == newest:
                return False
            if not allowed:
                raise SchemaBehind(f"the tables are at revision {current}, this program needs {newest}")
            if is_sqlite and current is not None:
                _copy(connection, url, current)
            _lock(connection)
            from alembic import command

            command.upgrade(alembic_config(connection), "head")  # does nothing if another worker was faster
            connection.commit()
            return True
    finally:
        engine.dispose()


def _lock(connection: Connection) -> None:
    """Begin a transaction that excludes the upgrades of other workers."""
    if connection.dialect.name == "sqlite":
        connection.connection.driver_connection.isolation_level = None  # type: ignore[union-attr]  # sqlite3's own
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _revisions(connection: Connection) -> tuple[str | None, str]:
    """The revision of the tables (None: there are no tables yet), and the newest one that this program knows."""
    known = sorted(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))
    if not inspect(connection).has_table("alembic_version"):
        return None, known[-1]
    current = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if current is not None and current not in known:
        raise SchemaBehind(f"the tables are at revision {current}, which this program does not know")
    return current, known[-1]


def _copy(connection: Connection, url: URL, revision: str) -> None:
    if url.database is None:
        return
    copy = Path(f"{url.database}.before-upgrade-from-{revision}")
    if not copy.exists() or not copy.stat().st_size:
        make_private(str(copy))
        connection.exec_driver_sql("VACUUM INTO ?", (str(copy),))
        connection.rollback()
