"""One request to a push service or gateway: to public addresses only, no redirect followed, and little read."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from homeserver.clock import Clock
from homeserver.net.publicnet import Guard
from homeserver.services.push.addresses import origin_of
from homeserver.services.push.encryption import Sealed
from homeserver.settings.models import PushSettings

logger = logging.getLogger(__name__)
_MAX_ANSWER_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """What a push service made of a push: its status, 0 if it did not answer; and when it wants to be asked again.

    `body` is read where it matters.
    """

    status: int
    retry_ms: int = 0
    body: bytes = b""

    @property
    def is_taken(self) -> bool:
        """Whether the push is the service's now."""
        return 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """Whether there is no such subscription any more (RFC 8030, section 7.3)."""
        return self.status in {404, 410}

    @property
    def may_be_repeated(self) -> bool:
        """Whether it may go better later."""
        return self.status in {0, 408, 429} or self.status >= 500


class Courier:
    """Carries sealed pushes."""

    def __init__(self, settings: PushSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """The connections to push services, while the context lasts."""
        connector = aiohttp.TCPConnector(
            limit=self._settings.concurrency,
            socket_factory=None if self._settings.allow_private else Guard().socket,
        )
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self._settings.timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        ) as session:
            yield session

    async def post(
        self, session: aiohttp.ClientSession, endpoint: str, sealed: Sealed, *, ttl_s: int, topic: str
    ) -> Answer:
        """Hand a push to its service, which keeps it for `ttl_s`. Never raises for what others do."""
        headers = {**sealed.headers, "TTL": str(ttl_s), "Topic": topic, "Urgency": "normal"}
        try:
            async with session.post(
                URL(endpoint, encoded=True), data=sealed.body, headers=headers, allow_redirects=False
            ) as response:
                return Answer(response.status, self._retry_ms(response.headers.get("Retry-After", "")))
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            logger.info("the push service %s cannot be asked: %s", origin_of(endpoint), type(error).__name__)
            return Answer(0)

    async def post_json(self, session: aiohttp.ClientSession, url: str, body: bytes) -> Answer:
        """Hand JSON to a push gateway, and read what it says to it. Never raises for what others do."""
        headers = {"Content-Type": "application/json"}
        try:
            async with session.post(
                URL(url, encoded=True), data=body, headers=headers, allow_redirects=False
            ) as response:
                answer = await _read(response)
                return Answer(
                    response.status, self._retry_ms(response.headers.get("Retry-After", "")), answer
                )
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            logger.info("the push gateway %s cannot be asked: %s", origin_of(url), type(error).__name__)
            return Answer(0)

    def _retry_ms(self, text: str) -> int:
        """How long to wait, by the header Retry-After: seconds or a date (RFC 9110, section 10.2.3); 0 for neither."""
        if text.isascii() and text.isdecimal() and len(text) < 10:
            return int(text) * 1000
        try:
            at_ms = int(parsedate_to_datetime(text).timestamp() * 1000)
        except (ValueError, OverflowError):
            return 0
        return max(0, at_ms - self._clock.now_ms())


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The beginning of an answer; one that is longer says nothing that we know of."""
    found = bytearray()
    async for chunk in response.content.iter_any():
        found += chunk
        if len(found) > _MAX_ANSWER_BYTES:
            break
    return bytes(found[:_MAX_ANSWER_BYTES])
