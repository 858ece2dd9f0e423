"""People of host applications: whose tokens are believed, and who they become here."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from homeserver.clock import FakeClock
from homeserver.errors import Conflict, Forbidden, Unauthenticated, Upstream
from homeserver.model import Page, Requester
from homeserver.services.claims import host_person
from homeserver.services.hosts import Hosts, Issuer, make_issuers
from homeserver.services.jwks import FixedKeys, RemoteKeys, fetch_bytes, parse_key_set, parse_pem
from homeserver.settings.models import ClaimSettings, IssuerSettings
from tests.services.people import People

SECRET = "a secret that the portal and the chat share"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
NOW_S = FakeClock().now_ms() // 1000


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def jwk(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, **more: object) -> dict[str, Any]:
    made: dict[str, Any] = (
        jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        if isinstance(key, rsa.RSAPrivateKey)
        else jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    )
    return {**made, **more}


def settings(**changes: object) -> IssuerSettings:
    return IssuerSettings.model_validate({"name": "unet", "namespace": 1, "secret": SECRET, **changes})


def secret_issuer(clock: FakeClock, **changes: object) -> Issuer:
    return make_issuers([settings(**changes)], clock)[0]


def file_issuer(
    clock: FakeClock, folder: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, **changes: object
) -> Issuer:
    path = folder / f"{changes.get('name', 'unet')}.pem"
    path.write_bytes(pem(key))
    return make_issuers([settings(**{"secret": None, "public_key_file": path, **changes})], clock)[0]


def token(
    key: Any = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **claims: Any
) -> str:
    said = {"user_id": 5, "exp": NOW_S + 600, **claims}
    payload = json.dumps({name: value for name, value in said.items() if value is not None}).encode()
    return jwt.PyJWS().encode(payload, key, algorithm, headers)


async def refused(hosts: Hosts, text: str) -> str:
    with pytest.raises(Unauthenticated) as error:
        await hosts.authenticate(text)
    return error.value.code


async def test_a_student_of_the_portal_is_known_here(people: People) -> None:
    hosts = people.hosts(secret_issuer(people.clock))
    text = token(
        first_name="Анна",
        last_name="Иванова",
        middle_name="Петровна",
        role="student",
        group="ИВТ-1",
        number_phone="+7 900",
        telegram_username="anna",
        email="Anna@Portal.example",
        position="",
        avatar="https://portal.example/a.png",
        bio="x" * 5000,
    )
    requester = await hosts.authenticate(text, "1.2.3.4")
    assert requester == Requester(
        user_id="@unet_5:test.example",  # type: ignore[arg-type]  # a literal
        number=2**32 + 5,
        session_key="@unet_5:test.example",
        namespace=1,
        address="1.2.3.4",
        expires_ms=(NOW_S + 630) * 1000,
    )
    anna = await people.profiles.own(requester)
    assert (anna.display_name, anna.study_group, anna.email) == (
        "Анна Иванова",
        "ИВТ-1",
        "anna@portal.example",
    )
    assert (anna.phone, anna.telegram, anna.role, anna.tag) == ("+7 900", "anna", "student", "")
    assert len(anna.bio) == 2000
    before = people.db.statements
    assert (await hosts.authenticate(text, "5.6.7.8")).address == "5.6.7.8"
    assert people.db.statements == before


@pytest.mark.parametrize(
    ("user_id", "number"),
    [
        (1, 1),
        ("17", 17),
        (2**31 - 1, 2**31 - 1),
        (2**31, 2**31),
        ("0", 2**31),
        ("007", 2**31),
        ("anna", 2**31),
        ("٣", 2**31),
        (-5, 2**31),
        ("9" * 200, 2**31),
    ],
)
async def test_host_ids_become_numbers(people: People, user_id: object, number: int) -> None:
    requester = await people.hosts(secret_issuer(people.clock)).authenticate(token(user_id=user_id))
    assert requester.number == 2**32 + number
    assert requester.user_id == f"@unet_{number}:test.example"


async def test_ids_that_are_no_numbers_get_the_next_free_ones(people: People) -> None:
    hosts = people.hosts(secret_issuer(people.clock))
    numbers = [
        (await hosts.authenticate(token(user_id=name))).number - 2**32 for name in ("a", "b", "a", "c")
    ]
    assert numbers == [2**31, 2**31 + 1, 2**31, 2**31 + 2]


@pytest.mark.parametrize("user_id", [None, "", True, 1.5, [1], {"id": 1}, "a\nb", " a", "x" * 256, "a\0"])
async def test_a_token_without_a_usable_id_is_refused(people: People, user_id: object) -> None:
    assert await refused(people.hosts(secret_issuer(people.clock)), token(user_id=user_id)) == "unknown_token"


async def test_claims_may_lie_deeper(people: People) -> None:
    claims = {"user_id": "user.id", "first_name": "user.name.first", "email": "https://portal.example/email"}
    hosts = people.hosts(secret_issuer(people.clock, claims=claims))
    said: dict[str, Any] = {
        "user_id": None,
        "user": {"id": 9, "name": {"first": "Ann"}},
        "https://portal.example/email": "a@b.example",
    }
    text = token(**said)
    anna = await people.profiles.own(await hosts.authenticate(text))
    assert (anna.number, anna.display_name, anna.email) == (2**32 + 9, "Ann", "a@b.example")


async def test_many_first_sights_at_once_make_one_person(people: People, elsewhere: People) -> None:
    workers = [worker.hosts(secret_issuer(people.clock)) for worker in (people, elsewhere)]
    for name in ("anna", 7):
        seen = await asyncio.gather(
            *(hosts.authenticate(token(user_id=name, jti=str(n))) for n in range(6) for hosts in workers)
        )
        assert len({one.user_id for one in seen}) == 1


async def test_a_changed_profile_is_taken_over_and_an_equal_one_costs_nothing(
    people: People, elsewhere: People
) -> None:
    hosts = people.hosts(secret_issuer(people.clock))
    anna = await hosts.authenticate(token(first_name="Ann", group="A1"))
    await elsewhere.profiles.own(anna)
    written = people.writing.live.position
    await hosts.authenticate(token(first_name="Ann", group="A1", jti="2"))
    assert people.writing.live.position == written
    await hosts.authenticate(token(first_name="Anna", group="A1", email="anna@portal.example", jti="3"))
    await elsewhere.hear()
    seen = await elsewhere.profiles.own(anna)
    assert (seen.display_name, seen.study_group, seen.email) == ("Anna", "A1", "anna@portal.example")
    bob = await people.requester("Bob")
    assert [one.number for one in await people.profiles.search(bob, text="anna", page=Page(10))] == [
        anna.number
    ]
    await hosts.authenticate(token(jti="4"))  # a token that says nothing takes nothing away
    assert (await people.profiles.own(anna)).display_name == "Anna"


async def test_a_hosts_word_about_an_email_takes_it_from_nobody(people: People) -> None:
    alice = await people.register("Alice")
    hosts = people.hosts(secret_issuer(people.clock))
    thief = await hosts.authenticate(token(email="alice@example.org"))
    assert thief.user_id != alice.user_id
    assert (await people.profiles.own(thief)).email == ""
    await hosts.authenticate(token(email="alice@example.org", first_name="Mallory", jti="2"))
    assert (await people.profiles.own(thief)).email == ""
    assert (await people.accounts.find(alice.user_id)).person.email == "alice@example.org"
    await hosts.authenticate(token(email="own@portal.example", jti="3"))
    with pytest.raises(Conflict):
        await people.register("Mallory", email="own@portal.example")


async def test_a_suspended_student_is_out_at_once(people: People, elsewhere: People) -> None:
    here, there = people.hosts(secret_issuer(people.clock)), elsewhere.hosts(secret_issuer(people.clock))
    anna = await here.authenticate(token())
    await there.authenticate(token())
    await people.accounts.suspend(anna.user_id)
    await elsewhere.hear()
    for hosts in (here, there):
        with pytest.raises(Forbidden):
            await hosts.authenticate(token())
    await people.accounts.unsuspend(anna.user_id)
    await here.authenticate(token())


async def test_times_are_checked_with_some_leeway(people: People) -> None:
    hosts = people.hosts(secret_issuer(people.clock, leeway_s=30, max_age_s=3600))
    assert await refused(hosts, token(exp=NOW_S - 30)) == "token_expired"
    await hosts.authenticate(token(exp=NOW_S - 29))
    people.clock.advance(1_000)
    assert await refused(hosts, token(exp=NOW_S - 29)) == "token_expired"  # known, and over
    for claims in (
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 2**60},
        {"exp": NOW_S + 4000},
        {"nbf": NOW_S + 60},
        {"nbf": "x"},
    ):
        assert await refused(hosts, token(**claims)) == "unknown_token", claims
    await hosts.authenticate(token(nbf=NOW_S + 20, iat=NOW_S + 20))


async def test_audience_issuer_and_type_are_checked(people: People) -> None:
    hosts = people.hosts(secret_issuer(people.clock, audience="chat", issuer="https://portal.example"))
    good: dict[str, Any] = {"aud": "chat", "iss": "https://portal.example"}
    await hosts.authenticate(token(**good))
    await hosts.authenticate(token(**{**good, "aud": ["mail", "chat"]}))
    for change in (
        {"aud": None},
        {"aud": "mail"},
        {"aud": ["mail"]},
        {"aud": 5},
        {"iss": None},
        {"iss": ["https://portal.example"]},
        {"iss": "https://evil.example"},
        {"type": "refresh"},
        {"token_type": "refresh"},
    ):
        assert await refused(hosts, token(**{**good, **change})) == "unknown_token", change
    await hosts.authenticate(token(**{**good, "type": "access"}))


async def test_no_token_chooses_how_it_is_checked(people: People, tmp_path: Path) -> None:
    hosts = people.hosts(
        secret_issuer(people.clock),
        file_issuer(people.clock, tmp_path, RSA, name="shop", namespace=2, algorithms=["RS256"]),
    )
    await hosts.authenticate(token(RSA, "RS256"))
    payload = (
        base64.urlsafe_b64encode(json.dumps({"user_id": 1, "exp": NOW_S + 60}).encode()).rstrip(b"=").decode()
    )

    def unsigned(**header: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode() + f".{payload}."

    hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
    confused = hmac.sign(f"{head}.{payload}".encode(), pem(RSA))  # the public key as a shared secret
    wrong = [
        unsigned(alg="none"),
        unsigned(alg="NONE"),
        unsigned(),
        unsigned(alg=["HS256"]),
        unsigned(alg="HS256"),
        f"{head}.{payload}.{base64.urlsafe_b64encode(confused).rstrip(b'=').decode()}",
        token(SECRET * 2, "HS512"),
        token(RSA, "RS512"),
        token(OTHER_RSA, "RS256"),
        token(EC, "ES256"),
        token(RSA, "RS256", headers={"jwk": jwk(OTHER_RSA)}).replace("a", "b", 1),
        token(OTHER_RSA, "RS256", headers={"jwk": jwk(OTHER_RSA)}),
        token(OTHER_RSA, "RS256", headers={"jku": "https://evil.example/keys"}),
        token(headers={"crit": ["exp"], "exp": 1}),
        token(headers={"kid": "x" * 501}),
        token() + "x" * 20_000,
        "",
        "a",
        "..",
        "a.b.c",
        "é.é.é",
    ]
    for one in wrong:
        assert await refused(hosts, one) == "unknown_token", one[:200]


async def test_the_claim_iss_picks_the_issuer_where_one_has_it(people: People, tmp_path: Path) -> None:
    portal = secret_issuer(people.clock, issuer="portal")
    shop = secret_issuer(people.clock, name="shop", namespace=2, issuer="shop", secret="x" * 40)
    plain = secret_issuer(people.clock, name="plain", namespace=3, secret="y" * 40)
    ec_host = file_issuer(people.clock, tmp_path, EC, name="ec", namespace=4, algorithms=["ES256"])
    hosts = people.hosts(portal, shop, plain, ec_host)

    async def namespace(text: str) -> int:
        return (await hosts.authenticate(text)).namespace

    assert await namespace(token(iss="portal")) == 1
    assert await namespace(token("x" * 40, iss="shop")) == 2
    assert await namespace(token("y" * 40)) == 3
    assert await namespace(token("y" * 40, iss="whoever")) == 3
    assert await namespace(token(EC, "ES256")) == 4
    assert (
        await refused(hosts, token("x" * 40, iss="portal")) == "unknown_token"
    )  # the shop speaks for no student
    assert await refused(hosts, token("y" * 40, iss="portal")) == "unknown_token"
    assert await refused(hosts, token()) == "unknown_token"  # the portal must name itself


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
    async with TestServer(app) as server:

        async def fetch(path: str, timeout_s: float = 5.0) -> bytes:
            return await fetch_bytes(str(server.make_url(path)), timeout_s=timeout_s, max_bytes=4000)

        assert [key.kid for key in parse_key_set(await fetch("/keys"))] == ["1"]
        for path in ("/away", "/huge", "/error"):
            with pytest.raises(Upstream):
                await fetch(path)
        with pytest.raises(Upstream):
            await fetch("/slow", timeout_s=0.05)
        assert "/keys" in hits
        assert hits.count("/keys") == 1  # the redirect was not followed
    with pytest.raises(Upstream):
        await fetch_bytes("http://127.0.0.1:1/keys", timeout_s=5, max_bytes=10)


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
            make_issuers([settings(secret=None, public_key_file=file, algorithms=["RS256"])], clock)
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [jwk(RSA, kid="1")]}))
    assert make_issuers([settings(secret=None, jwks_file=keys, algorithms=["RS256"])], clock)


def test_claims_of_odd_kinds_are_left_out() -> None:
    claims = {
        "user_id": 1,
        "first_name": ["Ann"],
        "last_name": None,
        "email": "no mail",
        "role": 5,
        "bio": "a\u202eb",
        "avatar": "javascript:alert(1)",
        "name": {"x": 1},
    }
    made = host_person(claims, ClaimSettings())
    assert made.fields == {"role": "5", "bio": "a b", "avatar_url": ""}
    assert made.email == ""
