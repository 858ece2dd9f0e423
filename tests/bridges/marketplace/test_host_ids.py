"""Large ids of the marketplace's people are theirs in every call."""

from uuid import uuid4

import aiohttp
import pytest

from tests.bridges.marketplace.people import Shopper, token


@pytest.mark.both
@pytest.mark.parametrize("number", [2**31, 7_000_000_001, 2**53 - 1])
async def test_sellers_and_buyers_of_the_marketplace(client: aiohttp.ClientSession, number: int) -> None:
    def shopper(number: int) -> Shopper:
        return Shopper(client, str(number), {"Authorization": f"Bearer {token(number)}"})

    buyer, seller, guest = shopper(number), shopper(number - 1), Shopper(client, str(uuid4()))
    chat = await buyer.open(seller=number - 1)
    assert (chat["buyer_id"], chat["seller_id"], chat["buyer_is_registered"]) == (
        str(number),
        number - 1,
        True,
    )
    assert (await buyer.say(chat, "hello"))["sender_id"] == str(number)
    assert [one["id"] for one in await seller.mine(is_seller=True)] == [chat["id"]]
    asked = await guest.open(seller=number)
    assert asked["seller_id"] == number
    assert [one["id"] for one in await buyer.mine(is_seller=True)] == [asked["id"]]
    assert await buyer.open(32, seller=number, status=400) == "own_object"
    assert await shopper(5).say(chat, "x", 404) == "room_not_found"
