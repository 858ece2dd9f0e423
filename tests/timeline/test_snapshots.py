"""States in memory: one step sets and takes out any number of keys."""

from collections.abc import Awaitable, Callable

from homeserver.clock import FakeClock
from homeserver.model import Draft
from homeserver.protocol.ids import make_room_id
from homeserver.protocol.signing import SigningKey
from homeserver.protocol.versions import rules_for
from homeserver.settings.models import TimelineSettings
from homeserver.timeline.build import Signer, extend, new_head
from homeserver.timeline.heads import Changes, Snapshot
from tests.timeline.conftest import ALICE, SERVER, SERVERS, Writing, message, room_drafts


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


async def test_rooms_with_large_states_leave_the_cache(workers: Callable[..., Awaitable[Writing]]) -> None:
    """The bytes of the state events count, also those that come while a room is in use."""
    writing = await workers(TimelineSettings(max_state_bytes=2**20))
    rooms = [await writing.new_room() for _ in range(3)]
    for room_id in rooms:
        large = [
            Draft("org.example.large", ALICE, {"text": "x" * 60_000}, state_key=str(n)) for n in range(9)
        ]
        await writing.timeline.send(room_id, large)
        await writing.timeline.send(room_id, [message("there")])
    await writing.timeline.head(rooms[2])
    assert [writing.heads.known(room_id) is not None for room_id in rooms] == [False, False, True]
    for room_id in rooms:
        state = (await writing.timeline.head(room_id)).state
        assert state.size == sum(len(event.json) for event in state.events.values()) > 500_000
        assert await writing.faults(room_id) == []
