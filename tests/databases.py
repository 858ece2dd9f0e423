"""Databases for tests: fresh ones of either kind, migrated."""

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy.engine import URL, make_url

from homeserver.storage.migrate import _upgrade
from homeserver.storage.schema import metadata

POSTGRES = os.environ.get("HOMESERVER_TEST_POSTGRES", "")
_names = itertools.count(1)
# As the migrations leave them: no rows, but the head of the log.
_EMPTY = "; ".join(
    [
        *(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)),
        "INSERT INTO log_head (row_id, position) VALUES (1, 0)",
        "SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'",
    ]
)


class Databases:
    """Lends empty, migrated databases.

    SQLite's are copies of one that was migrated once, deleted afterwards. PostgreSQL's are lent again and again, and
    emptied in between: making and dropping one takes longer than most tests.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
        self._template = folder / "template.db"
        _upgrade(make_url(f"sqlite:///{self._template}"), True)
        self._admin = psycopg.connect(POSTGRES, autocommit=True) if POSTGRES else None
        self._made: list[str] = []
        self._free: list[str] = []

    def url(self, kind: str) -> URL:
        """The URL of a fresh database."""
        if kind == "sqlite":
            path = self._folder / f"{self._name()}.db"
            shutil.copyfile(self._template, path)
            return make_url(f"sqlite+aiosqlite:///{path}")
        if not self._free:
            name = self._create()
            _upgrade(make_url(POSTGRES).set(database=name), True)
            self._free.append(name)
        return make_url(POSTGRES).set(drivername="postgresql+psycopg", database=self._free.pop())

    def empty(self) -> URL:
        """The URL of a PostgreSQL database without any table; it is not lent again."""
        return make_url(POSTGRES).set(database=self._create())

    def take_back(self, url: URL) -> None:
        """Empty a database that was lent, or delete its file. Nobody is connected to it any more."""
        assert url.database is not None
        if url.get_backend_name() == "sqlite":
            for suffix in ("", "-wal", "-shm"):
                Path(f"{url.database}{suffix}").unlink(missing_ok=True)
            return
        self._run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", url.database)
        with psycopg.connect(POSTGRES, dbname=url.database, autocommit=True) as conn:
            conn.execute(_EMPTY)
        self._free.append(url.database)

    @contextmanager
    def away(self, url: URL) -> Iterator[None]:
        """Nobody can connect to a database that was lent, until the end. Open connections to SQLite stay."""
        assert url.database is not None
        if url.get_backend_name() == "sqlite":
            path, beside = Path(url.database), Path(f"{url.database}-away")
            path.rename(beside)
            path.mkdir()  # a file that is not there would be made anew
            try:
                yield
            finally:
                path.rmdir()
                beside.rename(path)
            return
        self._run(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS false')
        try:
            self._run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", url.database
            )
            yield
        finally:
            self._run(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS true')

    def close(self) -> None:
        for name in self._made:
            self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        if self._admin is not None:
            self._admin.close()

    def _create(self) -> str:
        name = self._name()
        self._run(f'CREATE DATABASE "{name}"')
        self._made.append(name)
        return name

    def _name(self) -> str:
        return f"test_{self._worker}_{os.getpid()}_{next(_names)}"

    def _run(self, statement: str, *values: str) -> None:
        assert self._admin is not None, "HOMESERVER_TEST_POSTGRES is not set"
        self._admin.execute(statement, values or None)
