"""Public keys of other servers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import ServerName
from homeserver.storage.dialect import Upsert
from homeserver.storage.schema.federation import server_key_answers, server_keys


@dataclass(frozen=True, slots=True)
class ServerKey:
    """A public key. `valid_until_ms`: as the server said. `expired_ms`: of a former key, when it was last used."""

    server: ServerName
    key_id: str
    public_key: str
    valid_until_ms: int
    expired_ms: int | None = None


@dataclass(frozen=True, slots=True)
class KeyAnswer:
    """What a server said of its keys, as canonical JSON with its signatures."""

    server: ServerName
    answer: bytes
    fetched_ms: int
    valid_until_ms: int


_OF = select(server_keys).where(server_keys.c.server_name.in_(bindparam("servers", expanding=True)))
_SET = Upsert(server_keys, ["server_name", "key_id"], ["public_key", "valid_until_ms", "expired_ms"])
_ANSWERS = select(server_key_answers).where(
    server_key_answers.c.server_name.in_(bindparam("servers", expanding=True))
)
_SET_ANSWER = Upsert(server_key_answers, ["server_name"], ["answer", "fetched_ms", "valid_until_ms"])


async def keys_of(
    conn: AsyncConnection, servers: Collection[ServerName]
) -> dict[ServerName, dict[str, ServerKey]]:
    """The keys of each server by their ids."""
    found: dict[ServerName, dict[str, ServerKey]] = {server: {} for server in servers}
    for row in await conn.execute(_OF, {"servers": list(servers)}):
        found[row.server_name][row.key_id] = ServerKey(
            row.server_name, row.key_id, row.public_key, row.valid_until_ms, row.expired_ms
        )
    return found


async def set_keys(conn: AsyncConnection, keys: Sequence[ServerKey]) -> None:
    """Insert keys, or replace what was known of them."""
    rows = [
        {
            "server_name": one.server,
            "key_id": one.key_id,
            "public_key": one.public_key,
            "valid_until_ms": one.valid_until_ms,
            "expired_ms": one.expired_ms,
        }
        for one in keys
    ]
    if rows:
        await conn.execute(_SET.on(conn), rows)


async def answers_of(conn: AsyncConnection, servers: Collection[ServerName]) -> dict[ServerName, KeyAnswer]:
    """The last answer of each server; those that were never asked are left out."""
    rows = await conn.execute(_ANSWERS, {"servers": list(servers)})
    return {
        row.server_name: KeyAnswer(row.server_name, row.answer, row.fetched_ms, row.valid_until_ms)
        for row in rows
    }


async def set_answers(conn: AsyncConnection, answers: Sequence[KeyAnswer]) -> None:
    """Keep the last answers of servers."""
    rows = [
        {
            "server_name": one.server,
            "answer": one.answer,
            "fetched_ms": one.fetched_ms,
            "valid_until_ms": one.valid_until_ms,
        }
        for one in answers
    ]
    if rows:
        await conn.execute(_SET_ANSWER.on(conn), rows)
