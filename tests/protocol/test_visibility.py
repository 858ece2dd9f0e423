"""Who may see which part of a room's history."""

from itertools import product

import pytest

from homeserver.protocol.visibility import Moment, allows, history_visibility_of, may_see, server_may_see

from .history import History

ALICE, BOB, CAROL = "@alice:one", "@bob:two", "@carol:three"
MEMBERSHIPS = ["join", "invite", "leave", "ban", "knock"]

SEEN = {  # what a reader who never joins later may see, by membership at the event
    "world_readable": set(MEMBERSHIPS),
    "shared": {"join"},
    "invited": {"join", "invite"},
    "joined": {"join"},
}


@pytest.mark.parametrize(("visibility", "membership"), list(product(SEEN, MEMBERSHIPS)))
def test_the_table(visibility: str, membership: str) -> None:
    moment = Moment(visibility, membership)
    assert allows(moment, joined_later=False) is (membership in SEEN[visibility])
    shared = visibility == "shared"
    assert allows(moment, joined_later=True) is (shared or membership in SEEN[visibility])


def room_with(visibility: object) -> History:
    room = History.begin("12")
    room.add(ALICE, "m.room.join_rules", {"join_rule": "public"}, "")
    room.add(ALICE, "m.room.history_visibility", {"history_visibility": visibility}, "")
    return room


def sees(room: History, user_id: str, *, joined_later: bool = False) -> bool:
    """Whether the user may see the last event of the room."""
    assert room.last is not None
    event = room.events[room.last]
    before = Moment.from_state(room.full(room.state_before(event.prev_events)), user_id)
    return may_see(event, user_id, before, joined_later=joined_later)


@pytest.mark.parametrize("value", [None, "", "everybody", 5, ["joined"]], ids=repr)
def test_an_unknown_value_means_shared(value: object) -> None:
    room = room_with(value)
    assert history_visibility_of(room.state["m.room.history_visibility", ""]) == "shared"
    assert history_visibility_of(None) == "shared"
    room.add(ALICE, "m.room.message", {})
    assert sees(room, BOB, joined_later=True)
    assert not sees(room, BOB)


def test_after_leaving_nothing_new_is_seen_unless_all_the_world_sees_it() -> None:
    for visibility, after in (("shared", False), ("joined", False), ("world_readable", True)):
        room = room_with(visibility)
        room.join(BOB)
        room.add(ALICE, "m.room.message", {"n": 1})
        assert sees(room, BOB)
        room.member(BOB, BOB, "leave")
        assert sees(room, BOB)
        room.add(ALICE, "m.room.message", {"n": 2})
        assert sees(room, BOB) is after


def test_one_s_own_membership_is_seen_from_either_side() -> None:
    room = room_with("joined")
    room.member(ALICE, BOB, "invite")
    assert not sees(room, BOB)
    room.join(BOB)
    assert sees(room, BOB)
    assert not sees(room, CAROL)
    room.member(ALICE, BOB, "ban")
    assert sees(room, BOB)
    invited = room_with("invited")
    invited.member(ALICE, BOB, "invite")
    assert sees(invited, BOB)
    assert not sees(invited, CAROL)


def test_somebody_else_s_membership_is_not_one_s_own() -> None:
    room = room_with("joined")
    room.join(CAROL)
    assert not sees(room, BOB)


def test_a_change_of_visibility_is_seen_by_who_may_see_before_or_after() -> None:
    for before, after, expected in (
        ("joined", "world_readable", True),
        ("world_readable", "joined", True),
        ("joined", "invited", False),
        ("joined", None, False),
    ):
        room = room_with(before)
        room.add(ALICE, "m.room.history_visibility", {"history_visibility": after}, "")
        assert sees(room, BOB) is expected, (before, after)


def test_a_server_sees_what_one_of_its_users_sees() -> None:
    assert server_may_see("joined", ["leave", "join"], joined_later=False)
    assert not server_may_see("joined", ["invite", "leave"], joined_later=True)
    assert server_may_see("invited", ["invite"], joined_later=False)
    assert server_may_see("shared", [], joined_later=True)
    assert not server_may_see("shared", [], joined_later=False)
    assert server_may_see("world_readable", [], joined_later=False)
