"""The wire format of a push: encrypted for one browser (RFC 8291), signed by this server (RFC 8292)."""

from base64 import b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Mapping
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey, derive_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

from homeserver.clock import Clock
from homeserver.errors import Invalid
from homeserver.kit.cache import BoundedCache
from homeserver.services.push.addresses import origin_of
from homeserver.storage.push import Subscription

MAX_PAYLOAD_BYTES = 3993  # RFC 8291, section 4: fits one record that every push service accepts
_POINT_BYTES = 65
_AUTH_BYTES = 16
_TOKEN_S = 12 * 3600  # RFC 8292, section 2: at most 24 hours
_ORIGINS = 1000  # signatures kept in memory; there are a handful of push services


class BrowserKeys(NamedTuple):
    """The keys of a browser's subscription, in base64url without padding."""

    p256dh: str
    auth: str


class Sealed(NamedTuple):
    """Body and headers of a request to a push service."""

    body: bytes
    headers: Mapping[str, str]


def checked_keys(p256dh: str, auth: str) -> BrowserKeys:
    """The keys of a subscription, normalised. Raises Invalid("bad_push_key")."""
    point, secret = _decode(p256dh), _decode(auth)
    if point is None or len(point) != _POINT_BYTES or not _is_on_curve(point):
        raise Invalid("keys.p256dh: must be a point on the curve P-256, in base64url", code="bad_push_key")
    if secret is None or len(secret) != _AUTH_BYTES:
        raise Invalid("keys.auth: must be 16 bytes, in base64url", code="bad_push_key")
    return BrowserKeys(_encode(point), _encode(secret))


class Sealer:
    """Encrypts and signs with the server's VAPID key (the 32 bytes of a P-256 private key)."""

    def __init__(self, secret: bytes, subject: str, clock: Clock) -> None:
        key = derive_private_key(int.from_bytes(secret), SECP256R1())
        self._vapid = Vapid02(key, conf={"no-strict": True})  # the subject is checked with the settings
        self._subject = subject
        self._clock = clock
        self._signed: BoundedCache[str, tuple[int, str]] = BoundedCache(_ORIGINS)
        self.public_key = _encode(
            key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        )

    def seal(self, subscription: Subscription, payload: bytes) -> Sealed:
        """Body and headers for one browser. Takes a fraction of a millisecond."""
        keys = {"p256dh": subscription.p256dh, "auth": subscription.auth}
        from pywebpush import WebPusher  # imports an HTTP client: 5 MiB that many servers never need

        pusher = WebPusher({"endpoint": subscription.endpoint, "keys": keys})
        body: bytes = pusher.encode(payload)["body"]
        headers = {
            "Authorization": self._authorization(origin_of(subscription.endpoint)),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
        }
        return Sealed(body, headers)

    def _authorization(self, origin: str) -> str:
        now_s = self._clock.now_ms() // 1000
        known = self._signed.get(origin)
        if known is not None and known[0] - _TOKEN_S // 2 > now_s:
            return known[1]
        until_s = now_s + _TOKEN_S
        claims = {"aud": origin, "exp": until_s, "sub": self._subject}
        header = str(self._vapid.sign(claims)["Authorization"])
        self._signed.put(origin, (until_s, header))
        return header


def _is_on_curve(point: bytes) -> bool:
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    except ValueError:
        return False
    return True


def _decode(text: str) -> bytes | None:
    plain = text.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except (Error, ValueError):
        return None


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
