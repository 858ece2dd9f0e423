"""Validation of keys and names, before any database access. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from homeserver.errors import Forbidden, HomeserverError, Invalid, TooLarge
from homeserver.model import Content, LogPosition, Requester
from homeserver.protocol.canonical import same_json
from homeserver.protocol.errors import ProtocolError
from homeserver.protocol.ids import DeviceId, ServerName, UserId, domain_of, is_user_id
from homeserver.protocol.signing import VerifyKey, decode_base64, encode_base64, verify_json
from homeserver.storage.e2ee.crosssigning import CrossKey, Usage
from homeserver.storage.e2ee.devices import Device
from homeserver.storage.e2ee.onetime import KeyName, OneTimeKey

_NAME = re.compile("[^\0-\x1f\x7f\ud800-\udfff]{1,255}")
_ED25519 = "ed25519"
_KEY_BYTES = 32
_MAX_POSITION = 2**53 - 1


def device_of(requester: Requester) -> Device:
    """The requester's device. Raises Forbidden("no_device") for guests and users of host applications."""
    if requester.device_id is None:
        raise Forbidden("encryption needs a device", code="no_device")
    return Device(requester.user_id, requester.device_id)


def checked_name(text: object, what: str) -> str:
    """A name chosen by a client: 1 to 255 characters, no control characters. Raises Invalid("bad_name")."""
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        raise Invalid(f"{what} must have 1 to 255 characters and no control characters", code="bad_name")
    return text


def checked_device(text: object) -> DeviceId:
    """A device id. Raises Invalid("bad_name")."""
    return DeviceId(checked_name(text, "a device id"))


def split_users(user_ids: Iterable[str], server: str) -> tuple[list[UserId], set[ServerName]]:
    """The users of this server, and the remote servers of the others. Raises Invalid("bad_user_id")."""
    here: list[UserId] = []
    elsewhere: set[ServerName] = set()
    for user_id in user_ids:
        if not is_user_id(user_id):
            raise Invalid("not a user ID", code="bad_user_id")
        domain = domain_of(user_id)
        if domain == server:
            here.append(UserId(user_id))
        else:
            elsewhere.add(domain)
    return here, elsewhere


def check_count(count: int, most: int) -> None:
    """Raise TooLarge("too_many") if a request names more than `most` items."""
    if count > most:
        raise TooLarge(f"at most {most} at once", code="too_many")


def checked_position(position: LogPosition) -> LogPosition:
    """A log position given by a client. Raises Invalid("bad_position")."""
    if not 0 <= position <= _MAX_POSITION:
        raise Invalid("not a valid position", code="bad_position")
    return position


def json_size(value: object) -> int:
    """The size of a value as JSON, in bytes."""
    return len(orjson.dumps(value))


def check_size(value: object, max_bytes: int) -> int:
    """The size of a value as JSON, in bytes. Raises TooLarge("key_too_large") above `max_bytes`."""
    size = json_size(value)
    if size > max_bytes:
        raise TooLarge(f"keys must have at most {max_bytes} bytes", code="key_too_large")
    return size


def identity_keys(device: Device, body: Content, max_bytes: int) -> Content:
    """Device keys as stored: any well-formed ones that name this device.

    Their signature is left to the clients that use them. Raises Invalid("bad_device_keys"), TooLarge.
    """
    kept = {name: value for name, value in body.items() if name != "unsigned"}
    check_size(kept, max_bytes)
    algorithms = kept.get("algorithms")
    if kept.get("user_id") != device.user_id or kept.get("device_id") != device.device_id:
        raise _bad_keys("user_id and device_id must be those of this device")
    if not isinstance(algorithms, list) or not all(isinstance(one, str) for one in algorithms):
        raise _bad_keys("algorithms must be a list of names")
    if not _are_texts(kept.get("keys")):
        raise _bad_keys("keys must be an object of strings")
    if not _are_signatures(kept.get("signatures")):
        raise _bad_keys("signatures must be an object of objects of strings")
    return kept


def signing_key(device: Device, body: Content) -> VerifyKey | None:
    """A device's signing key (ed25519), from its identity keys; None if it has none that is valid."""
    key_id = f"{_ED25519}:{device.device_id}"
    try:
        return VerifyKey.from_base64(key_id, body["keys"][key_id])
    except (KeyError, ProtocolError):
        return None


def _are_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def _are_signatures(value: object) -> bool:
    return isinstance(value, dict) and all(_are_texts(one) for one in value.values())


def check_signature(body: Content, signer: UserId, key: VerifyKey) -> None:
    """Raise Invalid("invalid_signature") unless `signer` signed this with the key."""
    try:
        verify_json(body, signer, {key.key_id: key})
    except ProtocolError as error:
        raise Invalid("the signature is missing or wrong", code="invalid_signature") from error


def one_time_keys(device: Device, keys: Mapping[str, object], max_bytes: int) -> list[OneTimeKey]:
    """One-time or fallback keys as stored. Their signatures are left to the clients that claim them.

    Raises Invalid("bad_one_time_key"), TooLarge.
    """
    return [_one_time_key(device, name, body, max_bytes) for name, body in keys.items()]


def _one_time_key(device: Device, name: str, body: object, max_bytes: int) -> OneTimeKey:
    check_size(body, max_bytes)
    algorithm, colon, key_id = checked_name(name, "the name of a key").partition(":")
    if not (algorithm and colon and key_id):
        raise Invalid("a one-time key must be named algorithm:key_id", code="bad_one_time_key")
    if isinstance(body, dict):
        if not isinstance(body.get("key"), str) or not _are_signatures(body.get("signatures")):
            raise Invalid("a signed one-time key must have key and signatures", code="bad_one_time_key")
    elif not isinstance(body, str):
        raise Invalid("a one-time key must be a string or an object", code="bad_one_time_key")
    return OneTimeKey(device, KeyName(algorithm, key_id), body)


def cross_key(user_id: UserId, usage: Usage, body: Content, max_bytes: int) -> CrossKey:
    """A cross-signing key. Raises Invalid("bad_cross_signing_key"), TooLarge."""
    kept = {name: value for name, value in body.items() if name != "unsigned"}
    check_size(kept, max_bytes)
    usages, keys = kept.get("usage"), kept.get("keys")
    if kept.get("user_id") != user_id:
        raise _bad_cross_key("it is another user's")
    if "signatures" in kept and not _are_signatures(kept["signatures"]):
        raise _bad_cross_key("signatures must be an object of objects of strings")
    if not isinstance(usages, list) or usage.value not in usages:
        raise _bad_cross_key(f"its usage must be {usage.value}")
    if not isinstance(keys, dict) or len(keys) != 1:
        raise _bad_cross_key("it must have exactly one key")
    [(key_id, public_key)] = keys.items()
    if not isinstance(public_key, str) or key_id != f"{_ED25519}:{public_key}":
        raise _bad_cross_key("the key must be named by itself")
    try:
        raw = decode_base64(public_key)
    except ValueError as error:
        raise _bad_cross_key("the key is not base64") from error
    if len(raw) != _KEY_BYTES or encode_base64(raw) != public_key:
        raise _bad_cross_key("the key must be 32 bytes in unpadded base64")
    return CrossKey(user_id, usage, public_key, kept)


def verifier(key: CrossKey) -> VerifyKey:
    """The key that verifies signatures made by a cross-signing key."""
    return VerifyKey.from_base64(key.key_id, key.public_key)


def same_but_signatures(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """True if two keys are equal apart from their signatures."""
    apart = ("signatures", "unsigned")
    return same_json(
        {name: value for name, value in one.items() if name not in apart},
        {name: value for name, value in other.items() if name not in apart},
    )


def _bad_keys(why: str) -> HomeserverError:
    return Invalid(f"malformed device keys: {why}", code="bad_device_keys")


def _bad_cross_key(why: str) -> HomeserverError:
    return Invalid(f"malformed cross-signing key: {why}", code="bad_cross_signing_key")
