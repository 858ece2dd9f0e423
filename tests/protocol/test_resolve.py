"""State resolution: recorded results, stories of forked rooms, and what must hold for every fork."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha1
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeserver.protocol.errors import AuthRefused, MissingEvent
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import EventId
from homeserver.protocol.power import CREATE_KEY
from homeserver.protocol.resolve import resolve
from homeserver.protocol.versions import RULES

from .history import History, State
from .vectors import BOUNDED, cut_down_event, load

ALICE, BOB, CAROL, DAVE = "@alice:one", "@bob:two", "@carol:one", "@dave:three"
NAME, TOPIC = ("m.room.name", ""), ("m.room.topic", "")
CASES = load("vectors-state")["cases"]


def case_of(index: int) -> tuple[dict[EventId, Event], list[State], State]:
    case = CASES[index]
    rules = RULES[case["room_version"]]
    events = [cut_down_event(pdu, rules) for pdu in case["events"]]
    states = [{(one, two): EventId(three) for one, two, three in state} for state in case["states"]]
    (resolved,) = [{(one, two): EventId(three) for one, two, three in case["resolved"]}]
    return {event.event_id: event for event in events}, states, resolved


def test_all_results_are_there() -> None:
    assert len(CASES) == 58
    assert {case["room_version"] for case in CASES} == set(RULES)


@pytest.mark.parametrize("index", range(len(CASES)))
def test_recorded_results(index: int) -> None:
    events, states, resolved = case_of(index)
    rules = RULES[CASES[index]["room_version"]]
    assert resolve(states, events, rules) == resolved
    assert resolve(states[::-1], dict(reversed(events.items())), rules) == resolved
    difference = auth_difference(states, events)
    assert resolve(states, events, rules, auth_difference=difference) == resolved


def auth_difference(states: Sequence[State], events: Mapping[EventId, Event]) -> set[EventId]:
    """As section 13 defines it, in the plainest way."""

    def chain(event_ids: Iterable[EventId]) -> set[EventId]:
        found: set[EventId] = set()
        todo = list(event_ids)
        while todo:
            found.add(todo[-1])
            todo += [one for one in events[todo.pop()].auth_events if one not in found]
        return found

    chains = [chain(state.values()) for state in states]
    return set[EventId].union(*chains) - set[EventId].intersection(*chains)


# Stories


def forked_room(version: str) -> History:
    """Alice has 100 (or made the room), Bob may set the name and topic. Everybody may join; Carol and Dave did."""
    room = History.begin(version)
    room.add(ALICE, "m.room.join_rules", {"join_rule": "public"}, "")
    for ts, user_id in enumerate((BOB, CAROL, DAVE)):
        room.join(user_id, ts=ts)
    users = {BOB: 50} if room.rules.additional_creators else {ALICE: 100, BOB: 50}
    room.power(ALICE, {"users": users})
    return room


def branch(room: History, *events: tuple[Any, ...], start: EventId, ts: int) -> EventId:
    """Add events one after the other from `start`; each is (sender, type, content, state_key)."""
    last = start
    for offset, (sender, event_type, content, state_key) in enumerate(events):
        last = room.add(sender, event_type, content, state_key, after=[last], ts=ts + offset).event_id
    return last


def content_at(room: History, heads: Sequence[EventId], key: StateKey) -> Any:
    state = room.state_before(heads)
    return dict(room.events[state[key]].content) if key in state else None


def test_one_state_needs_no_resolution() -> None:
    room = forked_room("12")
    assert room.last is not None
    state = room.state_after[room.last]
    assert resolve([], {}, RULES["12"]) == {}
    assert resolve([state], {}, RULES["12"]) == state
    assert resolve([state, dict(reversed(state.items()))], {}, RULES["12"]) == state


@pytest.mark.parametrize("version", [version for version in RULES if version != "1"])
def test_a_ban_wins_over_what_the_banned_did_meanwhile(version: str) -> None:
    room = forked_room(version)
    assert room.last is not None
    start = room.last
    banned = branch(room, (ALICE, "m.room.member", {"membership": "ban"}, BOB), start=start, ts=100)
    named = branch(room, (BOB, *NAME[:1], {"name": "mine"}, ""), start=start, ts=50)
    heads = [banned, named]
    assert content_at(room, heads, ("m.room.member", BOB)) == {"membership": "ban"}
    assert content_at(room, heads, NAME) is None
    room.add(CAROL, "m.room.message", {"body": "on we go"}, after=heads)
    with pytest.raises(AuthRefused):
        room.add(BOB, "m.room.message", {}, after=heads)


@pytest.mark.parametrize("version", [version for version in RULES if version != "1"])
def test_a_demotion_wins_over_what_the_demoted_did_meanwhile(version: str) -> None:
    room = forked_room(version)
    assert room.last is not None
    start = room.last
    users = {} if room.rules.additional_creators else {ALICE: 100}
    demoted = branch(room, (ALICE, "m.room.power_levels", {"users": users}, ""), start=start, ts=100)
    named = branch(room, (BOB, "m.room.topic", {"topic": "mine"}, ""), start=start, ts=50)
    assert content_at(room, [demoted, named], TOPIC) is None


@pytest.mark.parametrize("version", [version for version in RULES if version != "1"])
def test_of_two_allowed_changes_the_later_stays(version: str) -> None:
    room = forked_room(version)
    assert room.last is not None
    start = room.last
    by_bob = branch(room, (BOB, "m.room.name", {"name": "bob's"}, ""), start=start, ts=200)
    by_alice = branch(room, (ALICE, "m.room.name", {"name": "alice's"}, ""), start=start, ts=100)
    assert content_at(room, [by_bob, by_alice], NAME) == {"name": "bob's"}


def test_in_version_1_the_deeper_change_stays() -> None:
    room = forked_room("1")
    assert room.last is not None
    start = room.last
    message: tuple[Any, ...] = (BOB, "m.room.message", {}, None)
    deep = branch(room, message, message, (BOB, "m.room.name", {"name": "bob's"}, ""), start=start, ts=0)
    flat = branch(room, (ALICE, "m.room.name", {"name": "alice's"}, ""), start=start, ts=500)
    assert content_at(room, [deep, flat], NAME) == {"name": "bob's"}


def test_a_key_that_only_one_state_has_is_no_conflict_in_version_1_alone() -> None:
    for version, stays in (("1", True), ("2", False), ("12", False)):
        room = forked_room(version)
        assert room.last is not None
        start = room.last
        named = branch(room, (BOB, "m.room.name", {"name": "mine"}, ""), start=start, ts=50)
        kicked = branch(room, (ALICE, "m.room.member", {"membership": "leave"}, BOB), start=start, ts=100)
        assert (content_at(room, [named, kicked], NAME) is not None) is stays


class OldRoom:
    """Cut-down events of a room of version 1, whose conflicts are made by hand."""

    def __init__(self) -> None:
        self.events: dict[EventId, Event] = {}
        self.add("$create:one", ALICE, "m.room.create", {"creator": ALICE}, depth=1)
        self.add("$rules:one", ALICE, "m.room.join_rules", {"join_rule": "public"}, depth=2)

    def add(
        self, event_id: str, sender: str, event_type: str, content: Any, state_key: str = "", *, depth: int
    ) -> Event:
        pdu = {"event_id": event_id, "room_id": "!r:one", "type": event_type, "state_key": state_key}
        pdu |= {"sender": sender, "content": content}
        event = cut_down_event({**pdu, "depth": depth}, RULES["1"])
        self.events[event.event_id] = event
        return event

    def member(self, event_id: str, sender: str, membership: str, target: str, *, depth: int) -> Event:
        return self.add(event_id, sender, "m.room.member", {"membership": membership}, target, depth=depth)

    def resolve(self, *states: Sequence[Event]) -> dict[StateKey, EventId]:
        shared = [self.events[EventId("$create:one")], self.events[EventId("$rules:one")]]
        sets = [{event.key: event.event_id for event in (*shared, *state)} for state in states]
        return resolve(sets, self.events, RULES["1"])


def test_in_version_1_equal_depths_are_decided_by_the_sha1_of_the_id() -> None:
    room = OldRoom()
    alice = room.member("$alice:one", ALICE, "join", ALICE, depth=3)
    names = [room.add(f"$name{number}:one", ALICE, "m.room.name", {}, depth=9) for number in range(8)]
    for pair in itertools.permutations(names, 2):
        least = min(pair, key=lambda event: sha1(event.event_id.encode()).hexdigest())
        assert room.resolve([alice, pair[0]], [alice, pair[1]])[NAME] == least.event_id


def test_in_version_1_the_first_power_levels_that_fail_end_the_replacing() -> None:
    room = OldRoom()
    alice, bob = (room.member(f"${name[1:]}", name, "join", name, depth=3) for name in (ALICE, BOB))
    power = ("m.room.power_levels", "")
    first, second, third = (
        room.add(f"$power{depth}:one", sender, power[0], {"users": {ALICE: 100}}, depth=depth)
        for depth, sender in ((10, ALICE), (11, BOB), (12, ALICE))
    )
    shared = [alice, bob]
    assert room.resolve([*shared, first], [*shared, second], [*shared, third])[power] == first.event_id
    assert room.resolve([*shared, first], [*shared, third])[power] == third.event_id


def test_in_version_1_join_rules_are_judged_by_the_resolved_power_levels() -> None:
    room = OldRoom()
    alice, bob = (room.member(f"${name[1:]}", name, "join", name, depth=3) for name in (ALICE, BOB))
    rules = ("m.room.join_rules", "")
    old_rules = room.add("$rules1:one", ALICE, rules[0], {"join_rule": "invite"}, depth=5)
    new_rules = room.add("$rules2:two", BOB, rules[0], {"join_rule": "public"}, depth=20)
    old_power, new_power = (
        room.add(f"$power{depth}:one", ALICE, "m.room.power_levels", {"users": users}, depth=depth)
        for depth, users in ((10, {ALICE: 100}), (12, {ALICE: 100, BOB: 50}))
    )
    resolved = room.resolve([alice, bob, old_rules, old_power], [alice, bob, new_rules, new_power])
    assert resolved[rules] == new_rules.event_id


def test_in_version_1_conflicted_members_do_not_see_each_other() -> None:
    """Bob's invite needs Alice to be joined, but her membership is in conflict too."""
    room = OldRoom()
    joined = room.member("$alice1:one", ALICE, "join", ALICE, depth=4)
    again = room.member("$alice2:one", ALICE, "join", ALICE, depth=9)
    left = room.member("$bob1:two", BOB, "leave", BOB, depth=5)
    invited = room.member("$bob2:one", ALICE, "invite", BOB, depth=8)
    for one, two in (([joined, left], [again, invited]), ([invited, again], [left, joined])):
        resolved = room.resolve(one, two)
        assert resolved["m.room.member", ALICE] == again.event_id
        assert resolved["m.room.member", BOB] == left.event_id


def test_a_missing_event_is_named() -> None:
    for version in ("1", "2", "12"):
        room = forked_room(version)
        assert room.last is not None
        start = room.last
        one = branch(room, (BOB, "m.room.name", {"name": "one"}, ""), start=start, ts=1)
        two = branch(room, (BOB, "m.room.name", {"name": "two"}, ""), start=start, ts=2)
        states = [room.state_after[one], room.state_after[two]]
        known = {event_id: event for event_id, event in room.events.items() if event_id != two}
        with pytest.raises(MissingEvent) as missing:
            resolve(states, known, room.rules)
        assert missing.value.event_id == two


def test_a_rejected_auth_event_does_not_help() -> None:
    """Bob's name hangs on power levels that one state does not have; without them it fails."""
    room = forked_room("11")
    assert room.last is not None
    start, before = room.last, room.state_after[room.last]
    power = room.power(ALICE, {"users": {ALICE: 100, BOB: 50, CAROL: 50}}, after=[start], ts=5)
    named = room.add(CAROL, "m.room.name", {"name": "carol's"}, "", after=[power.event_id], ts=6)
    states = [{**before, NAME: named.event_id}, before]
    for state in states:
        del state["m.room.power_levels", ""]
    difference = {named.event_id}
    kept = resolve(states, room.events, room.rules, auth_difference=difference)
    assert kept[NAME] == named.event_id
    rejected = {power.event_id}
    lost = resolve(states, room.events, room.rules, rejected=rejected, auth_difference=difference)
    assert NAME not in lost


@pytest.mark.parametrize("version", ["2", "12"])
def test_long_chains_neither_recurse_nor_take_long(version: str) -> None:
    """Two branches of 1500 power levels each, as an attacker could make them."""
    rules = RULES[version]
    created = {} if rules.room_id_is_hash else {"room_id": "!r:one"}
    room_id = "!" + "c" * 43 if rules.room_id_is_hash else "!r:one"
    create_id = "$" + "c" * 43 if rules.room_id_is_hash else "$c:one"

    def event(event_id: str, event_type: str, state_key: str, auth: list[str], **content: Any) -> Event:
        pdu = {
            "event_id": event_id,
            "room_id": room_id,
            "type": event_type,
            "state_key": state_key,
            "sender": ALICE,
        }
        in_auth = auth if rules.room_id_is_hash else [create_id, *auth]
        return cut_down_event({**pdu, "content": content, "auth_events": in_auth}, rules)

    create = {"event_id": create_id, "type": "m.room.create", "state_key": "", "sender": ALICE, **created}
    found = [cut_down_event({**create, "content": {"creator": ALICE}}, rules)]
    found.append(event("$join:one", "m.room.member", ALICE, [], membership="join"))
    users = {} if rules.room_id_is_hash else {ALICE: 100}
    states = []
    for name in ("left", "right"):
        auth = ["$join:one"]
        for number in range(1500):
            found.append(
                event(f"${name}{number}:one", "m.room.power_levels", "", auth, users=users, n=number)
            )
            auth = ["$join:one", found[-1].event_id]
        found.append(event(f"$name-{name}:one", "m.room.name", "", auth))
        states.append({one.key: one.event_id for one in (*found[:2], found[-2], found[-1])})
    events = {one.event_id: one for one in found}
    resolved = resolve(states, events, rules)
    assert resolved.keys() == states[0].keys()
    assert resolved[CREATE_KEY] == create_id


# What holds for every fork

USERS = [ALICE, BOB, CAROL, DAVE]
ACTIONS = ["name", "topic", "power", "rules", "join", "leave", "invite", "ban", "message"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(ACTIONS),
        st.integers(0, 3),
        st.integers(0, 3),
        st.lists(st.integers(0, 3), min_size=1, max_size=2),
        st.integers(0, 3),
    ),
    min_size=6,
    max_size=22,
)
Step = tuple[str, int, int, list[int], int]


def grow(version: str, steps: Sequence[Step]) -> History:
    """A room whose branches grow at random; what the auth rules refuse is left out."""
    room = forked_room(version)
    for action, sender, target, back, ts in steps:
        recent = list(room.events)[-4:]
        after = list(dict.fromkeys(recent[-1 - one] for one in back))
        try:
            act(room, action, (USERS[sender], USERS[target]), after, ts)
        except AuthRefused:
            continue
    return room


def act(room: History, action: str, who: tuple[str, str], after: list[EventId], ts: int) -> None:
    sender, target = who
    count = len(room.events)
    if action in ("name", "topic"):
        room.add(sender, f"m.room.{action}", {action: count}, "", after=after, ts=ts)
    elif action == "power":
        users = {} if room.rules.additional_creators else {ALICE: 100}
        room.power(sender, {"users": {**users, BOB: 25 * ts, DAVE: 50}}, after=after, ts=ts)
    elif action == "rules":
        rule = "public" if ts % 2 else "invite"
        room.add(sender, "m.room.join_rules", {"join_rule": rule}, "", after=after, ts=ts)
    elif action == "message":
        room.add(sender, "m.room.message", {"n": count}, after=after, ts=ts)
    else:
        whom = sender if action == "join" else target
        room.member(sender, whom, action, after=after, ts=ts)


@BOUNDED
@given(version=st.sampled_from(sorted(RULES)), steps=STEPS, shuffle=st.randoms(use_true_random=False))
def test_the_order_of_states_and_events_does_not_matter(
    version: str, steps: list[Step], shuffle: Any
) -> None:
    room = grow(version, steps)
    states = [room.state_after[event_id] for event_id in list(room.events)[-3:]]
    first = resolve(states, room.events, room.rules)
    for order in itertools.permutations(states):
        events, shuffled = list(room.events.items()), [list(state.items()) for state in order]
        for items in (events, *shuffled):
            shuffle.shuffle(items)
        assert resolve([dict(items) for items in shuffled], dict(events), room.rules) == first
    assert resolve([*states, *states], room.events, room.rules) == first
    assert resolve([first, first], room.events, room.rules) == first


@BOUNDED
@given(version=st.sampled_from(sorted(RULES)), steps=STEPS)
def test_the_result_is_made_of_the_room_s_events_and_keeps_what_all_agree_on(
    version: str, steps: list[Step]
) -> None:
    room = grow(version, steps)
    states = [room.state_after[event_id] for event_id in list(room.events)[-3:]]
    result = resolve(states, room.events, room.rules)
    agreed = set.intersection(*(set(state.items()) for state in states))
    assert agreed <= set(result.items())
    assert all(room.events[event_id].key == key for key, event_id in result.items())
    difference = auth_difference(states, room.events)
    assert resolve(states, room.events, room.rules, auth_difference=difference) == result
    assert {CREATE_KEY, ("m.room.member", ALICE)} <= result.keys()
