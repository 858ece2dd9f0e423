"""Tokens, cookies, guests' UUIDs, bare ids: what proves who somebody is, and what does not."""

import base64
import json
import logging
import time
from uuid import uuid4

import aiohttp
import jwt
import pytest
from yarl import URL

from bridges.marketplace import BRIDGE
from homeserver.errors import Invalid
from homeserver.lifecycle import Running, running
from homeserver.settings.models import Settings
from tests.bridges.marketplace.people import (
    API,
    BUYER,
    LISTING,
    SECRET,
    SELLER,
    Shopper,
    guest,
    registered,
    token,
)

MINE = f"{API}/chats/my?user_id={BUYER}"


def unsigned(**claims: object) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    said = {"user_id": BUYER, "type": "access", "exp": int(time.time()) + 600, **claims}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(said)}."


async def status(client: aiohttp.ClientSession, path: str, **options: object) -> int:
    async with client.get(path, **options) as answer:  # type: ignore[arg-type]  # headers or cookies
        return answer.status


@pytest.mark.parametrize("way", ["header", "cookie", "query"])
async def test_a_token_is_taken_from_three_places(client: aiohttp.ClientSession, way: str) -> None:
    good = token(BUYER)
    headers = {"Authorization": f"Bearer {good}"} if way == "header" else {}
    headers |= {"Cookie": f"access_token={good}"} if way == "cookie" else {}
    path = f"{MINE}&token={good}" if way == "query" else MINE
    assert await status(client, path, headers=headers) == 200


@pytest.mark.parametrize("way", ["header", "cookie", "query"])
async def test_tokens_that_do_not_hold(client: aiohttp.ClientSession, way: str) -> None:
    tokens = {
        "forged": token(BUYER, key="another secret that is long enough for this"),
        "expired": token(BUYER, exp=int(time.time()) - 3600),
        "without expiry": token(BUYER, exp=None),
        "refresh": token(BUYER, type="refresh"),
        "alg none": unsigned(),
        "alg NONE": unsigned().replace("bm9uZSI", "Tk9ORSI"),
        "other algorithm": jwt.encode(
            {"user_id": BUYER, "exp": int(time.time()) + 600}, SECRET * 2, algorithm="HS512"
        ),
        "nobody": jwt.encode({"exp": int(time.time()) + 600, "type": "access"}, SECRET, algorithm="HS256"),
        "nonsense": "x.y.z",
    }
    for name, bad in tokens.items():
        headers = {"Authorization": f"Bearer {bad}"} if way == "header" else {}
        headers |= {"Cookie": f"access_token={bad}"} if way == "cookie" else {}
        path = f"{MINE}&token={bad}" if way == "query" else MINE
        assert await status(client, path, headers=headers) == 401, name
        ws_path = f"{API}/ws/seller/{BUYER}?user_id={BUYER}" + (f"&token={bad}" if way == "query" else "")
        async with client.ws_connect(ws_path, headers=headers) as ws:
            assert (await ws.receive()).data == 1008, name


async def test_user_type_counts_only_in_the_token_that_is_shown(client: aiohttp.ClientSession) -> None:
    staff, later = registered(client, 5, user_type="admin"), registered(client, 5)
    assert await staff.call("GET", "chats/support/pending") == []
    assert await later.call("GET", "chats/support/pending", 403) == "not_staff"
    silent = registered(client, 5, user_type=None)
    assert await silent.call("GET", "chats/support/pending", 403) == "not_staff"
    assert await guest(client).call("GET", "chats/support/pending", 401) == "missing_token"


async def test_the_browser_gets_a_cookie_that_scripts_cannot_read(browser: aiohttp.ClientSession) -> None:
    visitor = guest(browser)
    query = f"iphone_id=1&seller_id={SELLER}&buyer_id={visitor.name}"
    async with browser.get(f"{API}/chats/find?{query}") as answer:
        made = answer.headers.getall("Set-Cookie")
        chat = await answer.json()
    assert len(made) == 1
    assert made[0].startswith("chat_guest=")
    for wanted in ("httponly", "samesite=lax", "path=/"):
        assert wanted in made[0].lower()
    async with browser.get(f"{API}/chats/find?{query}") as answer:
        assert "Set-Cookie" not in answer.headers, "the cookie stays the same"
    async with browser.get(f"{API}/chats/{chat['id']}/messages") as answer:
        assert answer.status == 200, "the widget names nobody here"
    async with browser.get(f"{API}/chats/{chat['id']}/info") as answer:
        assert (await answer.json())["buyer_id"] == visitor.name
    async with browser.delete(f"{API}/chats/{chat['id']}") as answer:
        assert answer.status == 200


async def test_a_stolen_uuid_is_worth_nothing_without_the_cookie(
    browser: aiohttp.ClientSession, client: aiohttp.ClientSession
) -> None:
    visitor = guest(browser)
    chat = await visitor.open()
    assert await visitor.mine(is_seller=False) == [chat]
    thief = Shopper(client, visitor.name)
    other = guest(browser)
    for headers in (
        {},
        {"Cookie": "chat_guest=x"},
        {"Cookie": f"chat_guest={visitor.name}.guess"},
        {"Cookie": f"chat_guest={other.name}.guess"},
    ):
        thief.headers = headers
        assert await thief.call("GET", f"chats/my?user_id={visitor.name}", 401) == "guest_bound"
        assert await thief.open(status=401) == "guest_bound"
        assert await thief.say(chat, "as the guest", 401) == "guest_bound"
        async with thief.socket(chat) as ear:
            assert await ear.closed() == 1008
    assert await visitor.mine(is_seller=False) == [chat]


async def test_another_guests_cookie_opens_only_that_guests_chats(
    browser: aiohttp.ClientSession, client: aiohttp.ClientSession
) -> None:
    mine, theirs = guest(browser), guest(client)
    await mine.open()
    chat = await theirs.open()
    async with browser.get(f"{API}/chats/{chat['id']}/messages") as answer:
        assert answer.status == 404
    stolen = browser.cookie_jar.filter_cookies(URL(str(browser._base_url)))["chat_guest"].value
    changed = {"Cookie": f"chat_guest={theirs.name}.{stolen.partition('.')[2]}"}
    async with client.get(f"{API}/chats/{chat['id']}/messages", headers=changed) as answer:
        assert answer.status == 401


async def test_a_stale_token_in_the_browser_does_not_lock_its_guest_out(
    browser: aiohttp.ClientSession,
) -> None:
    visitor = guest(browser)
    chat = await visitor.open()
    old = token(BUYER, exp=int(time.time()) - 3600)
    browser.cookie_jar.update_cookies({"access_token": old}, URL(str(browser._base_url)))
    async with browser.get(f"{API}/chats/{chat['id']}/messages") as answer:
        assert answer.status == 200
    assert await visitor.say(chat, "still me")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Referer": "https://evil.example/page"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Referer": "https://evil.example/"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "OWN"}, 200),
        ({"Referer": "OWN/product.html"}, 200),
        ({}, 200),
    ],
)
async def test_another_site_opens_no_chat_by_an_image(
    browser: aiohttp.ClientSession, buyer: Shopper, headers: dict[str, str], status: int
) -> None:
    own = str(browser._base_url).rstrip("/")
    sent = {name: value.replace("OWN", own) for name, value in headers.items()}
    browser.cookie_jar.update_cookies({"access_token": token(BUYER)}, URL(own))
    query = f"iphone_id={LISTING}&seller_id={SELLER}&buyer_id={BUYER}"
    async with browser.get(f"{API}/chats/find?{query}", headers=sent) as answer:
        assert answer.status == status, await answer.text()
    assert len(await buyer.mine(is_seller=False)) == (1 if status == 200 else 0)
    async with browser.get(f"{API}/chats/my?user_id={BUYER}&is_seller=false", headers=sent) as answer:
        assert answer.status == 200, "looking changes nothing"
    body = {"iphone_id": LISTING, "seller_id": SELLER, "buyer_id": str(BUYER), "buyer_is_registered": True}
    async with browser.post(f"{API}/chats", json=body, headers=sent) as answer:
        assert answer.status == status, await answer.text()


async def test_pages_of_other_sites_cannot_act_with_the_cookies(browser: aiohttp.ClientSession) -> None:
    visitor = guest(browser)
    chat = await visitor.open()
    evil = {"Origin": "https://evil.example"}
    async with browser.delete(f"{API}/chats/{chat['id']}", headers=evil) as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, "wrong_origin")
    async with browser.ws_connect(f"{API}/ws/{chat['id']}", headers=evil) as ws:
        assert (await ws.receive()).data == 1008
    own = {"Origin": str(browser._base_url).rstrip("/")}
    async with browser.ws_connect(f"{API}/ws/{chat['id']}", headers=own) as ws:
        assert (await ws.receive_json())["type"] == "online_users"
    account = {"Cookie": f"access_token={token(BUYER)}", **evil}
    async with browser.post(f"{API}/chats/{chat['id']}/hide?user_id={BUYER}", headers=account) as answer:
        assert answer.status == 403


@pytest.mark.both
async def test_a_guest_who_signs_in_takes_the_chats_along(
    browser: aiohttp.ClientSession, seller: Shopper, client: aiohttp.ClientSession
) -> None:
    visitor = guest(browser)
    chat = await visitor.open()
    await visitor.say(chat, "before")
    await seller.say(chat, "yes")
    account = registered(browser, BUYER)
    async with visitor.socket(chat) as ear:
        await ear.until("online_users")
        assert await account.call("POST", "guests/claim", json={}) == {"claimed": 1}
        assert await ear.closed() == 1008
    shown = (await account.mine(is_seller=False))[0]
    assert (shown["id"], shown["buyer_id"], shown["buyer_is_registered"]) == (chat["id"], str(BUYER), True)
    assert (shown["anonymous_buyer_number"], shown["unread_count"]) == (None, 1)
    for who in (seller, account):
        told = [(one["message_text"], one["sender_id"]) for one in await who.messages(chat)]
        assert told == [("before", str(BUYER)), ("yes", str(SELLER))]
    assert (await account.open())["id"] == chat["id"], "the same chat, not a second one"
    fresh = Shopper(client, visitor.name)
    assert (await fresh.open())["id"] != chat["id"], "the UUID is somebody new now"
    assert await fresh.call("GET", f"chats/{chat['id']}/info?user_id={visitor.name}", 404) == "room_not_found"


async def test_claims_need_the_guests_proof(
    browser: aiohttp.ClientSession, client: aiohttp.ClientSession, stranger: Shopper
) -> None:
    visitor = guest(browser)
    await visitor.open()
    await visitor.mine(is_seller=False)  # now the cookie is bound
    claim = "guests/claim"
    assert await stranger.call("POST", claim, 401, json={"guest_id": visitor.name}) == "guest_bound"
    assert await stranger.call("POST", claim, 404, json={"guest_id": str(uuid4())}) == "guest_not_found"
    assert await stranger.call("POST", claim, 422, json={}) == "missing_param"
    assert await guest(client).call("POST", claim, 401, json={"guest_id": visitor.name}) == "missing_token"
    without_cookies = guest(client)
    await without_cookies.open()
    assert await stranger.call("POST", claim, json={"guest_id": without_cookies.name}) == {"claimed": 1}


@pytest.mark.parametrize("market", [{"trust_user_id": True}])
async def test_the_documents_curl_examples_where_bare_ids_are_trusted(client: aiohttp.ClientSession) -> None:
    async def post(body: dict[str, object]) -> dict[str, object]:
        async with client.post(f"{API}/chats", json=body) as answer:
            assert answer.status == 200, await answer.text()
            made: dict[str, object] = await answer.json()
            return made

    first = await post(
        {"iphone_id": 1, "seller_id": 1, "buyer_id": "test-buyer-uuid", "buyer_is_registered": False}
    )
    assert (first["buyer_id"], first["buyer_is_registered"]) == ("test-buyer-uuid", False)
    second = await post({"iphone_id": 1, "seller_id": 2, "buyer_id": "user_123", "buyer_is_registered": True})
    assert second["buyer_id"] == "user_123"
    third = await post({"iphone_id": 1, "seller_id": 2, "buyer_id": "77", "buyer_is_registered": True})
    assert (third["buyer_id"], third["buyer_is_registered"]) == ("77", True)
    async with client.ws_connect(f"{API}/ws/{first['id']}?user_id=test-buyer-uuid") as ws:
        assert (await ws.receive_json())["type"] == "online_users"
        frame = {"type": "message", "message_text": "Test message", "sender_is_registered": False}
        await ws.send_json(frame)
        message = (await ws.receive_json())["message"]
        assert (message["message_text"], message["sender_id"]) == ("Test message", "test-buyer-uuid")
    async with client.get(f"{API}/chats/my?user_id=1&is_seller=true") as answer:
        assert [one["unread_count"] for one in await answer.json()] == [1]
    async with client.post(f"{API}/chats/{first['id']}/read?user_id=1") as answer:
        assert await answer.json() == {"marked_as_read": 1}
    async with client.get(f"{API}/chats/{first['id']}/messages?limit=100&offset=0&user_id=1") as answer:
        assert len(await answer.json()) == 1
    async with client.get(f"{API}/chats/{first['id']}/messages?user_id=2") as answer:
        assert answer.status == 404


@pytest.mark.parametrize("market", [{"trust_user_id": True}])
async def test_trust_is_told_at_start_and_refused_on_a_public_address(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    find = {"marketplace": BRIDGE}.__getitem__
    with caplog.at_level(logging.WARNING):
        async with running(settings, find_bridge=find):
            pass
    assert "trust_user_id is true" in caplog.text
    public = settings.listen.model_copy(update={"host": "0.0.0.0"})
    with pytest.raises(Invalid, match="trust_user_id: must be false"):
        async with running(settings.model_copy(update={"listen": public}), find_bridge=find):
            pass


@pytest.mark.parametrize("market", [{"issuer": "nobody"}])
async def test_an_issuer_that_is_not_there_is_told(settings: Settings) -> None:
    with pytest.raises(Invalid, match="issuer: nobody is not one of the issuers"):
        async with running(settings, find_bridge={"marketplace": BRIDGE}.__getitem__):
            pass


@pytest.mark.parametrize(
    "more", [{"rate_limits": {"enabled": True, "guests": {"per_second": 0.001, "burst": 2}}}]
)
async def test_an_address_brings_only_so_many_new_guests(client: aiohttp.ClientSession) -> None:
    known = guest(client)
    await known.open()
    await guest(client).open()
    assert await guest(client).open(status=429) == "rate_limited"
    assert await known.open(32)


@pytest.mark.parametrize(
    "more", [{"rate_limits": {"enabled": True, "create": {"per_second": 0.001, "burst": 4}}}]
)
async def test_sellers_who_never_were_here_are_not_made_without_end(server: Running, buyer: Shopper) -> None:
    for number in range(100, 102):
        await buyer.open(number, number)
    for number in range(102, 110):
        assert await buyer.open(number, number, 429) == "rate_limited"
    people = server.hs.accounts.profiles
    made = await people.by_numbers([(5 << 32) + number for number in range(100, 110)])
    assert len(made) == 2


@pytest.mark.parametrize("more", [{"server": {"public_url": "https://chat.example.org"}}])
async def test_behind_https_the_cookie_is_secure(server: Running, client: aiohttp.ClientSession) -> None:
    query = f"iphone_id=1&seller_id=2&buyer_id={uuid4()}"
    async with client.get(f"{API}/chats/find?{query}") as answer:
        assert "secure" in answer.headers["Set-Cookie"].lower()
