"""Events and the check of their format."""

from typing import Any

import pytest

from homeserver.protocol.errors import BadEvent, BadJson, ProtocolError, TooLarge
from homeserver.protocol.event import Event, check_format
from homeserver.protocol.ids import EventId
from homeserver.protocol.versions import RULES

from .history import History

HASH_ID = "$" + "a" * 43
V12_ROOM = "!" + "r" * 43


def message(version: str, **changes: Any) -> dict[str, Any]:
    """A well-formed PDU of a room version; a change to None takes the key out."""
    rules = RULES[version]
    reference: Any = [["$1:one", {"sha256": "x"}]] if rules.references_have_hashes else [HASH_ID]
    pdu: dict[str, Any] = {
        "type": "m.room.message",
        "room_id": V12_ROOM if rules.room_id_is_hash else "!r:one",
        "sender": "@alice:one",
        "content": {"body": "hello"},
        "origin_server_ts": 1,
        "depth": 1,
        "prev_events": reference,
        "auth_events": reference,
        "hashes": {"sha256": "x"},
        "signatures": {"one": {"ed25519:1": "x"}},
    }
    if rules.references_have_hashes:
        pdu["event_id"] = "$2:one"
    return {key: value for key, value in {**pdu, **changes}.items() if value is not None}


@pytest.mark.parametrize("version", RULES)
def test_a_well_formed_event_passes(version: str) -> None:
    check_format(message(version), RULES[version])
    check_format(message(version, state_key="", unsigned={"age": 1.5}), RULES[version])


REQUIRED = [
    "type",
    "room_id",
    "sender",
    "content",
    "origin_server_ts",
    "depth",
    "prev_events",
    "auth_events",
    "hashes",
]


@pytest.mark.parametrize("name", [*REQUIRED, "signatures"])
@pytest.mark.parametrize("version", ["1", "3", "11", "12"])
def test_what_is_required(version: str, name: str) -> None:
    with pytest.raises(BadEvent):
        check_format(message(version, **{name: None}), RULES[version])


@pytest.mark.parametrize(
    "change",
    [
        {"type": 1},
        {"state_key": 1},
        {"sender": "alice"},
        {"sender": "@alice:a b"},
        {"content": []},
        {"unsigned": []},
        {"origin_server_ts": "1"},
        {"origin_server_ts": 1.0},
        {"origin_server_ts": True},
        {"depth": True},
        {"depth": -1},
        {"depth": 1.5},
        {"hashes": {}},
        {"hashes": {"sha256": 1}},
        {"hashes": "x"},
        {"signatures": []},
        {"signatures": {"one": "x"}},
        {"signatures": {"one": {"ed25519:1": 1}}},
        {"prev_events": HASH_ID},
        {"prev_events": [1]},
        {"prev_events": ["no id"]},
        {"prev_events": [HASH_ID] * 21},
        {"auth_events": {}},
        {"auth_events": [None]},
        {"auth_events": [HASH_ID] * 11},
        {"room_id": "r:one"},
        {"room_id": 5},
        {"event_id": HASH_ID},
    ],
    ids=repr,
)
@pytest.mark.parametrize("version", ["3", "11", "12"])
def test_what_is_malformed(version: str, change: dict[str, Any]) -> None:
    with pytest.raises(BadEvent):
        check_format(message(version, **change), RULES[version])


def test_null_is_not_absent() -> None:
    for name in ("state_key", "unsigned", "type"):
        with pytest.raises(BadEvent):
            check_format({**message("12"), name: None}, RULES["12"])


def test_what_is_no_object_is_no_event() -> None:
    strangers: list[object] = [None, [], "x", 1]
    for nonsense in strangers:
        with pytest.raises(BadEvent):
            check_format(nonsense, RULES["12"])


def test_references_of_versions_1_and_2_are_pairs_and_their_hash_may_be_empty() -> None:
    check_format(message("1", prev_events=[["$1:one", {}]]), RULES["1"])
    wrong_ones: list[Any] = [
        ["$1:one"],
        [["$1:one"]],
        [["$1:one", "x"]],
        [[1, {}]],
        [["$1:one", {}, {}]],
        [{}],
    ]
    for wrong in wrong_ones:
        with pytest.raises(BadEvent):
            check_format(message("1", prev_events=wrong), RULES["1"])
    with pytest.raises(BadEvent):
        check_format(message("3", prev_events=[["$1:one", {}]]), RULES["3"])


def test_event_ids_of_versions_1_and_2_name_a_server() -> None:
    for event_id in (None, HASH_ID, "x:one", 5):
        with pytest.raises(BadEvent):
            check_format(message("2", event_id=event_id), RULES["2"])


def test_room_ids_are_those_of_the_version() -> None:
    for version, room_id in (("11", V12_ROOM), ("12", "!r:one"), ("12", V12_ROOM + ":one"), ("1", "!r")):
        with pytest.raises(BadEvent):
            check_format(message(version, room_id=room_id), RULES[version])


def test_a_create_event_has_no_room_id_from_version_12_on() -> None:
    create = {"type": "m.room.create", "state_key": "", "prev_events": [], "auth_events": []}
    check_format(message("12", **create, room_id=None), RULES["12"])
    with pytest.raises(BadEvent):
        check_format(message("12", **create), RULES["12"])
    check_format(message("11", **create), RULES["11"])
    with pytest.raises(BadEvent):
        check_format(message("11", **create, room_id=None), RULES["11"])


@pytest.mark.parametrize(
    ("version", "greatest"), [("1", 2**63 - 1), ("5", 2**63 - 1), ("6", 2**53 - 1), ("12", 2**53 - 1)]
)
def test_the_greatest_depth(version: str, greatest: int) -> None:
    check_format(message(version, depth=greatest), RULES[version])
    check_format(message(version, depth=0), RULES[version])
    with pytest.raises(ProtocolError):
        check_format(message(version, depth=greatest + 1), RULES[version])


def test_only_backfill_may_refer_to_more_events() -> None:
    check_format(message("12", prev_events=[HASH_ID] * 20, auth_events=[HASH_ID] * 10), RULES["12"])
    many = message("12", prev_events=[HASH_ID] * 21, auth_events=[HASH_ID] * 11)
    check_format(many, RULES["12"], count_references=False)


def test_identifiers_types_and_state_keys_have_at_most_255_bytes() -> None:
    check_format(message("12", type="ä" * 127, state_key="x" * 255), RULES["12"])
    for change in ({"type": "ä" * 128}, {"state_key": "x" * 256}, {"sender": "@" + "a" * 251 + ":one"}):
        with pytest.raises(TooLarge):
            check_format(message("12", **change), RULES["12"])
    with pytest.raises(TooLarge):
        check_format(message("1", event_id="$" + "a" * 251 + ":one"), RULES["1"])
    with pytest.raises(TooLarge):
        check_format(message("11", room_id="!" + "a" * 251 + ":one"), RULES["11"])


def test_an_event_has_at_most_65536_bytes_and_unsigned_does_not_count() -> None:
    empty = len(Event.from_pdu(message("12", content={"body": ""}), RULES["12"]).json)
    greatest = message("12", content={"body": "x" * (65536 - empty)}, unsigned={"x": "x" * 1000})
    check_format(greatest, RULES["12"])
    assert len(Event.from_pdu(greatest, RULES["12"]).json) == 65536
    for body in ("x" * (65537 - empty), "ä" * ((65538 - empty) // 2)):
        with pytest.raises(TooLarge):
            check_format(message("12", content={"body": body}), RULES["12"])


@pytest.mark.parametrize("value", [1.5, 1e10, 2**53, -(2**53), 2**70], ids=repr)
def test_canonical_json_is_enforced_from_version_6_on(value: object) -> None:
    check_format(message("5", content={"x": value}), RULES["5"])
    with pytest.raises(BadJson):
        check_format(message("6", content={"x": value}), RULES["6"])


@pytest.mark.parametrize("version", RULES)
def test_no_version_takes_nan_or_lone_surrogates(version: str) -> None:
    for value in (float("nan"), float("inf"), "\ud800"):
        with pytest.raises(BadJson):
            check_format(message(version, content={"x": value}), RULES[version])


@pytest.mark.parametrize("version", RULES)
def test_the_fields_of_an_event_are_the_same_in_all_versions(version: str) -> None:
    given = message(version, state_key="", unsigned={"age": 1})
    event = Event.from_pdu(given, RULES[version])
    first = EventId("$1:one" if version in ("1", "2") else HASH_ID)
    assert (event.prev_events, event.auth_events) == ((first,), (first,))
    assert event.key == ("m.room.message", "")
    assert event.is_state
    assert (event.room_id, event.sender, event.depth) == (given["room_id"], "@alice:one", 1)
    assert "unsigned" not in event.pdu
    assert b"unsigned" not in event.json
    assert (event.event_id in event.json.decode()) is (version in ("1", "2"))


def test_an_empty_state_key_makes_a_state_event_and_none_a_message() -> None:
    event = Event.from_pdu(message("12"), RULES["12"])
    assert not event.is_state
    assert event.state_key is None
    with pytest.raises(BadEvent):
        _ = event.key


@pytest.mark.parametrize(
    ("version", "place"), [("1", "top"), ("10", "top"), ("11", "content"), ("12", "content")]
)
def test_redacts_stands_where_the_version_keeps_it(version: str, place: str) -> None:
    top = message(version, type="m.room.redaction", redacts="$top:one", content={"redacts": "$content:one"})
    assert Event.from_pdu(top, RULES[version]).redacts == f"${place}:one"
    assert Event.from_pdu({**top, "type": "m.room.message"}, RULES[version]).redacts is None
    nonsense = message(version, type="m.room.redaction", redacts=5, content={"redacts": 5})
    assert Event.from_pdu(nonsense, RULES[version]).redacts is None


def test_membership_is_that_of_member_events() -> None:
    def of(event_type: str, content: dict[str, Any]) -> str | None:
        return Event.from_pdu(message("12", type=event_type, content=content), RULES["12"]).membership

    assert of("m.room.member", {"membership": "join"}) == "join"
    assert of("m.room.member", {"membership": 1}) is None
    assert of("m.room.member", {}) is None
    assert of("m.room.message", {"membership": "join"}) is None


def test_the_room_id_of_version_12_is_the_hash_of_the_create_event() -> None:
    room = History.begin("12")
    assert room.create.room_id == "!" + room.create.event_id[1:]
    assert "room_id" not in room.create.pdu
    assert Event.from_json(room.create.json, RULES["12"], room.create.event_id) == room.create
    name = room.add("@alice:one", "m.room.name", {"name": "x"}, "")
    assert name.room_id == name.pdu["room_id"] == room.create.room_id


def test_events_compare_by_what_they_are() -> None:
    event = Event.from_pdu(message("12"), RULES["12"])
    assert event == Event.from_pdu(message("12", unsigned={"age": 7}), RULES["12"])
    assert len({event, Event.from_pdu(message("12"), RULES["12"])}) == 1
    assert event != Event.from_pdu(message("12", depth=2), RULES["12"])
    one, two = (Event.from_pdu(message("1", content={"n": n}), RULES["1"]) for n in (1, 2))
    assert one.event_id == two.event_id
    assert one != two
