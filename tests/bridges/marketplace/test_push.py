"""Pushes to buyers and sellers who have nothing open: encrypted, signed, each once, and to nobody else."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from bridges.marketplace import BRIDGE
from homeserver.app import build
from homeserver.clock import FakeClock
from homeserver.lifecycle import Running, running
from homeserver.settings.models import PushSettings, Settings
from homeserver.storage import push as stored
from tests.bridges.marketplace.people import BUYER, LISTING, SELLER, Shopper, guest, registered
from tests.chat.pushing import (
    QUICK,
    SUBJECT,
    Browser,
    PushService,
    decided,
    push_service,
    signed_by,
    unb64,
    waiting,
)
from tests.http.kit import until

pytestmark = pytest.mark.both

FIND = {"marketplace": BRIDGE}.__getitem__


@pytest.fixture
def more() -> dict[str, object]:
    return {"push": QUICK}


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    async with push_service() as made:
        yield made


async def subscribe(who: Shopper, browser: Browser, status: int = 200, **more: Any) -> Any:
    body = {**browser.subscription(), **more}
    return await who.call("POST", f"push/subscribe?user_id={who.name}", status, json=body)


async def unsubscribe(who: Shopper, browser: Browser) -> Any:
    body = {"endpoint": browser.endpoint}
    return await who.call("POST", f"push/unsubscribe?user_id={who.name}", json=body)


async def test_a_guest_hears_of_an_answer(visitor: Shopper, seller: Shopper, service: PushService) -> None:
    chat, browser = await visitor.open(), service.browser("guest")
    told = await subscribe(visitor, browser)
    assert (told["success"], bool(told["message"])) == (True, True)
    before_s = time.time()
    await visitor.say(chat, "my own, of which I need not be told")
    await seller.say(chat, "It is  still\nthere 🙂" + "х" * 300)
    [delivery] = await service.delivered(1)

    payload = browser.open(delivery)
    assert visitor.name not in str(payload)
    assert payload.pop("body") == ("It is still there 🙂" + "х" * 300)[:199] + "…"
    assert payload == {
        "type": "message",
        "chat_id": chat["id"],
        "listing": LISTING,
        "title": f"user{SELLER}",
        "url": f"/product.html#chat={chat['id']}",
        "tag": f"chat-{chat['id']}",
    }
    headers = delivery.headers
    assert (headers["Content-Encoding"], headers["Urgency"]) == ("aes128gcm", "normal")
    assert 86_300 < int(headers["TTL"]) <= 86_400
    assert len(headers["Topic"]) <= 32
    key, claims = signed_by(delivery, service.url)
    assert key == (await visitor.call("GET", "push/vapid-public-key"))["publicKey"]
    assert (len(unb64(key)), unb64(key)[0]) == (65, 4)
    assert claims["sub"] == SUBJECT
    assert before_s < claims["exp"] <= before_s + 86_400


async def test_who_has_the_chat_open_is_not_told(
    visitor: Shopper, seller: Shopper, server: Running, service: PushService
) -> None:
    chat, db = await visitor.open(), server.hs.core.db
    mine, theirs = service.browser("guest"), service.browser("seller")
    await subscribe(visitor, mine)
    async with visitor.socket(chat) as ear:
        await ear.until("online_users")
        await decided(db, (await seller.say(chat, "seen at once"))["id"])
    await until(lambda: not len(server.hub))
    await seller.say(chat, "gone already?")
    assert await service.texts(mine, 1) == ["gone already?"]

    await unsubscribe(visitor, mine)
    await subscribe(seller, theirs)
    async with seller.inbox() as ear:
        await ear.until("connected")
        await decided(db, (await visitor.say(chat, "seen in the inbox"))["id"])
    await until(lambda: not len(server.hub))
    await visitor.say(chat, "still here")
    payload = theirs.open((await service.delivered(2))[1])
    assert (payload["body"], payload["title"]) == ("still here", "Guest 1")
    assert payload["url"] == f"/profile.html#chat={chat['id']}"


async def test_what_goes_wrong_is_tried_again_and_who_is_gone_is_forgotten(
    visitor: Shopper, seller: Shopper, server: Running, service: PushService
) -> None:
    chat, browser = await visitor.open(), service.browser("guest")
    await subscribe(visitor, browser)
    elsewhere = {"Location": f"{service.url}/elsewhere"}
    service.refusals += [(503, {}), (429, {"Retry-After": "0"}), (201, {}), (307, elsewhere), (410, {})]
    for text in ("one", "no redirect is followed", "three"):
        await seller.say(chat, text)
    tries = await service.delivered(5)
    assert [browser.open(one)["body"] for one in tries] == [*["one"] * 3, "no redirect is followed", "three"]
    assert len({one.headers["Topic"] for one in tries}) == 3
    assert len({one.headers["Topic"] for one in tries[:3]}) == 1, (
        "so that a push service replaces what it has"
    )
    assert {one.path for one in tries} == {"/guest"}
    await until(lambda: server.hs.core.metrics.value("homeserver_pushes_total", outcome="gone") == 1)
    await seller.say(chat, "nobody is there to be told")
    again = service.browser("again")
    await subscribe(visitor, again)
    await seller.say(chat, "six")
    everything = await service.delivered(6)
    assert (everything[5].path, again.open(everything[5])["body"]) == ("/again", "six")


@asynccontextmanager
async def started(settings: Settings, clock: FakeClock, **push: object) -> AsyncIterator[Running]:
    wanted = settings.push.model_copy(update=push)
    hs = build(settings.model_copy(update={"push": wanted}), clock=clock)
    async with running(hs.settings, hs, find_bridge=FIND) as server:
        yield server


@asynccontextmanager
async def session_of(server: Running) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(server.url, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def test_a_restart_neither_loses_nor_repeats(settings: Settings, service: PushService) -> None:
    clock, browser = FakeClock(time.time_ns() // 1_000_000), service.browser("buyer")
    async with started(settings, clock, gather_s=10) as server, session_of(server) as session:
        buyer, seller = registered(session, BUYER), registered(session, SELLER)
        chat = await buyer.open()
        await subscribe(buyer, browser)
        await seller.say(chat, "before anything is decided")
    async with started(settings, clock, hold_s=60) as server, session_of(server) as session:
        [first] = await waiting(server.hs.core.db, 1)
        sent = await registered(session, SELLER).say(chat, "decided, not sent")
        assert [one.key.position for one in await waiting(server.hs.core.db, 2)] == [
            first.key.position,
            sent["id"],
        ]
    assert service.got == []
    clock.advance(61_000)
    for text in ("after one start", "after another"):
        async with started(settings, clock) as server, session_of(server) as session:
            await registered(session, SELLER).say(chat, text)
            await service.delivered(3 if text == "after one start" else 4)
    assert await service.texts(browser, 4) == [
        "before anything is decided",
        "decided, not sent",
        "after one start",
        "after another",
    ]


async def test_a_chat_that_is_open_at_another_worker_counts(settings: Settings, service: PushService) -> None:
    clock, browser = FakeClock(time.time_ns() // 1_000_000), service.browser("guest")
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(started(settings, clock, hold_s=1)) for _ in range(2)]
        sessions = [await stack.enter_async_context(session_of(one)) for one in servers]
        db, visitor, seller = servers[0].hs.core.db, guest(sessions[1]), registered(sessions[0], SELLER)
        chat = await visitor.open()
        await subscribe(visitor, browser)
        async with visitor.socket(chat) as ear:
            await ear.until("online_users")
            for text in ("seen", "seen too"):
                await decided(db, (await seller.say(chat, text))["id"])
            await waiting(db, 0)
        await until(lambda: not len(servers[1].hub))
        await seller.say(chat, "to both workers' table, sent by one")
        await waiting(db, 1)
        clock.advance(1000)
        assert await service.texts(browser, 1) == ["to both workers' table, sent by one"]
        await waiting(db, 0)


async def test_what_is_read_or_deleted_meanwhile_is_not_sent(
    settings: Settings, service: PushService
) -> None:
    clock, browser = FakeClock(time.time_ns() // 1_000_000), service.browser("buyer")
    async with started(settings, clock, hold_s=1) as server, session_of(server) as session:
        db, buyer, seller = server.hs.core.db, registered(session, BUYER), registered(session, SELLER)
        chat = await buyer.open()
        await subscribe(buyer, browser)
        await seller.say(chat, "read")
        await waiting(db, 1)
        await buyer.post(chat, "read")
        await seller.say(chat, "kept")
        await waiting(db, 2)
        clock.advance(1000)
        assert await service.texts(browser, 1) == ["kept"]
        await seller.say(chat, "the chat is closed before")
        await waiting(db, 1)
        await buyer.call("DELETE", f"chats/{chat['id']}")
        clock.advance(1000)
        await waiting(db, 0)
        again = await buyer.open()
        await seller.say(again, "a new chat")
        await waiting(db, 1)
        clock.advance(1000)
        assert await service.texts(browser, 2) == ["kept", "a new chat"]


BAD_ENDPOINTS = (
    "http://push.example/x",
    "https://127.0.0.1/x",
    "https://[::1]/x",
    "https://169.254.169.254/latest/meta-data",
    "https://2130706433/x",
    "https://localhost/x",
    "https://intranet/x",
    "https://db.internal/x",
    "https://user:password@push.example/x",
    "https://push.example:x/",
    "https://push.example/x#y",
    "https://push.example/\r\nX: y",
    "ftp://push.example/x",
    "file:///etc/passwd",
    "https://",
    "x",
)
HELD = {"push": {"subject": SUBJECT, "max_per_person": 2, "hold_s": 300}}


@pytest.mark.parametrize("more", [HELD])
async def test_what_is_no_subscription_is_refused(visitor: Shopper, buyer: Shopper, server: Running) -> None:
    chat, browser = await visitor.open(), Browser("https://push.example/x")
    for address in BAD_ENDPOINTS:
        assert await subscribe(visitor, browser, 400, endpoint=address) == "bad_endpoint", address
    good = browser.subscription()["keys"]
    for bad in (
        {"p256dh": "BA" + "A" * 85},
        {"p256dh": good["auth"]},
        {"p256dh": "é" * 87},
        {"auth": good["auth"][:-3]},
        {"auth": "!" * 22},
    ):
        assert await subscribe(visitor, browser, 400, keys={**good, **bad}) == "bad_push_key", bad
    assert await subscribe(visitor, browser, 422, keys={}) == "missing_param"
    assert await subscribe(Shopper(visitor.session, "7"), browser, 401) == "missing_token"
    assert await subscribe(Shopper(visitor.session, "8", buyer.headers), browser, 403) == "wrong_user"
    room_id = await server.hs.events.access.any_room_by_number(chat["id"])
    async with server.hs.core.db.read() as conn:
        assert await stored.candidates(conn, {room_id}) == []


@pytest.mark.parametrize("more", [HELD])
async def test_a_browser_is_told_of_one_persons_messages(
    visitor: Shopper, seller: Shopper, buyer: Shopper, server: Running
) -> None:
    chat, db = await visitor.open(), server.hs.core.db
    one, two, three = (Browser(f"https://push.example/{n}") for n in range(3))
    for browser in (one, two, three, three):
        await subscribe(visitor, browser)
    await unsubscribe(buyer, two)  # not theirs: nothing happens, and nobody is told
    await seller.say(chat, "to two browsers")
    held = await waiting(db, 2)
    async with db.read() as conn:
        keys = {each.endpoint_hash for each in await stored.candidates(conn, {held[0].room_id})}
    assert {each.key.destination for each in held} == keys, "the oldest had to go"
    await subscribe(buyer, two)  # the same browser, another person
    await unsubscribe(visitor, two)
    async with db.read() as conn:
        found = await stored.candidates(conn, {held[0].room_id})
        targets = await stored.targets(conn, [each.key for each in held])
    assert len(found) == len(targets) == 1, "what was meant for the guest is not for the buyer"


async def test_who_signs_in_hears_of_the_chats_they_had_as_a_guest(
    visitor: Shopper, buyer: Shopper, seller: Shopper, service: PushService
) -> None:
    chat, browser = await visitor.open(), service.browser("guest")
    await subscribe(visitor, browser)
    await buyer.call("POST", "guests/claim", json={"guest_id": visitor.name})
    await seller.say(chat, "welcome")
    assert await service.texts(browser, 1) == ["welcome"]


@pytest.mark.parametrize("more", [{}])
async def test_without_a_subject_there_are_no_pushes(visitor: Shopper) -> None:
    await visitor.open()
    assert await visitor.call("GET", "push/vapid-public-key", 503) == "push_off"
    assert await subscribe(visitor, Browser("https://push.example/x"), 503) == "push_off"
    assert (await unsubscribe(visitor, Browser("https://push.example/x")))["success"]
    assert not PushSettings().subject
