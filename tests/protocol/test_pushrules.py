"""Which rules a person has, and what may be changed about them."""

import contextlib
import json
from typing import Any

import pytest

from homeserver.protocol.errors import BadPushRule, UnknownPushRule
from homeserver.protocol.pushrules.defaults import BELOW, BY_ID, MASTER
from homeserver.protocol.pushrules.rules import Kind, read_actions, read_kind, read_rule
from homeserver.protocol.pushrules.ruleset import (
    MAX_OWN_BYTES,
    MAX_OWN_RULES,
    MAX_SEARCHES,
    UNCHANGED,
    Ruleset,
)

ALICE = "@alice:example.com"
NOTIFY = {"actions": ["notify"]}


def ids(ruleset: Ruleset, kind: Kind) -> list[str]:
    """The own rules of a kind, most important first."""
    return [rule.rule_id for rule in ruleset.rules(kind) if not rule.default]


def keywords(*rule_ids: str) -> Ruleset:
    ruleset = UNCHANGED
    for rule_id in reversed(rule_ids):
        ruleset = ruleset.put(Kind.CONTENT, rule_id, {"pattern": rule_id, **NOTIFY})
    return ruleset


def test_the_rules_of_a_new_account() -> None:
    rules = UNCHANGED.shown(ALICE)["global"]
    assert [rule["rule_id"].removeprefix(".m.rule.") for rule in rules["override"]] == [
        *("master", "suppress_notices", "invite_for_me", "member_event", "is_user_mention"),
        *(
            "contains_display_name",
            "is_room_mention",
            "roomnotif",
            "tombstone",
            "reaction",
            "room.server_acl",
        ),
        *("suppress_edits", ".org.matrix.msc3930.rule.poll_response"),
    ]
    assert [rule["rule_id"].removeprefix(".m.rule.") for rule in rules["underride"]][:5] == [
        *("call", "encrypted_room_one_to_one", "room_one_to_one", "message", "encrypted"),
    ]
    assert (rules["room"], rules["sender"]) == ([], [])


def test_default_rules_as_their_owner_sees_them() -> None:
    rules = UNCHANGED.shown(ALICE)["global"]
    everything = [rule for kind in rules.values() for rule in kind]
    assert all(rule["default"] for rule in everything)
    assert [rule["rule_id"] for rule in everything if not rule["enabled"]] == [".m.rule.master"]
    by_id = {rule["rule_id"]: rule for rule in everything}
    assert by_id[".m.rule.contains_user_name"]["pattern"] == "alice"
    assert "conditions" not in by_id[".m.rule.contains_user_name"]
    assert by_id[".m.rule.is_user_mention"] == {
        "rule_id": ".m.rule.is_user_mention",
        "default": True,
        "enabled": True,
        "conditions": [
            {
                "kind": "event_property_contains",
                "key": r"content.m\.mentions.user_ids",
                "value": ALICE,
            }
        ],
        "actions": ["notify", {"set_tweak": "sound", "value": "default"}, {"set_tweak": "highlight"}],
    }
    assert by_id[".m.rule.invite_for_me"]["conditions"][2]["pattern"] == ALICE
    assert by_id[".m.rule.room_one_to_one"]["conditions"] == [
        {"kind": "room_member_count", "is": "2"},
        {"kind": "event_match", "key": "type", "pattern": "m.room.message"},
    ]
    assert by_id[".m.rule.call"]["actions"] == ["notify", {"set_tweak": "sound", "value": "ring"}]


def test_no_two_default_rules_share_a_name() -> None:
    assert len(BY_ID) == 1 + sum(len(rules) for rules in BELOW.values())
    assert all(rule_id.startswith(".") for rule_id in BY_ID)


def test_own_rules_stand_between_the_master_rule_and_the_other_defaults() -> None:
    ruleset = UNCHANGED.put(Kind.OVERRIDE, "mine", NOTIFY)
    assert [rule.rule_id for rule in ruleset.rules(Kind.OVERRIDE)][:3] == [
        *(MASTER.rule_id, "mine", ".m.rule.suppress_notices"),
    ]
    rule = ruleset.find(Kind.OVERRIDE, "mine").shown(ALICE)
    assert rule == {
        "rule_id": "mine",
        "default": False,
        "enabled": True,
        "conditions": [],
        "actions": ["notify"],
    }


def test_the_order_of_own_rules() -> None:
    abc = keywords("a", "b", "c")
    assert ids(abc, Kind.CONTENT) == ["a", "b", "c"]  # the newest is the most important
    new: dict[str, Any] = {"pattern": "x", **NOTIFY}
    assert ids(abc.put(Kind.CONTENT, "x", new, before="b"), Kind.CONTENT) == ["a", "x", "b", "c"]
    assert ids(abc.put(Kind.CONTENT, "x", new, after="b"), Kind.CONTENT) == ["a", "b", "x", "c"]
    assert ids(abc.put(Kind.CONTENT, "x", new, before="b", after="c"), Kind.CONTENT) == ["a", "x", "b", "c"]
    assert ids(abc.put(Kind.CONTENT, "b", new), Kind.CONTENT) == ["a", "b", "c"]
    assert ids(abc.put(Kind.CONTENT, "c", new, before="a"), Kind.CONTENT) == ["c", "a", "b"]
    assert ids(abc.put(Kind.CONTENT, "a", new, after="c"), Kind.CONTENT) == ["b", "c", "a"]
    for neighbour in ("nobody", ".m.rule.contains_user_name", "x"):
        with pytest.raises(BadPushRule, match=f"not found: {neighbour}"):
            abc.put(Kind.CONTENT, "x", new, before=neighbour)
    assert ids(abc, Kind.CONTENT) == ["a", "b", "c"]


def test_an_updated_rule_stays_switched_off() -> None:
    ruleset = (
        keywords("a").enable(Kind.CONTENT, "a", False).put(Kind.CONTENT, "a", {"pattern": "z", **NOTIFY})
    )
    rule = ruleset.find(Kind.CONTENT, "a")
    assert (rule.enabled, rule.pattern) == (False, "z")


def test_default_rules_can_be_silenced_but_not_deleted() -> None:
    ruleset = UNCHANGED.enable(Kind.UNDERRIDE, ".m.rule.call", False)
    ruleset = ruleset.act(Kind.UNDERRIDE, ".m.rule.message", read_actions(["dont_notify"]))
    assert not ruleset.find(Kind.UNDERRIDE, ".m.rule.call").enabled
    silenced = ruleset.find(Kind.UNDERRIDE, ".m.rule.message")
    assert silenced.shown(ALICE)["actions"] == ["dont_notify"]  # as it was asked for; it means nothing
    assert (silenced.outcome.actions, silenced.outcome.notify) == ((), False)
    with pytest.raises(UnknownPushRule):
        ruleset.delete(Kind.UNDERRIDE, ".m.rule.call")
    back = ruleset.enable(Kind.UNDERRIDE, ".m.rule.call", True)
    assert back.act(Kind.UNDERRIDE, ".m.rule.message", ("notify",)) is UNCHANGED


def test_what_is_not_there() -> None:
    ruleset = keywords("a")
    for kind, rule_id in ((Kind.CONTENT, "b"), (Kind.ROOM, "a"), (Kind.OVERRIDE, ".m.rule.call")):
        with pytest.raises(UnknownPushRule):
            ruleset.find(kind, rule_id)
        with pytest.raises(UnknownPushRule):
            ruleset.delete(kind, rule_id)
        with pytest.raises(UnknownPushRule):
            ruleset.enable(kind, rule_id, True)
        with pytest.raises(UnknownPushRule):
            ruleset.act(kind, rule_id, ())
    assert ruleset.delete(Kind.CONTENT, "a") is UNCHANGED
    with pytest.raises(BadPushRule):
        read_kind("device")


CONDITIONS: list[dict[str, Any]] = [
    {"kind": "event_match", "key": "content.body", "pattern": "beer"},
    {"kind": "event_property_is", "key": "a", "value": None},
    {"kind": "event_property_contains", "key": "a", "value": 1},
    {"kind": "contains_display_name"},
    {"kind": "room_member_count", "is": "<=10"},
    {"kind": "sender_notification_permission", "key": "room"},
    {"kind": "org.example.moon", "phase": ["full"]},
]


def test_rulesets_survive_being_stored() -> None:
    """The specification's own examples among them."""
    loud = ["notify", {"set_tweak": "sound", "value": "cakealarm.wav"}]
    ruleset = keywords("a", "b").put(
        Kind.CONTENT, "SSByZWFsbHkgbGlrZSBjYWtl", {"pattern": "cake", "actions": loud}
    )
    ruleset = ruleset.put(
        *(Kind.CONTENT, "U3BvbmdlIGNha2UgaXMgYmVzdA", {"pattern": "cake*lie", **NOTIFY}),
        before="SSByZWFsbHkgbGlrZSBjYWtl",
    )
    ruleset = ruleset.put(Kind.OVERRIDE, "o", {"conditions": CONDITIONS, "actions": []})
    ruleset = ruleset.put(Kind.ROOM, "!dj234r78wl45Gh4D:matrix.org", {"actions": []})
    ruleset = ruleset.put(Kind.SENDER, "@spambot:matrix.org", {"actions": []})
    ruleset = ruleset.enable(Kind.CONTENT, "b", False).enable(Kind.OVERRIDE, MASTER.rule_id, True)
    stored = json.loads(json.dumps(ruleset.stored()))
    assert Ruleset.from_stored(stored) == ruleset
    assert Ruleset.from_stored(stored).shown(ALICE) == ruleset.shown(ALICE)
    assert ruleset.shown(ALICE)["global"]["override"][1]["conditions"] == CONDITIONS
    stored["changed"][".m.rule.of_long_ago"] = {"enabled": False, "actions": []}
    assert Ruleset.from_stored(stored) == ruleset
    assert Ruleset.from_stored({"own": {}, "changed": {}}) is UNCHANGED


@pytest.mark.parametrize("rule_id", ["", ".m.rule.mine", "a/b", "a\\b", "ж" * 128])
def test_names_that_a_rule_may_not_have(rule_id: str) -> None:
    with pytest.raises(BadPushRule, match="rule_id"):
        read_rule(Kind.ROOM, rule_id, NOTIFY)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"actions": "notify"},
        {"actions": ["shout"]},
        {"actions": [1]},
        {"actions": [{}]},
        {"actions": [{"set_tweak": 1}]},
        {"actions": [{"set_tweak": "x", "value": "y" * 9000}]},
        {**NOTIFY, "conditions": {}},
        {**NOTIFY, "conditions": ["always"]},
        {**NOTIFY, "conditions": [{"key": "type"}]},
        {**NOTIFY, "conditions": [{"kind": "event_match", "key": "type"}]},
        {**NOTIFY, "conditions": [{"kind": "event_match", "key": 1, "pattern": "x"}]},
        {**NOTIFY, "conditions": [{"kind": "event_match", "key": "type", "pattern": "x" * 513}]},
        {**NOTIFY, "conditions": [{"kind": "event_property_is", "key": "type"}]},
        {**NOTIFY, "conditions": [{"kind": "event_property_is", "key": "type", "value": ["x"]}]},
        {**NOTIFY, "conditions": [{"kind": "event_property_is", "key": "type", "value": 1.5}]},
        {**NOTIFY, "conditions": [{"kind": "event_property_contains", "key": "type", "value": 2**53}]},
        {**NOTIFY, "conditions": [{"kind": "room_member_count", "is": "=2"}]},
        {**NOTIFY, "conditions": [{"kind": "room_member_count", "is": 2}]},
        {**NOTIFY, "conditions": [{"kind": "sender_notification_permission"}]},
        {**NOTIFY, "conditions": [{"kind": "contains_display_name"}] * 21},
        {**NOTIFY, "conditions": [{"kind": "org.example.big", "x": "y" * 9000}]},
    ],
    ids=str,
)
def test_rules_that_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadPushRule):
        UNCHANGED.put(Kind.OVERRIDE, "mine", body)


def test_a_content_rule_needs_a_pattern() -> None:
    for pattern in (None, 1, "x" * 513):
        with pytest.raises(BadPushRule):
            UNCHANGED.put(Kind.CONTENT, "mine", {"pattern": pattern, **NOTIFY})


def test_nobody_can_have_rules_without_end() -> None:
    ruleset = keywords(*[f"word{number}" for number in range(MAX_SEARCHES)])
    with pytest.raises(BadPushRule):
        ruleset.put(Kind.CONTENT, "more", {"pattern": "more", **NOTIFY})
    ruleset = ruleset.put(Kind.CONTENT, "word0", {"pattern": "other", **NOTIFY})
    with pytest.raises(BadPushRule):
        ruleset.put(Kind.CONTENT, "word0", {"pattern": "oth?r", **NOTIFY})
    assert len(ids(ruleset, Kind.CONTENT)) == MAX_SEARCHES
    rooms = {f"!{number}:x": ruleset.put(Kind.ROOM, f"!{number}:x", NOTIFY) for number in range(2)}
    assert all(ids(other, Kind.ROOM) == [room_id] for room_id, other in rooms.items())
    stored: dict[str, Any] = {"own": {"room": []}, "changed": {}}
    for number in range(MAX_OWN_RULES):
        stored["own"]["room"].append({"rule_id": f"!{number}", "actions": [], "enabled": True})
    with pytest.raises(BadPushRule):
        Ruleset.from_stored(stored).put(Kind.ROOM, "!more", NOTIFY)


def test_the_rules_of_one_person_are_no_store_of_data() -> None:
    large = ["notify", {"set_tweak": "sound", "value": "x" * 7000}]
    stored: dict[str, Any] = {"own": {"room": []}, "changed": {}}
    for number in range(MAX_OWN_BYTES // 7100):
        stored["own"]["room"].append({"rule_id": f"!{number}", "actions": large, "enabled": True})
    ruleset = Ruleset.from_stored(stored).put(Kind.ROOM, "!small", NOTIFY)
    taken = 0
    for rule in ruleset.rules(Kind.OVERRIDE):
        with contextlib.suppress(BadPushRule):
            ruleset = ruleset.act(Kind.OVERRIDE, rule.rule_id, tuple(large))
            taken += 1
    assert taken < 2
    with pytest.raises(BadPushRule):
        ruleset.put(Kind.ROOM, "!more", {"actions": large})
    assert ruleset.delete(Kind.ROOM, "!1").put(Kind.ROOM, "!1", NOTIFY)


def test_rulesets_are_the_same_if_they_say_the_same_in_one_order() -> None:
    one = keywords("a", "b")
    assert one.is_same_as(keywords("a", "b"))
    assert not one.is_same_as(keywords("b", "a"))
    assert not one.is_same_as(one.put(Kind.ROOM, "!r", NOTIFY))
    assert not one.is_same_as(one.enable(Kind.OVERRIDE, ".m.rule.master", True))
    mine = [
        one.put(Kind.ROOM, "!r", {"actions": [{"set_tweak": "x", "value": value}]}) for value in (1, True)
    ]
    assert not mine[0].is_same_as(mine[1])


def test_an_upgraded_room_keeps_its_rules() -> None:
    asks = {"kind": "event_match", "key": "room_id", "pattern": "!old:x"}
    ruleset = UNCHANGED.put(Kind.ROOM, "!old:x", {"actions": []}).put(Kind.ROOM, "!other:x", NOTIFY)
    ruleset = ruleset.put(Kind.OVERRIDE, "!old:x", {"conditions": [asks], "actions": []})
    moved = ruleset.copied("!old:x", "!new")
    assert ids(moved, Kind.ROOM) == ["!new", "!other:x", "!old:x"]
    assert moved.find(Kind.OVERRIDE, "!new").shown(ALICE)["conditions"] == [{**asks, "pattern": "!new"}]
    assert moved.copied("!old:x", "!new") == moved
    assert UNCHANGED.copied("!old:x", "!new") is UNCHANGED
