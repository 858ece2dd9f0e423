"""The public keys and secrets of host applications: from the settings, from files, or fetched (RFC 7517).

A key is only ever used with the algorithms of its own kind. A shared secret never comes out of a key set, and a
public key never serves as a secret, so a token cannot choose how it is checked (RFC 8725, section 3.1).
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import InvalidKeyError
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from yarl import URL

from homeserver.clock import Clock
from homeserver.errors import Upstream
from homeserver.kit.singleflight import SingleFlight
from homeserver.net.client import HttpClient, Request
from homeserver.settings.models import IssuerSettings

logger = logging.getLogger(__name__)

HMAC = frozenset({"HS256", "HS384", "HS512"})
_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_EC = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_LEAST_RSA_BITS = 2048
_MAX_KEYS = 50
_STALE_FACTOR = 24  # fetched keys are used this many times longer while their source is unreachable

Key = bytes | RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A key, its id in the key set, and the algorithms that it may be used with."""

    key: Key
    algorithms: frozenset[str]
    kid: str | None = None


class KeySource(Protocol):
    """A source of an issuer's keys."""

    async def find(self, algorithm: str, kid: str | None) -> list[VerifyKey]:
        """The keys that may have made such a signature. Raises Upstream when they cannot be fetched."""
        ...


class FixedKeys:
    """Keys that are known at start."""

    def __init__(self, keys: Iterable[VerifyKey]) -> None:
        self._keys = list(keys)

    async def find(self, algorithm: str, kid: str | None) -> list[VerifyKey]:
        return fitting(self._keys, algorithm, kid)


class RemoteKeys:
    """A key set at a URL: fetched on demand, once for all concurrent callers, at a limited rate.

    Keys are cached for `cache_s`. An unknown key id or a failure triggers a new fetch, at most every `refetch_s`.
    While the source is down, stale keys are still used for a while.
    """

    def __init__(self, *, url: str, fetch: Fetch, clock: Clock, cache_s: int, refetch_s: int) -> None:
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._cache_ms = cache_s * 1000
        self._refetch_ms = refetch_s * 1000
        self._keys: list[VerifyKey] | None = None
        self._fetched_ms = 0
        self._tried_ms: int | None = None
        self._flight: SingleFlight[str, None] = SingleFlight()

    async def find(self, algorithm: str, kid: str | None) -> list[VerifyKey]:
        if not self._is_younger_than(self._cache_ms):
            await self._refresh()
        found = fitting(self._believed(), algorithm, kid)
        if not found and kid is not None:
            await self._refresh()
            found = fitting(self._believed(), algorithm, kid)
        return found

    def _is_younger_than(self, age_ms: int) -> bool:
        return self._keys is not None and 0 <= self._clock.now_ms() - self._fetched_ms < age_ms

    def _believed(self) -> list[VerifyKey]:
        if self._keys is None or not self._is_younger_than(self._cache_ms * _STALE_FACTOR):
            raise Upstream("the keys of the host application cannot be fetched", code="keys_unavailable")
        return self._keys

    async def _refresh(self) -> None:
        await self._flight.run(self._url, self._refresh_once)

    async def _refresh_once(self) -> None:
        now_ms = self._clock.now_ms()
        if self._tried_ms is not None and 0 <= now_ms - self._tried_ms < self._refetch_ms:
            return
        self._tried_ms = now_ms
        try:
            self._keys = parse_key_set(await self._fetch(self._url))
            self._fetched_ms = now_ms
        except (Upstream, ValueError) as error:
            logger.warning("could not fetch the keys at %s: %s", self._url, error)


def fitting(keys: Iterable[VerifyKey], algorithm: str, kid: str | None) -> list[VerifyKey]:
    """The keys for an algorithm: the one with this key id, or all if the token or the key set has none."""
    usable = [one for one in keys if algorithm in one.algorithms]
    if kid is None:
        return usable
    return [one for one in usable if one.kid == kid or one.kid is None]


def parse_key_set(text: bytes) -> list[VerifyKey]:
    """The usable keys of a JWKS; unusable ones are left out. Raises ValueError if it is no JWKS."""
    found = orjson.loads(text)  # a JSONDecodeError is a ValueError
    entries = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(entries, list) or len(entries) > _MAX_KEYS:
        raise ValueError(f"not a key set of at most {_MAX_KEYS} keys")
    keys = [_parse_jwk(entry) for entry in entries]
    return [key for key in keys if key is not None]


def parse_pem(text: bytes) -> VerifyKey:
    """A public key from PEM, bare or in a certificate. Raises ValueError."""
    try:
        if b"BEGIN CERTIFICATE" in text:
            return _verify_key(x509.load_pem_x509_certificate(text).public_key())
        return _verify_key(load_pem_public_key(text))
    except UnsupportedAlgorithm as error:
        raise ValueError("unknown key type") from error


def source_of(issuer: IssuerSettings, clock: Clock, client: HttpClient) -> KeySource:
    """The key source of an issuer, from its settings. Reads files; raises ValueError or OSError."""
    if issuer.secret is not None:
        return FixedKeys([VerifyKey(issuer.secret.get_secret_value().encode(), HMAC)])
    if issuer.public_key_file is not None:
        return FixedKeys([parse_pem(issuer.public_key_file.read_bytes())])
    if issuer.jwks_file is not None:
        return FixedKeys(parse_key_set(issuer.jwks_file.read_bytes()))
    if issuer.jwks_url is None:
        raise ValueError(f"issuer {issuer.name} has no source of keys")

    async def fetch(url: str) -> bytes:
        return await fetch_bytes(
            client, url, timeout_s=issuer.jwks_timeout_s, max_bytes=issuer.jwks_max_bytes
        )

    return RemoteKeys(
        url=issuer.jwks_url,
        fetch=fetch,
        clock=clock,
        cache_s=issuer.jwks_cache_s,
        refetch_s=issuer.jwks_refetch_s,
    )


async def fetch_bytes(client: HttpClient, url: str, *, timeout_s: float, max_bytes: int) -> bytes:
    """The body at a URL: no redirects, no decompression. Raises Upstream."""
    headers = {"Accept": "application/json"}
    try:
        request = Request("GET", URL(url), timeout_s=timeout_s, max_bytes=max_bytes, headers=headers)
    except ValueError as error:
        raise Upstream("no address") from error
    response = await client.request(request)
    if response.status != 200:
        raise Upstream(f"answered {response.status}")
    return response.body


def _parse_jwk(entry: Any) -> VerifyKey | None:
    if not isinstance(entry, dict) or "d" in entry or entry.get("use", "sig") != "sig":
        return None
    operations = entry.get("key_ops")
    if isinstance(operations, list) and "verify" not in operations:
        return None
    readers: dict[object, Callable[[dict[str, Any]], object]] = {
        "RSA": RSAAlgorithm.from_jwk,
        "EC": ECAlgorithm.from_jwk,
        "OKP": OKPAlgorithm.from_jwk,
    }
    read = readers.get(entry.get("kty"))
    if read is None:  # "oct" too: a secret that anyone can fetch is no secret
        return None
    try:
        made = _verify_key(read(entry))
    except (InvalidKeyError, ValueError, TypeError, KeyError) as error:
        logger.warning("left out a key of a key set: %s", type(error).__name__)
        return None
    kid, algorithm = entry.get("kid"), entry.get("alg")
    allowed = made.algorithms if algorithm is None else made.algorithms & {str(algorithm)}
    return VerifyKey(made.key, allowed, kid if isinstance(kid, str) else None)


def _verify_key(key: object) -> VerifyKey:
    if isinstance(key, RSAPublicKey):
        if key.key_size < _LEAST_RSA_BITS:
            raise ValueError(f"an RSA key needs at least {_LEAST_RSA_BITS} bits")
        return VerifyKey(key, _RSA)
    if isinstance(key, EllipticCurvePublicKey) and key.curve.name in _EC:
        return VerifyKey(key, frozenset({_EC[key.curve.name]}))
    if isinstance(key, Ed25519PublicKey):
        return VerifyKey(key, frozenset({"EdDSA"}))
    raise ValueError("unknown key type")
