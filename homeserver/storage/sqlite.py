"""SQLite connections that switch to their thread as seldom as possible.

aiosqlite runs every call in the connection's thread: making a cursor, executing, fetching and closing are four
round trips, each more expensive than a small statement itself. Here one round trip does all four, and a statement
whose outcome nobody reads (UNANSWERED) is sent along with the next one, or with the commit. Statements still run in
their order; if one sent along fails, the error is raised at the statement it went with, and the transaction is rolled
back.
"""

import logging
import sqlite3
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple, Self

import aiosqlite
import aiosqlite.core

UNANSWERED = {"unanswered": True}  # execution options of statements without rows whose row count nobody reads

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA journal_size_limit=67108864",
)

logger = logging.getLogger(__name__)
_Call = Callable[[sqlite3.Connection], sqlite3.Cursor]


def make_private(database: str | None) -> None:
    """Let only the server's user read an SQLite file; one that is not there is created empty.

    The file is never opened here: closing it would drop the locks of other connections of this process.
    """
    if not database or database == ":memory:" or database.startswith("file:"):
        return
    path = Path(database)
    with suppress(FileExistsError, FileNotFoundError):
        path.touch(0o600, exist_ok=False)
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        try:
            if stat.S_IMODE(file.stat().st_mode) & 0o077:
                file.chmod(0o600)
        except FileNotFoundError:
            continue
        except PermissionError:
            logger.warning("%s: others on this machine may read it, and this user may not change that", file)


class _Outcome(NamedTuple):
    """What is kept of a cursor after its statement."""

    description: Any
    rowcount: int
    lastrowid: int | None
    rows: Sequence[Any]


_NOTHING = _Outcome(None, -1, None, ())


class Cursor:
    """The part of a cursor that SQLAlchemy needs: a statement's outcome, fetched whole in the same round trip."""

    arraysize = 1

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._outcome = _NOTHING
        self.is_unanswered = False

    async def __aenter__(self) -> Self:
        return self

    @property
    def description(self) -> Any:
        return self._outcome.description

    @property
    def rowcount(self) -> int:
        return self._outcome.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._outcome.lastrowid

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Self:
        """Run a statement and fetch all its rows."""
        return await self._run(lambda raw: raw.execute(sql, parameters))

    async def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> Self:
        """Run a statement once for each row of parameters."""
        return await self._run(lambda raw: raw.executemany(sql, rows))

    async def _run(self, call: _Call) -> Self:
        if self.is_unanswered:
            self._connection.later(call)
        else:
            self._outcome = await self._connection.run(call)
        return self

    async def fetchall(self) -> Sequence[Any]:
        """The rows, which were fetched with the statement."""
        return self._outcome.rows

    async def close(self) -> None:
        """Does nothing: the statement was closed when it was done."""


class Connection(aiosqlite.Connection):
    """An aiosqlite connection with these cursors."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, iter_chunk_size=64)
        self._later: list[_Call] = []
        # Daemon: a connection that was not closed must not keep the process alive.
        self._thread = Thread(target=_work, args=(self._tx,), daemon=True)

    def cursor(self) -> Cursor:  # type: ignore[override]  # aiosqlite's own needs a round trip
        return Cursor(self)

    async def create_function(self, *_arguments: Any, **_options: Any) -> None:
        """Does nothing: SQLAlchemy would define REGEXP, which no statement of ours uses; that saves a round trip."""

    def later(self, call: _Call) -> None:
        """Execute this before the next statement."""
        self._later.append(call)

    async def run(self, call: _Call) -> _Outcome:
        """Execute, fetch and close in the connection's thread."""
        outcome: _Outcome = await self._travel(_run, call)
        return outcome

    async def commit(self) -> None:
        """Execute the waiting statements, then commit; if one fails, nothing is committed."""
        await self._travel(_commit)

    async def rollback(self) -> None:
        """Discard the waiting statements, and roll back."""
        self._later.clear()
        await super().rollback()

    async def _travel(self, function: Callable[..., Any], *arguments: Any) -> Any:
        first, self._later = self._later, []
        return await self._execute(function, self._conn, first, *arguments)  # type: ignore[no-untyped-call]


def _work(calls: Any) -> None:
    """The main function of the connection's thread."""
    try:
        aiosqlite.core._connection_worker_thread(calls)  # noqa: SLF001 - the loop of the class that we extend
    except (
        RuntimeError
    ) as error:  # the event loop ended while a statement ran: nobody awaits the result any more
        logger.debug("a statement outlived its event loop: %s", error)


def connect(path: str, **options: Any) -> Connection:
    """A connection to be awaited; `options` are those of `sqlite3.connect`."""
    return Connection(lambda: _open(path, options))


def _open(path: str, options: Mapping[str, Any]) -> sqlite3.Connection:
    """Open and set up in one call: a cancellation in between would leave a connection open."""
    settings = {**options, "isolation_level": None}  # the driver must not begin transactions by itself
    raw: sqlite3.Connection = sqlite3.connect(path, **settings)
    try:
        for pragma in _PRAGMAS:
            raw.execute(pragma).close()
    except sqlite3.Error:
        raw.close()
        raise
    return raw


def _run(raw: sqlite3.Connection, first: Sequence[_Call], call: _Call) -> _Outcome:
    for one in first:
        one(raw).close()
    cursor = call(raw)
    try:
        rows = cursor.fetchall() if cursor.description else ()
        return _Outcome(cursor.description, cursor.rowcount, cursor.lastrowid, rows)
    finally:
        cursor.close()


def _commit(raw: sqlite3.Connection, first: Sequence[_Call]) -> None:
    for one in first:
        one(raw).close()
    raw.commit()
