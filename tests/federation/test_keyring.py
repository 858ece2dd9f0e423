"""Keys of other servers: whom they are believed to belong to, for how long, and how often anybody is asked."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from homeserver.clock import FakeClock
from homeserver.errors import Unauthenticated
from homeserver.federation.transport import xmatrix
from homeserver.federation.transport.client import Call, Denied, FederationClient, Lists, RemoteError
from homeserver.federation.transport.discovery import Discovery
from homeserver.federation.transport.keyanswers import own_answer
from homeserver.federation.transport.keyring import Keyring
from homeserver.net.client import HttpClient
from homeserver.net.errors import BodyTooLarge, Refused, RequestFailed, Unreachable
from homeserver.net.publicnet import Guard
from homeserver.protocol.errors import BadSignature
from homeserver.protocol.ids import ServerName
from homeserver.protocol.seal import seal
from homeserver.protocol.signing import FormerKey, SigningKey, sign_json
from homeserver.protocol.versions import rules_for
from homeserver.storage.db import Database
from tests.authority import Authority
from tests.federation.peer import Peer, at_work
from tests.federation.test_discovery import Records, elsewhere
from tests.net.names import OPEN

OURS = ServerName("here.example")
KEYS = "/_matrix/key/v2/server"
DAY_MS = 86_400_000


@dataclass
class World:
    """Us and one other server."""

    peer: Peer
    client: FederationClient
    keyring: Keyring
    db: Database
    clock: FakeClock
    key: SigningKey
    http: HttpClient

    def keyring_anew(self) -> Keyring:
        """After a restart."""
        return Keyring(self.db, self.client, self.clock, server=OURS, own=[self.key])

    async def asks(self, key: SigningKey | None = None, **changes: Any) -> str:
        """The other server asks us something; who it is found to be."""
        sent: dict[str, Any] = {"origin": self.peer.name, "destination": OURS, "content": None, **changes}
        said = xmatrix.header(key or self.peer.key, "GET", "/_matrix/x", **sent)
        credentials = xmatrix.parse_all([said], OURS)
        return await self.keyring.verify_request(credentials, "GET", "/_matrix/x", None)

    def event(self, version: str, at_ms: int, key: SigningKey | None = None) -> Mapping[str, Any]:
        """An event of somebody there."""
        pdu: dict[str, Any] = {
            "type": "m.room.message",
            "sender": f"@carol:{self.peer.name}",
            "content": {"body": "hello"},
            "room_id": f"!room:{self.peer.name}",
            "origin_server_ts": at_ms,
            "depth": 5,
            "prev_events": [],
            "auth_events": [],
        }
        return seal(pdu, rules_for(version), self.peer.name, key or self.peer.key).pdu

    async def check(self, version: str, pdu: Mapping[str, Any]) -> None:
        await self.keyring.verify_event(pdu, rules_for(version))


@pytest.fixture
async def world(tmp_path: Path, db: Database, clock: FakeClock) -> AsyncIterator[World]:
    authority = Authority(tmp_path)
    http = HttpClient(Guard([ip_network(OPEN)]), connections=5, resolver=elsewhere(), tls=authority.trust())
    key = SigningKey.generate("ours")
    discovery = Discovery(http, Records(), clock)
    client = FederationClient(http, discovery, Lists(), server=OURS, key=key)
    async with at_work(authority.serve(["peer.example"]), "peer.example") as peer:
        keyring = Keyring(db, client, clock, server=OURS, own=[key])
        yield World(peer, client, keyring, db, clock, key, http)
    await http.close()


async def test_a_request_is_of_who_signed_it(world: World) -> None:
    assert await world.asks() == world.peer.name
    assert await world.asks() == world.peer.name
    assert world.peer.asked[KEYS] == 1, "its keys are kept"
    assert (
        await world.keyring_anew().verify_request(
            xmatrix.parse_all(
                [
                    xmatrix.header(
                        world.peer.key, "GET", "/a", origin=world.peer.name, destination="", content=None
                    )
                ],
                OURS,
            ),
            "GET",
            "/a",
            None,
        )
        == world.peer.name
    ), "an old server names no destination"
    assert world.peer.asked[KEYS] == 1, "also after a restart"


async def test_a_request_of_somebody_else_is_refused(world: World) -> None:
    await world.asks()
    foreign = SigningKey.generate("peer")  # of the same id
    wrongs: list[dict[str, Any]] = [{"key": foreign}, {"key": SigningKey.generate("other")}, {"content": {}}]
    for wrong in wrongs:
        with pytest.raises(Unauthenticated):
            await world.asks(**wrong)
    assert world.peer.asked[KEYS] == 1, "nobody makes us ask again and again"
    world.clock.advance(61_000)
    with pytest.raises(Unauthenticated):
        await world.asks(key=SigningKey.generate("other"))
    assert world.peer.asked[KEYS] == 2


async def test_keys_that_are_valid_no_more_are_asked_for_again(world: World) -> None:
    world.peer.valid_until_ms = world.clock.now_ms() + DAY_MS
    await world.asks()
    world.clock.advance(DAY_MS + 1)
    with pytest.raises(Unauthenticated):
        await world.asks()
    assert world.peer.asked[KEYS] == 2
    world.peer.valid_until_ms += 100 * DAY_MS
    world.clock.advance(61_000)
    assert await world.asks() == world.peer.name
    world.clock.advance(8 * DAY_MS)  # nothing is believed for longer than a week
    await world.asks()
    assert world.peer.asked[KEYS] == 4


async def test_a_new_key_is_found_and_an_old_one_signs_no_requests(world: World) -> None:
    await world.asks()
    old, sent_ms = world.peer.key, world.clock.now_ms()
    world.clock.advance(DAY_MS)
    expired_ms = world.clock.now_ms()
    world.peer.key = SigningKey.generate("new")
    world.peer.answers[KEYS] = own_answer(
        world.peer.name, world.peer.key, [FormerKey(old, expired_ms)], world.peer.valid_until_ms
    )
    assert await world.asks() == world.peer.name
    with pytest.raises(Unauthenticated):
        await world.asks(key=old)
    await world.check("11", world.event("11", sent_ms, old))
    with pytest.raises(BadSignature):
        await world.check("11", world.event("11", expired_ms + 1, old))


async def test_events_need_a_key_that_was_valid_then(world: World) -> None:
    """From room version 5 on; before it does not matter when."""
    world.peer.valid_until_ms = world.clock.now_ms() + DAY_MS
    late_ms = world.clock.now_ms() + 2 * DAY_MS
    await world.check("11", world.event("11", world.clock.now_ms()))
    await world.check("4", world.event("4", late_ms))
    with pytest.raises(BadSignature):
        await world.check("5", world.event("5", late_ms))
    spoiled = {**world.event("11", world.clock.now_ms()), "depth": 6}
    with pytest.raises(BadSignature):
        await world.check("11", spoiled)


@pytest.mark.parametrize(
    "lie", ["another", "unsigned", "foreign", "timeless", "odd", "large", "many", "error", "text"]
)
async def test_lies_about_keys_are_not_believed(world: World, lie: str) -> None:
    peer, other = world.peer, SigningKey.generate("other")
    lies: dict[str, Callable[[], Any]] = {
        "another": lambda: own_answer("other.example", peer.key, [], peer.valid_until_ms),
        "unsigned": lambda: peer.says(signatures={}),
        "foreign": lambda: sign_json(peer.says(signatures={}), peer.name, other),
        "timeless": lambda: sign_json(
            {**peer.says(valid_until_ts="soon"), "signatures": {}}, peer.name, peer.key
        ),
        "odd": lambda: {**peer.says(), "verify_keys": [1, 2]},
        "large": lambda: peer.says(more="x" * 100_000),
        "many": lambda: sign_json(
            {
                **peer.says(signatures={}),
                "old_verify_keys": {
                    f"ed25519:{n}": {"key": other.verify_key_base64, "expired_ts": 1} for n in range(60)
                },
            },
            peer.name,
            peer.key,
        ),
        "error": lambda: {"errcode": "M_UNKNOWN"},
        "text": lambda: ["keys"],
    }
    peer.answers[KEYS] = lies[lie]()
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await world.asks()
    assert peer.asked[KEYS] == 1
    del peer.answers[KEYS]
    world.clock.advance(301_000)
    assert await world.asks() == peer.name


async def test_many_at_once_ask_once(world: World) -> None:
    assert set(await asyncio.gather(*(world.asks() for _ in range(20)))) == {world.peer.name}
    assert world.peer.asked[KEYS] == 1


async def test_our_own_signature_needs_no_question(world: World) -> None:
    sent = xmatrix.header(world.key, "GET", "/a", origin=OURS, destination=OURS, content=None)
    assert await world.keyring.verify_request(xmatrix.parse_all([sent], OURS), "GET", "/a", None) == OURS


async def test_calls_are_signed_and_answers_read(world: World) -> None:
    peer = ServerName(world.peer.name)
    world.peer.answers["/_matrix/a/!x:y"] = {"is": "there"}
    call = Call("PUT", "/_matrix/a/!x%3Ay", {"ver": ["1", "2"]}, {"b": 1})
    assert await world.client.call(peer, call) == {"is": "there"}
    (said,) = xmatrix.parse_all(world.peer.headers, world.peer.name)
    data = xmatrix.signed_bytes("PUT", "/_matrix/a/!x%3Ay?ver=1&ver=2", OURS, world.peer.name, {"b": 1})
    world.key.verify_key.verify(data, said.signature)
    with pytest.raises(RemoteError) as refused:
        await world.client.call(peer, Call("GET", "/_matrix/none"))
    assert (refused.value.status, refused.value.errcode) == (404, "M_NOT_FOUND")
    world.peer.answers["/_matrix/list"] = [1]
    with pytest.raises(Unreachable):
        await world.client.call(peer, Call("GET", "/_matrix/list"))
    world.peer.answers["/_matrix/big"] = {"a": "x" * 5000}
    with pytest.raises(BodyTooLarge):
        await world.client.call(peer, Call("GET", "/_matrix/big", max_bytes=1000))


async def test_whom_the_operator_does_not_allow_is_not_called(world: World) -> None:
    calls = world.peer.asked.total()
    for lists in (Lists(deny=["PEER.*"]), Lists(allow=["*.org"]), Lists(["*"], ["peer.example:*"])):
        client = FederationClient(
            world.http, Discovery(world.http, Records(), world.clock), lists, server=OURS, key=world.key
        )
        with pytest.raises(Denied):
            await client.keys(ServerName(world.peer.name))
    assert Lists(["peer.*"], ["other.*"]).admits(world.peer.name)
    assert world.peer.asked.total() == calls


@pytest.mark.parametrize("name", ["private.example:443", "10.1.2.3", "localhost:8448", "[::1]:8448"])
async def test_private_addresses_are_not_reached(world: World, name: str) -> None:
    with pytest.raises(Refused):
        await world.client.keys(ServerName(name))
    assert issubclass(Refused, RequestFailed)


async def test_another_certificate_is_not_taken(world: World) -> None:
    port = world.peer.name.partition(":")[2]
    with pytest.raises(Unreachable):
        await world.client.keys(ServerName(f"other.example:{port}"))
    assert not world.peer.asked
