"""Service keys: credentials of host applications' servers. Only their hashes are stored."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Row, Select, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.storage.schema.safety import service_keys


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A key. `key_id` is its public half, `scope` the API or bridge that it is valid for."""

    key_id: str
    name: str
    scope: str
    key_hash: str
    created_ms: int
    used_ms: int | None = None
    revoked_ms: int | None = None


_KEYS: Select[Any] = select(service_keys)
_BY_ID = _KEYS.where(service_keys.c.key_id.in_(bindparam("key_ids", expanding=True)))
_PAGE = (
    _KEYS.order_by(service_keys.c.created_ms, service_keys.c.key_id)
    .limit(bindparam("count"))
    .offset(bindparam("skip"))
)
_ADD = insert(service_keys)
_REVOKE = (
    update(service_keys)
    .where(
        service_keys.c.key_id.in_(bindparam("key_ids", expanding=True)), service_keys.c.revoked_ms.is_(None)
    )
    .values(revoked_ms=bindparam("now_ms"))
)
_SET_USED = (
    update(service_keys).where(service_keys.c.key_id == bindparam("of")).values(used_ms=bindparam("now_ms"))
)


async def service_keys_of(conn: AsyncConnection, key_ids: Collection[str]) -> dict[str, ServiceKey]:
    """Keys by id, revoked ones included; unknown ones are left out."""
    rows = await conn.execute(_BY_ID, {"key_ids": list(key_ids)})
    return {row.key_id: _service_key(row) for row in rows}


async def list_service_keys(conn: AsyncConnection, *, limit: int, offset: int) -> list[ServiceKey]:
    """All keys, revoked ones included, the oldest first."""
    rows = await conn.execute(_PAGE, {"count": limit, "skip": offset})
    return [_service_key(row) for row in rows]


async def add_service_keys(conn: AsyncConnection, new: Sequence[ServiceKey]) -> None:
    """Insert keys."""
    await conn.execute(_ADD, [asdict(one) for one in new])


async def revoke_service_keys(conn: AsyncConnection, key_ids: Collection[str], now_ms: int) -> None:
    """Revoke these keys; one that was revoked before keeps its time."""
    await conn.execute(_REVOKE, {"key_ids": list(key_ids), "now_ms": now_ms})


async def set_service_keys_used(conn: AsyncConnection, used: Mapping[str, int]) -> None:
    """Store when keys were last used."""
    await conn.execute(_SET_USED, [{"of": key_id, "now_ms": ms} for key_id, ms in used.items()])


def _service_key(row: Row[Any]) -> ServiceKey:
    return ServiceKey(
        key_id=row.key_id,
        name=row.name,
        scope=row.scope,
        key_hash=row.key_hash,
        created_ms=row.created_ms,
        used_ms=row.used_ms,
        revoked_ms=row.revoked_ms,
    )
