"""States in memory: one step sets and takes out any number of keys."""

from homeserver.clock import FakeClock
from homeserver.protocol.ids import make_room_id
from homeserver.protocol.signing import SigningKey
from homeserver.protocol.versions import rules_for
from homeserver.timeline.build import Signer, extend, new_head
from homeserver.timeline.heads import Changes, Snapshot
from tests.timeline.conftest import SERVER, SERVERS, message, room_drafts


def a_state(key: SigningKey) -> Snapshot:
    """The state of an ordinary room."""
    head = new_head(make_room_id("room", SERVER), rules_for("11"), SERVERS)
    for draft in room_drafts():
        head, built = extend(head, draft, Signer(SERVER, key, 100), FakeClock().now_ms(), "")
        assert dict(built.changes) == {built.event.key: built.event}
    return head.state


def test_a_step_sets_and_takes_out_many_keys(key: SigningKey) -> None:
    before = a_state(key)
    (levels_key, levels), (rules_key, rules), *rest = sorted(
        before.events.items(), key=lambda one: one[0][0] not in ("m.room.power_levels", "m.room.join_rules")
    )
    changes: Changes = {levels_key: None, rules_key: levels, ("m.room.name", ""): rules, ("gone", ""): None}
    after = before.changed(changes, 100)
    assert dict(after.events) == {**dict(rest), rules_key: levels, ("m.room.name", ""): rules}
    assert before.events[levels_key] is levels
    assert after.chain == before.chain + 1
    assert after.state_id is None


def test_a_chain_that_grew_long_begins_anew(key: SigningKey) -> None:
    state = a_state(key)
    _, event = next(iter(state.events.items()))
    chains = []
    for _ in range(6):
        state = state.changed({event.key: event}, 5)
        chains.append(state.chain)
    assert chains == [4, 5, 0, 1, 2, 3]


def test_what_is_no_state_changes_none(key: SigningKey) -> None:
    head = new_head(make_room_id("room", SERVER), rules_for("11"), SERVERS)
    signer = Signer(SERVER, key, 100)
    for draft in room_drafts():
        head, _ = extend(head, draft, signer, 1, "")
    after, built = extend(head, message("hi"), signer, 1, "")
    assert not built.changes
    assert built.before is built.after is after.state is head.state
