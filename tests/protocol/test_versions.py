"""The table of room versions."""

from dataclasses import FrozenInstanceError, fields

import pytest

from homeserver.protocol.errors import UnknownRoomVersion
from homeserver.protocol.versions import DEFAULT_VERSION, RULES, RoomRules, rules_for, version_of_create

# What each version brought, read as: flag, value before, first version with the other value, that value.
TURNS = [
    ("references_have_hashes", True, 3, False),
    ("key_validity_enforced", False, 5, True),
    ("strict_json", False, 6, True),
    ("float_power_levels", True, 6, False),
    ("string_power_levels", True, 10, False),
    ("aliases_auth_rule", True, 6, False),
    ("notification_levels_checked", False, 6, True),
    ("redaction_auth_rule", True, 3, False),
    ("knock", False, 7, True),
    ("restricted_join", False, 8, True),
    ("knock_restricted_join", False, 10, True),
    ("redacts_in_content", False, 11, True),
    ("creator_is_sender", False, 11, True),
    ("additional_creators", False, 12, True),
    ("room_id_is_hash", False, 12, True),
    ("create_in_auth_events", True, 12, False),
    ("max_depth", 2**63 - 1, 6, 2**53 - 1),
]


@pytest.mark.parametrize("turn", TURNS, ids=lambda turn: turn[0])
def test_each_flag_turns_at_its_version(turn: tuple[str, object, int, object]) -> None:
    flag, before, at, after = turn
    assert [getattr(RULES[str(version)], flag) for version in range(1, 13)] == (
        [before] * (at - 1) + [after] * (13 - at)
    )


def test_every_flag_is_in_the_table() -> None:
    told_otherwise = {"version", "state_resolution", "event_id_format", "redaction"}
    assert {field.name for field in fields(RoomRules)} == {turn[0] for turn in TURNS} | told_otherwise


def test_state_resolution_and_event_ids() -> None:
    assert [rules.state_resolution.value for rules in RULES.values()] == ["1"] + ["2"] * 10 + ["2.1"]
    assert [rules.event_id_format.value for rules in RULES.values()] == (
        ["given"] * 2 + ["base64"] + ["base64url"] * 9
    )


def test_versions_are_opaque_names() -> None:
    assert list(RULES) == [str(version) for version in range(1, 13)]
    assert all(rules_for(version) is rules and rules.version == version for version, rules in RULES.items())
    assert DEFAULT_VERSION == "12"
    strangers: list[object] = ["13", "01", "", 1, None, ["1"], {}]
    for unknown in strangers:
        with pytest.raises(UnknownRoomVersion):
            rules_for(unknown)


def test_a_create_event_without_version_is_of_version_1() -> None:
    assert version_of_create({}) == "1"
    assert version_of_create({"room_version": "9"}) == "9"
    for content in ({"room_version": "x"}, {"room_version": 9}, {"room_version": None}):
        with pytest.raises(UnknownRoomVersion):
            version_of_create(content)


def test_rules_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        RULES["1"].knock = True  # type: ignore[misc]  # that is the test
    with pytest.raises(TypeError):
        RULES["13"] = RULES["12"]  # type: ignore[index]  # that is the test
