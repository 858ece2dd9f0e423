"""Service keys: shown once, stored hashed, good for one scope, refused everywhere once revoked."""

import pytest
from sqlalchemy import select

from homeserver.errors import Invalid, NotFound, Unauthenticated
from homeserver.model import Page
from homeserver.services.auth.servicekeys import ServiceKeys
from homeserver.storage.schema.safety import service_keys
from tests.services.people import People

HOUR_MS = 3_600_000


def keys_of(people: People) -> ServiceKeys:
    made = ServiceKeys(
        db=people.db,
        timeline=people.writing.timeline,
        clock=people.clock,
        limits=people.limits,
        scopes=("market", "portal"),
        cache_entries=10,
    )
    people.writing.live.listen(made.note)
    return made


@pytest.fixture
def keys(people: People) -> ServiceKeys:
    return keys_of(people)


async def refused(keys: ServiceKeys, secret: str, scope: str = "market") -> bool:
    with pytest.raises(Unauthenticated) as error:
        await keys.check(secret, scope)
    return error.value.code == "bad_service_key"


async def test_a_key_is_made_shown_once_and_known_again(people: People, keys: ServiceKeys) -> None:
    made = await keys.create(" orders\n", "market")
    assert made.secret.startswith(f"sk_{made.stored.key_id}_")
    assert await keys.check(made.secret, "market", "1.2.3.4") == made.stored.key_id
    async with people.db.read() as conn:
        (row,) = (await conn.execute(select(service_keys))).mappings()
    assert (row["name"], row["scope"], row["revoked_ms"]) == ("orders", "market", None)
    assert made.secret[20:] not in str(dict(row))
    people.clock.advance(1)
    other = await keys.create("other", "portal")
    for wrong in ("", "sk_", made.secret[:-1], made.secret + "x", made.secret[:20] + other.secret[20:]):
        assert await refused(keys, wrong)
    assert await refused(keys, made.secret, "portal")
    assert await refused(keys, "\udce9\u0661\x00")
    for name, scope, code in (
        ("x", "matrix", "unknown_scope"),
        (" ", "market", "empty_name"),
        ("x" * 101, "market", "name_too_long"),
    ):
        with pytest.raises(Invalid) as error:
            await keys.create(name, scope)
        assert error.value.code == code
    assert [one.key_id for one in await keys.listing(Page(1))] == [made.stored.key_id]
    assert len(await keys.listing(Page(10))) == 2


async def test_a_known_key_costs_no_statement_and_its_use_is_noted_each_hour(
    people: People, keys: ServiceKeys
) -> None:
    secret = (await keys.create("orders", "market")).secret
    first_ms = people.clock.now_ms()
    await keys.check(secret, "market")
    before = people.db.statements
    people.clock.advance(HOUR_MS - 1)
    for _ in range(3):
        await keys.check(secret, "market")
    assert people.db.statements == before
    assert (await keys.listing(Page(1)))[0].used_ms == first_ms
    people.clock.advance(1)
    await keys.check(secret, "market")
    assert (await keys.listing(Page(1)))[0].used_ms == first_ms + HOUR_MS


async def test_a_revoked_key_is_refused_by_all_workers(
    people: People, elsewhere: People, keys: ServiceKeys
) -> None:
    other = keys_of(elsewhere)
    made = await keys.create("orders", "market")
    for worker in (keys, other):
        await worker.check(made.secret, "market")
    await other.revoke(made.stored.key_id)
    assert await refused(other, made.secret)
    await people.hear()
    assert await refused(keys, made.secret)
    (first,) = await keys.listing(Page(1))
    people.clock.advance(5)
    await keys.revoke(made.stored.key_id)
    assert (await keys.listing(Page(1)))[0].revoked_ms == first.revoked_ms, "it ended when it ended"
    with pytest.raises(NotFound):
        await keys.revoke("0" * 16)
