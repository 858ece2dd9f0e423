"""Login tokens (m.login.token): each logs another device of a user in, once. Only their hashes are stored."""

from collections.abc import Collection

from sqlalchemy import bindparam, delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import UserId
from homeserver.storage.schema.matrix import login_tokens

_ADD = insert(login_tokens)
_TAKE = (
    delete(login_tokens)
    .where(login_tokens.c.token_hash == bindparam("of"), login_tokens.c.expires_ms > bindparam("now_ms"))
    .returning(login_tokens.c.user_id)
)
_PURGE = delete(login_tokens).where(login_tokens.c.expires_ms <= bindparam("now_ms"))
_DROP = delete(login_tokens).where(login_tokens.c.user_id.in_(bindparam("user_ids", expanding=True)))


async def add_login_token(conn: AsyncConnection, token_hash: str, user_id: UserId, expires_ms: int) -> None:
    """Insert a login token."""
    await conn.execute(_ADD, {"token_hash": token_hash, "user_id": user_id, "expires_ms": expires_ms})


async def take_login_token(conn: AsyncConnection, token_hash: str, now_ms: int) -> UserId | None:
    """Delete a token and return its user; None if it is unknown, used or expired."""
    found = (await conn.execute(_TAKE, {"of": token_hash, "now_ms": now_ms})).scalar_one_or_none()
    return None if found is None else UserId(found)


async def purge_login_tokens(conn: AsyncConnection, now_ms: int) -> None:
    """Delete expired tokens."""
    await conn.execute(_PURGE, {"now_ms": now_ms})


async def drop_login_tokens(conn: AsyncConnection, user_ids: Collection[UserId]) -> None:
    """Delete all tokens of these users."""
    await conn.execute(_DROP, {"user_ids": list(user_ids)})
