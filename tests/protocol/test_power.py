"""Reading power levels, and the rule on changing them."""

from typing import Any

import pytest

from homeserver.protocol.errors import AuthRefused, BadPowerLevel
from homeserver.protocol.power import INFINITE, PowerLevels, creators, read_level
from homeserver.protocol.versions import RULES

from .history import History
from .vectors import cut_down_event

ALICE, BOB, CAROL = "@alice:one", "@bob:two", "@carol:one"


def levels(version: str, content: dict[str, Any] | None, creator: str = ALICE) -> PowerLevels:
    return PowerLevels(content, frozenset([creator]), RULES[version])  # type: ignore[list-item]  # a plain string


def test_without_power_levels_the_creator_has_100_and_nobody_else_anything() -> None:
    for version in ("1", "11"):
        assert levels(version, None).user(ALICE) == 100
        assert levels(version, None).user(BOB) == 0
        assert levels(version, {}).user(ALICE) == 0


def test_creators_are_above_everything_from_version_12_on() -> None:
    contents: list[Any] = [None, {}, {"users": {ALICE: 1}, "users_default": 50}]
    for content in contents:
        alice = levels("12", content).user(ALICE)
        assert alice == INFINITE
        assert alice > 2**53 - 1
        assert alice > 10**400
        assert not alice > levels("12", content).user(ALICE)


def test_defaults() -> None:
    contents: list[dict[str, Any] | None] = [None, {}]
    for content in contents:
        power = levels("11", content, creator=CAROL)
        assert (power.invite, power.kick, power.ban, power.redact) == (0, 50, 50, 50)
        assert power.event("m.room.name", is_state=True) == 50
        assert power.event("m.room.message", is_state=False) == 0
        assert power.notification("room") == 50
        assert power.user(BOB) == 0


def test_what_the_event_says() -> None:
    named = {"invite": 1, "kick": 2, "ban": 3, "redact": 4, "state_default": 5, "events_default": 6}
    tables = {"users": {BOB: 8}, "events": {"m.room.name": 9}, "notifications": {"room": 10}}
    power = levels("11", {**named, "users_default": 7, **tables})
    assert (power.invite, power.kick, power.ban, power.redact) == (1, 2, 3, 4)
    assert power.event("m.room.topic", is_state=True) == 5
    assert power.event("m.room.message", is_state=False) == 6
    assert (power.user(CAROL), power.user(BOB)) == (7, 8)
    assert power.event("m.room.name", is_state=True) == power.event("m.room.name", is_state=False) == 9
    assert power.notification("room") == 10


def test_who_created_a_room() -> None:
    def of(version: str, **content: Any) -> frozenset[str]:
        pdu = {
            "type": "m.room.create",
            "room_id": "!r:one",
            "sender": ALICE,
            "event_id": "$1:one",
            "content": content,
        }
        return frozenset(creators(cut_down_event(pdu, RULES[version]), RULES[version]))

    assert of("10", creator=BOB) == {BOB}
    assert of("10", creator=1) == set()
    assert of("11", creator=BOB, additional_creators=[CAROL]) == {ALICE}
    assert of("12", creator=BOB, additional_creators=[CAROL]) == {ALICE, CAROL}
    assert of("12") == {ALICE}


@pytest.mark.parametrize(
    ("value", "level", "last_version"),
    [
        (5, 5, 12),
        (-5, -5, 12),
        (0, 0, 12),
        ("50", 50, 9),
        (" +007\t", 7, 9),
        ("-3", -3, 9),
        (1.9, 1, 5),
        (-1.9, -1, 5),
        (1e10, 10**10, 5),
        ("9007199254740992", 2**53, 5),
        (True, None, 0),
        (False, None, 0),
        ("1.5", None, 0),
        ("1_000", None, 0),
        ("٣", None, 0),
        ("", None, 0),
        ("- 1", None, 0),
        ("0x10", None, 0),
        (None, None, 0),
        ([1], None, 0),
        (float("nan"), None, 0),
        (float("inf"), None, 0),
    ],
    ids=repr,
)
def test_numbers_in_strings_and_floats_are_read_in_old_rooms_only(
    value: Any, level: int | None, last_version: int
) -> None:
    for version in range(1, 13):
        if version <= last_version:
            assert read_level(value, RULES[str(version)]) == level, version
        else:
            with pytest.raises(BadPowerLevel):
                read_level(value, RULES[str(version)])


def test_nonsense_is_found_when_it_is_asked_for_and_null_counts_as_absent() -> None:
    power = levels("9", {"ban": "x", "kick": None, "users": [], "events": {"a": {}}})
    with pytest.raises(BadPowerLevel):
        _ = power.ban
    with pytest.raises(BadPowerLevel):
        power.event("a", is_state=True)
    assert power.kick == 50
    assert power.user(BOB) == 0


def room_of_two(version: str, **content: Any) -> History:
    """Alice has 100 (or made the room), Bob has 50."""
    room = History.begin(version)
    room.add(ALICE, "m.room.join_rules", {"join_rule": "public"}, "")
    room.join(BOB)
    users = {BOB: 50} if room.rules.additional_creators else {ALICE: 100, BOB: 50}
    room.power(ALICE, {"users": users, "events": {"m.room.power_levels": 0}, **content})
    return room


def refused(room: History, sender: str, content: dict[str, Any]) -> str | None:
    """The rule that refuses new power levels, None if they pass. The room stays as it was."""
    before = room.last
    try:
        room.power(sender, content)
    except AuthRefused as refusal:
        return refusal.rule
    room.last = before
    return None


FREE = {"m.room.power_levels": 0}


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ({"users": {ALICE: 100, BOB: 50}, "events": FREE}, None),
        ({"users": {ALICE: 100, BOB: 50, CAROL: 50}, "events": FREE}, None),
        ({"users": {ALICE: 100, BOB: 50, CAROL: 51}, "events": FREE}, "11.10"),
        ({"users": {ALICE: 100, BOB: 51}, "events": FREE}, "11.10"),
        ({"users": {ALICE: 100, BOB: 10}, "events": FREE}, None),
        ({"users": {ALICE: 100}, "events": FREE}, None),
        ({"users": {BOB: 50}, "events": FREE}, "11.9"),
        ({"events": FREE}, "11.9"),
        ({"users": {ALICE: 99, BOB: 50}, "events": FREE}, "11.9"),
        ({"users": {ALICE: 100, BOB: 50}, "events": {**FREE, "x": 51}}, "11.8"),
        ({"users": {ALICE: 100, BOB: 50}, "events": {**FREE, "x": 50}}, None),
        ({"users": {ALICE: 100, BOB: 50}, "events": FREE, "ban": 51}, "11.6"),
        ({"users": {ALICE: 100, BOB: 50}, "events": FREE, "ban": 50}, None),
        ({"users": {ALICE: 100, BOB: 50}, "events": FREE, "notifications": {"room": 51}}, "11.8"),
        ({"users": {ALICE: 100, BOB: 50}, "events": FREE, "unknown": 1000}, None),
        ({"users": {"bob": 0}, "events": FREE}, "11.3"),
        ({"users": {ALICE: 100, BOB: "50"}, "events": FREE}, "11.3"),
        ({"users": {ALICE: 100, BOB: True}, "events": FREE}, "11.3"),
        ({"users": []}, "11.3"),
        ({"users": {ALICE: 100}, "events": {"x": "1"}}, "11.2"),
        ({"users": {ALICE: 100}, "events": []}, "11.2"),
        ({"users": {ALICE: 100}, "notifications": {"room": None}}, "11.2"),
        ({"users": {ALICE: 100}, "ban": True}, "11.1"),
        ({"users": {ALICE: 100}, "invite": None}, "11.1"),
        ({"users": {ALICE: 100}, "users_default": "0"}, "11.1"),
    ],
    ids=str,
)
def test_what_a_moderator_may_change(content: dict[str, Any], rule: str | None) -> None:
    assert refused(room_of_two("11"), BOB, content) == rule


def test_what_is_above_a_moderator_stays() -> None:
    room = room_of_two("11", ban=60, events={**FREE, "x": 60}, notifications={"room": 60})
    old = dict(room.state["m.room.power_levels", ""].content)
    assert refused(room, BOB, old) is None
    assert refused(room, BOB, {**old, "ban": 0}) == "11.6"
    assert refused(room, BOB, {key: value for key, value in old.items() if key != "ban"}) == "11.6"
    assert refused(room, BOB, {**old, "events": FREE}) == "11.7"
    assert refused(room, BOB, {**old, "notifications": {}}) == "11.7"
    assert refused(room, ALICE, {**old, "ban": 0, "events": FREE, "notifications": {}}) is None


def test_equals_cannot_take_each_other_s_level_but_may_give_up_their_own() -> None:
    room = room_of_two("11", users={ALICE: 100, BOB: 50, CAROL: 50})
    old = {"users": {ALICE: 100, BOB: 50, CAROL: 50}, "events": FREE}
    assert refused(room, BOB, {**old, "users": {ALICE: 100, BOB: 50, CAROL: 49}}) == "11.9"
    assert refused(room, BOB, {**old, "users": {ALICE: 100, BOB: 50}}) == "11.9"
    assert refused(room, BOB, {**old, "users": {ALICE: 100, CAROL: 50}}) is None


def test_notifications_are_free_before_version_6() -> None:
    for version, rule in (("5", None), ("6", "11.8")):
        users = {ALICE: 100, BOB: 50}
        room = room_of_two(version)
        assert refused(room, BOB, {"users": users, "events": FREE, "notifications": {"room": 99}}) == rule


def test_a_string_that_says_the_same_number_is_no_change() -> None:
    room = room_of_two("9", ban="60")
    users = {ALICE: "100", BOB: " 50"}
    assert refused(room, BOB, {"users": users, "events": FREE, "ban": 60}) is None
    assert refused(room, BOB, {"users": users, "events": FREE, "ban": "59"}) == "11.6"
    assert refused(room, BOB, {"users": {ALICE: "x"}, "events": FREE, "ban": 60}) == "11.3"
    assert refused(room, BOB, {"users": users, "events": [], "ban": 60}) == "11.8"
    assert refused(room, BOB, {"users": users, "events": FREE, "ban": "x"}) == "levels"


def test_creators_do_not_stand_in_the_users_of_version_12() -> None:
    room = room_of_two("12")
    assert refused(room, ALICE, {"users": {ALICE: 100}}) == "11.4"
    assert refused(room, BOB, {"users": {ALICE: 1}, "events": FREE}) == "11.4"
    assert refused(room, ALICE, {"users": {BOB: 2**53 - 1}}) is None
    shared = History.begin("12", additional_creators=[CAROL])
    assert refused(shared, ALICE, {"users": {CAROL: 100}}) == "11.4"


def test_an_administrator_of_the_greatest_integer_is_still_below_a_creator() -> None:
    room = room_of_two("12")
    room.power(ALICE, {"users": {BOB: 2**53 - 1}})
    for membership in ("leave", "ban"):
        with pytest.raises(AuthRefused):
            room.member(BOB, ALICE, membership)
    room.member(ALICE, BOB, "ban")


def test_creators_are_equal_to_each_other() -> None:
    room = History.begin("12", additional_creators=[CAROL])
    room.member(ALICE, CAROL, "invite")
    room.join(CAROL)
    for sender, target in ((ALICE, CAROL), (CAROL, ALICE)):
        for membership in ("leave", "ban"):
            with pytest.raises(AuthRefused):
                room.member(sender, target, membership)
    room.add(CAROL, "m.room.name", {"name": "ours"}, "")
