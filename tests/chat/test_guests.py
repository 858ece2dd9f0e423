"""Guests: a UUID as a capability, the cookie that binds it, and what becomes of a guest."""

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from homeserver.app import Homeserver, build
from homeserver.clock import FakeClock
from homeserver.errors import Forbidden, HomeserverError, Invalid, NotFound, RateLimited, Unauthenticated
from homeserver.lifecycle import working
from homeserver.model import GUEST_NAMESPACE, Draft, Page, Requester
from homeserver.protocol.ids import RoomId
from homeserver.publicids import from_public, to_public, wanted
from homeserver.services.accounts.status import is_guest
from homeserver.services.enquiries.guests import GuestKey, checked_name
from homeserver.settings.models import Settings
from tests.chat.world import ByIds, group, person


def new_name() -> str:
    return str(uuid4())


async def chat_of(hs: Homeserver, guest: Requester, other: Requester) -> RoomId:
    room = await hs.rooms.rooms.create(guest, kind="private", people=[other.number])
    return room.room_id


async def test_a_guest_is_made_at_first_use_and_found_again(hs: Homeserver) -> None:
    name = new_name()
    assert await hs.enquiries.guests.recognise(name) is None
    first = await hs.enquiries.guests.enter(name)
    again = await hs.enquiries.guests.enter(name.upper())
    assert first.requester == again.requester
    assert (first.name, again.name) == (name, name)
    assert first.cookie is not None
    assert again.cookie is None
    assert first.requester.user_id.startswith("@guest_")
    assert is_guest(first.requester.number)
    assert first.requester.number >> 32 == GUEST_NAMESPACE
    other = await hs.enquiries.guests.enter(new_name())
    assert other.requester.user_id != first.requester.user_id
    number = first.requester.number
    assert from_public(to_public(number, 0), 0) == number
    for viewer in (1, 2**20 - 1):  # a large number of a host's viewer is looked up
        assert wanted(from_public(to_public(number, viewer), viewer)).number == number


async def test_the_uuid_is_nowhere_in_the_database(hs: Homeserver) -> None:
    name = new_name()
    made = await hs.enquiries.guests.enter(name)
    assert made.cookie is not None
    secret = made.cookie.partition(".")[2]
    async with hs.core.db.read() as conn:
        rows = [
            str(row)
            for table in ("guests", "users")
            for row in await conn.execute(text(f"SELECT * FROM {table}"))
        ]
    assert rows
    for told in (name, name.replace("-", ""), secret):
        assert not any(told in row for row in rows)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "test-buyer-uuid",
        "17",
        str(UUID(int=0)),
        "0190163d-8694-8390-9f4f-0a9b8c7d6e5f",  # version 8, as aliases are
        "c232ab00-9414-11ec-b3c8-9f6bdeced846",  # version 1
        "{9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d}",
        "9b1deb4d3b7d4bad9bdd2b0d7b3dcb6d",
        "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d\n",
    ],
)
async def test_only_version_4_uuids_name_guests(hs: Homeserver, name: str) -> None:
    with pytest.raises(Invalid, match="version 4"):
        await hs.enquiries.guests.enter(name)


async def test_an_alias_is_good_for_nothing(hs: Homeserver) -> None:
    made = await hs.enquiries.guests.enter(new_name())
    alias = hs.enquiries.guests.alias(made.requester.user_id)
    assert UUID(alias).version == 8
    assert alias == hs.enquiries.guests.alias(made.requester.user_id) != made.name
    assert await hs.enquiries.guests.by_alias(alias) == made.requester.user_id
    assert await hs.enquiries.guests.by_alias(made.name) is None
    for call in (hs.enquiries.guests.enter, hs.enquiries.guests.recognise):
        with pytest.raises(Invalid):
            await call(alias)


def test_another_key_makes_other_hashes() -> None:
    one, other = GuestKey(b"1" * 32, "test"), GuestKey(b"2" * 32, "test")
    name = new_name()
    assert one.hash(name) != other.hash(name)
    user_id = one.user_id(name, 1)
    assert user_id != one.user_id(name, 2)
    assert one.alias(user_id) != other.alias(user_id)
    with pytest.raises(ValueError, match="32 bytes"):
        GuestKey(b"short", "test")


async def test_a_browser_that_keeps_cookies_must_show_its_cookie(hs: Homeserver) -> None:
    guests, name = hs.enquiries.guests, new_name()
    made = await guests.enter(name)
    cookie = made.cookie or ""
    assert (await guests.enter(name)).requester == made.requester, "the cookie was not seen yet"
    assert (await guests.enter(name, cookie)).requester == made.requester
    stranger = await guests.enter(new_name())
    for stolen in (
        "",
        "x",
        f"{name}.",
        f"{name}.guess",
        stranger.cookie or "",
        f"{name}.{(stranger.cookie or '')[37:]}",
    ):
        with pytest.raises(Unauthenticated) as refused:
            await guests.enter(name, stolen)
        assert refused.value.code == "guest_bound"
        with pytest.raises(Unauthenticated):
            await guests.recognise(name, stolen)
    assert (await guests.enter(name, cookie)).requester == made.requester


async def test_a_wrong_cookie_binds_nothing(hs: Homeserver) -> None:
    guests, name = hs.enquiries.guests, new_name()
    made = await guests.enter(name)
    other = await guests.enter(new_name())
    assert (await guests.enter(name, other.cookie or "")).requester == made.requester
    assert (await guests.enter(name)).requester == made.requester


async def test_the_cookie_alone_names_its_guest(hs: Homeserver) -> None:
    guests = hs.enquiries.guests
    made = await guests.enter(new_name())
    found = await guests.recognise(cookie=made.cookie or "")
    assert found is not None
    assert (found.requester.user_id, found.name) == (made.requester.user_id, made.name)
    for wrong in (
        "",
        ".",
        "x.y",
        f"{made.name}.x",
        f"{made.name}.",
        f"{new_name()}.{(made.cookie or '')[37:]}",
    ):
        assert await guests.recognise(cookie=wrong) is None


async def test_two_first_uses_at_once_make_one_guest(settings: Settings) -> None:
    one, two = build(settings), build(settings)
    async with working(one), working(two):
        for _ in range(5):
            name = new_name()
            made = await asyncio.gather(*(hs.enquiries.guests.enter(name) for hs in (one, two, one, two)))
            assert len({each.requester.user_id for each in made}) == 1
            assert len([each for each in made if each.cookie]) == 1


@pytest.mark.parametrize(
    "overrides", [{"rate_limits": {"enabled": True, "guests": {"per_second": 0.001, "burst": 2}}}]
)
async def test_an_address_makes_only_so_many_guests(hs: Homeserver) -> None:
    guests, name = hs.enquiries.guests, new_name()
    await guests.enter(name, address="192.0.2.1")
    await guests.enter(new_name(), address="192.0.2.1")
    with pytest.raises(RateLimited):
        await guests.enter(new_name(), address="192.0.2.1")
    await guests.enter(name, address="192.0.2.1")  # an old one is no new one
    await guests.enter(new_name(), address="192.0.2.2")
    await guests.enter(new_name(), address="2001:db8::1")
    await guests.enter(new_name(), address="2001:db8::2")
    with pytest.raises(RateLimited):
        await guests.enter(new_name(), address="2001:db8::3")


@pytest.mark.parametrize("overrides", [{"guests": {"enabled": False}}])
async def test_guests_can_be_kept_out(hs: Homeserver) -> None:
    with pytest.raises(Forbidden) as refused:
        await hs.enquiries.guests.enter(new_name())
    assert refused.value.code == "no_guests"


async def test_guests_are_not_found_among_people(hs: Homeserver) -> None:
    alice = await person(hs, "Alice")
    await person(hs, "Bob")
    await hs.enquiries.guests.enter(new_name())
    assert [one.display_name for one in await hs.accounts.directory.page(alice, text="", page=Page(10))] == [
        "Bob"
    ]
    assert await hs.accounts.directory.page(alice, text="guest", page=Page(10)) == []
    assert len(await hs.accounts.accounts.listing(Page(10))) == 2


async def test_idle_guests_are_forgotten_and_what_they_wrote_stays(
    settings: Settings, clock: FakeClock
) -> None:
    hs = build(settings, clock=clock)
    async with working(hs):
        guests, name, busy = hs.enquiries.guests, new_name(), new_name()
        alice = await person(hs, "Alice")
        made = await guests.enter(name)
        kept = await guests.enter(busy)
        room_id = await chat_of(hs, made.requester, alice)
        await ByIds(hs).send(made.requester, room_id, text="hello")
        day_ms = 86_400_000
        clock.advance(60 * day_ms)
        await guests.enter(busy)
        clock.advance(31 * day_ms)
        assert await guests.sweep() == 1
        assert await guests.sweep() == 0
        assert await guests.recognise(name) is None
        assert await guests.recognise(cookie=made.cookie or "") is None
        assert (await guests.enter(busy)).requester == kept.requester
        fresh = await guests.enter(name)
        assert fresh.requester.user_id != made.requester.user_id, "somebody new, without the old chats"
        assert await hs.rooms.rooms.listing(fresh.requester, page=Page(10)) == []
        page = await ByIds(hs).page(alice, room_id, limit=10)
        assert [(one.text, one.sender_number) for one in page] == [("hello", made.requester.number)]


@pytest.mark.parametrize("overrides", [{"guests": {"sweep_batch": 2}}])
async def test_a_sweep_goes_batch_by_batch(settings: Settings, clock: FakeClock) -> None:
    hs = build(settings, clock=clock)
    async with working(hs):
        for _ in range(5):
            await hs.enquiries.guests.enter(new_name())
        clock.advance(91 * 86_400_000)
        assert await hs.enquiries.guests.sweep() == 5


async def test_a_guest_becomes_an_account_with_all_their_rooms(hs: Homeserver) -> None:
    seller, alice = await person(hs, "Seller"), await person(hs, "Alice")
    guests, name = hs.enquiries.guests, new_name()
    made = await guests.enter(name)
    guest = made.requester
    rooms = [await chat_of(hs, guest, other) for other in (seller, await person(hs, "Carol"))]
    await ByIds(hs).send(guest, rooms[0], text="is it still there?")
    await ByIds(hs).send(seller, rooms[0], text="yes")
    assert await guests.claim(alice, name=name, cookie=made.cookie or "") == 2
    for room_id in rooms:
        people = {one.person.number for one in await hs.rooms.members.listing(alice, room_id)}
        assert alice.number in people
        assert guest.number not in people
    page = await ByIds(hs).page(seller, rooms[0], limit=10)
    assert [(one.text, one.sender_number) for one in page] == [
        ("is it still there?", alice.number),
        ("yes", seller.number),
    ]
    listed = await hs.rooms.rooms.listing(seller, page=Page(10))
    assert [one.name for one in listed] == ["Alice"]
    own = {one.room_id: one.unread_count for one in await hs.rooms.rooms.listing(alice, page=Page(10))}
    assert own[rooms[0]] == 1, "what the guest had not read is not read"
    assert (await ByIds(hs).send(alice, rooms[0], text="I have an account now")).sender_number == alice.number
    with pytest.raises(NotFound):
        await ByIds(hs).send(guest, rooms[0], text="and I?")


async def test_what_a_guest_has_read_the_account_has_read(hs: Homeserver) -> None:
    """And has not read its own words for that."""
    seller, alice = await person(hs, "Seller"), await person(hs, "Alice")
    made = await hs.enquiries.guests.enter(new_name())
    room_id = await chat_of(hs, made.requester, seller)
    await ByIds(hs).send(made.requester, room_id, text="is it still there?")
    await ByIds(hs).send(seller, room_id, text="yes")
    await hs.realtime.receipts.mark_read(made.requester, room_id)
    await ByIds(hs).send(seller, room_id, text="come and see")
    await hs.enquiries.guests.claim(alice, name=made.name, cookie=made.cookie or "")
    assert [one.read_by_count for one in await ByIds(hs).page(seller, room_id, limit=9)] == [1, 1, 0]


async def test_an_account_changes_and_deletes_what_it_wrote_as_a_guest(hs: Homeserver) -> None:
    alice, bob, made = (
        await person(hs, "Alice"),
        await person(hs, "Bob"),
        await hs.enquiries.guests.enter(new_name()),
    )
    room = await group(hs, bob, made.requester)
    said = [await ByIds(hs).send(made.requester, room.room_id, text=text) for text in ("one", "two")]
    await hs.enquiries.guests.claim(alice, name=made.name, cookie=made.cookie or "")
    assert await hs.rooms.members.listing(bob, room.room_id)  # a plain member: no power over others' messages
    other = await ByIds(hs).send(bob, room.room_id, text="three")
    changed = await ByIds(hs).edit(alice, said[0].event_id, text="one, mended")
    assert (changed.text, changed.sender_number) == ("one, mended", alice.number)
    await ByIds(hs).redact(alice, said[1].event_id)
    for call in (
        ByIds(hs).edit(alice, other.event_id, text="x"),
        ByIds(hs).redact(alice, other.event_id),
        ByIds(hs).edit(bob, said[0].event_id, text="x"),
    ):
        with pytest.raises(Forbidden):
            await call
    page = await ByIds(hs).page(bob, room.room_id, limit=10)
    assert [one.text for one in page] == ["one, mended", "three"]


async def test_claimed_guests_show_under_every_name_the_account_takes(hs: Homeserver) -> None:
    seller, alice = await person(hs, "Seller"), await person(hs, "Alice")
    made = await hs.enquiries.guests.enter(new_name())
    await chat_of(hs, made.requester, seller)
    assert (await hs.accounts.profiles.people([made.requester.user_id]))[
        made.requester.user_id
    ].display_name == "Guest"
    await hs.enquiries.guests.claim(alice, name=made.name, cookie=made.cookie or "")
    for name in ("Alice", "Alicia"):
        await hs.accounts.profiles.update(alice, display_name=name)
        shown = (await hs.accounts.profiles.people([made.requester.user_id]))[made.requester.user_id]
        assert (shown.display_name, shown.user_id) == (name, alice.user_id)


async def test_a_name_used_again_after_a_claim_is_somebody_new(hs: Homeserver) -> None:
    seller, alice = await person(hs, "Seller"), await person(hs, "Alice")
    guests, name = hs.enquiries.guests, new_name()
    made = await guests.enter(name)
    await chat_of(hs, made.requester, seller)
    await guests.claim(alice, name=name, cookie=made.cookie or "")
    assert await guests.recognise(cookie=made.cookie or "") is None
    fresh = await guests.enter(name, made.cookie or "")
    assert fresh.requester.user_id != made.requester.user_id
    assert await hs.rooms.rooms.listing(fresh.requester, page=Page(10)) == []


async def test_who_cannot_prove_to_be_the_guest_claims_nothing(hs: Homeserver) -> None:
    mallory = await person(hs, "Mallory")
    guests = hs.enquiries.guests
    made = await guests.enter(new_name())
    await guests.enter(made.name, made.cookie or "")  # the browser kept the cookie
    for name, cookie in (
        (made.name, ""),
        (made.name, "x.y"),
        (new_name(), ""),
        (new_name(), made.cookie or ""),
    ):
        with pytest.raises((Unauthenticated, NotFound)):
            await guests.claim(mallory, name=name, cookie=cookie)
    with pytest.raises(Invalid):
        await guests.claim(mallory, name=guests.alias(made.requester.user_id))
    other = await guests.enter(new_name())
    with pytest.raises(Forbidden):
        await guests.claim(other.requester, name=made.name, cookie=made.cookie or "")
    assert await guests.recognise(made.name, made.cookie or "") is not None


async def test_one_guest_has_one_account_whoever_is_quicker(settings: Settings) -> None:
    one, two = build(settings), build(settings)
    async with working(one), working(two):
        alice, bob, seller = [await person(one, name) for name in ("Alice", "Bob", "Seller")]
        made = await one.enquiries.guests.enter(new_name())
        room_id = await chat_of(one, made.requester, seller)
        outcome = await asyncio.gather(
            one.enquiries.guests.claim(alice, name=made.name),
            two.enquiries.guests.claim(bob, name=made.name),
            return_exceptions=True,
        )
        assert sorted(type(each).__name__ for each in outcome if isinstance(each, BaseException)) != []
        assert [each for each in outcome if each == 1] == [1]
        for each in outcome:
            assert each == 1 or isinstance(each, HomeserverError), each
        people = {each.person.number for each in await one.rooms.members.listing(seller, room_id)}
        assert people in ({alice.number, seller.number}, {bob.number, seller.number})


async def test_a_claim_is_whole_or_not_at_all(hs: Homeserver) -> None:
    """One of the rooms refuses the account: then all stays as it was."""
    alice, seller = await person(hs, "Alice"), await person(hs, "Seller")
    made = await hs.enquiries.guests.enter(new_name())
    good = await chat_of(hs, made.requester, seller)
    bad = await group(hs, made.requester, seller, alice)
    ban = Draft("m.room.member", made.requester.user_id, {"membership": "ban"}, state_key=alice.user_id)
    await hs.core.timeline.send(bad.room_id, [ban])
    with pytest.raises(Forbidden):
        await hs.enquiries.guests.claim(alice, name=made.name)
    numbers = {one.person.number for one in await hs.rooms.members.listing(seller, good)}
    assert numbers == {made.requester.number, seller.number}
    sent = await ByIds(hs).send(made.requester, good, text="still me")
    assert sent.sender_number == made.requester.number
    assert await hs.enquiries.guests.recognise(made.name) is not None


async def test_an_account_that_is_in_the_room_already_stays(hs: Homeserver) -> None:
    seller = await person(hs, "Seller")
    made = await hs.enquiries.guests.enter(new_name())
    room_id = await chat_of(hs, made.requester, seller)
    assert await hs.enquiries.guests.claim(seller, name=made.name) == 1
    assert [one.person.number for one in await hs.rooms.members.listing(seller, room_id)] == [seller.number]


def test_names_of_trusted_callers_may_be_any_text() -> None:
    assert checked_name("test-buyer-uuid", trusted=True) == "test-buyer-uuid"
    for bad in ("", "x" * 256, "0190163d-8694-8390-9f4f-0a9b8c7d6e5f"):
        with pytest.raises(Invalid):
            checked_name(bad, trusted=True)
