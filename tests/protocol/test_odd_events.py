"""Any JSON in any field of an event raises what the protocol documents, or nothing at all."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeserver.protocol import canonical, clientevents
from homeserver.protocol.auth import auth_types_of, check_against_state, check_alone, may_redact
from homeserver.protocol.errors import (
    AuthRefused,
    BadFilter,
    BadIdentifier,
    BadPowerLevel,
    BadPushRule,
    BadSignature,
    ProtocolError,
)
from homeserver.protocol.event import Event, StateKey, check_format
from homeserver.protocol.filters import read_filter, read_room_event_filter
from homeserver.protocol.ids import EventId, ServerName, UserId
from homeserver.protocol.member import allowed_rooms_in, join_rule_in, membership_in
from homeserver.protocol.power import Level, PowerLevels, ReadableLevels
from homeserver.protocol.pushrules.defaults import notifies_everybody
from homeserver.protocol.pushrules.evaluate import Evaluation, Reader
from homeserver.protocol.pushrules.occasion import Occasion
from homeserver.protocol.pushrules.rules import Kind, read_rule
from homeserver.protocol.pushrules.ruleset import UNCHANGED
from homeserver.protocol.redact import redact
from homeserver.protocol.resolve import resolve
from homeserver.protocol.signing import SigningKey, content_hash_matches, required_signers, verify_event
from homeserver.protocol.versions import RULES, RoomRules, version_of_create
from homeserver.protocol.visibility import Moment, history_visibility_of, may_see
from tests.protocol.history import key_of

ALICE, BOB, ROOM = "@alice:one", "@bob:two", "!room:one"
KEY: SigningKey = key_of("one")
FIELDS: Mapping[str, Sequence[str]] = {
    "m.room.create": ("creator", "room_version", "additional_creators", "m.federate", "predecessor", "type"),
    "m.room.member": (
        *("membership", "displayname", "avatar_url", "reason", "third_party_invite"),
        "join_authorised_via_users_server",
    ),
    "m.room.power_levels": (
        *("users", "events", "notifications", "users_default", "events_default", "state_default"),
        *("ban", "kick", "redact", "invite"),
    ),
    "m.room.join_rules": ("join_rule", "allow"),
    "m.room.history_visibility": ("history_visibility",),
    "m.room.third_party_invite": ("public_key", "public_keys", "display_name"),
    "m.room.redaction": ("redacts", "reason"),
    "m.room.aliases": ("aliases",),
    "m.room.message": ("msgtype", "body", "m.mentions", "m.relates_to", "m.new_content", "url"),
}
TEXTS = st.sampled_from(
    (
        *("", "x", "\0", "50", "join", "invite", "leave", "ban", "knock", "public", "restricted", "a" * 300),
        *(
            ALICE,
            BOB,
            ROOM,
            "#alias:one",
            "$event",
            "@:",
            "@no colon",
            "m.replace",
            "12",
            "shared",
            "one",
            "token",
        ),
        *("ed25519:test", KEY.verify_key_base64, "m.room_membership", "1e3", " 7 ", "-1"),
    )
)
NAMES = st.sampled_from(
    (
        *("x", ALICE, BOB, "one", "ed25519:test", "signed", "mxid", "token", "signatures", "room_id", "type"),
        *("rel_type", "event_id", "user_ids", "room", "m.room.name", "public_key", "kind", "key", "value"),
    )
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
ODD = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
LEVELS: Sequence[Callable[[PowerLevels], Level]] = (
    lambda levels: levels.user(ALICE),
    lambda levels: levels.event("m.room.name", is_state=True),
    lambda levels: levels.invite,
    lambda levels: levels.kick,
    lambda levels: levels.ban,
    lambda levels: levels.redact,
    lambda levels: levels.notification("room"),
)
VERSIONS = st.sampled_from(sorted(RULES))


def contents(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={**dict.fromkeys(FIELDS[kind], ODD), "x": ODD})


@st.composite
def odd_events(
    draw: st.DrawFn,
    rules: RoomRules,
    kind: str = "",
    content: Any = None,
    key: Any = None,
    event_id: str = "",
) -> Event:
    """An event as it comes out of the store: its own fields are right, of its content nothing need be."""
    kind = kind or draw(st.sampled_from(sorted(FIELDS)))
    if key is None:
        key = draw(st.none() | st.sampled_from(("", ALICE, BOB, "token", "one")))
    pdu = {
        "type": kind,
        "sender": draw(st.sampled_from((ALICE, BOB))),
        "content": draw(contents(kind)) if content is None else content,
        "origin_server_ts": draw(st.integers(0, 3)),
        "depth": draw(st.integers(0, 3)),
        "room_id": ROOM,
        "prev_events": draw(st.sampled_from(((), ("$create",), ("$x",)))),
        "auth_events": (),
        "redacts": draw(ODD),
    }
    if key is not None:
        pdu["state_key"] = key
    event_id = EventId(event_id or f"${draw(st.integers(0, 2**40))}")
    return Event.from_parts(pdu, canonical.encode(pdu), rules, event_id)


@st.composite
def odd_states(draw: st.DrawFn, rules: RoomRules) -> dict[StateKey, Event]:
    """A state of which any content may be odd; mostly Alice is in the room, so that rules are reached."""
    keys = [("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.join_rules", "")]
    keys += [("m.room.history_visibility", ""), ("m.room.third_party_invite", "token")]
    keys += [("m.room.member", ALICE), ("m.room.member", BOB)]
    state = {}
    for key in keys:
        if draw(st.integers(0, 3)):
            joined = {"membership": "join"} if key[0] == "m.room.member" and draw(st.booleans()) else None
            event = draw(odd_events(rules, key[0], joined, key[1]))
            state[event.key] = event
    return state


@given(st.data(), VERSIONS)
def test_rules_refuse_and_do_nothing_else(data: st.DataObject, version: str) -> None:
    rules = RULES[version]
    state = data.draw(odd_states(rules))
    event = data.draw(odd_events(rules))
    with suppress(AuthRefused):
        check_against_state(event, state, rules)
    with suppress(AuthRefused):
        check_against_state(event, state, rules, signers=[ServerName("one")])
    with suppress(AuthRefused):
        check_alone(event, list(state.values()), rules, create=state.get(("m.room.create", "")))
    auth_types_of(event, rules)
    for target in state.values():
        may_redact(event, target, PowerLevels.from_state(state, rules))
    with suppress(ProtocolError):
        version_of_create(event.content)


@given(st.data(), VERSIONS)
def test_a_state_of_odd_events_can_be_read(data: st.DataObject, version: str) -> None:
    rules = RULES[version]
    state = data.draw(odd_states(rules))
    levels, readable = PowerLevels.from_state(state, rules), ReadableLevels.from_state(state, rules)
    for ask in LEVELS:
        shown = ask(readable)
        assert isinstance(shown, int | float)
        with suppress(BadPowerLevel):
            assert ask(levels) == shown
    assert isinstance(membership_in(state, ALICE), str)
    assert isinstance(join_rule_in(state), str)
    assert all(isinstance(one, str) for one in allowed_rooms_in(state))
    before = Moment.from_state(state, BOB)
    for event in state.values():
        history_visibility_of(event)
        may_see(event, BOB, before, joined_later=True)


@given(st.data(), VERSIONS)
def test_states_of_odd_events_resolve(data: st.DataObject, version: str) -> None:
    rules = RULES[version]
    states = [data.draw(odd_states(rules)) for _ in range(2)]
    events = {event.event_id: event for state in states for event in state.values()}
    create = data.draw(odd_events(rules, "m.room.create", key="", event_id="$room:one"))
    events[create.event_id] = create  # which the room id names in some versions
    ids = [{key: event.event_id for key, event in state.items()} for state in states]
    found = resolve(ids, events, rules)
    assert set(found.values()) <= set(events)


@given(st.data(), VERSIONS)
def test_a_pdu_of_anything_is_well_formed_or_not(data: st.DataObject, version: str) -> None:
    rules = RULES[version]
    names = (
        "type",
        "sender",
        "state_key",
        "content",
        "room_id",
        "depth",
        "prev_events",
        "auth_events",
        "redacts",
    )
    more = ("hashes", "signatures", "unsigned", "origin_server_ts", "event_id", "origin", "membership")
    right = {
        "type": "m.room.member",
        "sender": ALICE,
        "content": {},
        "room_id": ROOM,
        "depth": 1,
        "prev_events": [],
        "auth_events": [],
        "hashes": {"sha256": "x"},
        "signatures": {},
        "origin_server_ts": 1,
    }
    kept = {name: right[name] for name in data.draw(st.sets(st.sampled_from(sorted(right))))}
    pdu = {**data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys((*names, *more), ODD))), **kept}
    with suppress(ProtocolError):
        redact(pdu, rules)
    try:
        check_format(pdu, rules)
    except ProtocolError:
        return
    Event.from_pdu(pdu, rules)
    content_hash_matches(pdu)
    with suppress(BadIdentifier):
        required_signers(pdu, rules)
    with suppress(BadSignature):
        verify_event(pdu, rules, "one", {KEY.key_id: KEY.verify_key})


@given(st.data(), VERSIONS)
def test_clients_get_an_odd_event_as_it_is(data: st.DataObject, version: str) -> None:
    rules = RULES[version]
    event, other = data.draw(odd_events(rules)), data.draw(odd_events(rules))
    clientevents.stripped(event)
    paths = (("content", "body"), ("content", "m.relates_to", "rel_type"), ("content",), ("x",))
    for form in (
        clientevents.form_of(event, replaced=other, because=clientevents.form_of(other)),
        clientevents.form_of(clientevents.bare(event)),
        clientevents.form_of(event, fields=paths),
        clientevents.federation_form_of(event, replaced=other),
    ):
        aside = clientevents.ReaderUnsigned(5, "txn", "join", with_previous=True)
        assert json.loads(form.render(aside))["event_id"] == event.event_id


@given(st.data(), VERSIONS)
def test_push_rules_look_at_anything(data: st.DataObject, version: str) -> None:
    rules = RULES[version]
    event = data.draw(odd_events(rules))
    levels = PowerLevels.from_state(data.draw(odd_states(rules)), rules)
    ruleset = UNCHANGED
    for number, kind in enumerate(Kind):
        names = st.sampled_from(
            ("content.body", "content.m\\.mentions.user_ids", "content.m\\.relates_to", "sender")
        )
        conditions = data.draw(
            st.lists(
                st.fixed_dictionaries(
                    {
                        "kind": TEXTS
                        | st.sampled_from(("event_match", "event_property_is", "event_property_contains"))
                    },
                    optional={"key": names | ODD, "pattern": TEXTS | ODD, "value": ODD, "is": ODD},
                )
                | ODD,
                max_size=2,
            )
            | ODD
        )
        body = {"actions": data.draw(ODD | st.just(["notify"])), "conditions": conditions}
        with suppress(BadPushRule):
            read_rule(kind, "x", {"pattern": data.draw(ODD), **body})
            ruleset = ruleset.put(kind, f"{number}", {"pattern": data.draw(TEXTS), **body})
    readers = [Reader(UserId(BOB), "Bob", UNCHANGED), Reader(UserId(ALICE), "", ruleset)]
    Evaluation(Occasion(event, 3, levels)).outcomes(readers)
    notifies_everybody(event)


@given(st.data(), VERSIONS)
def test_filters_pass_an_event_or_not(data: st.DataObject, version: str) -> None:
    lists = ("types", "not_types", "senders", "not_senders", "rooms", "rel_types", "not_rel_types")
    fields = dict.fromkeys(
        (*lists, "limit", "contains_url", "lazy_load_members", "related_by_rel_types"), ODD
    )
    wanted = data.draw(st.fixed_dictionaries({}, optional=fields) | ODD)
    event = data.draw(odd_events(RULES[version]))
    with suppress(BadFilter):
        read_room_event_filter(wanted).passes(event)
    inner = {"timeline": wanted, "state": data.draw(ODD), "rooms": data.draw(ODD)}
    with suppress(BadFilter):
        read_filter({"room": inner})
    with suppress(BadFilter):
        read_filter({name: data.draw(ODD) for name in ("event_fields", "event_format", "presence")})
    with_relation = {"rel_types": ["m.replace"], "contains_url": True}
    read_room_event_filter(with_relation).passes(event)


@pytest.mark.parametrize("kind", [["x"], {"x": 1}, None, 1])
def test_a_type_that_is_no_text_has_nothing_to_keep(kind: object) -> None:
    for rules in RULES.values():
        assert redact({"type": kind, "content": {"body": "x"}}, rules)["content"] == {}
