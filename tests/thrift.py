"""What servers would do again and again when hundreds are started one after the other in one process."""

from typing import Any

from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import LRUCache

from homeserver.storage.db import Database

_MOST_STATEMENTS = 3000
_compiled: dict[str, LRUCache[Any, Any]] = {}


def share_statements() -> None:
    """Let all engines of one kind share what they compiled, which takes a fifth of a test through an API.

    A statement is kept by the dialect that it was compiled for: those of one kind and version count as one.
    """
    make = Database._engine

    def make_and_share(self: Database, *, writes: bool) -> AsyncEngine:
        engine = make(self, writes=writes)
        shared = _compiled.setdefault(engine.dialect.name, LRUCache(_MOST_STATEMENTS))
        engine.sync_engine._compiled_cache = shared
        return engine

    Database._engine = make_and_share  # type: ignore[method-assign]
    DefaultDialect.__hash__ = lambda self: hash(type(self))  # type: ignore[method-assign]
    DefaultDialect.__eq__ = _is_same_kind  # type: ignore[assignment, method-assign]


def _is_same_kind(one: DefaultDialect, other: object) -> bool:
    return one is other or (isinstance(other, DefaultDialect) and _kind(one) == _kind(other))


def _kind(dialect: DefaultDialect) -> tuple[object, ...]:
    return type(dialect), dialect.server_version_info, dialect._on_connect_isolation_level
