"""Public keys of other servers."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import ServerName
from homeserver.storage.dialect import Upsert
from homeserver.storage.schema.federation import server_key_answers, server_keys


@dataclass(frozen=True, slots=True)
class ServerKey:
    """A public key. `valid_until_ms`: as the server said. `expired_ms`: of a former key, when it was last used."""

    server_name: ServerName
    key_id: str
    public_key: str
    valid_until_ms: int
    expired_ms: int | None = None


@dataclass(frozen=True, slots=True)
class KeyAnswer:
    """What a server said of its keys, as canonical JSON with its signatures."""

    server_name: ServerName
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
        found[row.server_name][row.key_id] = ServerKey(**row._asdict())
    return found


async def set_keys(conn: AsyncConnection, keys: Sequence[ServerKey]) -> None:
    """Insert keys, or replace what was known of them."""
    if keys:
        await conn.execute(_SET.on(conn), [asdict(one) for one in keys])


async def answers_of(conn: AsyncConnection, servers: Collection[ServerName]) -> dict[ServerName, KeyAnswer]:
    """The last answer of each server; those that were never asked are left out."""
    rows = await conn.execute(_ANSWERS, {"servers": list(servers)})
    return {row.server_name: KeyAnswer(**row._asdict()) for row in rows}


async def set_answers(conn: AsyncConnection, answers: Sequence[KeyAnswer]) -> None:
    """Keep the last answers of servers."""
    if answers:
        await conn.execute(_SET_ANSWER.on(conn), [asdict(one) for one in answers])
