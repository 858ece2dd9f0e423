"""Service keys: API keys by which servers of host applications authenticate.

A key is `sk_KEYID_SECRET`; its id is public, and only a hash of the whole is stored. It is valid for one scope, the
name of an API or of a bridge. A checked key is cached until the log says that it was revoked: `note` must be given
every new entry of the log.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Invalid, NotFound, Unauthenticated
from homeserver.kit.cache import BoundedCache
from homeserver.kit.ratelimit import RateLimits
from homeserver.kit.text import checked_name
from homeserver.model import EntryKind, Page
from homeserver.storage import servicekeys as stored
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.storage.servicekeys import ServiceKey
from homeserver.timeline.entries import Appends, service_key_revoked
from homeserver.timeline.submission import Placed, SideWrite

MAX_NAME_CHARS = 100
_KEY = re.compile(r"sk_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
_ID_BYTES = 8
_SECRET_BYTES = 32
_USED_STEP_MS = 3_600_000  # `used_ms` is kept to the hour


class NewKey(NamedTuple):
    """A new key. `secret` is the whole key, which is not stored and cannot be shown again."""

    secret: str
    stored: ServiceKey


class _Revocation(NamedTuple):
    key_id: str
    now_ms: int


class ServiceKeys:
    """Creates, checks, lists and revokes keys. `scopes`: the names of the APIs and bridges."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Appends,
        clock: Clock,
        limits: RateLimits,
        scopes: Collection[str],
        cache_entries: int,
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._clock = clock
        self._limits = limits
        self._scopes = frozenset(scopes)
        self._known: BoundedCache[str, ServiceKey] = BoundedCache(cache_entries)
        self._used: BoundedCache[str, int] = BoundedCache(cache_entries)

    async def create(self, name: str, scope: str) -> NewKey:
        """Create a key. Raises Invalid("unknown_scope", "empty_name", "name_too_long")."""
        if scope not in self._scopes:
            known = ", ".join(sorted(self._scopes))
            raise Invalid(f"no API or bridge {scope}; known are {known}", code="unknown_scope")
        key_id = secrets.token_hex(_ID_BYTES)
        secret = f"sk_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        made = ServiceKey(
            key_id=key_id,
            name=checked_name(name, most=MAX_NAME_CHARS, what="the name"),
            scope=scope,
            key_hash=_hash(secret),
            created_ms=self._clock.now_ms(),
        )
        async with self._db.write() as conn:
            await stored.add_service_keys(conn, [made])
        return NewKey(secret, made)

    async def listing(self, page: Page) -> list[ServiceKey]:
        """All keys, revoked ones included, the oldest first."""
        async with self._db.read() as conn:
            return await stored.list_service_keys(conn, limit=page.limit, offset=page.offset)

    async def revoke(self, key_id: str) -> None:
        """Revoke a key in all workers. Raises NotFound("no_service_key")."""
        async with self._db.read() as conn:
            found = await stored.service_keys_of(conn, [key_id])
        if not found:
            raise NotFound("no such service key", code="no_service_key")
        entries = await self._timeline.append(
            [service_key_revoked(key_id)],
            also=[SideWrite(_revoke, _Revocation(key_id, self._clock.now_ms()))],
        )
        for entry in entries:  # this worker at once; other workers read it from the log
            self.note(entry)

    async def check(self, secret: str, scope: str, address: str = "") -> str:
        """The id of a key that is valid for `scope`.

        Raises Unauthenticated("bad_service_key") for any other, whatever is wrong with it, and RateLimited for an
        address that shows too many of those.
        """
        parts = _KEY.fullmatch(secret)
        key = await self._find(parts[1]) if parts is not None else None
        is_right = key is not None and hmac.compare_digest(key.key_hash, _hash(secret))
        if key is None or not is_right or key.scope != scope or key.revoked_ms is not None:
            self._limits.check_address(
                "service_keys", address
            )  # only for guesses: a valid key is never limited
            raise Unauthenticated("a service key of this API is required", code="bad_service_key")
        await self._note_used(key)
        return key.key_id

    def note(self, entry: Entry) -> None:
        """Handle a log entry: drop a revoked key from the cache."""
        if entry.kind is EntryKind.SERVICE_KEY_REVOKED and entry.body is not None:
            self._known.drop(entry.body["key_id"])

    async def _find(self, key_id: str) -> ServiceKey | None:
        known = self._known.get(key_id)
        if known is not None:
            return known
        age = self._known.age
        async with self._db.read() as conn:
            found = (await stored.service_keys_of(conn, [key_id])).get(key_id)
        if found is not None:
            self._known.put(key_id, found, age)
        return found

    async def _note_used(self, key: ServiceKey) -> None:
        now_ms = self._clock.now_ms()
        if now_ms - max(key.used_ms or 0, self._used.get(key.key_id) or 0) < _USED_STEP_MS:
            return
        self._used.put(key.key_id, now_ms)  # before the write: of many concurrent calls one write is enough
        async with self._db.write() as conn:
            await stored.set_service_keys_used(conn, {key.key_id: now_ms})


async def _revoke(conn: AsyncConnection, items: Sequence[Placed[_Revocation]]) -> None:
    now_ms = max(item.row.now_ms for item in items)
    await stored.revoke_service_keys(conn, [item.row.key_id for item in items], now_ms)


def _hash(secret: str) -> str:
    """The hash that is stored. The key is random enough to need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
