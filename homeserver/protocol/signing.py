"""Ed25519 signatures over JSON, and the hashes of events (sections 4 and 7)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from homeserver.protocol import canonical
from homeserver.protocol.canonical import JsonObject
from homeserver.protocol.errors import BadEvent, BadSignature
from homeserver.protocol.ids import EventId, ServerName, domain_of
from homeserver.protocol.redact import redact
from homeserver.protocol.versions import EventIdFormat, RoomRules

ALGORITHM = "ed25519"
POLICY_SERVER_KEY_ID = "ed25519:policy_server"
"""The key id of a room's policy server, whose key is in the room's state and never fetched from a server."""

UNSIGNED_KEYS = ("signatures", "unsigned")
_UNHASHED_KEYS = ("unsigned", "signatures", "hashes")
_KEY_VERSION = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
_FROM_URL_SAFE = str.maketrans("-_", "+/")


def encode_base64(data: bytes) -> str:
    """Standard alphabet, without padding."""
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").decode("ascii")


def encode_base64_url(data: bytes) -> str:
    """URL-safe alphabet, without padding."""
    return encode_base64(data).replace("+", "-").replace("/", "_")


def decode_base64(text: str) -> bytes:
    """Decode either alphabet, padded or not, stray bits in the last character ignored. Raises ValueError."""
    bare = text.rstrip("=").translate(_FROM_URL_SAFE)
    return binascii.a2b_base64(bare + "=" * (-len(bare) % 4), strict_mode=True)


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A public key of a server. `key_id` is `ed25519:version`."""

    key_id: str
    public_bytes: bytes
    _public: Ed25519PublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_public", Ed25519PublicKey.from_public_bytes(self.public_bytes))

    @classmethod
    def from_base64(cls, key_id: str, text: str) -> VerifyKey:
        """Parse a public key. Raises BadSignature for other algorithms and malformed keys."""
        if not key_id.startswith(ALGORITHM + ":"):
            raise BadSignature(f"key {key_id} is not of {ALGORITHM}")
        try:
            return cls(key_id, decode_base64(text))
        except ValueError as error:
            raise BadSignature(f"key {key_id} is unreadable: {error}") from None

    def to_base64(self) -> str:
        return encode_base64(self.public_bytes)

    def verify(self, data: bytes, signature: str) -> None:
        """Raise BadSignature unless `signature` (base64) is this key's over `data`."""
        try:
            self._public.verify(decode_base64(signature), data)
        except (InvalidSignature, ValueError):
            raise BadSignature(f"signature by {self.key_id} does not verify") from None


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A secret key of this server. `key_id` is `ed25519:version`; `seed` are the 32 secret bytes."""

    key_id: str
    seed: bytes = field(repr=False)
    _private: Ed25519PrivateKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        algorithm, _, version = self.key_id.partition(":")
        if algorithm != ALGORITHM or not _KEY_VERSION.fullmatch(version):
            raise ValueError(f"{self.key_id!r} is not {ALGORITHM}: and letters, digits, underscores")
        object.__setattr__(self, "_private", Ed25519PrivateKey.from_private_bytes(self.seed))

    @classmethod
    def generate(cls, version: str) -> SigningKey:
        """A new random key. `version` is of letters, digits and underscores."""
        return cls(f"{ALGORITHM}:{version}", Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def from_text(cls, line: str) -> SigningKey:
        """Read a line of a key file: `ed25519 version seed`, the seed in base64. Raises ValueError."""
        match line.split():
            case [algorithm, version, seed]:
                return cls(f"{algorithm}:{version}", decode_base64(seed))
        raise ValueError("a signing key is a line of three words: ed25519, version, seed in base64")

    def to_text(self) -> str:
        """The line of a key file that `from_text` reads, without the line end."""
        return f"{ALGORITHM} {self.key_id.partition(':')[2]} {encode_base64(self.seed)}"

    @property
    def verify_key(self) -> VerifyKey:
        return VerifyKey(self.key_id, self._private.public_key().public_bytes_raw())

    @property
    def verify_key_base64(self) -> str:
        """The public key, as in key documents."""
        return self.verify_key.to_base64()

    def sign(self, data: bytes) -> str:
        """The signature of `data` in unpadded base64 (86 characters)."""
        return encode_base64(self._private.sign(data))


@dataclass(frozen=True, slots=True)
class FormerKey:
    """A signing key of ours that is out of use, and when it was last in use at the latest."""

    key: SigningKey
    expired_ms: int


Keys = Mapping[str, VerifyKey]
"""The public keys of one server, by key id."""


def sign_json(obj: JsonObject, entity: str, key: SigningKey) -> dict[str, Any]:
    """A copy of `obj` that also carries the signature of `entity`; other signatures and `unsigned` stay."""
    return with_signature(obj, entity, key.key_id, key.sign(signed_bytes(obj)))


def with_signature(obj: JsonObject, entity: str, key_id: str, signature: str) -> dict[str, Any]:
    """A copy of `obj` with one signature added to those it has; nothing in `obj` is changed."""
    signatures = dict(obj.get("signatures") or {})
    signatures[entity] = {**signatures.get(entity, {}), key_id: signature}
    return {**obj, "signatures": signatures}


def verify_json(obj: JsonObject, entity: str, keys: Keys) -> None:
    """Check that `entity` signed `obj`. Raises BadSignature.

    At least one signature must be by one of `keys`, and every one that is must verify. Other algorithms and
    unknown keys are skipped.
    """
    signatures = signatures_of(obj, entity)
    known = [(keys[key_id], text) for key_id, text in signatures.items() if key_id in keys]
    if not known:
        raise BadSignature(f"no signature of {entity} by a known key")
    data = signed_bytes(obj)
    for key, signature in known:
        key.verify(data, signature)


def signatures_of(obj: JsonObject, entity: str) -> dict[str, str]:
    """The Ed25519 signatures of `entity` on `obj` by key id; bad entries are left out."""
    by_entity = obj.get("signatures")
    found = by_entity.get(entity) if isinstance(by_entity, dict) else None
    if not isinstance(found, dict):
        return {}
    return {
        key_id: text
        for key_id, text in found.items()
        if isinstance(key_id, str) and key_id.startswith(ALGORITHM + ":") and isinstance(text, str)
    }


def signed_bytes(obj: JsonObject) -> bytes:
    """The bytes that a signature of `obj` covers: canonical JSON without `signatures` and `unsigned`."""
    return canonical.encode({key: value for key, value in obj.items() if key not in UNSIGNED_KEYS})


def content_hash(pdu: JsonObject) -> str:
    """The SHA-256 that belongs into `hashes.sha256`, in unpadded standard base64."""
    hashed = {key: value for key, value in pdu.items() if key not in _UNHASHED_KEYS}
    return encode_base64(sha256(canonical.encode(hashed)).digest())


def content_hash_matches(pdu: JsonObject) -> bool:
    """True if `hashes.sha256` is right; if not, only the redacted event may be used (section 8, step 3)."""
    hashes = pdu.get("hashes")
    claimed = hashes.get("sha256") if isinstance(hashes, dict) else None
    if not isinstance(claimed, str):
        return False
    return claimed.rstrip("=") == content_hash(pdu)


def reference_hash(pdu: JsonObject, rules: RoomRules) -> bytes:
    """The 32 bytes of SHA-256 that identify an event: over its redacted form, `hashes` included."""
    return sha256(signed_bytes(redact(pdu, rules))).digest()


def event_id_of(pdu: JsonObject, rules: RoomRules) -> EventId:
    """The id of an event: in the PDU (room versions 1-2) or its reference hash (later). Raises BadEvent."""
    if rules.event_id_format is EventIdFormat.GIVEN:
        given = pdu.get("event_id")
        if not isinstance(given, str):
            raise BadEvent("event_id is missing")
        return EventId(given)
    return event_id_from_hash(reference_hash(pdu, rules), rules)


def event_id_from_hash(digest: bytes, rules: RoomRules) -> EventId:
    """`$` and the reference hash in the alphabet of the room version (3 and later)."""
    if rules.event_id_format is EventIdFormat.BASE64:
        return EventId("$" + encode_base64(digest))
    return EventId("$" + encode_base64_url(digest))


def required_signers(pdu: JsonObject, rules: RoomRules) -> frozenset[ServerName]:
    """The servers whose signatures a received event must carry (section 8, step 2).

    The PDU must have passed `event.check_format`. Raises BadIdentifier if an authorising user
    names no server.
    """
    content = pdu["content"]
    membership = content.get("membership") if pdu["type"] == "m.room.member" else None
    signers = set()
    if not (membership == "invite" and "third_party_invite" in content):
        signers.add(domain_of(pdu["sender"]))
    if rules.event_id_format is EventIdFormat.GIVEN:
        signers.add(domain_of(pdu["event_id"]))
    if rules.restricted_join and membership == "join":
        authoriser = content.get("join_authorised_via_users_server")
        if authoriser is not None:
            signers.add(domain_of(str(authoriser)))
    return frozenset(signers)


def verify_event(pdu: JsonObject, rules: RoomRules, server: str, keys: Keys) -> None:
    """Check that `server` signed the event (its redacted form). Raises BadSignature.

    `keys` are those of the server that count for this event: the caller leaves out keys that expired before
    its `origin_server_ts`, and from room version 5 on those not valid at it.
    """
    usable = {key_id: key for key_id, key in keys.items() if key_id != POLICY_SERVER_KEY_ID}
    verify_json(redact(pdu, rules), server, usable)


def verify_policy_signature(pdu: JsonObject, rules: RoomRules, server: str, public_key: str) -> None:
    """Check the signature of the room's policy server, whose key is in the state. Raises BadSignature."""
    key = VerifyKey.from_base64(POLICY_SERVER_KEY_ID, public_key)
    verify_json(redact(pdu, rules), server, {key.key_id: key})
