"""Tokens: made, believed, refreshed, and refused once their session has ended."""

import asyncio
import base64
import json

import jwt
import pytest

from homeserver.clock import FakeClock
from homeserver.errors import Forbidden, NotFound, RateLimited, Unauthenticated
from homeserver.model import SessionId
from homeserver.services.auth.token_format import TokenKey
from homeserver.settings.models import BucketSettings, RateLimitSettings, TokenSettings
from homeserver.storage.db import Database
from tests.services.people import SECRET, People, working

ACCESS_MS = TokenSettings().access_ttl_s * 1000
REFRESH_MS = TokenSettings().refresh_ttl_s * 1000


async def refused(people: People, token: str) -> str:
    with pytest.raises(Unauthenticated) as error:
        await people.sessions.authenticate(token)
    return error.value.code


async def test_alice_logs_in_and_is_known_by_her_token(people: People) -> None:
    made = await people.log_in("Alice")
    assert made.expires_in_s == 900
    requester = await people.sessions.authenticate(made.access_token, "1.2.3.4")
    assert (requester.user_id, requester.number, requester.namespace) == (made.person.user_id, 1, 0)
    assert requester.address == "1.2.3.4"
    assert requester.expires_ms == people.clock.now_ms() + ACCESS_MS
    claims = jwt.decode(made.access_token, options={"verify_signature": False})
    assert claims["iss"] == "test.example"
    assert (claims["sub"], claims["user_id"], claims["type"]) == (made.person.user_id, 1, "access")


async def test_a_known_token_costs_no_statement(people: People) -> None:
    token = (await people.log_in("Alice")).access_token
    await people.sessions.authenticate(token, "1.2.3.4")
    before = people.db.statements
    await people.sessions.authenticate(token, "1.2.3.4")
    assert people.db.statements == before


async def test_a_token_expires(people: People) -> None:
    token = (await people.log_in("Alice")).access_token
    await people.sessions.authenticate(token)
    people.clock.advance(ACCESS_MS - 1)
    await people.sessions.authenticate(token)
    people.clock.advance(1)
    assert await refused(people, token) == "token_expired"
    assert await refused(people, token) == "token_expired"  # no more from the cache


async def test_refreshing_gives_new_tokens_and_keeps_the_session(people: People) -> None:
    first = await people.log_in("Alice")
    people.clock.advance(ACCESS_MS)
    second = await people.sessions.refresh(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    assert second.person == first.person
    requester = await people.sessions.authenticate(second.access_token)
    assert len(await people.sessions.listing(requester.user_id)) == 1
    await people.sessions.refresh(second.refresh_token)


async def test_a_spent_refresh_token_ends_the_session_everywhere_at_once(
    people: People, elsewhere: People
) -> None:
    first = await people.log_in("Alice")
    second = await people.sessions.refresh(first.refresh_token)
    for worker in (elsewhere, people):
        await worker.sessions.authenticate(second.access_token)
    with pytest.raises(Unauthenticated) as stolen:
        await elsewhere.sessions.refresh(first.refresh_token)
    assert stolen.value.code == "refresh_token_reused"
    assert await refused(elsewhere, second.access_token) == "unknown_token"
    await people.hear()
    assert await refused(people, second.access_token) == "unknown_token"
    with pytest.raises(Unauthenticated):
        await people.sessions.refresh(second.refresh_token)
    assert await refused(people, first.access_token) == "unknown_token"  # never seen by this worker before


async def test_a_token_spent_long_ago_ends_the_session_too(people: People) -> None:
    first = current = await people.log_in("Alice")
    for _ in range(4):
        current = await people.sessions.refresh(current.refresh_token)
    with pytest.raises(Unauthenticated) as stolen:
        await people.sessions.refresh(first.refresh_token)
    assert stolen.value.code == "refresh_token_reused"
    assert await refused(people, current.access_token) == "unknown_token"


async def test_of_many_uses_at_once_all_get_the_same_refresh_token(db: Database, clock: FakeClock) -> None:
    limits = RateLimitSettings(login=BucketSettings(per_second=1, burst=100))
    async with working(db, clock, limits=limits) as people, working(db, clock, limits=limits) as elsewhere:
        first = await people.log_in("Alice")
        made = await asyncio.gather(
            *(worker.sessions.refresh(first.refresh_token) for worker in (people, elsewhere) * 10)
        )
        assert len({one.refresh_token for one in made}) == 1
        for worker in (people, elsewhere):
            for one in made:
                await worker.sessions.authenticate(one.access_token)
        await people.sessions.refresh(made[0].refresh_token)


async def test_a_lost_answer_is_given_again_until_a_new_token_is_used(
    people: People, elsewhere: People
) -> None:
    first = await people.log_in("Alice")
    await people.sessions.authenticate(first.access_token)
    lost = await people.sessions.refresh(first.refresh_token)
    await people.sessions.authenticate(first.access_token)  # the old one in use says nothing of the new
    people.clock.advance(2000)
    again = await elsewhere.sessions.refresh(first.refresh_token)
    assert again.refresh_token == lost.refresh_token
    assert again.access_token != lost.access_token
    await people.sessions.authenticate(again.access_token)
    with pytest.raises(Unauthenticated) as stolen:
        await elsewhere.sessions.refresh(first.refresh_token)
    assert stolen.value.code == "refresh_token_reused"


async def test_using_the_new_refresh_token_spends_the_old_one(people: People, elsewhere: People) -> None:
    first = await people.log_in("Alice")
    second = await people.sessions.refresh(first.refresh_token)
    third = await elsewhere.sessions.refresh(second.refresh_token)
    assert (await people.sessions.refresh(second.refresh_token)).refresh_token == third.refresh_token
    with pytest.raises(Unauthenticated) as stolen:
        await people.sessions.refresh(first.refresh_token)
    assert stolen.value.code == "refresh_token_reused"
    assert await refused(people, third.access_token) == "unknown_token"


async def test_the_first_use_is_written_once(people: People, elsewhere: People) -> None:
    first = await people.log_in("Alice")
    second = await people.sessions.refresh(first.refresh_token)
    counts = []
    for worker in (people, elsewhere, people):
        before = worker.db.statements
        await worker.sessions.authenticate(second.access_token)
        counts.append(worker.db.statements - before)
    assert counts[0] > 1, counts  # the look, and the transaction that writes
    assert counts[1:] == [1, 0], counts


async def test_a_made_up_refresh_token_harms_nobody(people: People) -> None:
    made = await people.log_in("Alice")
    session_id, _, rest = made.refresh_token.partition(".")
    other = TokenKey(b"x" * 32, "test.example").make_refresh(SessionId(session_id))
    before = people.db.statements
    for guess in (
        "",
        ".",
        "..",
        "é.b.c",
        f"{session_id}.a.b",
        f"{session_id}.{rest}x",
        other,
        "x" * 100_000,
        "\ud800.a.b",
    ):
        with pytest.raises(Unauthenticated) as error:
            await people.sessions.refresh(guess)
        assert error.value.code == "unknown_token"
    assert people.db.statements == before  # a guess costs no look into the database
    await people.sessions.refresh(made.refresh_token)


async def test_guessing_refresh_tokens_is_limited_per_address(db: Database, clock: FakeClock) -> None:
    limits = RateLimitSettings(login=BucketSettings(per_second=0.1, burst=2))
    async with working(db, clock, limits=limits) as people:
        for _ in range(2):
            with pytest.raises(Unauthenticated):
                await people.sessions.refresh("a.b.c", "6.6.6.6")
        with pytest.raises(RateLimited):
            await people.sessions.refresh("a.b.c", "6.6.6.6")


async def test_a_refresh_token_expires(people: People) -> None:
    made = await people.log_in("Alice")
    people.clock.advance(REFRESH_MS)
    with pytest.raises(Unauthenticated) as error:
        await people.sessions.refresh(made.refresh_token)
    assert error.value.code == "token_expired"


async def test_logging_out_ends_this_session_only(people: People, elsewhere: People) -> None:
    phone = await people.log_in("Alice")
    laptop = await people.sessions.start(phone.person, "Laptop")
    await elsewhere.sessions.authenticate(phone.access_token)
    await people.sessions.end(await people.sessions.authenticate(phone.access_token))
    assert await refused(people, phone.access_token) == "unknown_token"
    await elsewhere.hear()
    assert await refused(elsewhere, phone.access_token) == "unknown_token"
    await elsewhere.sessions.authenticate(laptop.access_token)


async def test_sessions_are_listed_with_their_devices_and_can_be_ended(people: People) -> None:
    phone = await people.log_in("Alice")
    laptop = await people.sessions.start(phone.person, "  Anna's\nlaptop " + "x" * 300)
    people.clock.advance(120_000)
    requester = await people.sessions.authenticate(laptop.access_token)
    listed = await people.sessions.listing(requester.user_id)
    named = {one.device_name[:13]: one for one in listed}
    assert set(named) == {"", "Anna's laptop"}
    assert len(named["Anna's laptop"].device_name) == 100
    assert named["Anna's laptop"].last_used_ms == people.clock.now_ms()
    bob = await people.requester("Bob")
    with pytest.raises(NotFound):
        await people.sessions.end_other(bob, named[""].session_id)
    await people.sessions.end_other(requester, named[""].session_id)
    assert await refused(people, phone.access_token) == "unknown_token"
    with pytest.raises(NotFound):
        await people.sessions.end_other(requester, named[""].session_id)


async def test_suspending_somebody_is_heard_by_every_worker(people: People, elsewhere: People) -> None:
    made = await people.log_in("Alice")
    await elsewhere.sessions.authenticate(made.access_token)
    await people.accounts.suspend(made.person.user_id)
    await elsewhere.hear()
    assert await refused(elsewhere, made.access_token) == "unknown_token"
    assert await refused(people, made.access_token) == "unknown_token"
    with pytest.raises(Unauthenticated):
        await people.sessions.refresh(made.refresh_token)
    with pytest.raises(Forbidden):
        await people.sessions.start(made.person)


async def test_a_new_password_logs_out_everywhere(people: People) -> None:
    made = await people.log_in("Alice")
    await people.sessions.authenticate(made.access_token)
    await people.accounts.set_password(made.person.user_id, "another password")
    assert await refused(people, made.access_token) == "unknown_token"
    again = await people.sessions.start(made.person)
    await people.sessions.authenticate(again.access_token)


async def test_an_end_between_the_look_and_the_cache_is_not_missed(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await people.log_in("Alice")
    requester = await people.sessions.authenticate(made.access_token)
    people.sessions.access_tokens.forget()
    from homeserver.storage import sessions as stored

    context = stored.holders_of

    async def look_then_end(conn: object, session_ids: object) -> object:
        found = await context(conn, session_ids)  # type: ignore[arg-type]  # handed through
        await people.sessions.end(requester)
        return found

    monkeypatch.setattr(stored, "holders_of", look_then_end)
    assert await refused(people, made.access_token) == "unknown_token"
    monkeypatch.undo()
    assert await refused(people, made.access_token) == "unknown_token"


def forged(header: dict[str, object], claims: dict[str, object], signature: str = "") -> str:
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)
    ]
    return ".".join([*parts, signature])


async def test_forged_tokens_are_refused(people: People) -> None:
    token = (await people.log_in("Alice")).access_token
    claims = jwt.decode(token, options={"verify_signature": False})
    header, payload, signature = token.split(".")
    wrong = [
        forged({"alg": "none", "typ": "JWT"}, claims),
        forged({"alg": "None"}, claims),
        forged({"alg": "HS256"}, claims, signature),
        forged({"alg": "HS512"}, claims, signature),
        f"{header}.{payload}.",
        f"{header}.{payload}",
        jwt.encode(claims, b"another secret that is long enough", algorithm="HS256"),
        jwt.encode(claims, SECRET * 2, algorithm="HS512"),
        jwt.encode({**claims, "iss": "other.example"}, SECRET, algorithm="HS256"),
        jwt.encode({**claims, "type": "refresh"}, SECRET, algorithm="HS256"),
        jwt.encode({k: v for k, v in claims.items() if k != "type"}, SECRET, algorithm="HS256"),
        jwt.encode({k: v for k, v in claims.items() if k != "exp"}, SECRET, algorithm="HS256"),
        jwt.encode({**claims, "exp": "soon"}, SECRET, algorithm="HS256"),
        jwt.encode({**claims, "exp": True}, SECRET, algorithm="HS256"),
        jwt.encode({**claims, "sid": "nobody's"}, SECRET, algorithm="HS256"),
        jwt.encode({**claims, "sid": 5}, SECRET, algorithm="HS256"),
        jwt.encode({**claims, "sub": "@bob:test.example"}, SECRET, algorithm="HS256"),
        token + "x" * 5000,
        "",
        "..",
        "é.é.é",
        "\ud800",
    ]
    for one in wrong:
        assert await refused(people, one) == "unknown_token", one


async def test_ended_and_expired_sessions_are_purged_in_batches(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeserver.services.auth.sessions._PURGE_BATCH", 2)
    alice = await people.register("Alice")
    made = [await people.sessions.start(alice) for _ in range(5)]
    kept = await people.sessions.start(alice)
    for one in made:
        await people.sessions.end(await people.sessions.authenticate(one.access_token))
    requester = await people.sessions.authenticate(kept.access_token)
    assert await people.sessions.tidy() == 0  # ended just now
    people.clock.advance(ACCESS_MS + 1)
    assert await people.sessions.tidy() == 5
    assert len(await people.sessions.listing(requester.user_id)) == 1
    people.clock.advance(REFRESH_MS + ACCESS_MS)
    assert await people.sessions.tidy() == 1


async def test_last_use_is_written_now_and_then(people: People, elsewhere: People) -> None:
    token = (await people.log_in("Alice")).access_token
    await people.sessions.authenticate(token)
    people.clock.advance(600_000)
    requester = await people.sessions.authenticate(token)
    await people.sessions.tidy()
    assert (await elsewhere.sessions.listing(requester.user_id))[0].last_used_ms == people.clock.now_ms()


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        TokenKey(b"short", "test.example")
