"""Users of host applications, by the host's own ids."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import UserId
from homeserver.storage.schema.people import host_users


@dataclass(frozen=True, slots=True)
class HostUser:
    """The user here that `subject` of a host application maps to."""

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
    """Users of a host application, by the host's own ids; unknown ones are left out."""
    rows = await conn.execute(_HOST_USERS, {"by": issuer, "subjects": list(subjects)})
    return {row.subject: HostUser(*row) for row in rows}


async def add_host_users(conn: AsyncConnection, found: Sequence[HostUser]) -> None:
    """Insert users of host applications. Raises IntegrityError if one exists already."""
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
    """Store the hash of the profile claims last seen for each."""
    rows = [{"by": one.issuer, "of": one.subject, "hash": one.claims_hash} for one in seen]
    await conn.execute(_SET_CLAIMS_HASH, rows)
