"""Sealing: what this server makes passes every check of those who receive it."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeserver.protocol import canonical
from homeserver.protocol.errors import BadEvent, BadJson, BadSignature, TooLarge
from homeserver.protocol.event import Event, check_format
from homeserver.protocol.ids import EventId
from homeserver.protocol.redact import redact
from homeserver.protocol.seal import add_signature, countersign, seal
from homeserver.protocol.signing import (
    content_hash_matches,
    event_id_of,
    reference_hash,
    required_signers,
    verify_event,
)
from homeserver.protocol.versions import RULES

from .history import key_of
from .vectors import BOUNDED

KEY = key_of("one")
KEYS = {KEY.key_id: KEY.verify_key}
HASH_ID = EventId("$" + "a" * 43)


def draft(version: str, **changes: Any) -> dict[str, Any]:
    rules = RULES[version]
    reference: Any = [["$1:one", {}]] if rules.references_have_hashes else [HASH_ID]
    pdu: dict[str, Any] = {
        "type": "m.room.message",
        "room_id": "!" + "r" * 43 if rules.room_id_is_hash else "!r:one",
        "sender": "@alice:one",
        "content": {"msgtype": "m.text", "body": "hello"},
        "origin_server_ts": 1,
        "depth": 7,
        "prev_events": reference,
        "auth_events": reference,
    }
    if rules.references_have_hashes:
        pdu["event_id"] = "$2:one"
    return {key: value for key, value in {**pdu, **changes}.items() if value is not None}


def assert_received(event: Event, version: str) -> None:
    """What a receiving server does with the bytes."""
    rules, pdu = RULES[version], canonical.decode(event.json)
    check_format(pdu, rules)
    assert pdu == event.pdu
    assert event_id_of(pdu, rules) == event.event_id
    assert content_hash_matches(pdu)
    assert required_signers(pdu, rules) == {"one"}
    verify_event(pdu, rules, "one", KEYS)
    assert Event.from_pdu(pdu, rules) == event


@pytest.mark.parametrize("version", RULES)
def test_a_sealed_event_passes_the_checks_of_its_receivers(version: str) -> None:
    assert_received(seal(draft(version), RULES[version], "one", KEY), version)
    state = draft(
        version, type="m.room.power_levels", state_key="", content={"users": {"@a:one": 1}, "x": "é\x7f"}
    )
    assert_received(seal(state, RULES[version], "one", KEY), version)


CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


@BOUNDED
@given(
    content=st.dictionaries(st.text(max_size=6), CONTENT, max_size=5),
    event_type=st.sampled_from(
        ["m.room.message", "m.room.member", "m.room.power_levels", "m.room.join_rules", "org.x"]
    ),
    version=st.sampled_from(sorted(RULES)),
)
def test_any_content_can_be_sealed_and_read_back(
    content: dict[str, Any], event_type: str, version: str
) -> None:
    pdu = draft(version, content=content, type=event_type)
    event = seal(pdu, RULES[version], "one", KEY)
    assert canonical.decode(event.json)["content"] == content
    assert event_id_of(event.pdu, RULES[version]) == event.event_id
    verify_event(event.pdu, RULES[version], "one", KEYS)


@BOUNDED
@given(
    name=st.sampled_from(
        ["sender", "depth", "origin_server_ts", "prev_events", "auth_events", "room_id", "hashes", "type"]
    ),
    version=st.sampled_from(sorted(RULES)),
)
def test_tampering_with_what_redaction_keeps_breaks_the_signature(name: str, version: str) -> None:
    event = seal(draft(version), RULES[version], "one", KEY)
    with pytest.raises(BadSignature):
        verify_event({**event.pdu, name: "tampered"}, RULES[version], "one", KEYS)


@pytest.mark.parametrize("version", RULES)
def test_tampering_with_the_text_leaves_the_signature_but_breaks_the_hash(version: str) -> None:
    event = seal(draft(version), RULES[version], "one", KEY)
    tampered = {**event.pdu, "content": {"body": "something else"}}
    verify_event(tampered, RULES[version], "one", KEYS)
    assert not content_hash_matches(tampered)


@pytest.mark.parametrize("version", RULES)
def test_a_redacted_event_keeps_id_and_signature(version: str) -> None:
    rules = RULES[version]
    event = seal(draft(version), rules, "one", KEY)
    left = redact(event.pdu, rules)
    assert left["content"] == {}
    assert event_id_of(left, rules) == event.event_id
    assert reference_hash(left, rules) == reference_hash(event.pdu, rules)
    verify_event(left, rules, "one", KEYS)


def test_the_draft_is_not_changed_and_old_hashes_do_not_enter() -> None:
    pdu = draft("12")
    before = copy.deepcopy(pdu)
    event = seal(pdu, RULES["12"], "one", KEY)
    assert pdu == before
    again = {**pdu, "hashes": {"sha256": "x"}, "signatures": {"two": {}}, "unsigned": {"age": 1}}
    assert seal(again, RULES["12"], "one", KEY) == event


def test_ids_of_version_3_are_of_the_standard_alphabet_and_later_ones_are_not() -> None:
    third = {seal(draft("3", depth=depth), RULES["3"], "one", KEY).event_id for depth in range(30)}
    fourth = {seal(draft("4", depth=depth), RULES["4"], "one", KEY).event_id for depth in range(30)}
    assert {len(event_id) for event_id in third | fourth} == {44}
    assert {one.replace("+", "-").replace("/", "_") for one in third} == fourth
    assert any("/" in one for one in third)


@pytest.mark.parametrize(
    "change",
    [
        {"content": "x"},
        {"sender": "alice"},
        {"depth": -1},
        {"room_id": None},
        {"room_id": "!r:one"},
        {"event_id": "$1:one"},
        {"prev_events": [HASH_ID] * 21},
        {"auth_events": None},
    ],
    ids=repr,
)
def test_what_is_malformed_is_not_sealed(change: dict[str, Any]) -> None:
    with pytest.raises(BadEvent):
        seal(draft("12", **change), RULES["12"], "one", KEY)


def test_versions_1_and_2_need_an_event_id_to_seal() -> None:
    with pytest.raises(BadEvent):
        seal(draft("1", event_id=None), RULES["1"], "one", KEY)


def test_what_is_too_large_or_no_canonical_json_is_not_sealed() -> None:
    with pytest.raises(TooLarge):
        seal(draft("12", content={"body": "x" * 65536}), RULES["12"], "one", KEY)
    with pytest.raises(TooLarge):
        seal(draft("12", type="x" * 256), RULES["12"], "one", KEY)
    for value in (1.5, 2**53, "\ud800"):
        with pytest.raises(BadJson):
            seal(draft("6", content={"x": value}), RULES["6"], "one", KEY)
    seal(draft("5", content={"x": 1.5}), RULES["5"], "one", KEY)


@pytest.mark.parametrize("version", ["1", "10", "12"])
def test_another_server_can_countersign(version: str) -> None:
    rules, other = RULES[version], key_of("two")
    event = seal(draft(version), rules, "one", KEY)
    both = countersign(event, rules, "two", other)
    assert both.event_id == event.event_id
    assert both.content == event.content
    assert "two" not in event.pdu["signatures"]
    verify_event(both.pdu, rules, "one", KEYS)
    verify_event(both.pdu, rules, "two", {other.key_id: other.verify_key})
    assert canonical.decode(both.json) == both.pdu
    assert content_hash_matches(both.pdu)
    given = add_signature(event, rules, "two", other.key_id, both.pdu["signatures"]["two"][other.key_id])
    assert given == both


@pytest.mark.parametrize("version", RULES)
def test_what_our_clients_may_not_say_other_servers_may(version: str) -> None:
    """NUL in texts, and deep nesting: refused where clients send, as others choke on it, but no fault of an event."""
    deep: Any = {}
    for _ in range(300):
        deep = {"a": deep}
    event = seal(draft(version, content={"body": "a\0b", "deep": deep}), RULES[version], "one", KEY)
    assert_received(event, version)
    assert event_id_of(redact(event.pdu, RULES[version]), RULES[version]) == event.event_id
