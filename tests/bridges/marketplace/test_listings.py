"""The check of listings against the marketplace: asked once, believed for a while, and clear when it is away."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from bridges.marketplace.listings import Listings
from bridges.marketplace.settings import MarketplaceSettings
from homeserver.clock import FakeClock
from homeserver.errors import Forbidden, NotFound, Unavailable
from homeserver.net.client import HttpClient
from homeserver.net.publicnet import Guard
from tests.bridges.marketplace.people import Shopper


@dataclass
class Posts:
    """The marketplace's own service, and the client that asks it."""

    client: HttpClient
    url: str = ""
    asked: list[int] = field(default_factory=list)
    body: str | None = None
    status: int = 200
    hangs: bool = False

    async def get(self, request: web.Request) -> web.Response:
        number = int(request.match_info["id"])
        self.asked.append(number)
        if self.hangs:
            await asyncio.Event().wait()
        if number == 404:
            return web.Response(status=404)
        text = self.body if self.body is not None else '{"id": 1, "author_id": 2}'
        return web.Response(status=self.status, text=text, headers={"Location": "/posts/1"})


@pytest.fixture
async def posts() -> AsyncIterator[Posts]:
    made = Posts(HttpClient(Guard(None), connections=10))
    app = web.Application()
    app.router.add_get("/posts/{id}", made.get)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/posts/{{id}}"
    yield made
    await made.client.close()
    await runner.cleanup()


def listings(posts: Posts, clock: FakeClock, **changes: object) -> Listings:
    settings = MarketplaceSettings.model_validate({"posts_url": posts.url, **changes})
    return Listings(settings, clock, posts.client)


async def test_a_listing_is_asked_for_once(posts: Posts, clock: FakeClock) -> None:
    made = listings(posts, clock)
    await asyncio.gather(*(made.check(1, 2) for _ in range(5)))
    with pytest.raises(Forbidden) as refused:
        await made.check(1, 3)
    assert refused.value.code == "wrong_seller"
    for _ in range(2):
        with pytest.raises(NotFound):
            await made.check(404, 2)
    assert posts.asked == [1, 404]
    clock.advance(61_000)
    await made.check(1, 2)
    assert posts.asked == [1, 404, 1]


async def test_the_cache_is_bounded(posts: Posts, clock: FakeClock) -> None:
    made = listings(posts, clock, posts_cache_entries=2)
    for number in (1, 2, 3, 1):
        await made.check(number, 2)
    assert posts.asked == [1, 2, 3, 1]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, ""),
        (200, "nonsense"),
        (200, "[]"),
        (200, "{}"),
        (200, '{"author_id": true}'),
        (302, ""),
        (200, "x" * 5000),
    ],
)
async def test_strange_answers_are_none(posts: Posts, clock: FakeClock, status: int, body: str) -> None:
    posts.status, posts.body = status, body
    made = listings(posts, clock, posts_max_bytes=4096)
    for _ in range(2):
        with pytest.raises(Unavailable) as refused:
            await made.check(1, 2)
        assert refused.value.code == "listing_away"
    assert len(posts.asked) == 2, "what failed is not remembered"


async def test_a_service_that_hangs_or_is_gone(posts: Posts, clock: FakeClock) -> None:
    posts.hangs = True
    with pytest.raises(Unavailable):
        await listings(posts, clock, posts_timeout_s=0.2).check(1, 2)
    gone = MarketplaceSettings(posts_url="http://127.0.0.1:9/{id}")
    with pytest.raises(Unavailable):
        await Listings(gone, clock, posts.client).check(1, 2)


async def test_where_the_seller_stands_can_be_set(posts: Posts, clock: FakeClock) -> None:
    posts.body = '{"data": {"owner": "2"}}'
    await listings(posts, clock, posts_seller_field="data.owner").check(1, 2)


@pytest.mark.parametrize("url", ["ftp://x/{id}", "http://x/", "http://{id}/x", "http://x/{id}/{id}", "{id}"])
def test_bad_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="posts_url"):
        MarketplaceSettings(posts_url=url)


@pytest.mark.parametrize("market", [{"posts_url": "http://127.0.0.1:9/{id}"}])
@pytest.mark.both
async def test_without_the_service_no_new_chats_and_a_clear_answer(buyer: Shopper) -> None:
    assert await buyer.open(status=503) == "listing_away"
