"""Requests to push services and push gateways: public addresses only, no redirects, bounded response bodies."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from yarl import URL

from homeserver.clock import Clock
from homeserver.errors import Upstream
from homeserver.net.client import HttpClient, Request
from homeserver.services.push.addresses import origin_of
from homeserver.services.push.web.encryption import Sealed

logger = logging.getLogger(__name__)
_MAX_ANSWER_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """A push service's response: its status, 0 if there was none, and the delay of Retry-After in milliseconds.

    `body` is read for push gateways only.
    """

    status: int
    retry_ms: int = 0
    body: bytes = b""

    @property
    def is_taken(self) -> bool:
        """True if the service accepted the push."""
        return 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """True if the subscription no longer exists (RFC 8030, section 7.3)."""
        return self.status in {404, 410}

    @property
    def may_be_repeated(self) -> bool:
        """True if a retry may succeed."""
        return self.status in {0, 408, 429} or self.status >= 500


class PushClient:
    """Sends pushes: encrypted ones to push services, JSON to push gateways."""

    def __init__(self, client: HttpClient, clock: Clock, *, timeout_s: float) -> None:
        self._client = client
        self._clock = clock
        self._timeout_s = timeout_s

    async def post(self, endpoint: str, sealed: Sealed, *, ttl_s: int, topic: str) -> Answer:
        """Send a push to its service, which keeps it for `ttl_s`. Network and server errors do not raise."""
        headers = {**sealed.headers, "TTL": str(ttl_s), "Topic": topic, "Urgency": "normal"}
        return await self._post(endpoint, sealed.body, headers, max_bytes=0)

    async def post_json(self, url: str, body: bytes) -> Answer:
        """Send JSON to a push gateway, and read its response. Network and server errors do not raise."""
        headers = {"Content-Type": "application/json"}
        return await self._post(url, body, headers, max_bytes=_MAX_ANSWER_BYTES)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str], *, max_bytes: int) -> Answer:
        """Send one request; a response body longer than `max_bytes` is cut."""
        try:
            request = Request(
                "POST",
                URL(url, encoded=True),
                timeout_s=self._timeout_s,
                max_bytes=max_bytes,
                headers=headers,
                body=body,
                may_cut=True,
            )
            found = await self._client.request(request)
        except (Upstream, ValueError) as error:
            logger.info("%s cannot be told: %s", origin_of(url), type(error).__name__)
            return Answer(0)
        return Answer(found.status, self._retry_ms(found.headers.get("Retry-After", "")), found.body)

    def _retry_ms(self, text: str) -> int:
        """The delay of Retry-After, given in seconds or as a date (RFC 9110, section 10.2.3); 0 if invalid."""
        if text.isascii() and text.isdecimal() and len(text) < 10:
            return int(text) * 1000
        try:
            at_ms = int(parsedate_to_datetime(text).timestamp() * 1000)
        except (ValueError, OverflowError):
            return 0
        return max(0, at_ms - self._clock.now_ms())
