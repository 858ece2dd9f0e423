"""The database: engines, transactions, and the count of statements.

SQLite runs with WAL and synchronous=FULL, one writer at a time; PostgreSQL with its own defaults. Reads run in
autocommit on pooled connections: each statement sees what is committed, and no BEGIN or ROLLBACK costs a round trip.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from homeserver.errors import Unavailable
from homeserver.settings.models import DatabaseSettings
from homeserver.storage import dialect
from homeserver.storage.sqlite import make_private

SQLITE_FILE = "homeserver.db"
_SQLITE_READERS = 4  # each is a thread with a cache of its own; more than there are cores gain nothing


def database_url(settings: DatabaseSettings, data_dir: Path) -> URL:
    """The database's URL, with the driver that we use; the default is a file in the data directory."""
    url = make_url(settings.url) if settings.url else make_url(f"sqlite:///{data_dir / SQLITE_FILE}")
    if url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite+aiosqlite")
    return url.set(drivername="postgresql+psycopg")


@contextmanager
def _told_when_away() -> Iterator[None]:
    """Turn errors of an unreachable database into Unavailable, with the driver's error as the cause."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        if not dialect.is_away(error):
            raise
        raise Unavailable("the database is not available", code="database_away") from error


class Database:
    """Two engines on one database: one for reads, one for writes.

    `statements` counts the statements sent to the database; tests pin the counts of hot paths with it.
    """

    def __init__(
        self, url: URL, settings: DatabaseSettings, on_statement: Callable[[], None] = lambda: None
    ) -> None:
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            make_private(url.database)
        self.statements = 0
        self._settings = settings
        self._on_statement = on_statement
        self._reads = self._engine(writes=False)
        self._writes = self._engine(writes=True)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading, in autocommit. Raises Unavailable if the database cannot be reached."""
        with _told_when_away():
            async with self._reads.connect() as conn:
                yield conn

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed at the end of the block, rolled back if it raises. Unavailable as above."""
        with _told_when_away():
            async with self._writes.begin() as conn:
                yield conn

    async def open(self) -> None:
        """Connect once with each engine, before many tasks do. Raises Unavailable if the database cannot be reached."""
        async with self.read(), self.write():
            pass

    async def check(self) -> None:
        """Raise Unavailable unless the database answers."""
        async with self.read() as conn:
            await conn.exec_driver_sql("SELECT 1")

    async def close(self) -> None:
        """Close every connection."""
        await self._reads.dispose()
        await self._writes.dispose()

    def _engine(self, *, writes: bool) -> AsyncEngine:
        settings = self._settings
        size = settings.pool_size
        if self.is_sqlite:
            size = 1 if writes else min(size, _SQLITE_READERS)
        options: dict[str, Any] = {"pool_reset_on_return": "rollback" if writes else None}
        if not writes:
            options["isolation_level"] = "AUTOCOMMIT"
        engine = create_async_engine(
            self.url,
            poolclass=AsyncAdaptedQueuePool,
            pool_size=size,
            max_overflow=0,
            pool_timeout=30,
            pool_pre_ping=not self.is_sqlite,
            hide_parameters=True,  # what users wrote must not get into an error's text, and so into a log
            connect_args=dialect.connect_args(self.url, settings),
            **options,
        )
        dialect.prepare(engine.sync_engine, writes=writes)
        event.listen(engine.sync_engine, "before_cursor_execute", self._count)
        return engine

    def _count(self, *_: object) -> None:
        self.statements += 1
        self._on_statement()
