"""Signed URLs of files, valid for a limited time. Pure.

The expiry is rounded, so that a file keeps its URL for a while and browsers can cache it.
"""

import base64
import hmac
from urllib.parse import quote

from homeserver.errors import NotFound
from homeserver.model import MediaId

PREFIX = "/media"
_SIGNATURE_BYTES = 24
_LATEST_MS = 2**53


class MediaUrls:
    """Makes and checks signed URLs. `secret`: at least 32 bytes."""

    def __init__(self, secret: bytes, url_ttl_s: int) -> None:
        if len(secret) < 32:
            raise ValueError("the secret for media URLs must have at least 32 bytes")
        self._secret = secret
        self._step_ms = url_ttl_s * 1000 // 2

    def expiry_ms(self, now_ms: int) -> int:
        """When a URL that is made now expires: after at least half the time to live, at most all of it."""
        return (now_ms // self._step_ms + 2) * self._step_ms

    def file(self, media_id: MediaId, name: str, now_ms: int) -> str:
        """The signed path and query of a file."""
        expiry_ms = self.expiry_ms(now_ms)
        signature = self._sign("file", media_id, expiry_ms)
        return f"{PREFIX}/{media_id}/{quote(name or 'file', safe='')}?e={expiry_ms}&s={signature}"

    def thumbnail(self, media_id: MediaId, width: int, height: int, now_ms: int) -> str:
        """The signed path and query of a thumbnail."""
        expiry_ms = self.expiry_ms(now_ms)
        signature = self._sign(f"thumb {width} {height}", media_id, expiry_ms)
        return f"{PREFIX}/{media_id}/thumb?w={width}&h={height}&e={expiry_ms}&s={signature}"

    def check_file(self, media_id: str, expiry_ms: int, signature: str, now_ms: int) -> None:
        """Raise NotFound unless `file` made this URL and it has not expired."""
        self._check("file", media_id, expiry_ms, signature, now_ms)

    def check_thumbnail(
        self, media_id: str, size: tuple[int, int], expiry_ms: int, signature: str, now_ms: int
    ) -> None:
        """Raise NotFound unless `thumbnail` made this URL and it has not expired."""
        self._check(f"thumb {size[0]} {size[1]}", media_id, expiry_ms, signature, now_ms)

    def _check(self, what: str, media_id: str, expiry_ms: int, signature: str, now_ms: int) -> None:
        wanted = self._sign(what, media_id, expiry_ms).encode()
        is_right = hmac.compare_digest(wanted, signature.encode(errors="replace"))
        if not is_right or not now_ms < expiry_ms < _LATEST_MS:
            raise NotFound("no such file, or its URL has expired", code="file_not_found")

    def _sign(self, what: str, media_id: str, expiry_ms: int) -> str:
        text = f"{what}\n{media_id}\n{expiry_ms}".encode(errors="replace")
        made = hmac.digest(self._secret, text, "sha256")[:_SIGNATURE_BYTES]
        return base64.urlsafe_b64encode(made).decode()
