"""Redaction: what stays, by room version and event type."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeserver.protocol.errors import BadEvent
from homeserver.protocol.redact import redact
from homeserver.protocol.versions import RULES

from .vectors import BOUNDED

ALL = range(1, 13)
TOP_LEVEL = {
    *("event_id", "type", "room_id", "sender", "state_key", "content", "hashes", "signatures", "depth"),
    *("prev_events", "auth_events", "origin_server_ts"),
}
OLD_TOP_LEVEL = {"prev_state", "origin", "membership"}
POWER = {"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"}

# type -> [(first version, keys of the content that stay from then on)]
CONTENT: dict[str, list[tuple[int, set[str]]]] = {
    "m.room.member": [(1, {"membership"}), (9, {"membership", "join_authorised_via_users_server"})],
    "m.room.create": [(1, {"creator"}), (11, {"creator", "x", "room_version", "m.federate"})],
    "m.room.join_rules": [(1, {"join_rule"}), (8, {"join_rule", "allow"})],
    "m.room.power_levels": [(1, POWER), (11, POWER | {"invite"})],
    "m.room.aliases": [(1, {"aliases"}), (6, set())],
    "m.room.history_visibility": [(1, {"history_visibility"})],
    "m.room.redaction": [(1, set()), (11, {"redacts"})],
    "m.room.message": [(1, set())],
    "m.room.name": [(1, set())],
}
EVERYTHING = dict.fromkeys(
    POWER
    | {"membership", "join_authorised_via_users_server", "creator", "x", "room_version", "m.federate"}
    | {"join_rule", "allow", "invite", "aliases", "history_visibility", "redacts", "notifications"},
    "some value",
)


def kept(version: int, event_type: str) -> set[str]:
    return [keys for first, keys in CONTENT[event_type] if first <= version][-1]


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("event_type", CONTENT)
def test_content_is_stripped_by_type_and_version(event_type: str, version: int) -> None:
    content = dict(EVERYTHING)
    expected = kept(version, event_type)
    if event_type == "m.room.create" and version >= 11:
        expected = set(content)  # the whole content stays
    redacted = redact({"type": event_type, "content": content}, RULES[str(version)])
    assert set(redacted["content"]) == expected


@pytest.mark.parametrize("version", ALL)
def test_top_level_keys(version: int) -> None:
    pdu = dict.fromkeys(TOP_LEVEL | OLD_TOP_LEVEL | {"unsigned", "redacts", "age_ts", "other"}, "x")
    redacted = redact({**pdu, "content": {}}, RULES[str(version)])
    assert set(redacted) == TOP_LEVEL | (OLD_TOP_LEVEL if version < 11 else set())


@pytest.mark.parametrize("version", ALL)
def test_a_third_party_invite_keeps_its_signed_part_from_version_11_on(version: int) -> None:
    def invite(value: Any) -> Any:
        content = {"membership": "invite", "third_party_invite": value}
        return redact({"type": "m.room.member", "content": content}, RULES[str(version)])["content"]

    signed = {"mxid": "@a:one", "token": "t", "signatures": {}}
    expected = {"membership": "invite"}
    if version >= 11:
        expected["third_party_invite"] = {"signed": signed}  # type: ignore[assignment]  # of mixed values
    assert invite({"signed": signed, "display_name": "a"}) == expected
    assert invite({"display_name": "a"}) == {"membership": "invite"}
    assert invite("nonsense") == {"membership": "invite"}


def test_content_that_is_no_object_is_refused() -> None:
    with pytest.raises(BadEvent):
        redact({"type": "m.room.message", "content": "x"}, RULES["12"])


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=4), st.lists, max_leaves=4)
PDUS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(sorted(CONTENT)),
        "content": st.dictionaries(st.sampled_from([*EVERYTHING, "third_party_invite"]), JSON, max_size=6),
    },
    optional={
        name: JSON
        for name in sorted(TOP_LEVEL | OLD_TOP_LEVEL | {"unsigned"})
        if name not in ("type", "content")
    },
)


@BOUNDED
@given(pdu=PDUS, version=st.sampled_from(sorted(RULES)))
def test_redacting_twice_is_redacting_once_and_changes_nothing_in_place(
    pdu: dict[str, Any], version: str
) -> None:
    before = copy.deepcopy(pdu)
    once = redact(pdu, RULES[version])
    assert redact(once, RULES[version]) == once
    assert pdu == before
