"""The marketplace's own servers: what a service key lets them do, and what it does not."""

import logging

import aiohttp
import pytest

from homeserver.lifecycle import Running
from tests.bridges.marketplace.people import BUYER, LISTING, SELLER, SUPPORT, Shopper, guest

ORDER = f"chats/hide-for-order?post_id={LISTING}&buyer_id={BUYER}"


def acting(backend: Shopper, name: int | str) -> Shopper:
    """The server in somebody's name."""
    return Shopper(backend.session, str(name), backend.headers)


async def test_a_server_acts_for_the_people_of_its_marketplace(
    backend: Shopper, buyer: Shopper, seller: Shopper, caplog: pytest.LogCaptureFixture
) -> None:
    for_buyer, for_seller = acting(backend, BUYER), acting(backend, SELLER)
    with caplog.at_level(logging.INFO, "homeserver.access"):
        chat = await for_buyer.open()  # nobody was ever here before
        said = await for_buyer.say(chat, "Your order 5 is paid.")
    key_id = backend.headers["X-Service-Key"].split("_")[1]
    assert f"user=@market_{BUYER}:test.example key={key_id}" in caplog.text
    assert backend.headers["X-Service-Key"] not in caplog.text
    assert (said["sender_id"], chat["buyer_is_registered"]) == (str(BUYER), True)
    grouped = await backend.call("GET", f"chats/seller/{SELLER}/grouped")
    assert [one["id"] for one in grouped[str(LISTING)]] == [chat["id"]]
    assert await for_seller.post(chat, "read") == {"marked_as_read": 1}
    assert await buyer.mine(is_seller=False) == await for_buyer.mine(is_seller=False)
    assert [one["message_text"] for one in await seller.messages(chat)] == ["Your order 5 is paid."]


async def test_a_server_acts_for_a_guest_who_was_here(
    backend: Shopper, browser: aiohttp.ClientSession, seller: Shopper
) -> None:
    visitor = guest(browser)
    chat = await visitor.open()
    await visitor.mine(is_seller=False)  # the guest is bound to the browser now
    for_guest = acting(backend, visitor.name)
    assert (await for_guest.say(chat, "from the shop"))["sender_id"] == visitor.name
    unknown = acting(backend, guest(browser).name)
    assert await unknown.open(status=401) == "unknown_guest", "only a browser makes a guest"
    alias = (await seller.mine(is_seller=True))[0]["buyer_id"]
    assert await (acting(backend, alias)).say(chat, "x", 400) == "bad_guest_id"


@pytest.mark.both
async def test_a_key_makes_nobody_more_than_they_are(
    server: Running, backend: Shopper, buyer: Shopper, seller: Shopper, stranger: Shopper
) -> None:
    chat = await buyer.open()
    other = acting(backend, stranger.name)
    assert await other.say(chat, "not in it", 404) == "room_not_found"
    local = await server.hs.accounts.accounts.create(display_name="Alice")
    for nobody in (local.number + 2**52, 2**52 + (8 << 32) + 1, 0, 2**53, 10**16 - 1):
        assert await (acting(backend, nobody)).open(status=404) == "user_not_found"
    for nonsense in ("system", "-7", "7.0", "9" * 200):
        assert await (acting(backend, nonsense)).open(status=422) == "invalid_param"
    pending = f"chats/support/pending?support_user_id={SUPPORT}"
    assert await backend.call("GET", pending, 403) == "not_staff"
    assert await backend.call("GET", f"chats/{chat['id']}/info", 422) == "missing_param", "for whom?"
    assert await backend.call("POST", "guests/claim", 401, json={}) == "missing_token"
    for_seller = acting(backend, SELLER)
    wrong = {"message_text": "x", "sender_id": str(BUYER)}
    path = f"chats/{chat['id']}/messages?user_id={SELLER}"
    assert await for_seller.call("POST", path, 403, json=wrong) == "wrong_user"
    async with for_seller.socket(chat) as ear, for_seller.inbox() as inbox:
        assert await ear.closed() == await inbox.closed() == 1008
    (person,) = (await server.hs.accounts.profiles.by_numbers([(5 << 32) + SELLER])).values()
    await server.hs.accounts.accounts.suspend(person.user_id)
    mine = f"chats/my?user_id={SELLER}&is_seller=true"
    assert await for_seller.call("GET", mine, 403) == "suspended"


@pytest.mark.parametrize(
    "more", [{"rate_limits": {"enabled": True, "service_keys": {"per_second": 0.001, "burst": 6}}}]
)
async def test_keys_that_do_not_hold(server: Running, backend: Shopper, buyer: Shopper) -> None:
    keys = server.hs.auth.service_keys
    good = backend.headers["X-Service-Key"]
    last = "A" if good[-1] != "A" else "B"
    guessed = (good[:-1] + last, f"sk_{'0' * 16}_{'x' * 43}", good + "x", "é")
    elsewhere = (await keys.create("portal", "university")).secret
    await buyer.open()
    for wrong in (*guessed, elsewhere):
        assert await buyer.call("POST", ORDER, 401, headers={"X-Service-Key": wrong}) == "bad_service_key"
    own = Shopper(buyer.session, buyer.name, {**buyer.headers, "X-Service-Key": elsewhere})
    assert await own.call("GET", f"chats/my?user_id={BUYER}", 401) == "bad_service_key", "not by the token"
    assert await buyer.call("POST", ORDER, 429, headers={"X-Service-Key": "again"}) == "rate_limited"
    assert (await backend.call("POST", ORDER))["hidden_count"] == 1, "a good key is not kept out by guesses"
    await keys.revoke(good.split("_")[1])
    assert await backend.call("POST", ORDER, 429) == "rate_limited"
