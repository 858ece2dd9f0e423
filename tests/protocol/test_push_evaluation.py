"""Who is told of an event, and how loudly."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeserver.protocol.ids import UserId
from homeserver.protocol.power import PowerLevels
from homeserver.protocol.pushrules.evaluate import Evaluation, Reader
from homeserver.protocol.pushrules.occasion import Occasion
from homeserver.protocol.pushrules.rules import Kind, Outcome
from homeserver.protocol.pushrules.ruleset import UNCHANGED, Ruleset
from homeserver.protocol.versions import RULES

from .vectors import BOUNDED, cut_down_event

ALICE, BOB, CAROL = UserId("@alice:one"), UserId("@bob:one"), UserId("@carol:two")
ROOM = "!room:one"
NOTIFY: dict[str, Any] = {"actions": ["notify"]}

WHISPER = ("notify", False, None)
LOUD = ("notify", False, "default")
SHOUT = ("notify", True, None)
PERSONAL = ("notify", True, "default")


def occasion(content: dict[str, Any], *, members: int = 3, sender_level: int = 0, **given: Any) -> Occasion:
    pdu = {"type": "m.room.message", "room_id": ROOM, "sender": CAROL, "event_id": "$event:one", **given}
    event = cut_down_event({**pdu, "content": content}, RULES["11"])
    levels = PowerLevels({"users": {CAROL: sender_level}}, frozenset(), RULES["11"])
    return Occasion(event, members, levels)


def said(body: str, **content: Any) -> dict[str, Any]:
    return {"msgtype": "m.text", "body": body, **content}


def told(
    at: Occasion, rules: Ruleset = UNCHANGED, name: str = "Alice"
) -> tuple[str, bool, str | None] | None:
    """What comes of an event for Alice: its first action, highlight and sound; None if nothing does."""
    outcome: Outcome | None = Evaluation(at).outcomes([Reader(ALICE, name, rules)]).get(ALICE)
    return (outcome.actions[0], outcome.highlight, outcome.sound) if outcome is not None else None


def test_messages_and_calls() -> None:
    assert told(occasion(said("hello"))) == WHISPER
    assert told(occasion(said("hello"), members=2)) == LOUD
    assert told(occasion({}, type="m.room.encrypted")) == WHISPER
    assert told(occasion({}, type="m.room.encrypted", members=2)) == LOUD
    assert told(occasion({}, type="m.call.invite")) == ("notify", False, "ring")
    assert told(occasion({"name": "Alice"}, type="m.room.name", state_key="")) is None
    assert told(occasion({}, type="org.matrix.msc3381.poll.start", members=2)) == LOUD


def test_what_nobody_wants_to_hear_of() -> None:
    assert told(occasion({"msgtype": "m.notice", "body": "Alice"})) is None
    assert (
        told(occasion({"m.relates_to": {"rel_type": "m.annotation"}}, type="m.reaction", members=2)) is None
    )
    assert told(occasion(said("* hello", **{"m.relates_to": {"rel_type": "m.replace"}}))) is None
    assert told(occasion({}, type="m.room.server_acl", state_key="")) is None
    join = {"membership": "join", "displayname": "Carol"}
    assert told(occasion(join, type="m.room.member", state_key=CAROL)) is None


def test_an_invitation_is_for_one() -> None:
    invite = occasion({"membership": "invite"}, type="m.room.member", state_key=ALICE)
    readers = [Reader(ALICE, "", UNCHANGED), Reader(BOB, "", UNCHANGED)]
    outcomes = Evaluation(invite).outcomes(readers)
    assert {user_id: outcome.sound for user_id, outcome in outcomes.items()} == {ALICE: "default"}


def test_a_tombstone_is_for_all_but_a_message_of_that_type_is_not() -> None:
    assert told(occasion({}, type="m.room.tombstone", state_key="")) == SHOUT
    assert told(occasion({}, type="m.room.tombstone")) is None
    assert told(occasion({}, type="m.room.tombstone", state_key="x")) is None


def test_nobody_is_told_of_their_own_words() -> None:
    readers = [Reader(CAROL, "Carol", UNCHANGED), Reader(BOB, "Bob", UNCHANGED)]
    assert set(Evaluation(occasion(said("Carol and Bob"))).outcomes(readers)) == {BOB}


def test_mentions() -> None:
    def mentioning(**mentions: Any) -> dict[str, Any]:
        return said("Alice, alice, @room", **{"m.mentions": mentions})

    assert told(occasion(mentioning(user_ids=[ALICE, BOB]))) == PERSONAL
    assert (
        told(occasion(mentioning(user_ids=[BOB]))) == WHISPER
    )  # the text says Alice, the sender does not mean her
    assert told(occasion(mentioning())) == WHISPER
    assert told(occasion(mentioning(user_ids=ALICE))) == WHISPER
    assert told(occasion(mentioning(user_ids=[{"@": 1}, [], 5]))) == WHISPER
    assert told(occasion(mentioning(room=True), sender_level=50)) == SHOUT
    assert told(occasion(mentioning(room=True), sender_level=49)) == WHISPER
    for almost in ("true", 1, [True]):
        assert told(occasion(mentioning(room=almost), sender_level=100)) == WHISPER


def test_names_in_the_text_where_the_sender_mentions_nobody() -> None:
    assert told(occasion(said("so, ALICE: look"))) == PERSONAL
    assert told(occasion(said("I like Malice"))) == WHISPER
    assert told(occasion(said("dear mrs. o'hara-smith!")), name="O'Hara-Smith") == PERSONAL
    assert told(occasion(said("dear mrs. o'hara-smithson")), name="O'Hara-Smith") == WHISPER
    assert told(occasion(said("a*b?")), name="*") == PERSONAL
    assert told(occasion(said("a")), name="*") == WHISPER
    assert told(occasion(said("Привет, ян!")), name="Ян") == PERSONAL
    assert told(occasion(said("Январь")), name="Ян") == WHISPER
    assert told(occasion(said("hello")), name="") == WHISPER
    assert told(occasion(said("alice?")), name="Wonder") == PERSONAL  # the localpart
    assert told(occasion(said("@room now"), sender_level=50)) == SHOUT
    assert told(occasion(said("@room now"), sender_level=49)) == WHISPER
    assert told(occasion({"msgtype": "m.text", "body": ["Alice"]})) == WHISPER


@pytest.mark.parametrize(("body", "found"), [("so alice ", True), ("malice ", False), ("so al ice", False)])
def test_names_are_found_in_long_texts_too(body: str, found: bool) -> None:
    for text in (body, "word " * 1000 + body, body + " word" * 1000):
        assert told(occasion(said(text))) == (PERSONAL if found else WHISPER)


def test_the_master_rule_is_above_everything() -> None:
    rules = UNCHANGED.put(Kind.OVERRIDE, "mine", {"actions": ["notify"]})
    assert told(occasion({}, type="m.room.server_acl", state_key=""), rules) == WHISPER
    rules = rules.enable(Kind.OVERRIDE, ".m.rule.master", True)
    assert told(occasion(said("Alice")), rules) is None


def test_changed_default_rules() -> None:
    silent = UNCHANGED.act(Kind.OVERRIDE, ".m.rule.contains_display_name", ("notify",))
    assert told(occasion(said("Alice")), silent) == WHISPER
    off = silent.enable(Kind.OVERRIDE, ".m.rule.contains_display_name", False)
    assert told(occasion(said("Alice")), off) == PERSONAL  # her localpart is the same word
    deaf = off.enable(Kind.CONTENT, ".m.rule.contains_user_name", False)
    assert told(occasion(said("Alice")), deaf) == WHISPER
    assert told(occasion(said("Alice"))) == PERSONAL  # that of others


def test_kinds_are_asked_in_their_order() -> None:
    def acting(sound: str) -> dict[str, Any]:
        return {"pattern": "tea", "actions": ["notify", {"set_tweak": "sound", "value": sound}]}

    rules, heard = UNCHANGED, []
    for kind, rule_id in (
        (Kind.UNDERRIDE, "u"),
        (Kind.SENDER, CAROL),
        (Kind.ROOM, ROOM),
        (Kind.CONTENT, "c"),
        (Kind.OVERRIDE, "o"),
    ):
        rules = rules.put(kind, rule_id, acting(kind.value))
        outcome = told(occasion(said("time for tea")), rules)
        heard.append(outcome and outcome[2])
    assert heard == ["underride", "sender", "room", "content", "override"]
    elsewhere = occasion(said("coffee"), room_id="!other:one", sender=BOB)
    assert told(elsewhere, rules.delete(Kind.OVERRIDE, "o")) == ("notify", False, "underride")


def test_of_rules_of_one_kind_the_first_speaks() -> None:
    rules = UNCHANGED.put(Kind.CONTENT, "tea", {"pattern": "tea", "actions": []})
    rules = rules.put(Kind.CONTENT, "time", {"pattern": "time", **NOTIFY}, after="tea")
    assert told(occasion(said("It's time for tea")), rules) is None
    assert told(occasion(said("It's time for tea")), rules.enable(Kind.CONTENT, "tea", False)) == WHISPER


MATCHES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"kind": "event_match", "key": "content.topic", "pattern": "lunc?*"}, {"topic": "Lunch plans"}, True),
    ({"kind": "event_match", "key": "content.topic", "pattern": "lunc?*"}, {"topic": "LUNCH"}, True),
    ({"kind": "event_match", "key": "content.topic", "pattern": "lunc?*"}, {"topic": " lunch"}, False),
    ({"kind": "event_match", "key": "content.topic", "pattern": "lunc?*"}, {"topic": "lunc"}, False),
    ({"kind": "event_match", "key": "content.topic", "pattern": "*"}, {"topic": None}, False),
    ({"kind": "event_match", "key": "content.topic", "pattern": "*"}, {}, False),
    (
        {"kind": "event_match", "key": "content.body", "pattern": "ex*ple"},
        {"body": "An example event."},
        True,
    ),
    ({"kind": "event_match", "key": "event_id", "pattern": "$event:one"}, {}, True),
    ({"kind": "event_match", "key": "room_id", "pattern": "!ROOM:one"}, {}, True),
    ({"kind": "event_match", "key": "room_id", "pattern": "!other:one"}, {}, False),
    ({"kind": "event_match", "key": "room_id", "pattern": "!r*"}, {}, True),
    ({"kind": "event_property_is", "key": r"content.m\.federate", "value": True}, {"m.federate": True}, True),
    (
        {"kind": "event_property_is", "key": r"content.m\.federate", "value": True},
        {"m.federate": "true"},
        False,
    ),
    ({"kind": "event_property_is", "key": r"content.m\.federate", "value": True}, {"m.federate": 1}, False),
    ({"kind": "event_property_is", "key": "content.x", "value": None}, {"x": None}, True),
    ({"kind": "event_property_is", "key": "content.x", "value": None}, {}, False),
    ({"kind": "event_property_is", "key": "content.x.y", "value": 0}, {"x": {"y": 0}}, True),
    ({"kind": "event_property_is", "key": "content.x.y", "value": "a"}, {"x": "y"}, False),
    ({"kind": "event_property_contains", "key": "content.l", "value": "#r:x"}, {"l": ["#s:x", "#r:x"]}, True),
    ({"kind": "event_property_contains", "key": "content.l", "value": ":x"}, {"l": ["#s:x", "#r:x"]}, False),
    ({"kind": "event_property_contains", "key": "content.l", "value": 1}, {"l": [True, "1", {}, [1]]}, False),
    ({"kind": "event_property_contains", "key": "content.l", "value": None}, {"l": [None]}, True),
    ({"kind": "event_property_contains", "key": "content.l", "value": "a"}, {"l": "a"}, False),
    ({"kind": "contains_display_name"}, {"body": "Alice?"}, True),
    ({"kind": "contains_display_name"}, {"body": "Bob?"}, False),
    ({"kind": "room_member_count", "is": "3"}, {}, True),
    ({"kind": "room_member_count", "is": "==4"}, {}, False),
    ({"kind": "room_member_count", "is": "<3"}, {}, False),
    ({"kind": "room_member_count", "is": "<=3"}, {}, True),
    ({"kind": "room_member_count", "is": ">2"}, {}, True),
    ({"kind": "room_member_count", "is": ">=4"}, {}, False),
    ({"kind": "sender_notification_permission", "key": "room"}, {}, False),
    ({"kind": "org.example.moon"}, {}, False),
]


@pytest.mark.parametrize(("condition", "content", "holds"), MATCHES, ids=str)
def test_conditions(condition: dict[str, Any], content: dict[str, Any], holds: bool) -> None:
    rules = UNCHANGED.put(Kind.OVERRIDE, "mine", {"conditions": [condition], **NOTIFY})
    at = occasion(content, type="org.example.event")
    assert told(at, rules) == (WHISPER if holds else None)
    both = {"conditions": [{"kind": "room_member_count", "is": "3"}, condition], **NOTIFY}
    assert told(at, UNCHANGED.put(Kind.OVERRIDE, "mine", both)) == (WHISPER if holds else None)


def test_tweaks_reach_the_device() -> None:
    actions = [
        *("coalesce", "notify", {"set_tweak": "sound", "value": 5}),
        *({"set_tweak": "light", "value": {"red": 1}}, {"set_tweak": "highlight", "value": False}),
    ]
    rules = UNCHANGED.put(Kind.OVERRIDE, "mine", {"actions": actions})
    outcome = Evaluation(occasion(said("x"))).outcomes([Reader(ALICE, "", rules)])[ALICE]
    assert (outcome.highlight, outcome.sound) == (False, None)
    assert outcome.tweaks == {"sound": 5, "light": {"red": 1}, "highlight": False}
    assert outcome.actions == tuple(actions[1:])


def test_power_levels_that_cannot_be_read_give_no_right() -> None:
    event = occasion(said("@room")).event
    levels = PowerLevels({"users": {CAROL: 100}, "notifications": {"room": "x"}}, frozenset(), RULES["11"])
    assert told(Occasion(event, 3, levels)) == WHISPER


def test_readers_may_come_in_parts() -> None:
    people = [Reader(UserId(f"@u{number}:one"), f"User {number}", UNCHANGED) for number in range(20)]
    evaluation = Evaluation(occasion(said("User 7 and u9")))
    whole = evaluation.outcomes(people)
    parts = {**evaluation.outcomes(people[:8]), **evaluation.outcomes(people[8:])}
    assert parts == whole
    assert len(whole) == 20
    assert {user_id for user_id, outcome in whole.items() if outcome.highlight} == {"@u7:one", "@u9:one"}


def outcome_rule_by_rule(at: Occasion, rules: Ruleset, name: str) -> Outcome | None:
    """The meaning of a ruleset, said slowly: every rule in its order, every condition of it."""
    for kind in Kind:
        for rule in rules.rules(kind):
            if not rule.enabled or (rule.unless_mentions and "m.mentions" in at.event.content):
                continue
            answers = [test.ask(at) for test in rule.tests]
            if all(answer if isinstance(answer, bool) else answer(ALICE, name) for answer in answers):
                return rule.outcome if rule.outcome.notify else None
    return None


KEYS = {
    "content.body": "alice",
    "type": "m.room.message",
    "room_id": ROOM,
    "state_key": ALICE,
    "sender": CAROL,
}
conditions = st.one_of(
    st.builds(
        lambda item: {"kind": "event_match", "key": item[0], "pattern": item[1]},
        st.sampled_from([*KEYS.items()]),
    ),
    st.sampled_from([condition for condition, _, _ in MATCHES]),
)
own_rules = st.tuples(
    st.sampled_from([*Kind]),
    st.sampled_from([ROOM, CAROL, "other"]),
    st.lists(conditions, max_size=2),
    st.sampled_from([[], ["notify"], ["notify", {"set_tweak": "highlight"}]]),
    st.booleans(),
)
defaults = st.sampled_from([(kind, rule.rule_id) for kind in Kind for rule in UNCHANGED.rules(kind)])
contents = st.fixed_dictionaries(
    {"body": st.sampled_from(["hello", "Alice", "@room", "time for lunch, alice"])},
    optional={
        "msgtype": st.sampled_from(["m.text", "m.notice"]),
        "membership": st.just("invite"),
        "m.mentions": st.sampled_from([{}, {"user_ids": [ALICE]}, {"room": True}]),
        "m.relates_to": st.just({"rel_type": "m.replace"}),
    },
)
types = st.sampled_from(["m.room.message", "m.room.member", "m.room.encrypted", "m.reaction", "other"])


@BOUNDED
@given(
    contents, types, st.sampled_from([2, 3]), st.lists(own_rules, max_size=4), st.lists(defaults, max_size=3)
)
def test_the_quick_way_finds_what_the_slow_one_does(
    content: dict[str, Any], event_type: str, members: int, own: list[Any], turned: list[tuple[Kind, str]]
) -> None:
    rules = UNCHANGED
    for kind, rule_id, asked, actions, enabled in own:
        body = {"conditions": asked, "actions": actions, "pattern": "alice"}
        rules = rules.put(kind, rule_id, body).enable(kind, rule_id, enabled)
    for kind, rule_id in turned:
        rules = rules.enable(kind, rule_id, not rules.find(kind, rule_id).enabled)
    at = occasion(content, type=event_type, state_key=ALICE, members=members, sender_level=50)
    quick = Evaluation(at).outcomes([Reader(ALICE, "Alice", rules)]).get(ALICE)
    slow = outcome_rule_by_rule(at, rules, "Alice")
    assert (quick and quick.actions) == (slow and slow.actions)
