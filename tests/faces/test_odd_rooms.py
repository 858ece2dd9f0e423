"""Whatever JSON the state of a room holds: what people do to the room is done or refused, and nothing fails."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from tests.api.matrix.driver import CLIENT, Client
from tests.api.matrix.roomkit import create, named, path, say
from tests.api.matrix.synckit import Follower
from tests.faces.odd import LAST_STATES, ODD, TELLING, all_spoilt, states
from tests.names import fresh

STAYS = {"m.room.member": {"membership": "join"}}


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"matrix": {"enabled": True}}


@pytest.fixture
async def people(client: aiohttp.ClientSession) -> list[Client]:
    return [await Client(client).register(name) for name in ("alice", "bob", "carol")]


class Doing:
    """Calls of which each may be refused, and none may fail."""

    def __init__(self, during: str) -> None:
        self.during = during
        self.failures: list[str] = []
        self.last: Any = None

    async def ask(self, who: Client, method: str, at: str, body: Any = None) -> Any:
        at = at if at.startswith("/") else f"{CLIENT}/{at}"
        headers = {"Authorization": f"Bearer {who.token}"}
        async with who.session.request(method, at, headers=headers, json=body) as answer:
            found = await answer.json()
            if answer.status >= 500:
                self.failures.append(f"{self.during}: {method} {at}: {answer.status} {found}")
            self.last = found
            return found if answer.status == 200 else None


async def set_everything(doing: Doing, who: Client, room_id: str, odd: Any) -> list[str]:
    """All state that the rules take, each with all of its fields odd; the ids of its events.

    Not the levels: some values would take all power from who sets them.
    """
    made = []
    last = [(kind, "", normal) for kind, normal in LAST_STATES]
    for kind, key, normal in (*states(who.user_id, room_id), *last):
        if kind == "m.room.power_levels":
            continue
        for content in all_spoilt(normal, odd):
            at = path(room_id, f"state/{kind}/{quote(key, safe='')}")
            sent = await doing.ask(who, "PUT", at, {**content, **STAYS.get(kind, {})})
            made += [] if sent is None else [sent["event_id"]]
    return made


def deeds(room_id: str, other: str, target: str) -> Iterator[tuple[str, str, Any]]:
    """What somebody may try to do to a room, and to somebody else in it."""
    him = {"user_id": other}
    for rest in ("invite", "kick", "ban", "unban", "invite"):
        yield "POST", path(room_id, rest), him
    for rest in ("leave", "join", "forget", "join"):
        yield "POST", path(room_id, rest), {}
    yield "POST", f"knock/{quote(room_id)}", {}
    yield "PUT", named(f"#{fresh('odd')}:test.example"), {"room_id": room_id}
    yield "PUT", f"directory/list/room/{quote(room_id)}", {"visibility": "public"}
    yield "POST", path(room_id, f"receipt/m.read/{quote(target)}"), {}
    yield "POST", path(room_id, f"receipt/m.read/{quote(target)}"), {"thread_id": target}
    yield "POST", path(room_id, "read_markers"), {"m.fully_read": target}
    yield "POST", path(room_id, f"report/{quote(target)}"), {"reason": "odd"}
    yield "PUT", path(room_id, "typing/x"), {"typing": True}
    yield "POST", path(room_id, "send/m.room.message"), {"msgtype": "m.text", "body": "after"}


def questions(room_id: str, other: str) -> Iterator[str]:
    """What the story of all readers does not ask."""
    yield path(room_id, "timestamp_to_event?ts=1&dir=f", "v1")
    yield path(room_id, "members?not_membership=leave")
    yield path(room_id, "hierarchy", "v1")
    yield f"/_matrix/client/v1/mutual_rooms?user_id={quote(other)}"
    yield f"/_matrix/client/v1/room_summary/{quote(room_id)}"
    yield "sync?timeout=0&full_state=true"
    yield "joined_rooms"
    yield "publicRooms"


@pytest.mark.parametrize("name", sorted(TELLING | {"list of lists", "NUL", "nested"}))
async def test_what_is_done_to_a_room_with_odd_state(people: list[Client], name: str) -> None:
    alice, bob, carol = people
    odd, doing = ODD[name], Doing(name)
    room_id = await create(alice, bob, room_version="11")
    target = await say(alice, room_id, "target")
    made = await set_everything(doing, alice, room_id, odd)
    assert len(made) > 15, "what is refused tests nobody"
    await doing.ask(alice, "PUT", f"profile/{quote(alice.user_id)}/displayname", {"displayname": "Al"})
    for version in ("10", "12"):
        moved = await doing.ask(alice, "POST", path(room_id, "upgrade"), {"new_version": version})
        assert moved is not None, doing.last
        await doing.ask(alice, "POST", path(moved["replacement_room"], "invite"), {"user_id": bob.user_id})
        await doing.ask(bob, "POST", path(moved["replacement_room"], "join"), {})
    for who, other in ((carol, bob), (bob, carol), (alice, bob), (alice, carol)):
        for method, at, body in deeds(room_id, other.user_id, target):
            await doing.ask(who, method, at, body)
        for at in questions(room_id, other.user_id):
            await doing.ask(who, "GET", at)
    for event_id in made:
        await doing.ask(alice, "POST", path(room_id, f"redact/{quote(event_id)}"), {})
    await Follower(bob).sync()
    assert not doing.failures, "\n".join(doing.failures)
    await create(alice, bob, name="all else goes on")
