"""The only module that asks "SQLite or PostgreSQL?"."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    Table,
    Text,
    and_,
    bindparam,
    case,
    cast,
    column,
    event,
    func,
    literal_column,
    select,
    table,
    text,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from homeserver.errors import Unavailable
from homeserver.settings.models import DatabaseSettings
from homeserver.storage import sqlite as sqlite_driver

# PostgreSQL: serialisation failure, deadlock. The same transaction may well pass when tried again.
_TRANSIENT_STATES = frozenset({"40001", "40P01"})
_AWAY_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
    }
)
_LAST_PLACE = 16_383  # the largest position of a word in a tsvector
_AWAY_CLASSES = frozenset({"08", "53", "57"})  # no connection, out of resources, shut down or cancelled


def connect_args(url: URL, settings: DatabaseSettings) -> dict[str, Any]:
    """Arguments for the driver's connect call."""
    if url.get_backend_name() == "sqlite":
        return {"timeout": settings.busy_timeout_ms / 1000, "async_creator_fn": sqlite_driver.connect}
    return {"options": f"-c statement_timeout={settings.statement_timeout_ms}", "connect_timeout": 10}


def prepare(engine: Engine, *, writes: bool) -> None:
    """Set how transactions begin on SQLite."""
    if engine.dialect.name != "sqlite" or not writes:
        return

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # IMMEDIATE: a transaction that starts by reading must not fail when it comes to write.
        connection.exec_driver_sql("BEGIN IMMEDIATE", execution_options=sqlite_driver.UNANSWERED)

    @event.listens_for(engine, "before_cursor_execute")
    def _mark(_connection: Any, cursor: Any, _sql: str, _values: Any, context: Any, _many: bool) -> None:
        cursor._cursor.is_unanswered = "unanswered" in context.execution_options  # noqa: SLF001 - no public way


class Upsert:
    """INSERT that leaves or updates an existing row (ON CONFLICT).

    An existing row gets the columns in `change`, adds those in `count`, and keeps the greater value of those in
    `furthest`; it stays unchanged if all three are empty.
    """

    def __init__(
        self,
        table: Table,
        keys: Sequence[str],
        change: Sequence[str] = (),
        *,
        count: Sequence[str] = (),
        furthest: Sequence[str] = (),
    ) -> None:
        self._sqlite = _on_conflict(sqlite.insert(table), keys, change, count, furthest)
        self._postgresql = _on_conflict(postgresql.insert(table), keys, change, count, furthest)

    def on(self, conn: AsyncConnection) -> Executable:
        """The statement for this connection's database."""
        return self._sqlite if conn.dialect.name == "sqlite" else self._postgresql


def _on_conflict(
    insert: sqlite.Insert | postgresql.Insert,
    keys: Sequence[str],
    change: Sequence[str],
    count: Sequence[str],
    furthest: Sequence[str],
) -> Executable:
    if not change and not count and not furthest:
        return insert.on_conflict_do_nothing(index_elements=list(keys))
    changed = {name: insert.excluded[name] for name in change}
    counted = {name: insert.table.c[name] + insert.excluded[name] for name in count}
    raised = {name: larger(insert.table.c[name], insert.excluded[name]) for name in furthest}
    return insert.on_conflict_do_update(index_elements=list(keys), set_={**changed, **counted, **raised})


def larger(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    """The larger of two numbers; the databases have different names for it."""
    return case((one >= other, one), else_=other)


class _Listed(FunctionElement[str]):
    """The elements of a JSON list, as rows with one column `value`."""

    inherit_cache = True


class _Item(FunctionElement[str]):
    """The text at an index of a JSON list."""

    type = Text()
    inherit_cache = True


@compiles(_Listed, "sqlite")
def _listed_sqlite(element: _Listed, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_Listed, "postgresql")
def _listed_postgresql(element: _Listed, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(element.clauses, **options)} AS JSON))"


@compiles(_Item, "sqlite")
def _item_sqlite(element: _Item, compiler: SQLCompiler, **options: Any) -> str:
    value, place = (compiler.process(one, **options) for one in element.clauses)
    return f"json_extract({value}, '$[{place}]')"


@compiles(_Item, "postgresql")
def _item_postgresql(element: _Item, compiler: SQLCompiler, **options: Any) -> str:
    value, place = (compiler.process(one, **options) for one in element.clauses)
    return f"({value} ->> {place})"


class Rows:
    """Rows passed as one parameter, encoded by `rows_of`, as a table to join with; columns by index."""

    def __init__(self, parameter: str) -> None:
        self.table = _Listed(bindparam(parameter, type_=Text())).table_valued("value")

    def text(self, place: int) -> ColumnElement[str]:
        """A text column."""
        return _Item(self.table.c.value, literal_column(str(place)))

    def number(self, place: int) -> ColumnElement[int]:
        """An integer column."""
        return cast(self.text(place), BigInteger)


def among(parameter: str, *columns: ColumnElement[str]) -> ColumnElement[bool]:
    """The condition that these text columns equal one of many rows, which `rows_of` encodes into the parameter.

    Both databases use an index for it. They do not for IN with a list of pairs: there SQLite reads the whole table,
    and PostgreSQL makes a condition for each pair.
    """
    rows = Rows(parameter)
    return tuple_(*columns).in_(select(*(rows.text(place) for place in range(len(columns)))))


def rows_of(rows: Collection[Sequence[str | int]]) -> str:
    """The parameter value for `among` and `Rows`."""
    return orjson.dumps([tuple(row) for row in rows]).decode()


class WordIndex:
    """Full-text search of a table by its column `words`, filled by `indexed`.

    `index`: SQLite's virtual table, whose rows are joined by `key`. A statement uses `condition`, with a `query` from
    `words_query` as its parameter, `rank`, and `order`: the newest first.
    """

    def __init__(self, of: Table, key: ColumnElement[int], index: str) -> None:
        virtual = table(index, column("rowid"))
        query = cast(bindparam("query", type_=Text()), postgresql.TSQUERY)
        self._sqlite: tuple[Any, Any, Any] = (
            and_(virtual.c.rowid == key, text(f"{index} MATCH :query")),
            literal_column(f"-bm25({index})"),
            virtual.c.rowid.desc(),  # in the index's order, so that SQLite stops at the limit
        )
        self._postgresql: tuple[Any, Any, Any] = (
            of.c.words.op("@@")(query),
            func.ts_rank(of.c.words, query),
            key.desc(),
        )

    def both(self) -> Iterator[tuple[str, tuple[Any, Any, Any]]]:
        """(condition, rank, order) by database name."""
        yield "sqlite", self._sqlite
        yield "postgresql", self._postgresql


def indexed(conn: AsyncConnection, words: Sequence[str]) -> str:
    """The value of the column `words`: words without spaces, quotes and ASCII punctuation, each perhaps after an
    exclamation mark."""
    if conn.dialect.name == "sqlite":
        return " ".join(words)
    return " ".join(f"'{word}':{min(at, _LAST_PLACE)}" for at, word in enumerate(words, 1))


def words_query(
    conn: AsyncConnection, phrases: Sequence[tuple[Sequence[str], bool]], any_of: Sequence[str]
) -> str:
    """The query for rows that have all `phrases`, and at least one of the words `any_of`.

    A phrase is of words in a row; if its flag is set, its last word is the beginning of one.
    """
    if conn.dialect.name == "sqlite":
        wanted = [f'"{" ".join(words)}"{"*" if is_prefix else ""}' for words, is_prefix in phrases]
        either = " OR ".join(f'"{word}"' for word in any_of)
        return " AND ".join([*wanted, f"({either})"])
    rows = [" <-> ".join(f"'{word}'" for word in words) + ":*" * is_prefix for words, is_prefix in phrases]
    either = " | ".join(f"'{word}'" for word in any_of)
    return " & ".join([*(f"({row})" for row in rows), f"({either})"])


def is_away(error: BaseException) -> bool:
    """True if an error means that the database is unreachable or overloaded, not that the statement was wrong."""
    if isinstance(error, OSError | PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    number = getattr(error.orig, "sqlite_errorcode", None)
    if number is not None:
        return number & 0xFF in _AWAY_CODES
    state = getattr(error.orig, "sqlstate", None)
    return isinstance(error, OperationalError) and (state is None or state[:2] in _AWAY_CLASSES)


def may_pass_when_repeated(error: BaseException) -> bool:
    """True if the same transaction may succeed at a second try: a lost race, not a bug."""
    if isinstance(error, Unavailable) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, IntegrityError):
        return True  # another transaction inserted the same unique key between our read and our insert
    if not isinstance(error, DBAPIError):
        return False
    if getattr(error.orig, "sqlstate", None) in _TRANSIENT_STATES:
        return True
    return isinstance(error, OperationalError) and "database is locked" in str(error.orig)
