"""Events of existing servers, of all room versions: their ids, hashes and signatures come out the same here."""

from typing import Any, NamedTuple

import pytest

from homeserver.protocol import canonical
from homeserver.protocol.errors import BadEvent, BadSignature
from homeserver.protocol.event import Event, check_format
from homeserver.protocol.signing import (
    Keys,
    VerifyKey,
    content_hash_matches,
    event_id_of,
    required_signers,
    verify_event,
    verify_json,
)
from homeserver.protocol.versions import RULES, RoomRules

from .vectors import load

RECORDED = load("vectors")["recorded"]
SERVER_KEYS: dict[str, Keys] = {
    server: {key_id: VerifyKey.from_base64(key_id, text) for key_id, text in keys.items()}
    for server, keys in RECORDED["server_keys"].items()
}


class Case(NamedTuple):
    rules: RoomRules
    room_id: str
    event_id: str
    content_hash_matches: bool
    pdu: dict[str, Any]


CASES = [
    Case(RULES[version], room["room_id"], one["event_id"], one["content_hash_matches"], one["pdu"])
    for version, room in RECORDED["rooms"].items()
    for one in room["events"]
]
each_event = pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"v{case.rules.version}-{case.pdu['type']}"
)


def test_all_versions_are_there() -> None:
    assert len(CASES) == 122
    assert {case.rules.version for case in CASES} == set(RULES)
    assert 0 < sum(not case.content_hash_matches for case in CASES) < 30


@each_event
def test_format_id_hash_and_signatures(case: Case) -> None:
    check_format(case.pdu, case.rules)
    assert event_id_of(case.pdu, case.rules) == case.event_id
    assert content_hash_matches(case.pdu) is case.content_hash_matches
    signers = required_signers(case.pdu, case.rules)
    assert signers
    for server in signers:
        verify_event(case.pdu, case.rules, server, SERVER_KEYS[server])


@each_event
def test_the_event_and_its_bytes(case: Case) -> None:
    event = Event.from_pdu({**case.pdu, "unsigned": {"age": 1}}, case.rules)
    assert (event.event_id, event.room_id) == (case.event_id, case.room_id)
    assert event.pdu == case.pdu
    assert event.json == canonical.encode(case.pdu)
    assert event == Event.from_json(event.json, case.rules, event.event_id)
    assert all(one.startswith("$") for one in (*event.prev_events, *event.auth_events))


@each_event
def test_a_changed_event_is_found(case: Case) -> None:
    changed = {**case.pdu, "origin_server_ts": case.pdu["origin_server_ts"] + 1}
    assert not content_hash_matches(changed)
    with pytest.raises(BadSignature):
        verify_event(changed, case.rules, *next(iter(SERVER_KEYS.items())))


@pytest.mark.parametrize("version", [str(version) for version in range(3, 13)])
def test_the_redaction_of_a_wrong_version_shows_in_the_id(version: str) -> None:
    (case,) = (one for one in CASES if one.rules.version == version and one.pdu["type"] == "m.room.create")
    wrong = "10" if case.rules.creator_is_sender else "11"
    assert event_id_of(case.pdu, RULES[wrong]) != case.event_id


def test_formats_do_not_mix() -> None:
    first = {case.rules.version: case.pdu for case in CASES if case.pdu["type"] == "m.room.message"}
    for version, other in (("1", "3"), ("3", "2"), ("12", "11"), ("11", "12"), ("10", "12")):
        check_format(first[version], RULES[version])
        with pytest.raises(BadEvent):
            check_format(first[version], RULES[other])


def test_the_key_document_is_signed_by_its_own_key() -> None:
    document = RECORDED["key_document"]
    verify_json(document, "localhost:8448", SERVER_KEYS["localhost:8448"])
    with pytest.raises(BadSignature):
        verify_json({**document, "valid_until_ts": 0}, "localhost:8448", SERVER_KEYS["localhost:8448"])
