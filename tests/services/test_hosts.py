"""People of host applications: whose tokens are believed, and who they become here."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import jwt
import pytest

from homeserver import publicids
from homeserver.errors import Conflict, Forbidden, Unauthenticated
from homeserver.model import Page, Requester
from homeserver.services.auth.jwt_claims import host_person
from homeserver.settings.models import ClaimSettings
from tests.services.issuers import (
    EC,
    NOW_S,
    OTHER_RSA,
    RSA,
    SECRET,
    file_issuer,
    jwk,
    pem,
    refused,
    secret_issuer,
    token,
)
from tests.services.people import People


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
    host = anna.host
    assert host is not None
    assert (anna.display_name, host.study_group, anna.email) == (
        "Анна Иванова",
        "ИВТ-1",
        "anna@portal.example",
    )
    assert (host.phone, host.telegram, host.role, anna.tag) == ("+7 900", "anna", "student", "")
    assert len(host.bio) == 2000
    before = people.db.statements
    assert (await hosts.authenticate(text, "5.6.7.8")).address == "5.6.7.8"
    assert people.db.statements == before


@pytest.mark.parametrize(
    ("user_id", "number", "localpart"),
    [
        (1, 1, "unet_1"),
        ("17", 17, "unet_17"),
        (2**31 - 1, 2**31 - 1, "unet_2147483647"),
        (2**31, 2**31, "unet_2147483648"),
        (str(2**53 - 1), 2**31, "unet_9007199254740991"),
        ("007", 2**31, "unet_02147483648"),
        ("anna", 2**31, "unet_02147483648"),
        ("٣", 2**31, "unet_02147483648"),
    ],
)
async def test_host_ids_become_numbers(people: People, user_id: object, number: int, localpart: str) -> None:
    requester = await people.hosts(secret_issuer(people.clock)).authenticate(token(user_id=user_id))
    assert requester.number == 2**32 + number
    assert requester.user_id == f"@{localpart}:test.example"


async def test_a_number_that_cannot_be_an_id_is_refused_and_says_so(people: People) -> None:
    hosts = people.hosts(
        secret_issuer(people.clock), secret_issuer(people.clock, name="shop", namespace=7, issuer="s")
    )
    slots = [2**52, 2**52 + (3 << 32) + 5, 2**52 + (4 << 32) + 5, 2**52 + (10 << 32)]  # of others
    for user_id in (0, "0", -5, "-5", 2**53, str(2**53), 2**64, "9" * 200, *slots):
        with pytest.raises(Unauthenticated, match=r"user id|not valid"):
            await hosts.authenticate(token(user_id=user_id))
    assert await hosts.authenticate(token(user_id=2**52 + (11 << 32)))


async def test_an_id_that_was_somebody_elses_matrix_id_gets_another(people: People) -> None:
    """Earlier versions gave ids such as this one to users whose own id is a text."""
    anna = await people.register("Anna")
    async with people.db.write() as conn:
        taken = {"id": "@unet_2147483648:test.example", "of": anna.number}
        await conn.exec_driver_sql(f"UPDATE users SET user_id = '{taken['id']}' WHERE number = {taken['of']}")
    requester = await people.hosts(secret_issuer(people.clock)).authenticate(token(user_id=2**31))
    assert requester.user_id == "@unet_02147483648:test.example"
    assert publicids.to_public(requester.number, 1) == 2**31


async def test_ids_that_are_no_numbers_get_the_next_free_ones(people: People) -> None:
    hosts = people.hosts(secret_issuer(people.clock))
    numbers = [
        (await hosts.authenticate(token(user_id=name))).number - 2**32 for name in ("a", "b", "a", "c")
    ]
    assert numbers == [2**31, 2**31 + 1, 2**31, 2**31 + 2]


async def test_a_token_without_a_usable_id_is_refused(people: People) -> None:
    hosts = people.hosts(secret_issuer(people.clock))
    unusable: list[object] = [None, "", True, 1.5, [1], {"id": 1}, "a\nb", " a", "x" * 256, "a\0"]
    for user_id in unusable:
        assert await refused(hosts, token(user_id=user_id)) == "unknown_token", user_id


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
    assert seen.host is not None
    assert (seen.display_name, seen.host.study_group, seen.email) == ("Anna", "A1", "anna@portal.example")
    bob = await hosts.authenticate(token(user_id=8))
    assert [one.number for one in await people.directory.page(bob, text="anna", page=Page(10))] == [
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
