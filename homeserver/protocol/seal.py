"""Sealing: content hash, signature and event id of an event that this server makes or countersigns.

`seal` is the hottest function of the server. The redacted bytes are made once, for both signature and event
id; the final bytes are made once, for the database and for federation.
"""

from __future__ import annotations

from hashlib import sha256

from homeserver.protocol import canonical
from homeserver.protocol.canonical import JsonObject
from homeserver.protocol.event import Event, check_fields, check_references, check_size
from homeserver.protocol.ids import EventId
from homeserver.protocol.redact import redact
from homeserver.protocol.signing import (
    SigningKey,
    encode_base64,
    event_id_from_hash,
    signed_bytes,
    with_signature,
)
from homeserver.protocol.versions import EventIdFormat, RoomRules

_SEALED_KEYS = frozenset({"hashes", "signatures", "unsigned"})


def seal(pdu: JsonObject, rules: RoomRules, server: str, key: SigningKey) -> Event:
    """Hash and sign a complete event as `server`; the result is ready for the room and for federation.

    `pdu` has everything of section 5 but `hashes` and `signatures` (these and `unsigned` are left out if
    present): in room versions 1-2 also an `event_id` of the caller's choice, in version 12 no `room_id` in a
    create event. It is not changed, but its content becomes the event's: leave it alone afterwards.
    Raises BadEvent, BadJson (strict canonical JSON from version 6 on) or TooLarge.
    """
    check_fields(pdu, rules)
    check_references(pdu, rules)
    sealed = {name: value for name, value in pdu.items() if name not in _SEALED_KEYS}
    hashed = canonical.encode_strict(sealed) if rules.strict_json else canonical.encode(sealed)
    sealed["hashes"] = {"sha256": encode_base64(sha256(hashed).digest())}
    reference = canonical.encode(redact(sealed, rules))  # without signatures, as there are none yet
    sealed["signatures"] = {server: {key.key_id: key.sign(reference)}}
    if rules.event_id_format is EventIdFormat.GIVEN:
        event_id = EventId(sealed["event_id"])
    else:
        event_id = event_id_from_hash(sha256(reference).digest(), rules)
    json = canonical.encode(sealed)
    check_size(json)
    return Event.from_parts(sealed, json, rules, event_id)


def countersign(event: Event, rules: RoomRules, server: str, key: SigningKey) -> Event:
    """The event with the signature of `server` added: for invites of local users, and restricted joins."""
    return add_signature(event, rules, server, key.key_id, key.sign(signed_bytes(redact(event.pdu, rules))))


def add_signature(event: Event, rules: RoomRules, server: str, key_id: str, signature: str) -> Event:
    """The event with a signature by another server added, such as a policy server; not verified here."""
    pdu = with_signature(event.pdu, server, key_id, signature)
    json = canonical.encode(pdu)
    check_size(json)
    return Event.from_parts(pdu, json, rules, event.event_id)
