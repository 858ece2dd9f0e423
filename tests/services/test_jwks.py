"""The keys of host applications: read from files, or fetched and kept."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from homeserver.clock import FakeClock
from homeserver.errors import Upstream
from homeserver.net.client import HttpClient
from homeserver.net.publicnet import Guard
from homeserver.services.auth.jwks import FixedKeys, RemoteKeys, fetch_bytes, parse_key_set, parse_pem
from homeserver.services.auth.jwt_login import Issuer, make_issuers
from tests.services.issuers import (
    CLIENT,
    EC,
    NOW_S,
    OTHER_RSA,
    RSA,
    SECRET,
    jwk,
    pem,
    refused,
    settings,
    token,
)
from tests.services.people import People


class KeyServer:
    """A host's key set, which can be changed, slowed down and broken."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.fetches = 0
        self.broken = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self, url: str) -> bytes:
        self.fetches += 1
        await self.gate.wait()
        if self.broken:
            raise Upstream("broken")
        return json.dumps({"keys": self.keys}).encode()

    def issuer(self, clock: FakeClock) -> Issuer:
        keys = RemoteKeys(
            url="https://portal.example/keys", fetch=self.fetch, clock=clock, cache_s=600, refetch_s=30
        )
        chosen = settings(secret=None, jwks_url="https://portal.example/keys", algorithms=["RS256", "ES256"])
        return Issuer(chosen, keys)


async def test_fetched_keys_are_kept_and_a_new_one_is_found(people: People) -> None:
    server = KeyServer(jwk(RSA, kid="1"))
    hosts = people.hosts(server.issuer(people.clock))
    for n in range(5):
        await hosts.authenticate(token(RSA, "RS256", {"kid": "1"}, jti=str(n)))
    assert server.fetches == 1
    server.keys.append(jwk(EC, kid="2"))
    people.clock.advance(31_000)
    await hosts.authenticate(token(EC, "ES256", {"kid": "2"}))
    assert server.fetches == 2
    await hosts.authenticate(token(EC, "ES256"))  # names no key: any that fits
    server.keys = [jwk(EC, kid="2")]
    people.clock.advance(300_000)
    await hosts.authenticate(token(RSA, "RS256", {"kid": "1"}, jti="still believed"))
    people.clock.advance(301_000)
    assert (
        await refused(hosts, token(RSA, "RS256", {"kid": "1"}, jti="over", exp=NOW_S + 900))
        == "unknown_token"
    )


async def test_a_flood_of_unknown_key_ids_makes_few_fetches(people: People) -> None:
    server = KeyServer(jwk(RSA, kid="1"))
    hosts = people.hosts(server.issuer(people.clock))
    server.gate.clear()
    flood = [
        asyncio.create_task(refused(hosts, token(OTHER_RSA, "RS256", {"kid": f"k{n}"}))) for n in range(50)
    ]
    while not server.fetches:
        await asyncio.sleep(0)
    server.gate.set()
    assert set(await asyncio.gather(*flood)) == {"unknown_token"}
    for n in range(50):
        await refused(hosts, token(OTHER_RSA, "RS256", {"kid": f"late{n}"}))
    assert server.fetches == 1
    people.clock.advance(31_000)
    for n in range(50):
        await refused(hosts, token(OTHER_RSA, "RS256", {"kid": f"later{n}"}))
    assert server.fetches == 2
    await hosts.authenticate(token(RSA, "RS256", {"kid": "1"}))  # all the same


async def test_old_keys_serve_while_the_host_is_away(people: People) -> None:
    server = KeyServer(jwk(RSA, kid="1"))
    server.broken = True
    hosts = people.hosts(server.issuer(people.clock))
    for _ in range(3):
        with pytest.raises(Upstream):
            await hosts.authenticate(token(RSA, "RS256", {"kid": "1"}))
    assert server.fetches == 1
    server.broken = False
    people.clock.advance(31_000)
    await hosts.authenticate(token(RSA, "RS256", {"kid": "1"}))
    server.broken = True
    people.clock.advance(3_600_000)
    await hosts.authenticate(token(RSA, "RS256", {"kid": "1"}, exp=NOW_S + 7200))
    people.clock.advance(86_400_000)
    with pytest.raises(Upstream):
        await hosts.authenticate(token(RSA, "RS256", {"kid": "1"}, exp=NOW_S + 100_000))


async def test_keys_are_fetched_over_http_with_limits() -> None:
    hits: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        hits.append(request.path)
        match request.path:
            case "/keys":
                return web.json_response({"keys": [jwk(RSA, kid="1")]})
            case "/away":
                raise web.HTTPFound("/keys")
            case "/huge":
                return web.Response(body=b"x" * 5000)
            case "/slow":
                await asyncio.Event().wait()
        return web.Response(status=500)

    app = web.Application()
    app.router.add_get("/{any}", answer)
    client = HttpClient(Guard(None), connections=1)
    async with TestServer(app) as server:

        async def fetch(path: str, timeout_s: float = 5.0) -> bytes:
            url = str(server.make_url(path))
            return await fetch_bytes(client, url, timeout_s=timeout_s, max_bytes=4000)

        assert [key.kid for key in parse_key_set(await fetch("/keys"))] == ["1"]
        for path in ("/away", "/huge", "/error"):
            with pytest.raises(Upstream):
                await fetch(path)
        with pytest.raises(Upstream):
            await fetch("/slow", timeout_s=0.05)
        assert "/keys" in hits
        assert hits.count("/keys") == 1  # the redirect was not followed
    with pytest.raises(Upstream):
        await fetch_bytes(client, "http://127.0.0.1:1/keys", timeout_s=5, max_bytes=10)
    await client.close()


async def test_a_key_set_yields_only_keys_for_signatures() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    private = {**jwk(RSA), "d": "AQAB"}
    secret = {"kty": "oct", "k": base64.urlsafe_b64encode(SECRET.encode()).decode(), "alg": "HS256"}
    entries = [
        jwk(weak),
        private,
        secret,
        jwk(RSA, use="enc"),
        jwk(RSA, key_ops=["encrypt"]),
        {"kty": "RSA"},
        {"kty": "EC", "crv": "x"},
        5,
        None,
        {"kty": ["RSA"] and "XX"},
        jwk(RSA, kid="good", alg="RS512", use="sig"),
        jwk(EC, kid=7),
    ]
    keys = parse_key_set(json.dumps({"keys": entries}).encode())
    assert [(key.kid, sorted(key.algorithms)) for key in keys] == [("good", ["RS512"]), (None, ["ES256"])]
    assert await FixedKeys(keys).find("HS256", None) == []
    for bad in (b"", b"[]", b"{}", b'{"keys": 5}', json.dumps({"keys": [{}] * 51}).encode()):
        with pytest.raises(ValueError, match=r"(?i)key set|input|expected"):
            parse_key_set(bad)


def test_key_files_are_read_at_start_and_faults_named(clock: FakeClock, tmp_path: Path) -> None:
    assert parse_pem(pem(EC)).algorithms == {"ES256"}
    ed = ed25519.Ed25519PrivateKey.generate().public_key()
    ed_pem = ed.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert parse_pem(ed_pem).algorithms == {"EdDSA"}
    path = tmp_path / "key.pem"
    private = RSA.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private)
    for file in (path, tmp_path / "absent.pem"):
        with pytest.raises(ValueError, match="issuer unet"):
            make_issuers([settings(secret=None, public_key_file=file, algorithms=["RS256"])], clock, CLIENT)
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [jwk(RSA, kid="1")]}))
    assert make_issuers([settings(secret=None, jwks_file=keys, algorithms=["RS256"])], clock, CLIENT)
