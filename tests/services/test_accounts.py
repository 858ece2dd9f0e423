"""Making accounts and checking passwords."""

import asyncio

import pytest

from homeserver.clock import FakeClock
from homeserver.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited, Unauthenticated
from homeserver.kit.text import checked_name, one_line
from homeserver.model import Page, Person
from homeserver.protocol.ids import UserId
from homeserver.services.accounts import identifiers
from homeserver.services.accounts.passwords import Passwords, Verdict
from homeserver.services.auth.sessions import NewSession
from homeserver.settings.models import BucketSettings, RateLimitSettings
from homeserver.storage.db import Database
from tests.services.people import PASSWORD, People, account_settings, working


async def test_alice_registers_and_logs_in(people: People) -> None:
    alice = await people.accounts.register(
        email="  Alice.Smith+chat@Example.ORG ", password=PASSWORD, display_name=" Alice \n Smith "
    )
    assert alice.number == 1
    assert alice.user_id == "@alice.smith:test.example"
    assert (alice.tag, alice.display_name) == ("alice.smith", "Alice Smith")
    assert alice.email == "alice.smith+chat@example.org"
    found = await people.accounts.check_password(email="ALICE.SMITH+chat@example.org", password=PASSWORD)
    assert found == alice


async def test_an_email_belongs_to_one_account(people: People) -> None:
    await people.register("Alice")
    with pytest.raises(Conflict) as refused:
        await people.register("Alice")
    assert refused.value.code == "email_in_use"
    bob = await people.register("Bob")
    assert bob.number == 2  # a refused registration uses up no number


async def test_many_who_register_one_email_at_once_make_one_account(people: People) -> None:
    results = await asyncio.gather(*(people.register("Alice") for _ in range(5)), return_exceptions=True)
    made = [one for one in results if not isinstance(one, BaseException)]
    refused = [one for one in results if isinstance(one, Conflict)]
    assert len(made) == 1
    assert {one.code for one in refused} == {"email_in_use"}
    assert len(refused) == 4


async def test_equal_local_parts_get_different_tags(people: People) -> None:
    made = await asyncio.gather(*(people.register("Ann", email=f"ann@{n}.example.org") for n in range(4)))
    assert {one.tag for one in made} == {"ann", "ann-2", "ann-3", "ann-4"}
    assert {one.number for one in made} == {1, 2, 3, 4}
    assert {one.user_id for one in made} == {f"@{one.tag}:test.example" for one in made}


async def test_a_tag_that_was_given_up_does_not_bring_its_matrix_id(people: People) -> None:
    first = await people.requester("Ann")
    await people.profiles.update(first, tag="annabel")
    second = await people.register("Ann", email="ann@elsewhere.example.org", tag="ann")
    assert second.tag == "ann"
    assert second.user_id == "@ann-2:test.example"


async def test_a_tag_can_be_chosen_unless_somebody_has_it(people: People) -> None:
    alice = await people.register("Alice", tag="@The_Alice")
    assert alice.tag == "the_alice"
    with pytest.raises(Conflict) as refused:
        await people.register("Bob", tag="the_alice")
    assert refused.value.code == "tag_in_use"


async def test_a_bad_tag_is_refused(people: People) -> None:
    for tag in ["ab", "a" * 33, "müller", "with space", "a/b", "../..", "a\nbc", "<b>"]:
        with pytest.raises(Invalid) as refused:
            await people.register("Alice", tag=tag)
        assert refused.value.code == "bad_tag"


async def test_nobody_gets_the_matrix_id_of_a_host_person(people: People) -> None:
    mallory = await people.register("Mallory", tag="unet_5")
    assert mallory.user_id != "@unet_5:test.example"


async def test_a_bad_email_is_refused_and_logs_nobody_in(people: People) -> None:
    for email in [
        "",
        "alice",
        "@example.org",
        "a@b@c",
        "a b@example.org",
        "a@exa mple.org",
        "x" * 300 + "@a.org",
        "a\0@b.c",
    ]:
        if email:
            with pytest.raises(Invalid) as refused:
                await people.register("Alice", email=email)
            assert refused.value.code == "bad_email"
        with pytest.raises(Unauthenticated):
            await people.accounts.check_password(email=email, password=PASSWORD)


async def test_passwords_have_bounds(people: People) -> None:
    for password, code in [("short", "password_too_short"), ("x" * 1025, "password_too_long")]:
        with pytest.raises(Invalid) as refused:
            await people.register("Alice", password=password)
        assert refused.value.code == code


async def test_registration_can_be_closed_but_not_to_the_command_line(db: Database, clock: FakeClock) -> None:
    async with working(db, clock, accounts=account_settings(registration=False)) as people:
        with pytest.raises(Forbidden) as refused:
            await people.register("Alice")
        assert refused.value.code == "registration_closed"
        made = await people.accounts.create(display_name="Service desk")
        assert (made.tag, made.email) == ("service-desk", "")
        with pytest.raises(Unauthenticated):
            await people.accounts.check_password(email="", password="")


async def test_wrong_password_and_unknown_email_look_and_cost_the_same(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    await people.register("Alice")
    hashes: list[str | None] = []
    verify = people.passwords._verify

    def counted(stored: str | None, password: str) -> Verdict:
        hashes.append(stored or people.passwords._nobodys)
        return verify(stored, password)

    monkeypatch.setattr(people.passwords, "_verify", counted)
    errors = []
    for email, password in [
        ("alice@example.org", "wrong password"),
        ("nobody@example.org", PASSWORD),
        ("no e-mail", PASSWORD),
        ("alice@example.org", "x" * 100_000),
    ]:
        with pytest.raises(Unauthenticated) as refused:
            await people.accounts.check_password(email=email, password=password)
        errors.append((refused.value.code, refused.value.message))
    assert len(set(errors)) == 1
    assert len(hashes) == 4
    parameters = {str(stored).rsplit("$", 2)[0] for stored in hashes}
    assert len(parameters) == 1  # the hash of nobody is as costly as a real one


async def guess(people: People, name: str, address: str, password: str = "wrong one") -> Person:
    return await people.accounts.check_password(
        email=f"{name}@example.org", password=password, address=address
    )


async def test_guessing_is_slowed_down_per_address_and_per_account_at_it(
    db: Database, clock: FakeClock
) -> None:
    login = BucketSettings(per_second=0.1, burst=3)
    async with working(db, clock, limits=RateLimitSettings(login=login)) as people:
        await people.register("Alice")
        for _ in range(10):  # her own success costs nothing
            await guess(people, "alice", "1.1.1.1", PASSWORD)
        for _ in range(3):
            with pytest.raises(Unauthenticated):
                await guess(people, "alice", "2.2.2.2")
        with pytest.raises(RateLimited) as limited:
            await guess(people, "Alice", "2.2.2.2", PASSWORD)
        assert 9_000 <= limited.value.retry_ms <= 10_000
        assert await guess(people, "alice", "3.3.3.3", PASSWORD), "the owner is elsewhere"
        for n in range(3):
            with pytest.raises(Unauthenticated):
                await guess(people, str(n), "4.4.4.4")
        with pytest.raises(RateLimited):
            await guess(people, "bob", "4.4.4.4")
        clock.advance(limited.value.retry_ms)
        assert await guess(people, "alice", "2.2.2.2", PASSWORD)


@pytest.mark.parametrize("name", ["alice", "nobody"])
async def test_guessing_from_many_addresses_is_slowed_down_too(
    db: Database, clock: FakeClock, name: str
) -> None:
    limits = RateLimitSettings(login_account=BucketSettings(per_second=0.1, burst=5))
    async with working(db, clock, limits=limits) as people:
        alice = await people.register("Alice")
        await people.sessions.begin(alice, NewSession(address="2001:db8::1"))
        for n in range(5):
            with pytest.raises(Unauthenticated):
                await guess(people, name, f"2.2.2.{n}")
        with pytest.raises(RateLimited):
            await guess(people, name, "3.3.3.3", PASSWORD)
        assert await guess(people, "alice", "2001:db8::2", PASSWORD), "a device of hers is in this network"
        with pytest.raises(Unauthenticated):
            await guess(people, "bob", "3.3.3.3")  # another account is not slowed down


async def test_registration_is_limited_per_address(db: Database, clock: FakeClock) -> None:
    limits = RateLimitSettings(registration=BucketSettings(per_second=0.01, burst=2))
    async with working(db, clock, limits=limits) as people:
        for name in ("Ann", "Ben"):
            await people.register(name, address="2001:db8::1")
        with pytest.raises(RateLimited):
            await people.register("Cat", address="2001:db8::ffff")  # the same customer's network
        await people.register("Dan", address="2001:db8:0:1::1")


async def test_a_hash_with_old_parameters_is_made_anew(db: Database, clock: FakeClock) -> None:
    async with working(db, clock) as before:
        alice = await before.register("Alice")
        old = (await before.accounts.find(alice.user_id)).password_hash
    async with working(db, clock, accounts=account_settings(argon2_time_cost=2)) as people:
        await people.accounts.check_password(email="alice@example.org", password=PASSWORD)
        new = (await people.accounts.find(alice.user_id)).password_hash
        assert new != old
        assert "t=2" in str(new)
        assert await people.accounts.check_password(email="alice@example.org", password=PASSWORD) == alice


async def test_too_many_passwords_at_once_are_refused(clock: FakeClock) -> None:
    passwords = Passwords(account_settings(hash_concurrency=1, max_hash_waiting=1))
    results = await asyncio.gather(*(passwords.hash(PASSWORD) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(one, str) for one in results) == 2
    assert sum(isinstance(one, RateLimited) for one in results) == 3
    while passwords._jobs:
        await asyncio.sleep(0)
    assert (await passwords.verify(await passwords.hash(PASSWORD), PASSWORD)).is_right
    passwords.close()


async def test_a_suspended_person_cannot_log_in_and_is_only_told_so_with_the_password(people: People) -> None:
    alice = await people.register("Alice")
    await people.accounts.suspend(alice.user_id)
    with pytest.raises(Forbidden) as refused:
        await people.accounts.check_password(email="alice@example.org", password=PASSWORD)
    assert refused.value.code == "suspended"
    with pytest.raises(Unauthenticated):
        await people.accounts.check_password(email="alice@example.org", password="wrong one")
    with pytest.raises(Forbidden):
        await people.sessions.start(alice)
    await people.accounts.unsuspend(alice.user_id)
    assert await people.accounts.check_password(email="alice@example.org", password=PASSWORD) == alice


async def test_a_closed_account_is_as_good_as_none(people: People) -> None:
    alice = await people.register("Alice")
    await people.accounts.deactivate(alice.user_id)
    with pytest.raises(Unauthenticated) as refused:
        await people.accounts.check_password(email="alice@example.org", password=PASSWORD)
    assert refused.value.code == "bad_credentials"
    with pytest.raises(Unauthenticated):
        await people.sessions.start(alice)
    assert (await people.accounts.find(alice.user_id)).deactivated


async def test_a_new_password_replaces_the_old_one(people: People) -> None:
    alice = await people.register("Alice")
    await people.accounts.set_password(alice.user_id, "another password")
    assert (
        await people.accounts.check_password(email="alice@example.org", password="another password") == alice
    )
    with pytest.raises(Unauthenticated):
        await people.accounts.check_password(email="alice@example.org", password=PASSWORD)
    with pytest.raises(NotFound):
        await people.accounts.set_password(UserId("@nobody:test.example"), "another password")


async def test_the_list_of_accounts_is_paged(people: People) -> None:
    for name in ("Ann", "Ben", "Cat"):
        await people.register(name)
    page = await people.accounts.listing(Page(limit=2, offset=1))
    assert [one.person.display_name for one in page] == ["Ben", "Cat"]
    assert (await people.accounts.find_by_email("CAT@example.org")).person.display_name == "Cat"


def test_tags_are_made_from_what_there_is() -> None:
    assert identifiers.tag_from("Jörg.Müller+x@example.org") == "j-rg.m-ller"
    assert identifiers.tag_from("я@example.org") == "user"
    assert identifiers.tag_from("a@example.org") == "user-a"
    for made in ("x" * 60 + "@example.org", "...@a.b", "-_-@a.b"):
        assert identifiers.checked_tag(identifiers.tag_from(made))
        assert all(identifiers.checked_tag(one) for one in identifiers.candidates(identifiers.tag_from(made)))


def test_names_are_cleaned() -> None:
    assert one_line("  Ann\t\u202e\n Lee\0 ") == "Ann Lee"
    with pytest.raises(Invalid):
        checked_name("\u200e \n", most=10, what="the name")
    with pytest.raises(Invalid):
        checked_name("x" * 11, most=10, what="the name")
