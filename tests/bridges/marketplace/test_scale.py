"""Many chats, several workers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import aiohttp
import pytest
from sqlalchemy import insert, select

from bridges.marketplace import BRIDGE
from homeserver.app import Homeserver
from homeserver.lifecycle import Running, running
from homeserver.metrics import spending
from homeserver.model import Link, Page, Requester
from homeserver.protocol.ids import make_user_id
from homeserver.services.enquiries.enquiryviews import Enquiry
from homeserver.settings.models import Settings
from homeserver.storage.schema.people import users
from homeserver.storage.schema.timeline import enquiries, members, rooms
from tests.bridges.marketplace.people import API, BUYER, SELLER, Ear, Shopper, guest, registered
from tests.chat.world import ByIds, person
from tests.conftest import QUIET

pytestmark = pytest.mark.both


@pytest.fixture
async def workers(settings: Settings) -> AsyncIterator[list[Running]]:
    """Two servers on one database, as two processes are."""
    find = {"marketplace": BRIDGE}.__getitem__
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(running(settings, find_bridge=find)) for _ in range(2)]


async def test_one_guest_at_two_workers_at_once_gets_one_chat(workers: list[Running]) -> None:
    async with AsyncExitStack() as stack:
        sessions = [
            await stack.enter_async_context(
                aiohttp.ClientSession(one.url, cookie_jar=aiohttp.DummyCookieJar())
            )
            for one in workers
        ]
        for listing in range(1, 6):
            name = str(uuid4())
            opened = [Shopper(session, name).open(listing) for session in (*sessions, *sessions)]
            chats = await asyncio.gather(*opened)
            assert len({chat["id"] for chat in chats}) == 1
            assert {chat["anonymous_buyer_number"] for chat in chats} == {listing}
        seller = registered(sessions[1], SELLER)
        assert len(await seller.mine(is_seller=True)) == 5


async def test_support_is_called_once_whoever_is_quicker(workers: list[Running]) -> None:
    async with AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(
                aiohttp.ClientSession(each.url, cookie_jar=aiohttp.DummyCookieJar())
            )
            for each in workers
        ]
        visitor, seller = guest(one), registered(two, SELLER)
        chat = await visitor.open()

        async def call(who: Shopper) -> int:
            path = f"{API}/chats/{chat['id']}/invite-support?user_id={who.name}"
            async with who.session.post(path, headers=who.headers) as answer:
                return answer.status

        assert sorted(await asyncio.gather(call(visitor), call(seller))) == [200, 400]
        assert len(await visitor.messages(chat)) == 1


async def test_sockets_at_another_worker_hear_everything(workers: list[Running]) -> None:
    async with AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(
                aiohttp.ClientSession(each.url, cookie_jar=aiohttp.DummyCookieJar())
            )
            for each in workers
        ]
        visitor, seller = guest(one), registered(two, SELLER)
        ear: Ear = await stack.enter_async_context(seller.inbox())
        assert (await ear.next())["type"] == "connected"
        chat = await visitor.open()
        await visitor.say(chat, "across")
        assert (await ear.until("message"))["message"]["message_text"] == "across"


async def test_a_list_that_was_seen_before_shows_every_change(workers: list[Running]) -> None:
    """Each worker keeps what a seller saw; the first changes things, the second hears of it."""
    async with AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(
                aiohttp.ClientSession(each.url, cookie_jar=aiohttp.DummyCookieJar())
            )
            for each in workers
        ]
        here, sellers = workers[0].hs, [registered(each, SELLER) for each in (one, two)]
        buyer = registered(one, BUYER)
        chat = await buyer.open()
        _, last = [await buyer.say(chat, text) for text in ("first", "last")]

        async def shown(**fields: object) -> None:
            """Both workers list the chat so; the second perhaps a moment later, but a moment only."""
            for seller in sellers:
                async with asyncio.timeout(30):
                    while True:
                        (listed,) = await seller.mine(is_seller=True)
                        if {name: listed[name] for name in fields} == fields:
                            break
                        assert seller is sellers[1]
                assert await seller.call("GET", f"chats/seller/{SELLER}/grouped") == {"31": [listed]}

        await shown(last_message="last", unread_count=2, buyer_name=f"user{BUYER}")
        by_token = (await here.accounts.profiles.by_numbers([(5 << 32) + BUYER]))[(5 << 32) + BUYER]
        requester = Requester(by_token.user_id, by_token.number, by_token.user_id, namespace=5)
        told = await here.events.access.message_by_number(requester, last["id"])
        await ByIds(here).edit(requester, told.event.event_id, text="changed")
        await shown(last_message="changed")
        await ByIds(here).redact(requester, told.event.event_id)
        await shown(last_message="first", unread_count=1)
        await here.accounts.profiles.change(by_token.user_id, {"display_name": "Another"})
        await shown(buyer_name="Another", last_message="first")
        await sellers[0].post(chat, "read")
        await shown(unread_count=0)


async def chats_of(hs: Homeserver, seller: Requester, count: int) -> None:
    """So many chats of one seller, each with a buyer of its own who said something."""
    for n in range(count):
        buyer = await person(hs, f"B{n}x{seller.number}")
        own = await hs.accounts.profiles.own(buyer)
        owner = await hs.accounts.profiles.own(seller)
        made = await hs.enquiries.enquiries.open(buyer, own, link=Link("marketplace", str(n)), owner=owner)
        await ByIds(hs).send(buyer, made.room_id, text=f"hello {n}")


async def listed(hs: Homeserver, seller: Requester) -> tuple[int, list[Enquiry]]:
    """A seller's chats and what they cost at first sight."""
    hs.accounts.profiles._people.clear()
    hs.enquiries.enquiries._views._seen.clear()
    with spending() as spent:
        found = await hs.enquiries.enquiries.listing(seller, "marketplace", "owner", Page(5000))
    return spent.statements, found


@pytest.mark.parametrize("overrides", [QUIET])
async def test_a_sellers_inbox_costs_three_statements_however_long_it_is(hs: Homeserver) -> None:
    sellers = [await person(hs, "Few"), await person(hs, "Many")]
    costs = []
    for seller, count in zip(sellers, (2, 25), strict=True):
        await chats_of(hs, seller, count)
        cost, found = await listed(hs, seller)
        costs.append(cost)
        assert len(found) == count
        assert all(one.unread_count == 1 and one.last_message is not None for one in found)
    assert costs == [3, 3]


@pytest.mark.parametrize("overrides", [QUIET])
async def test_five_thousand_chats_are_listed_with_the_same_statements(hs: Homeserver) -> None:
    """The rooms are copies of one in the tables: to make so many properly would take minutes."""
    seller = await person(hs, "Seller")
    await chats_of(hs, seller, 1)
    await _copy_rooms(hs, seller, 4999)
    cost, found = await listed(hs, seller)
    assert (cost, len(found)) == (3, 5000)
    with spending() as spent:
        again = await hs.enquiries.enquiries.listing(seller, "marketplace", "owner", Page(5000))
    assert all(one is other for one, other in zip(again, found, strict=True))
    assert spent.statements == 1, "what did not change is not looked at again"
    assert len(await hs.enquiries.enquiries.rooms_of_owner(seller, "marketplace", 5000)) == 5000


async def _copy_rooms(hs: Homeserver, seller: Requester, count: int) -> None:
    async with hs.core.db.write() as conn:
        room = (await conn.execute(select(rooms))).mappings().one()
        theirs = (
            (await conn.execute(select(members).where(members.c.user_id == seller.user_id))).mappings().one()
        )
        enquiry = (await conn.execute(select(enquiries))).mappings().one()
        buyer = (
            (await conn.execute(select(users).where(users.c.user_id == enquiry["enquirer"]))).mappings().one()
        )
        copies = range(1, count + 1)
        new = [
            {
                **buyer,
                "number": 10_000 + n,
                "user_id": make_user_id(f"copy{n}", "test.example"),
                "email": None,
                "tag": None,
            }
            for n in copies
        ]
        await conn.execute(insert(users), new)
        at = 1_000_000
        await conn.execute(
            insert(rooms),
            [{**room, "room_id": f"!{n}:x", "position": at + n, "active_position": at + n} for n in copies],
        )
        await conn.execute(insert(members), [{**theirs, "room_id": f"!{n}:x"} for n in copies])
        await conn.execute(
            insert(enquiries),
            [{**enquiry, "room_id": f"!{n}:x", "enquirer": f"@copy{n}:test.example"} for n in copies],
        )
