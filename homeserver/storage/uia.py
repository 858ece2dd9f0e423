"""User-interactive authentication sessions, and registration tokens."""

from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Select, bindparam, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.storage.schema.matrix import interactions, registration_tokens


@dataclass(frozen=True, slots=True)
class UiaSession:
    """Progress of a UIA session. `user_id` is empty before the user is known; `params` and `answer` are encrypted.

    `owner`: the user or the address that began it. `answer`: that of the completed request, None before.
    """

    interaction_id: str
    purpose: str
    user_id: str
    done: tuple[str, ...]
    params: bytes
    created_ms: int
    owner: str
    answer: bytes | None = None


@dataclass(frozen=True, slots=True)
class RegistrationToken:
    """A registration token. `uses_allowed` None: unlimited; `expires_ms` None: never."""

    token: str
    uses_allowed: int | None
    uses: int
    expires_ms: int | None
    created_ms: int


_BY_ID = select(interactions).where(interactions.c.interaction_id == bindparam("of"))
_ADD = insert(interactions)
_LOCK = _BY_ID.with_for_update()
_SET_PROGRESS = (
    update(interactions)
    .where(interactions.c.interaction_id == bindparam("of"))
    .values(done=bindparam("passed"), user_id=bindparam("whose"))
)
_TAKE = delete(interactions).where(interactions.c.interaction_id == bindparam("of"))
_TRIM = delete(interactions).where(
    interactions.c.interaction_id.in_(
        select(interactions.c.interaction_id)
        .where(interactions.c.owner == bindparam("whose"))
        .order_by(interactions.c.created_ms.desc(), interactions.c.interaction_id)
        .offset(bindparam("most"))
    )
)
_PURGE = delete(interactions).where(
    interactions.c.interaction_id.in_(
        select(interactions.c.interaction_id)
        .where(interactions.c.created_ms < bindparam("before_ms"))
        .limit(bindparam("count"))
    )
)
_TOKEN = select(registration_tokens).where(registration_tokens.c.token == bindparam("of"))
_TOKENS = select(registration_tokens).order_by(registration_tokens.c.created_ms).limit(bindparam("count"))
_ADD_TOKEN = insert(registration_tokens)
_DROP_TOKEN = delete(registration_tokens).where(registration_tokens.c.token == bindparam("of"))
_USE_TOKEN = (
    update(registration_tokens)
    .where(
        registration_tokens.c.token == bindparam("of"),
        or_(
            registration_tokens.c.uses_allowed.is_(None),
            registration_tokens.c.uses < registration_tokens.c.uses_allowed,
        ),
        or_(
            registration_tokens.c.expires_ms.is_(None), registration_tokens.c.expires_ms > bindparam("now_ms")
        ),
    )
    .values(uses=registration_tokens.c.uses + 1)
)


async def interaction(conn: AsyncConnection, interaction_id: str) -> UiaSession | None:
    """A UIA session by its id."""
    return await _one(conn, _BY_ID, interaction_id)


async def lock_interaction(conn: AsyncConnection, interaction_id: str) -> UiaSession | None:
    """The same, with its row locked until the end of the transaction."""
    return await _one(conn, _LOCK, interaction_id)


async def _one(conn: AsyncConnection, statement: Select[Any], interaction_id: str) -> UiaSession | None:
    row = (await conn.execute(statement, {"of": interaction_id})).one_or_none()
    if row is None:
        return None
    done = tuple(orjson.loads(row.done))
    return UiaSession(
        row.interaction_id,
        row.purpose,
        row.user_id,
        done,
        row.params,
        row.created_ms,
        row.owner,
        row.answer,
    )


async def add_interaction(conn: AsyncConnection, new: UiaSession, *, most: int) -> None:
    """Insert a UIA session, and delete the oldest ones of its owner beyond `most`."""
    values: dict[str, Any] = {
        "interaction_id": new.interaction_id,
        "purpose": new.purpose,
        "user_id": new.user_id,
        "done": _text(new.done),
        "params": new.params,
        "created_ms": new.created_ms,
        "owner": new.owner,
        "answer": new.answer,
    }
    await conn.execute(_ADD, values)
    await conn.execute(_TRIM, {"whose": new.owner, "most": most})


async def set_progress(conn: AsyncConnection, one: UiaSession) -> None:
    """Store the completed stages and the user. The caller has locked the row."""
    values = {"of": one.interaction_id, "passed": _text(one.done), "whose": one.user_id}
    await conn.execute(_SET_PROGRESS, values)


async def take_interaction(conn: AsyncConnection, interaction_id: str) -> bool:
    """Delete a completed session; False if another request took it already."""
    return (await conn.execute(_TAKE, {"of": interaction_id})).rowcount == 1


async def purge_interactions(conn: AsyncConnection, *, before_ms: int, limit: int) -> int:
    """Delete sessions begun before a time, at most `limit`; returns how many."""
    return (await conn.execute(_PURGE, {"before_ms": before_ms, "count": limit})).rowcount


async def registration_token(conn: AsyncConnection, token: str) -> RegistrationToken | None:
    """A registration token by its text."""
    row = (await conn.execute(_TOKEN, {"of": token})).one_or_none()
    return None if row is None else RegistrationToken(*row)


async def list_registration_tokens(conn: AsyncConnection, limit: int) -> list[RegistrationToken]:
    """All registration tokens, oldest first."""
    return [RegistrationToken(*row) for row in await conn.execute(_TOKENS, {"count": limit})]


async def add_registration_token(conn: AsyncConnection, new: RegistrationToken) -> None:
    """Insert a registration token."""
    values = {
        "token": new.token,
        "uses_allowed": new.uses_allowed,
        "uses": new.uses,
        "expires_ms": new.expires_ms,
        "created_ms": new.created_ms,
    }
    await conn.execute(_ADD_TOKEN, values)


async def drop_registration_token(conn: AsyncConnection, token: str) -> bool:
    """Delete a registration token; False if there is none."""
    return (await conn.execute(_DROP_TOKEN, {"of": token})).rowcount == 1


async def use_registration_token(conn: AsyncConnection, token: str, now_ms: int) -> bool:
    """Count one use of a token; False if it is used up, expired or unknown."""
    return (await conn.execute(_USE_TOKEN, {"of": token, "now_ms": now_ms})).rowcount == 1


def _text(done: tuple[str, ...]) -> str:
    return orjson.dumps(done).decode()
