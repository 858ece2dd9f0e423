"""The public keys of servers: kept, and asked for when they are missing or too old."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Protocol

from homeserver.clock import Clock
from homeserver.errors import HomeserverError, Unauthenticated
from homeserver.federation.transport.keyanswers import read_answer
from homeserver.federation.transport.xmatrix import Credentials, signed_bytes
from homeserver.kit.cache import BoundedCache
from homeserver.kit.singleflight import SingleFlight
from homeserver.protocol.canonical import JsonObject
from homeserver.protocol.errors import BadSignature, ProtocolError
from homeserver.protocol.ids import ServerName
from homeserver.protocol.signing import (
    POLICY_SERVER_KEY_ID,
    SigningKey,
    VerifyKey,
    required_signers,
    signatures_of,
    verify_event,
)
from homeserver.protocol.versions import RoomRules
from homeserver.storage import serverkeys
from homeserver.storage.db import Database
from homeserver.storage.serverkeys import KeyAnswer, ServerKey

_MOST_SERVERS: Final = 10_000
_ASK_AGAIN_MS: Final = 60_000  # a server that answered, but not with the key that is wanted
_FAILED_MS: Final = 300_000  # one that did not answer
_MOST_ASKED: Final = 20  # servers at a time: anybody can invent names


class AsksKeys(Protocol):
    """Asks a server for its keys."""

    async def keys(self, server: ServerName) -> JsonObject:
        """Its answer. Raises Upstream."""


class Keyring:
    """Verifies signatures of servers. Our own are verified too; `own`: our keys, former ones included."""

    def __init__(
        self, db: Database, asks: AsksKeys, clock: Clock, *, server: ServerName, own: Sequence[SigningKey]
    ) -> None:
        self._db = db
        self._asks = asks
        self._clock = clock
        self._server = server
        self._own = {one.key_id: one.verify_key for one in own}
        self._places = asyncio.Semaphore(_MOST_ASKED)
        self._known: BoundedCache[ServerName, Mapping[str, ServerKey]] = BoundedCache(_MOST_SERVERS)
        self._asked_ms: BoundedCache[ServerName, int] = BoundedCache(_MOST_SERVERS)
        self._asking: SingleFlight[ServerName, Mapping[str, ServerKey]] = SingleFlight()

    async def verify_request(
        self, credentials: Sequence[Credentials], method: str, uri: str, content: JsonObject | None
    ) -> ServerName:
        """The server that signed a request, with a key that is current and valid now.

        Raises Unauthenticated("bad_signature").
        """
        now_ms, origin = self._clock.now_ms(), credentials[0].origin
        wanted = {one.key_id for one in credentials}
        keys = await self._keys(
            origin, wanted, lambda key: key.expired_ms is None and key.valid_until_ms > now_ms
        )
        data = signed_bytes(method, uri, origin, self._server, content)
        for one in credentials:
            if one.key_id not in keys:
                continue
            # Old senders leave the destination out, of the header and of what they sign.
            legacy = signed_bytes(method, uri, origin, "", content) if not one.destination else data
            if _verifies(keys[one.key_id], (data, legacy), one.signature):
                return origin
        raise Unauthenticated("the signature is not one of a valid key of this server", code="bad_signature")

    async def verify_event(self, pdu: JsonObject, rules: RoomRules) -> None:
        """Check the signatures that an event must have, by keys that were valid when it was sent (section 8).

        Raises BadSignature. The format was checked before.
        """
        at_ms = pdu["origin_server_ts"]

        def was_valid(key: ServerKey) -> bool:
            if key.expired_ms is not None:
                return bool(at_ms <= key.expired_ms)
            return not rules.key_validity_enforced or bool(at_ms <= key.valid_until_ms)

        for server in sorted(required_signers(pdu, rules)):
            wanted = signatures_of(pdu, server).keys() - {POLICY_SERVER_KEY_ID}
            keys = await self._keys(server, wanted, was_valid)
            verify_event(pdu, rules, server, keys)

    async def answer(self, server: ServerName, until_ms: int) -> KeyAnswer | None:
        """The last answer of a server about its keys. It is asked if there is none that is valid until then; None if it
        never answered."""
        async with self._db.read() as conn:
            held = (await serverkeys.answers_of(conn, [server])).get(server)
        half_ms = 0 if held is None else (held.fetched_ms + held.valid_until_ms) // 2
        is_fresh = held is not None and self._clock.now_ms() < half_ms and held.valid_until_ms >= until_ms
        if is_fresh or not self._may_ask(server):
            return held
        await self._asking.run(server, lambda: self._ask(server))
        async with self._db.read() as conn:
            return (await serverkeys.answers_of(conn, [server])).get(server)

    async def _keys(
        self, server: ServerName, wanted: Collection[str], fits: Callable[[ServerKey], bool]
    ) -> dict[str, VerifyKey]:
        """Those of the wanted keys that fit; the server is asked if none does."""
        if server == self._server:
            return {key_id: key for key_id, key in self._own.items() if key_id in wanted}
        if not wanted:
            return {}
        known = await self._kept(server)
        if not any(key_id in known and fits(known[key_id]) for key_id in wanted) and self._may_ask(server):
            known = await self._asking.run(server, lambda: self._ask(server))
        found: dict[str, VerifyKey] = {}
        for key_id in wanted:
            if key_id in known and fits(known[key_id]):
                found[key_id] = VerifyKey.from_base64(key_id, known[key_id].public_key)
        return found

    async def _kept(self, server: ServerName) -> Mapping[str, ServerKey]:
        known = self._known.get(server)
        if known is None:
            age = self._known.age
            async with self._db.read() as conn:
                known = (await serverkeys.keys_of(conn, [server]))[server]
            self._known.put(server, known, age)
        return self._known.get(server) or known

    def _may_ask(self, server: ServerName) -> bool:
        next_ms = self._asked_ms.get(server)
        return next_ms is None or next_ms <= self._clock.now_ms()

    async def _ask(self, server: ServerName) -> Mapping[str, ServerKey]:
        now_ms = self._clock.now_ms()
        try:
            async with self._places:
                said = await self._asks.keys(server)
            answer, keys = read_answer(server, said, now_ms)
        except (HomeserverError, ProtocolError):
            self._asked_ms.put(server, now_ms + _FAILED_MS)
            return await self._kept(server)
        async with self._db.write() as conn:
            await serverkeys.set_keys(conn, keys)
            await serverkeys.set_answers(conn, [answer])
            known = (await serverkeys.keys_of(conn, [server]))[server]
        self._known.drop(server)  # what is being read now is older
        self._known.put(server, known)
        self._asked_ms.put(server, now_ms + _ASK_AGAIN_MS)
        return known


def _verifies(key: VerifyKey, data: Sequence[bytes], signature: str) -> bool:
    for one in data:
        try:
            key.verify(one, signature)
        except BadSignature:
            continue
        return True
    return False
