"""The authorisation rules: recorded verdicts, and each rule that they leave out."""

from typing import Any

import pytest

from homeserver.protocol.auth import (
    auth_types_for,
    auth_types_of,
    check_against_state,
    check_alone,
    may_redact,
)
from homeserver.protocol.errors import AuthRefused
from homeserver.protocol.event import Event
from homeserver.protocol.power import PowerLevels
from homeserver.protocol.versions import RULES

from .history import History
from .vectors import cut_down_event, load, state_of

ALICE, BOB, CAROL = "@alice:one", "@bob:two", "@carol:one"
CASES = load("vectors-auth")["cases"]


def rule_of(event: Event, state: Any, version: str, **given: Any) -> str | None:
    """The rule that refuses the event, None if it passes."""
    try:
        check_against_state(event, state, RULES[version], **given)
    except AuthRefused as refusal:
        return refusal.rule
    return None


def test_all_verdicts_are_there() -> None:
    assert len(CASES) == 342
    assert {case["room_version"] for case in CASES} == set(RULES)
    assert 100 < sum(case["allowed"] for case in CASES) < 242


@pytest.mark.parametrize("index", range(len(CASES)))
def test_recorded_verdicts(index: int) -> None:
    case = CASES[index]
    rules = RULES[case["room_version"]]
    event, state = cut_down_event(case["event"], rules), state_of(case["state"], rules)
    rule = rule_of(event, state, rules.version)
    assert (rule is None) == case["allowed"], rule
    needed = {key: state[key] for key in auth_types_of(event, rules) if key in state}
    create = {key: one for key, one in state.items() if key[0] == "m.room.create"}
    assert rule_of(event, {**create, **needed}, rules.version) == rule  # section 9 names all that matters


def test_auth_types() -> None:
    create, power, rules_ = ("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.join_rules", "")
    alice, bob, carol = (("m.room.member", user_id) for user_id in (ALICE, BOB, CAROL))

    def of(version: str, membership: str | None = None, **content: Any) -> set[Any]:
        if membership is None:
            keys = auth_types_for("m.room.name", "", ALICE, content, RULES[version])
        else:
            whole = {"membership": membership, **content}
            keys = auth_types_for("m.room.member", BOB, ALICE, whole, RULES[version])
        assert len(keys) == len(set(keys))
        return set(keys)

    assert auth_types_for("m.room.create", "", ALICE, {}, RULES["1"]) == []
    assert of("11") == {create, power, alice}
    assert of("12") == {power, alice}
    assert of("11", "leave") == of("11", "ban") == {create, power, alice, bob}
    assert of("11", "join") == of("11", "knock") == of("11", "invite") == {create, power, alice, bob, rules_}
    signed = {"third_party_invite": {"signed": {"token": "t"}}}
    assert of("12", "invite", **signed) == {power, alice, bob, rules_, ("m.room.third_party_invite", "t")}
    assert of("12", "join", **signed) == {power, alice, bob, rules_}
    strange: list[Any] = [{}, "x", {"signed": "x"}, {"signed": {}}, {"signed": {"token": 1}}]
    for nonsense in strange:
        assert of("12", "invite", third_party_invite=nonsense) == {power, alice, bob, rules_}
    authorised = {"join_authorised_via_users_server": CAROL}
    assert of("8", "join", **authorised) == {create, power, alice, bob, rules_, carol}
    assert of("7", "join", **authorised) == {create, power, alice, bob, rules_}
    assert of("8", "invite", **authorised) == {create, power, alice, bob, rules_}
    own = auth_types_for("m.room.member", ALICE, ALICE, {"membership": "leave"}, RULES["12"])
    assert own == [power, alice]


# Rule 1: the create event


def create_event(version: str, *, room_id: str | None = "!r:one", **changes: Any) -> Event:
    rules = RULES[version]
    content = (
        {"room_version": version} if rules.creator_is_sender else {"room_version": version, "creator": ALICE}
    )
    pdu = {
        "type": "m.room.create",
        "state_key": "",
        "sender": ALICE,
        "event_id": "$1:one",
        "content": content,
    }
    if not rules.room_id_is_hash and room_id is not None:
        pdu["room_id"] = room_id
    return cut_down_event({**pdu, **changes}, rules)


def create_refused(event: Event, version: str) -> str | None:
    try:
        check_alone(event, [], RULES[version])
    except AuthRefused as refusal:
        return refusal.rule
    return None


@pytest.mark.parametrize("version", RULES)
def test_a_create_event(version: str) -> None:
    assert create_refused(create_event(version), version) is None
    earlier: list[Any] = [["$0:one", {}]] if RULES[version].references_have_hashes else ["$0:one"]
    assert create_refused(create_event(version, prev_events=earlier), version) == "1.1"
    foreign = create_event(version, content={"room_version": "unknown", "creator": ALICE})
    assert create_refused(foreign, version) == "1.3"
    nameless = create_event(version, content={"room_version": version})
    assert create_refused(nameless, version) == ("1.4" if int(version) < 11 else None)


def test_the_room_id_of_a_create_event() -> None:
    assert create_refused(create_event("11", room_id="!r:two"), "11") == "1.2"
    with_id = cut_down_event({**create_event("12").pdu, "event_id": "$1", "room_id": "!r:one"}, RULES["12"])
    assert create_refused(with_id, "12") == "1.2"


@pytest.mark.parametrize("more", [[], [BOB], [BOB, CAROL], ["@:one"]])
def test_additional_creators_are_user_ids(more: Any) -> None:
    event = create_event("12", content={"room_version": "12", "additional_creators": more})
    assert create_refused(event, "12") is None


@pytest.mark.parametrize("more", [None, BOB, {}, [1], ["bob"], [BOB, None], ["@bob:a b"]], ids=repr)
def test_additional_creators_that_are_none(more: Any) -> None:
    content = {"room_version": "12", "additional_creators": more}
    assert create_refused(create_event("12", content=content), "12") == "1.4"
    old = create_event("11", content={"room_version": "11", "additional_creators": more})
    assert create_refused(old, "11") is None


# Rules 2 and 3: the room and the auth events


def a_room(version: str) -> History:
    """Alice made it, anybody may join, Bob did."""
    room = History.begin(version)
    room.add(ALICE, "m.room.join_rules", {"join_rule": "public"}, "")
    room.join(BOB)
    return room


def alone(room: History, event: Event, auth_events: list[Event], **given: Any) -> str | None:
    try:
        check_alone(event, auth_events, room.rules, **{"create": room.create, **given})
    except AuthRefused as refusal:
        return refusal.rule
    return None


def message_with(room: History, auth_events: list[Event], **changes: Any) -> Event:
    old = room.rules.references_have_hashes
    pdu = {
        "type": "m.room.message",
        "room_id": room.room_id,
        "sender": BOB,
        "event_id": "$message:two",
        "content": {},
        "auth_events": [[one.event_id, {}] if old else one.event_id for one in auth_events],
        **changes,
    }
    return cut_down_event(pdu, room.rules)


@pytest.mark.parametrize("version", ["1", "3", "11", "12"])
def test_auth_events_are_those_of_section_9_and_no_others(version: str) -> None:
    room = a_room(version)
    state, create = room.state, [room.create] if version != "12" else []
    bob, alice = state["m.room.member", BOB], state["m.room.member", ALICE]
    right = [*create, bob]
    assert alone(room, message_with(room, right), right) is None
    assert alone(room, message_with(room, right), right[:-1]) == "3"
    for wrong, rule in (
        ([*create, bob, alice], "3.2"),
        ([*create, state["m.room.join_rules", ""]], "3.2"),
        ([*create, room.add(BOB, "m.room.message", {})], "3.2"),
        ([*create, bob, room.join(BOB, ts=5)], "3.1"),
        ([*create, bob, bob], "3.1"),
    ):
        assert alone(room, message_with(room, wrong), wrong) == rule, wrong
    assert alone(room, message_with(room, right), right, rejected={bob.event_id}) == "3.3"


def test_auth_events_of_another_room() -> None:
    for version, other in (("11", "!other:one"), ("12", History.begin("12", more="content").room_id)):
        room = a_room(version)
        bob = room.state["m.room.member", BOB]
        moved = cut_down_event({**bob.pdu, "event_id": "$moved", "room_id": other}, room.rules)
        wrong = [room.create, moved] if version == "11" else [moved]
        assert alone(room, message_with(room, wrong), wrong) == "3.5"


def test_the_create_event_is_an_auth_event_before_version_12_and_not_in_it() -> None:
    old, new = a_room("11"), a_room("12")
    without = [old.state["m.room.member", BOB]]
    assert alone(old, message_with(old, without), without) == "3.4"
    with_create = [new.create, new.state["m.room.member", BOB]]
    assert alone(new, message_with(new, with_create), with_create) == "3.2"


def test_a_room_of_version_12_has_an_accepted_create_event() -> None:
    room, other = a_room("12"), History.begin("12", more="content")
    right = [room.state["m.room.member", BOB]]
    event = message_with(room, right)
    assert alone(room, event, right, create=None) == "2"
    assert alone(room, event, right, create=other.create) == "2"
    assert alone(room, event, right, create=right[0]) == "2"
    assert alone(room, event, right, rejected={room.create.event_id}) == "2"
    assert rule_of(event, {right[0].key: right[0]}, "12") == "2"
    assert rule_of(event, {right[0].key: right[0]}, "11") == "3.4"


def test_the_creator_s_join_of_version_12_has_no_auth_events() -> None:
    room = History.begin("12")
    assert room.state["m.room.member", ALICE].auth_events == ()


# Rule 4: rooms that do not federate


def test_a_closed_room_takes_neither_foreign_senders_nor_foreign_targets() -> None:
    for version in ("1", "11", "12"):
        closed: dict[str, Any] = {"m.federate": False}
        room = History.begin(version, ALICE, **closed)
        room.add(ALICE, "m.room.join_rules", {"join_rule": "public"}, "")
        room.join(CAROL)
        for sender, target, membership in ((BOB, BOB, "join"), (ALICE, BOB, "invite"), (ALICE, BOB, "ban")):
            with pytest.raises(AuthRefused, match="rule 4:"):
                room.member(sender, target, membership)


# Rules 7 to 13, and redactions


def test_only_members_speak_and_state_keys_of_others_are_theirs() -> None:
    room = a_room("12")
    room.add(BOB, "m.room.message", {})
    with pytest.raises(AuthRefused, match="rule 7:"):
        room.add(CAROL, "m.room.message", {})
    room.power(ALICE, {"state_default": 0})
    room.add(BOB, "org.example", {}, BOB)
    for state_key in (ALICE, "@", "@bob"):
        with pytest.raises(AuthRefused, match="rule 10:"):
            room.add(BOB, "org.example", {}, state_key)


def test_an_empty_state_key_makes_it_a_state_event() -> None:
    room = a_room("12")
    room.add(BOB, "org.example", {})
    with pytest.raises(AuthRefused, match="rule 9:"):
        room.add(BOB, "org.example", {}, "")


@pytest.mark.parametrize("version", RULES)
def test_who_may_redact_what(version: str) -> None:
    room = a_room(version)
    room.join(CAROL)
    top = not room.rules.redacts_in_content

    def redaction(sender: str, target: Event) -> Event:
        pdu = {
            "type": "m.room.redaction",
            "room_id": room.room_id,
            "sender": sender,
            "event_id": f"$r:{sender[-3:]}",
        }
        place = (
            {"redacts": target.event_id, "content": {}} if top else {"content": {"redacts": target.event_id}}
        )
        return cut_down_event({**pdu, **place}, room.rules)

    levels = PowerLevels.from_state(room.state, room.rules)
    of_alice, of_bob = room.add(ALICE, "m.room.message", {}), room.add(BOB, "m.room.message", {})
    for sender, target, allowed in (
        (ALICE, of_bob, True),  # by level
        (CAROL, of_alice, True),  # of the same server
        (BOB, of_bob, True),
        (BOB, of_alice, False),
        (CAROL, of_bob, False),
    ):
        event = redaction(sender, target)
        passes = rule_of(event, room.state, version) is None
        applies = passes and may_redact(event, target, levels)
        assert applies is allowed, (sender, target)
        assert passes is (allowed if version in ("1", "2") else True)
        assert not may_redact(event, room.create, levels)


@pytest.mark.parametrize(("level", "allowed"), [(49, False), (50, True)])
@pytest.mark.parametrize("version", ["1", "2", "3", "12"])
def test_the_level_to_redact_what_others_wrote(version: str, level: int, allowed: bool) -> None:
    room = a_room(version)
    users = {BOB: level} if version == "12" else {ALICE: 100, BOB: level}
    room.power(ALICE, {"users": users})
    target = room.add(ALICE, "m.room.message", {})
    place = {"content": {"redacts": target.event_id}} if version == "12" else {"redacts": target.event_id}
    pdu = {
        "type": "m.room.redaction",
        "room_id": room.room_id,
        "sender": BOB,
        "event_id": "$r:two",
        "content": {},
    }
    event = cut_down_event({**pdu, **place}, room.rules)
    passes = rule_of(event, room.state, version) is None
    assert passes is (allowed or version in ("3", "12"))
    assert (passes and may_redact(event, target, PowerLevels.from_state(room.state, room.rules))) is allowed


def test_a_redaction_of_another_room_or_with_unreadable_levels_does_not_apply() -> None:
    room, other = a_room("11"), a_room("11")
    target = room.add(BOB, "m.room.message", {})
    content = {"redacts": target.event_id}
    moved = cut_down_event(
        {
            "type": "m.room.redaction",
            "room_id": "!x:one",
            "sender": ALICE,
            "event_id": "$r",
            "content": content,
        },
        room.rules,
    )
    assert not may_redact(moved, target, PowerLevels.from_state(other.state, room.rules))
    redaction = room.add(ALICE, "m.room.redaction", content)
    assert may_redact(redaction, target, PowerLevels.from_state(room.state, room.rules))
    unreadable = PowerLevels({"redact": "x"}, frozenset(), room.rules)
    assert not may_redact(redaction, target, unreadable)


def test_a_level_that_nobody_can_read_refuses_what_needs_it() -> None:
    room = History.begin("9")
    room.power(
        ALICE, {"users": {ALICE: 100}, "state_default": "much", "events": {"m.room.power_levels": 100}}
    )
    with pytest.raises(AuthRefused, match="rule levels:"):
        room.add(ALICE, "m.room.name", {}, "")
    room.add(ALICE, "m.room.message", {})
