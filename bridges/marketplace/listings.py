"""Looks up listings and their sellers at the marketplace over HTTP, with a cache."""

import asyncio
from dataclasses import dataclass

import orjson
from yarl import URL

from bridges.marketplace.settings import MarketplaceSettings
from homeserver.clock import Clock
from homeserver.errors import Forbidden, NotFound, Unavailable, Upstream
from homeserver.kit.cache import BoundedCache
from homeserver.kit.singleflight import SingleFlight
from homeserver.net.client import HttpClient, Request
from homeserver.services.auth.jwt_claims import at_path


@dataclass(frozen=True, slots=True)
class _Answer:
    """`seller`: their id as text, None if no such listing. `until_ms`: when the entry expires."""

    seller: str | None
    until_ms: int


class Listings:
    """Checks listings, if the settings have their URL."""

    def __init__(self, settings: MarketplaceSettings, clock: Clock, client: HttpClient) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock
        self._known: BoundedCache[int, _Answer] = BoundedCache(settings.posts_cache_entries)
        self._flight: SingleFlight[int, _Answer] = SingleFlight()
        self._places = asyncio.Semaphore(settings.posts_concurrency)

    async def check(self, listing_id: int, seller_id: int) -> None:
        """Raise NotFound("listing_not_found"), Forbidden("wrong_seller") or Unavailable("listing_away")."""
        if self._settings.posts_url is None:
            return
        known = self._known.get(listing_id)
        if known is None or self._clock.now_ms() >= known.until_ms:
            known = await self._flight.run(listing_id, lambda: self._ask(listing_id))
        if known.seller is None:
            raise NotFound("no such listing", code="listing_not_found")
        if known.seller != str(seller_id):
            raise Forbidden("this listing is another seller's", code="wrong_seller")

    async def _ask(self, listing_id: int) -> _Answer:
        settings = self._settings
        url = (settings.posts_url or "").replace("{id}", str(listing_id))
        try:
            async with asyncio.timeout(settings.posts_timeout_s), self._places:
                request = Request(
                    "GET", URL(url), timeout_s=settings.posts_timeout_s, max_bytes=settings.posts_max_bytes
                )
                response = await self._client.request(request)
        except (TimeoutError, ValueError, Upstream) as error:
            raise _away() from error
        seller = self._seller(response.status, response.body)
        answer = _Answer(seller, self._clock.now_ms() + settings.posts_cache_s * 1000)
        self._known.put(listing_id, answer)
        return answer

    def _seller(self, status: int, body: bytes) -> str | None:
        if status in {404, 410}:
            return None
        if status != 200:
            raise _away()
        try:
            found = at_path(orjson.loads(body), self._settings.posts_seller_field)
        except (orjson.JSONDecodeError, TypeError):
            raise _away() from None
        if isinstance(found, bool) or not isinstance(found, int | str):
            raise _away()
        return str(found)


def _away() -> Unavailable:
    return Unavailable("the listing cannot be checked right now; try again later", code="listing_away")
