"""Whole servers with federation: what they publish, as notaries too, at their own port and at the main one."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from homeserver.app import build
from homeserver.http.tls import Certificate
from homeserver.lifecycle import Running, running
from homeserver.protocol.ids import ServerName
from homeserver.protocol.signing import VerifyKey, verify_json
from homeserver.settings.models import Settings
from homeserver.settings.secrets import rotate_signing
from tests.authority import Authority
from tests.federation.peer import Peer, at_work
from tests.federation.test_discovery import elsewhere
from tests.net.names import OPEN

KEYS = "/_matrix/key/v2"


@pytest.fixture
def database_kind() -> str:
    """Keys are stored alike; the keyring's own tests run on both."""
    return "sqlite"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def overrides(authority: Authority) -> Mapping[str, object]:
    chain, secret = authority.issue(["localhost"])
    federation = {
        "enabled": True,
        "host": "0.0.0.0",
        "port": 0,
        "certificate_file": str(chain),
        "private_key_file": str(secret),
        "ca_file": str(authority.file),
        "allowed_networks": ["127.0.0.0/8"],
        "deny": ["denied.example*"],
    }
    return {"federation": federation, "matrix": {"enabled": True}}


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    async with running(settings, build(settings, resolver=elsewhere())) as one:
        yield one


@pytest.fixture
async def peer(authority: Authority) -> AsyncIterator[Peer]:
    async with at_work(authority.serve(["peer.example"]), "peer.example") as made:
        yield made


@pytest.fixture
async def session(authority: Authority) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=authority.trust())
    async with aiohttp.ClientSession(connector=connector) as made:
        yield made


async def get(session: aiohttp.ClientSession, url: str, status: int = 200) -> Any:
    async with session.get(url) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


def own_keys(server: Running) -> dict[str, VerifyKey]:
    key = server.hs.core.keys.signing
    return {key.key_id: key.verify_key}


async def test_keys_and_version_at_both_ports(server: Running, session: aiohttp.ClientSession) -> None:
    for url in (server.url, f"https://localhost:{server.federation_port}"):
        said = await get(session, f"{url}{KEYS}/server")
        verify_json(said, "test.example", own_keys(server))
        assert said["server_name"] == "test.example"
        assert said["valid_until_ts"] > server.hs.core.clock.now_ms() + 3_600_000
        assert await get(session, f"{url}{KEYS}/server/ed25519:any")
        version = await get(session, f"{url}/_matrix/federation/v1/version")
        assert version["server"]["name"] == "homeserver"
        for path in ("/_matrix/federation/v1/none", f"{KEYS}/none", "/_matrix/federation"):
            assert (await get(session, url + path, 404))["errcode"] == "M_UNRECOGNIZED"
        async with session.post(f"{url}/_matrix/federation/v1/version") as wrong:
            assert (wrong.status, (await wrong.json())["errcode"]) == (405, "M_UNRECOGNIZED")
        info = await get(session, f"{url}/_matrix/federation/v1/openid/userinfo", 401)
        assert info["errcode"] == "M_MISSING_TOKEN"
        info = await get(session, f"{url}/_matrix/federation/v1/openid/userinfo?access_token=x", 401)
        assert info["errcode"] == "M_UNKNOWN_TOKEN"
    there = f"https://localhost:{server.federation_port}"
    async with session.get(f"{there}/_matrix/client/versions") as answer:
        assert answer.status == 404, "nothing but federation is there"
    assert await get(session, f"{server.url}/_matrix/client/versions")


async def test_a_former_key_is_published(
    settings: Settings, authority: Authority, session: aiohttp.ClientSession
) -> None:
    async with running(settings) as first:
        before = first.hs.core.keys.signing
        began_ms = first.hs.core.clock.now_ms()
    rotate_signing(Path(settings.server.data_dir))
    async with running(settings) as second:
        said = await get(session, f"{second.url}{KEYS}/server")
        assert before.key_id not in said["verify_keys"]
        old = said["old_verify_keys"][before.key_id]
        assert old["key"] == before.verify_key_base64
        assert began_ms <= old["expired_ts"] <= second.hs.core.clock.now_ms()
        verify_json(said, "test.example", own_keys(second))


async def test_as_a_notary(server: Running, peer: Peer, session: aiohttp.ClientSession) -> None:
    """Both have signed what it says; who cannot be asked is left out; a repeated query asks nobody."""
    port = peer.name.partition(":")[2]
    for _ in range(2):
        wanted: dict[str, Any] = {
            peer.name: {},
            "test.example": {},
            f"denied.example:{port}": {},
            "private.example:1": {},
            "no name": {},
        }
        async with session.post(f"{server.url}{KEYS}/query", json={"server_keys": wanted}) as answer:
            found = {one["server_name"]: one for one in (await answer.json())["server_keys"]}
        assert found.keys() == {peer.name, "test.example"}
        verify_json(found[peer.name], peer.name, {peer.key.key_id: peer.key.verify_key})
        verify_json(found[peer.name], "test.example", own_keys(server))
        one = await get(session, f"{server.url}{KEYS}/query/{peer.name}?minimum_valid_until_ts=5")
        assert one["server_keys"] == [found[peer.name]]
    assert peer.asked[f"{KEYS}/server"] == 1
    assert await get(session, f"{server.url}{KEYS}/query/private.example:1") == {"server_keys": []}
    for port in ("99999", "0"):
        none = await get(session, f"{server.url}{KEYS}/query/a.example:{port}")
        assert none == {"server_keys": []}
    refused = await get(session, f"{server.url}{KEYS}/query/a.example?minimum_valid_until_ts=soon", 400)
    assert refused["errcode"] == "M_INVALID_PARAM"
    async with session.post(f"{server.url}{KEYS}/query", json={"server_keys": [1]}) as answer:
        assert (answer.status, (await answer.json())["errcode"]) == (400, "M_BAD_JSON")


async def test_servers_know_each_other(server: Running, peer: Peer) -> None:
    """By real names, keys and certificates."""
    federation = server.hs.federation
    assert federation is not None
    said = await federation.client.keys(ServerName(peer.name))
    assert said["server_name"] == peer.name
    own = await federation.client.keys(ServerName(f"localhost:{server.federation_port}"))
    verify_json(own, "test.example", own_keys(server))


async def test_a_new_certificate_is_served_without_a_restart(server: Running, authority: Authority) -> None:
    around = server.hs.settings.federation
    assert around.certificate_file is not None
    assert around.private_key_file is not None
    certificate = Certificate(around.certificate_file, around.private_key_file)
    certificate.load()

    async def serial() -> bytes:
        async with asyncio.timeout(30):
            trusting = authority.trust()
            _, writer = await asyncio.open_connection(OPEN, port, ssl=trusting, server_hostname="localhost")
            found: ssl.SSLObject = writer.get_extra_info("ssl_object")
            shown = found.getpeercert(binary_form=True)
            writer.close()
            assert shown is not None
            return shown

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listening = await asyncio.start_server(answer, OPEN, 0, ssl=certificate.context)
    port = listening.sockets[0].getsockname()[1]
    first = await serial()
    await certificate.reload()
    assert await serial() == first
    around.certificate_file.write_text("no certificate")
    await certificate.reload()
    assert await serial() == first, "one that is no good is not taken"
    other = authority.issue(["other.example"])[0]
    around.certificate_file.write_bytes(other.read_bytes())
    await certificate.reload()
    assert await serial() == first, "nor one without its key, as in the middle of a renewal"
    authority.issue(["localhost"])  # into the same files
    await certificate.reload()
    assert await serial() != first
    listening.close()
