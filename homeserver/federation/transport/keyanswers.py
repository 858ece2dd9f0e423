"""What servers say of their keys: `GET /_matrix/key/v2/server` (server-server API, "Publishing Keys"). Pure."""

from collections.abc import Sequence
from typing import Any, Final

from homeserver.protocol import canonical
from homeserver.protocol.canonical import JsonObject
from homeserver.protocol.errors import BadSignature, ProtocolError
from homeserver.protocol.ids import ServerName
from homeserver.protocol.signing import ALGORITHM, FormerKey, SigningKey, VerifyKey, sign_json, verify_json
from homeserver.storage.serverkeys import KeyAnswer, ServerKey

MOST_VALID_MS: Final = 7 * 86_400_000
"""Longer validity than this is not believed."""

_MOST_KEYS: Final = 50


def own_answer(server: str, key: SigningKey, old: Sequence[FormerKey], valid_until_ms: int) -> dict[str, Any]:
    """What we say of our keys."""
    said: dict[str, Any] = {
        "server_name": server,
        "verify_keys": {key.key_id: {"key": key.verify_key_base64}},
        "old_verify_keys": {
            one.key.key_id: {"key": one.key.verify_key_base64, "expired_ts": one.expired_ms} for one in old
        },
        "valid_until_ts": valid_until_ms,
    }
    return sign_json(said, server, key)


def read_answer(server: ServerName, said: JsonObject, now_ms: int) -> tuple[KeyAnswer, list[ServerKey]]:
    """A server's own answer, and the keys in it. Raises BadSignature unless it signed it with its current keys."""
    if said.get("server_name") != server:
        raise BadSignature("the answer is of another server")
    valid_until_ms = said.get("valid_until_ts")
    if not isinstance(valid_until_ms, int) or isinstance(valid_until_ms, bool):
        raise BadSignature("the answer does not say how long it is valid")
    current, former = _keys_in(said.get("verify_keys")), _keys_in(said.get("old_verify_keys"))
    if len(current) + len(former) > _MOST_KEYS:
        raise BadSignature("the answer has too many keys")
    verify_json(said, server, {key_id: key for key_id, (key, _) in current.items()})
    until_ms = min(valid_until_ms, now_ms + MOST_VALID_MS)
    keys = [ServerKey(server, key_id, key.to_base64(), until_ms) for key_id, (key, _) in current.items()]
    keys += [
        ServerKey(server, key_id, key.to_base64(), until_ms, expired_ms)
        for key_id, (key, expired_ms) in former.items()
        if expired_ms is not None and key_id not in current
    ]
    return KeyAnswer(server, canonical.encode(said), now_ms, until_ms), keys


def _keys_in(listed: object) -> dict[str, tuple[VerifyKey, int | None]]:
    """Keys by id, each with its `expired_ts`; what is no Ed25519 key is left out."""
    found: dict[str, tuple[VerifyKey, int | None]] = {}
    for key_id, entry in listed.items() if isinstance(listed, dict) else ():
        text = entry.get("key") if isinstance(entry, dict) else None
        if not isinstance(text, str) or not key_id.startswith(f"{ALGORITHM}:"):
            continue
        expired_ms = entry.get("expired_ts")
        is_time = isinstance(expired_ms, int) and not isinstance(expired_ms, bool)
        try:
            found[key_id] = VerifyKey.from_base64(key_id, text), expired_ms if is_time else None
        except ProtocolError:
            continue
    return found
