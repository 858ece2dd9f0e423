"""The redaction algorithm (section 6): the fields of an event that survive redaction."""

from __future__ import annotations

from typing import Any

from homeserver.protocol.canonical import JsonObject
from homeserver.protocol.errors import BadEvent
from homeserver.protocol.versions import Redaction, RoomRules


def redact(pdu: JsonObject, rules: RoomRules) -> dict[str, Any]:
    """A redacted copy of a PDU in federation format; the PDU itself is not changed. Raises BadEvent.

    `hashes` and `signatures` are kept (signatures are over the redacted event), `unsigned` is dropped.
    """
    plan = rules.redaction
    content = pdu.get("content")
    if not isinstance(content, dict):
        raise BadEvent("content is not an object")
    kept = {key: value for key, value in pdu.items() if key in plan.top_level}
    kept["content"] = redact_content(pdu.get("type"), content, plan)
    return kept


def redact_content(event_type: object, content: JsonObject, plan: Redaction) -> dict[str, Any]:
    """The content of an event of this type after redaction, as a new dict."""
    if not isinstance(event_type, str):
        return {}
    if event_type in plan.whole_content:
        return dict(content)
    names = plan.content.get(event_type)
    if not names:
        return {}
    kept = {name: content[name] for name in names if name in content}
    if plan.third_party_signed and event_type == "m.room.member":
        invite = content.get("third_party_invite")
        if isinstance(invite, dict) and "signed" in invite:
            kept["third_party_invite"] = {"signed": invite["signed"]}
    return kept
