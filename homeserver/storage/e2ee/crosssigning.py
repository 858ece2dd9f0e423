"""Cross-signing keys of users, and signatures added to keys later."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import NamedTuple

import orjson
from sqlalchemy import bindparam, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import Content, LogPosition
from homeserver.protocol.ids import UserId
from homeserver.storage.dialect import Upsert, among, rows_of
from homeserver.storage.schema.e2ee import cross_signing_keys, key_signatures


class Usage(StrEnum):
    """Usage of a cross-signing key."""

    MASTER = "master"
    SELF_SIGNING = "self_signing"
    USER_SIGNING = "user_signing"


class CrossKey(NamedTuple):
    """A cross-signing key. `public_key` is base64, `body` the object as its user signed it."""

    user_id: UserId
    usage: Usage
    public_key: str
    body: Content

    @property
    def key_id(self) -> str:
        return f"ed25519:{self.public_key}"


class Target(NamedTuple):
    """A signed key of a user, named by its device id or public key."""

    user_id: UserId
    name: str


class Signature(NamedTuple):
    """A signature on a key. `signer_key` is `ed25519:` and a device id or public key."""

    signer: UserId
    signer_key: str
    target: Target
    signature: str


_OF_USERS = select(cross_signing_keys).where(
    cross_signing_keys.c.user_id.in_(bindparam("user_ids", expanding=True))
)
_SET = Upsert(cross_signing_keys, ["user_id", "usage"], ["public_key", "body"])
_DROP_OF_USERS = delete(cross_signing_keys).where(
    cross_signing_keys.c.user_id.in_(bindparam("user_ids", expanding=True))
)
_SEEN_BY = select(
    key_signatures.c.signer,
    key_signatures.c.signer_key,
    key_signatures.c.user_id,
    key_signatures.c.target,
    key_signatures.c.signature,
).where(
    key_signatures.c.user_id.in_(bindparam("user_ids", expanding=True)),
    or_(key_signatures.c.signer == key_signatures.c.user_id, key_signatures.c.signer == bindparam("reader")),
)
_ADD = Upsert(key_signatures, ["signer", "signer_key", "user_id", "target"], ["signature", "position"])
_DROP_ON = delete(key_signatures).where(
    key_signatures.c.user_id.in_(bindparam("user_ids", expanding=True)),
    among("targets", key_signatures.c.user_id, key_signatures.c.target),
)
_DROP_BY = delete(key_signatures).where(
    key_signatures.c.signer.in_(bindparam("user_ids", expanding=True)),
    among("signers", key_signatures.c.signer, key_signatures.c.signer_key),
)
_SIGNED_SINCE = (
    select(key_signatures.c.user_id)
    .distinct()
    .where(
        key_signatures.c.signer == bindparam("reader"),
        key_signatures.c.user_id != bindparam("reader"),
        key_signatures.c.position > bindparam("after"),
    )
)


async def cross_keys_of(
    conn: AsyncConnection, user_ids: Collection[UserId]
) -> dict[UserId, dict[Usage, CrossKey]]:
    """The cross-signing keys of these users."""
    found: dict[UserId, dict[Usage, CrossKey]] = {user_id: {} for user_id in user_ids}
    for row in await conn.execute(_OF_USERS, {"user_ids": list(user_ids)}):
        usage = Usage(row.usage)
        found[row.user_id][usage] = CrossKey(row.user_id, usage, row.public_key, orjson.loads(row.body))
    return found


async def set_cross_keys(conn: AsyncConnection, keys: Sequence[CrossKey]) -> None:
    """Set cross-signing keys, replacing existing ones."""
    rows = [{**key._asdict(), "usage": key.usage.value, "body": orjson.dumps(key.body)} for key in keys]
    await conn.execute(_SET.on(conn), rows)


async def drop_cross_keys(conn: AsyncConnection, user_ids: Collection[UserId]) -> None:
    """Delete the cross-signing keys of these users."""
    await conn.execute(_DROP_OF_USERS, {"user_ids": list(user_ids)})


async def signatures_seen_by(
    conn: AsyncConnection, reader: UserId, user_ids: Collection[UserId]
) -> dict[Target, list[Signature]]:
    """The signatures on these users' keys by themselves or by `reader`: no user sees whom others have verified."""
    found: dict[Target, list[Signature]] = {}
    for row in await conn.execute(_SEEN_BY, {"user_ids": list(user_ids), "reader": reader}):
        target = Target(row.user_id, row.target)
        found.setdefault(target, []).append(Signature(row.signer, row.signer_key, target, row.signature))
    return found


async def add_signatures(conn: AsyncConnection, new: Sequence[tuple[Signature, int]]) -> None:
    """Insert signatures, each with its log position; no two are by the same key on the same target."""
    rows = [
        {
            "signer": one.signer,
            "signer_key": one.signer_key,
            "user_id": one.target.user_id,
            "target": one.target.name,
            "signature": one.signature,
            "position": position,
        }
        for one, position in new
    ]
    await conn.execute(_ADD.on(conn), rows)


async def drop_signatures(
    conn: AsyncConnection, targets: Collection[Target], signers: Collection[tuple[UserId, str]]
) -> None:
    """Delete the signatures on these keys, and those made by (user, `ed25519:` and name)."""
    signed = list({target.user_id for target in targets})
    await conn.execute(_DROP_ON, {"targets": rows_of(targets), "user_ids": signed})
    by = list({user_id for user_id, _ in signers})
    await conn.execute(_DROP_BY, {"signers": rows_of(signers), "user_ids": by})


async def drop_signatures_of_keys(conn: AsyncConnection, keys: Collection[CrossKey]) -> None:
    """Delete the signatures on these keys and by them."""
    targets = [Target(key.user_id, key.public_key) for key in keys]
    await drop_signatures(conn, targets, [(key.user_id, key.key_id) for key in keys])


async def signed_since(conn: AsyncConnection, reader: UserId, after: LogPosition) -> set[UserId]:
    """The other users whose keys `reader` signed after a position."""
    rows = await conn.execute(_SIGNED_SINCE, {"reader": reader, "after": after})
    return set(rows.scalars())
