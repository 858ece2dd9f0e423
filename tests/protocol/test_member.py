"""Membership transitions (rule 6): who may join, invite, leave, kick, ban and knock."""

from dataclasses import replace
from typing import Any

import pytest

from homeserver.protocol.auth import check_against_state
from homeserver.protocol.errors import AuthRefused
from homeserver.protocol.event import Event
from homeserver.protocol.ids import ServerName
from homeserver.protocol.member import JOIN_RULES_KEY, allowed_rooms_in, join_rule_in
from homeserver.protocol.signing import SigningKey, sign_json
from homeserver.protocol.versions import RULES

from .history import History
from .vectors import cut_down_event

ALICE, BOB, CAROL = "@alice:one", "@bob:two", "@carol:one"


def rule_of(event: Event, state: Any, version: str, **given: Any) -> str | None:
    """The rule that refuses the event, None if it passes."""
    try:
        check_against_state(event, state, RULES[version], **given)
    except AuthRefused as refusal:
        return refusal.rule
    return None


def a_room(version: str) -> History:
    """Alice made it, anybody may join, Bob did."""
    room = History.begin(version)
    room.add(ALICE, "m.room.join_rules", {"join_rule": "public"}, "")
    room.join(BOB)
    return room


def test_a_member_event_has_a_target_and_a_membership() -> None:
    room = a_room("12")
    for content, state_key, rule in (
        ({"membership": "join"}, None, "6.1"),
        ({}, BOB, "6.1"),
        ({"membership": None}, BOB, "6.8"),
        ({"membership": ["join"]}, BOB, "6.8"),
        ({"membership": "visit"}, BOB, "6.8"),
    ):
        with pytest.raises(AuthRefused, match=rf"rule {rule}:"):
            room.add(BOB, "m.room.member", content, state_key)


def test_knocking_came_with_version_7() -> None:
    for version, rule in (("6", "6.8"), ("7", None), ("12", None)):
        room = History.begin(version)
        room.add(ALICE, "m.room.join_rules", {"join_rule": "knock"}, "")
        if rule is None:
            room.member(BOB, BOB, "knock")
            room.member(BOB, BOB, "leave")
            room.member(BOB, BOB, "knock")
            room.member(ALICE, BOB, "invite")
            with pytest.raises(AuthRefused, match=r"6\.7\.4"):
                room.member(BOB, BOB, "knock")
            room.join(BOB)
            with pytest.raises(AuthRefused, match=r"6\.7\.4"):
                room.member(BOB, BOB, "knock")
        else:
            with pytest.raises(AuthRefused, match=rule):
                room.member(BOB, BOB, "knock")


def test_the_first_join_looks_at_prev_events_not_at_the_state() -> None:
    for version in ("10", "11", "12"):
        room = History.begin(version, additional_creators=[CAROL])
        first = room.create.event_id
        for user_id in (BOB, CAROL):  # an additional creator is invited like anybody else
            with pytest.raises(AuthRefused, match=r"6\.3\.4"):
                room.join(user_id, after=[first])
        room.member(ALICE, ALICE, "leave")
        with pytest.raises(AuthRefused, match=r"6\.3\.4"):
            room.join(ALICE)
        room.join(ALICE, after=[first], ts=9)
        with pytest.raises(AuthRefused, match=r"6\.3\.4"):
            room.join(ALICE, after=[first, room.create.event_id])


def test_an_invite_can_be_refused_without_rules_and_levels() -> None:
    room = History.begin("12")
    room.member(ALICE, BOB, "invite")
    leave = room.member(BOB, BOB, "leave")
    needed = {
        one.key: one
        for one in room.full(room.state_before(leave.prev_events)).values()
        if one.type == "m.room.member"
    }
    assert rule_of(leave, {room.create.key: room.create, **needed}, "12") is None
    with pytest.raises(AuthRefused, match=r"6\.5\.1"):
        room.member(BOB, BOB, "leave")


def test_unbanning_needs_both_levels_and_a_greater_one_than_the_target_s() -> None:
    def room_with(**content: Any) -> History:
        room = a_room("11")
        room.join(CAROL)
        room.power(ALICE, {"users": {ALICE: 100, CAROL: 50, BOB: 10}, **content})
        room.member(ALICE, BOB, "ban")
        return room

    for content, rule in (
        ({}, None),
        ({"ban": 51}, r"6\.5\.3"),
        ({"kick": 51}, r"6\.5\.5"),
        ({"users": {ALICE: 100, CAROL: 50, BOB: 50}}, r"6\.5\.5"),
    ):
        room = room_with(**content)
        if rule is None:
            room.member(CAROL, BOB, "leave")
        else:
            with pytest.raises(AuthRefused, match=rule):
                room.member(CAROL, BOB, "leave")


def restricted_room(version: str, join_rule: str = "restricted") -> History:
    room = History.begin(version)
    room.add(ALICE, "m.room.join_rules", {"join_rule": join_rule, "allow": []}, "")
    return room


def test_a_restricted_room_lets_in_whom_a_member_with_enough_power_vouches_for() -> None:
    for version, join_rule in (("8", "restricted"), ("10", "knock_restricted"), ("12", "restricted")):
        room = restricted_room(version, join_rule)

        def join(authoriser: object, user_id: str = BOB, room: History = room) -> Event:
            content = {"membership": "join", "join_authorised_via_users_server": authoriser}
            return room.add(user_id, "m.room.member", content, user_id)

        for nobody in (CAROL, 5, None):
            with pytest.raises(AuthRefused, match=r"6\.3\.5"):
                join(nobody)
        with pytest.raises(AuthRefused, match=r"6\.3\.5"):
            room.join(BOB)
        join(ALICE)
        room.join(BOB, ts=1)  # who is joined needs nobody
        users = {} if version == "12" else {ALICE: 100}
        room.power(ALICE, {"users": users, "invite": 1})
        with pytest.raises(AuthRefused, match=r"6\.3\.5"):
            join(BOB, CAROL)
        room.member(ALICE, CAROL, "invite")
        room.join(CAROL)


@pytest.mark.parametrize(
    ("version", "join_rule"), [("7", "restricted"), ("9", "knock_restricted"), ("6", "knock"), ("12", "x")]
)
def test_join_rules_that_a_version_does_not_know_let_nobody_in(version: str, join_rule: str) -> None:
    room = restricted_room(version, join_rule)
    room.member(ALICE, BOB, "invite")
    with pytest.raises(AuthRefused, match=r"6\.3\.7"):
        room.join(BOB)


def test_the_server_that_vouches_must_have_signed() -> None:
    room = restricted_room("8")
    content = {"membership": "join", "join_authorised_via_users_server": ALICE}
    event = room.add(BOB, "m.room.member", content, BOB)
    state = room.full(room.state_before(event.prev_events))
    one, two = ServerName("one"), ServerName("two")
    assert rule_of(event, state, "8", signers={one, two}) is None
    assert rule_of(event, state, "8", signers={two}) == "6.2"
    assert rule_of(event, state, "8", signers=None) is None  # it was checked with the signatures
    leave = room.add(BOB, "m.room.member", {**content, "membership": "leave"}, BOB)
    assert rule_of(leave, room.full(room.state_before(leave.prev_events)), "8", signers={two}) == "6.2"
    nonsense = cut_down_event(
        {**event.pdu, "event_id": "$x", "content": {**content, "join_authorised_via_users_server": 5}},
        room.rules,
    )
    assert rule_of(nonsense, state, "8", signers={one}) == "6.2"


# Rule 6.4.1: third-party invites


IDENTITY_KEY = SigningKey.generate("0")


def third_party_room(version: str, **content: Any) -> History:
    room = History.begin(version)
    offer = content or {"public_key": IDENTITY_KEY.verify_key_base64}
    room.add(ALICE, "m.room.third_party_invite", offer, "token")
    return room


def third_party_invite(
    room: History, sender: str = ALICE, signer: SigningKey = IDENTITY_KEY, **signed: Any
) -> Event:
    body = sign_json({"mxid": BOB, "token": "token", **signed}, "identity", signer)
    content = {"membership": "invite", "third_party_invite": {"display_name": "bob", "signed": body}}
    return room.add(sender, "m.room.member", content, BOB)


@pytest.mark.parametrize("version", ["1", "12"])
def test_a_third_party_invite_is_good_by_its_signature(version: str) -> None:
    third_party_invite(third_party_room(version))
    among_others = {"public_key": "x", "public_keys": [5, {}, {"public_key": IDENTITY_KEY.verify_key_base64}]}
    room = third_party_room(version, **among_others)
    third_party_invite(room)
    room.join(BOB)


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"signer": SigningKey.generate("0")}, "6.4.1.8"),
        ({"mxid": CAROL}, "6.4.1.4"),
        ({"mxid": None}, "6.4.1.3"),
        ({"token": 5}, "6.4.1.3"),
        ({"token": "other"}, "6.4.1.5"),
        ({"sender": BOB}, "6.4.1.6"),
    ],
    ids=repr,
)
def test_third_party_invites_that_are_refused(given: dict[str, Any], rule: str) -> None:
    with pytest.raises(AuthRefused) as refusal:
        third_party_invite(third_party_room("12"), **given)
    assert refusal.value.rule == rule


def test_a_third_party_invite_needs_something_signed_by_a_key_of_the_offer() -> None:
    room = third_party_room("12")
    strange: list[Any] = [{}, "x", {"signed": 5}, {"signed": {}}]
    for nonsense, rule in zip(strange, ["6.4.1.2", "6.4.1.2", "6.4.1.2", "6.4.1.3"], strict=True):
        content = {"membership": "invite", "third_party_invite": nonsense}
        with pytest.raises(AuthRefused) as refusal:
            room.add(ALICE, "m.room.member", content, BOB)
        assert refusal.value.rule == rule
    unsigned = {"signed": {"mxid": BOB, "token": "token"}}
    with pytest.raises(AuthRefused, match=r"6\.4\.1\.8"):
        room.add(ALICE, "m.room.member", {"membership": "invite", "third_party_invite": unsigned}, BOB)
    with pytest.raises(AuthRefused, match=r"6\.4\.1\.8"):
        third_party_invite(third_party_room("12", public_key=5, public_keys="x"))
    room.member(ALICE, BOB, "ban")
    with pytest.raises(AuthRefused, match=r"6\.4\.1\.1"):
        third_party_invite(room)


@pytest.mark.parametrize("odd", [["x"], {"x": 1}, None, True, 1, [[{}]]])
def test_a_join_rule_that_is_no_text_lets_nobody_in(odd: Any) -> None:
    room = restricted_room("10")
    event = room.state[JOIN_RULES_KEY]
    state = {**room.state, JOIN_RULES_KEY: replace(event, content={**event.content, "join_rule": odd})}
    assert join_rule_in(state) == "invite"
    assert allowed_rooms_in(state) == []
