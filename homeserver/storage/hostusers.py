"""Who the people of host applications are here."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import UserId
from homeserver.storage.schema.people import host_users


@dataclass(frozen=True, slots=True)
class HostUser:
    """Who the person `subject` of a host application is here."""

    issuer: str
    subject: str
    user_id: UserId
    claims_hash: str


_HOST_USERS = select(
    host_users.c.issuer, host_users.c.subject, host_users.c.user_id, host_users.c.claims_hash
).where(
    host_users.c.issuer == bindparam("by"), host_users.c.subject.in_(bindparam("subjects", expanding=True))
)
_ADD_HOST_USERS = insert(host_users)
_SET_CLAIMS_HASH = (
    update(host_users)
    .where(host_users.c.issuer == bindparam("by"), host_users.c.subject == bindparam("of"))
    .values(claims_hash=bindparam("hash"))
)


async def host_users_of(conn: AsyncConnection, issuer: str, subjects: Collection[str]) -> dict[str, HostUser]:
    """Who the people of a host application are here, by the host's own ids."""
    rows = await conn.execute(_HOST_USERS, {"by": issuer, "subjects": list(subjects)})
    return {row.subject: HostUser(*row) for row in rows}


async def add_host_users(conn: AsyncConnection, found: Sequence[HostUser]) -> None:
    """Note new people of host applications. Raises IntegrityError when one is there already."""
    rows = [
        {
            "issuer": one.issuer,
            "subject": one.subject,
            "user_id": one.user_id,
            "claims_hash": one.claims_hash,
        }
        for one in found
    ]
    await conn.execute(_ADD_HOST_USERS, rows)


async def set_claims_hashes(conn: AsyncConnection, seen: Sequence[HostUser]) -> None:
    """Note which profile claims were seen last."""
    rows = [{"by": one.issuer, "of": one.subject, "hash": one.claims_hash} for one in seen]
    await conn.execute(_SET_CLAIMS_HASH, rows)
