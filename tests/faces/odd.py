"""Events whose fields hold what no reader expects: the specification's names, with any JSON behind them."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from homeserver.model import CALLED_KEY, CLIENT_ID_KEY, FILE_URL_KEY, PAYLOAD_KEY

DEEP = 24  # lists within each other; a body may have some more
_LONG = (
    random.Random(7).randbytes(2000).hex()
)  # too long for an index, and no database can make much less of it


def _nested(depth: int) -> Any:
    found: Any = []
    for _ in range(depth):
        found = [found]
    return found


ODD: Mapping[str, Any] = {
    "null": None,
    "true": True,
    "zero": 0,
    "negative": -1,
    "largest": 2**53 - 1,
    "empty text": "",
    "long text": _LONG,
    "empty list": [],
    "list": ["x"],
    "list of lists": [["x"], {"x": ["x"]}, None],
    "empty object": {},
    "object": {"x": 1},
    "nested": _nested(DEEP),
    "NUL": '{"x": "\\u0000", "url": "\\u0000"}',
    "deep JSON": "[" * 900 + "]" * 900,
    "deep object": '{"x":' * 900 + "1" + "}" * 900,
}
"""Values by what they are called when a test fails."""
TELLING = frozenset({"null", "true", "zero", "long text", "list", "object", "deep object"})
"""Those of them that are worth an event for each field."""

_FILE = {
    "url": "mxc://test.example/x",
    "mimetype": "image/png",
    "size": 1,
    "w": 1,
    "h": 1,
    "thumbnail_url": "mxc://test.example/y",
    "thumbnail_info": {"mimetype": "image/png", "size": 1, "w": 1, "h": 1},
}
_TEXT = {"msgtype": "m.text", "body": "odd", "format": "org.matrix.custom.html", "formatted_body": "odd"}
_IMAGE = {"msgtype": "m.image", "body": "odd", "filename": "odd.png", "url": _FILE["url"], "info": _FILE}
_MENTIONS = {"m.mentions": {"user_ids": ["@x:test.example"], "room": True}}
_OURS = {
    PAYLOAD_KEY: '{"x": 1}',
    CALLED_KEY: "image",
    FILE_URL_KEY: "https://files.example/x.png",
    CLIENT_ID_KEY: "x",
}
_ENCRYPTED = {
    "algorithm": "m.megolm.v1.aes-sha2",
    "ciphertext": "x",
    "sender_key": "x",
    "device_id": "x",
    "session_id": "x",
}
_POLL = {
    "m.text": [{"body": "odd"}],
    "m.poll": {"kind": "m.disclosed", "max_selections": 1, "question": {"m.text": []}, "answers": []},
}
_CALL = {
    "call_id": "x",
    "party_id": "x",
    "version": "1",
    "lifetime": 1,
    "offer": {"type": "offer", "sdp": "x"},
}


def sent(target: str, victim: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(type, content) of events that are no state, as they should be.

    `target` is what some relate to, `victim` what one takes away.
    """
    reply = {"m.in_reply_to": {"event_id": target}}
    yield "m.room.message", {**_TEXT, **_MENTIONS, **_OURS}
    yield "m.room.message", {**_IMAGE, "file": {"url": "mxc://test.example/x", "hashes": {}, "v": "v2"}}
    yield "m.room.message", {**_TEXT, "m.relates_to": reply}
    thread = {"rel_type": "m.thread", "event_id": target, "is_falling_back": True, **reply}
    yield "m.room.message", {**_TEXT, "m.relates_to": thread}
    new = {**_TEXT, **_MENTIONS, **_OURS}
    replaces = {"rel_type": "m.replace", "event_id": target}
    yield "m.room.message", {**_TEXT, "m.new_content": new, "m.relates_to": replaces}
    yield "m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": target, "key": "x"}}
    yield "m.sticker", {"body": "odd", "url": _FILE["url"], "info": {"w": 1}}
    yield "m.room.encrypted", {**_ENCRYPTED, "m.relates_to": replaces}
    yield "m.room.redaction", {"redacts": victim, "reason": "odd"}
    yield "m.poll.start", _POLL
    yield (
        "m.poll.response",
        {"m.selections": ["x"], "m.relates_to": {"rel_type": "m.reference", "event_id": target}},
    )
    yield "m.call.invite", _CALL
    yield "m.location", {"body": "odd", "geo_uri": "geo:1,1", "m.location": {"uri": "geo:1,1"}}


def states(own: str, child: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(type, state key, content) of state, as it should be; `own`: a user id, `child`: a room id."""
    yield "m.room.name", "", {"name": "odd"}
    yield (
        "m.room.topic",
        "",
        {"topic": "odd", "m.topic": {"m.text": [{"body": "odd", "mimetype": "text/plain"}]}},
    )
    yield "m.room.avatar", "", {"url": _FILE["url"], "info": _FILE}
    yield "m.room.canonical_alias", "", {"alias": "#x:test.example", "alt_aliases": ["#x:test.example"]}
    member = {"membership": "join", "displayname": "odd", "avatar_url": _FILE["url"], "reason": "odd"}
    more = {"is_direct": True, "join_authorised_via_users_server": own, "third_party_invite": {"signed": {}}}
    yield "m.room.member", own, {**member, **more}
    yield (
        "m.room.join_rules",
        "",
        {"join_rule": "public", "allow": [{"type": "m.room_membership", "room_id": child}]},
    )
    yield "m.room.history_visibility", "", {"history_visibility": "shared"}
    yield "m.room.guest_access", "", {"guest_access": "can_join"}
    yield "m.room.pinned_events", "", {"pinned": ["$x"]}
    yield "m.room.server_acl", "", {"allow": ["*"], "deny": [], "allow_ip_literals": True}
    yield (
        "m.room.third_party_invite",
        "x",
        {"display_name": "x", "public_key": "x", "public_keys": [{"public_key": "x"}]},
    )
    yield "m.space.child", child, {"via": ["test.example"], "order": "x", "suggested": True}
    yield "m.space.parent", child, {"via": ["test.example"], "canonical": True}
    yield (
        "m.room.power_levels",
        "",
        {
            "users": {own: 100, "@x:test.example": 0},
            "events": {"m.room.name": 50},
            "notifications": {"room": 50},
            "state_default": 50,
            "invite": 0,
        },
    )
    yield "m.beacon_info", own, {"live": True, "timeout": 1, "m.ts": 1, "m.asset": {"type": "m.self"}}
    yield "m.call.member", own, {"m.calls": [{"m.call_id": "x", "m.devices": []}]}
    yield "im.vector.modular.widgets", "x", {"type": "x", "url": "x", "name": "x", "data": {}}


LAST_STATES = (
    ("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2", "rotation_period_ms": 1}),
    ("m.room.tombstone", {"body": "odd", "replacement_room": "!x:test.example"}),
)
"""State of a room of its own, since nothing much happens in it afterwards."""


def spoilt(content: Mapping[str, Any], odd: Any) -> Iterator[dict[str, Any]]:
    """The content again and again, each time with another of its fields, however deep, being `odd`."""
    for name, value in content.items():
        yield {**content, name: odd}
        if isinstance(value, dict):
            for inner in spoilt(value, odd):
                yield {**content, name: inner}


def all_spoilt(content: Mapping[str, Any], odd: Any) -> Iterator[dict[str, Any]]:
    """The content with all its fields odd, and with all that is innermost, if that is something else."""
    outer, inner = dict.fromkeys(content, odd), _innermost(content, odd)
    yield outer
    if inner != outer:
        yield inner


def _innermost(content: Mapping[str, Any], odd: Any) -> dict[str, Any]:
    return {
        name: _innermost(value, odd) if isinstance(value, dict) and value else odd
        for name, value in content.items()
    }
