"""What people try to see who may not: in rooms of each history visibility, before, between and after they were there.

Everybody asks everything that hands out events, state or people; all that they are answered is searched for words that
were said where they may not look. The room's own member finds every word by the same calls.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from homeserver.lifecycle import Running
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say
from tests.api.matrix.test_search import indexed

WORDS = frozenset(
    {
        *("wordbefore", "wordduring", "wordafter", "topicbefore", "topicduring", "topicafter"),
        *("editafter", "threadafter", "reasonafter", "refafter"),
    }
)
# who may see what; what is true of all rooms: the state at the time of one's joining, and of one's invite
BEFORE, DURING = {"wordbefore"}, {"wordduring"}
STATE = {"topicbefore", "topicduring"}
ASKED = {"topicduring"}
SINCE_INVITE = {"wordafter", "topicafter", "editafter", "threadafter", "reasonafter", "refafter"}
ALLOWED: Mapping[str, Mapping[str, set[str]]] = {
    "joined": {
        "outsider": set(),
        "guest": set(),
        "invited": ASKED,
        "left": {*STATE, *DURING},
        "banned": {*STATE, *DURING},
    },
    "invited": {
        "outsider": set(),
        "guest": set(),
        "invited": {*ASKED, *SINCE_INVITE},
        "left": {*STATE, *DURING},
        "banned": {*STATE, *DURING},
    },
    "shared": {
        "outsider": set(),
        "guest": set(),
        "invited": ASKED,
        "left": {*STATE, *BEFORE, *DURING},
        "banned": {*STATE, *BEFORE, *DURING},
    },
    "world_readable": {name: set(WORDS) for name in ("outsider", "guest", "invited", "left", "banned")},
}


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"matrix": {"enabled": True, "search_gather_s": 0}, "guest_accounts": {"enabled": True}}


@dataclass
class World:
    """A room with its history. `events`: the messages, and what relates to them; `token`: from before all of it."""

    room_id: str
    alice: Client
    people: dict[str, Client]
    events: Sequence[str]
    token: str


async def told(
    client: Client, method: str, at: str, body: Any = None, query: Mapping[str, Any] | None = None
) -> tuple[int, str]:
    """The status and the text of an answer, whatever it is."""
    at = at if at.startswith("/") else f"/_matrix/client/v3/{at}"
    headers = {"Authorization": f"Bearer {client.token}"} if client.token else {}
    async with client.session.request(method, at, json=body, params=query, headers=headers) as answer:
        return answer.status, await answer.text()


def calls(world: World) -> list[tuple[str, str, Any, dict[str, Any]]]:
    """Everything that may hand out something of the room: (method, path, body, query)."""
    room = world.room_id
    found: list[tuple[str, str, Any, dict[str, Any]]] = [
        ("GET", path(room, "messages"), None, {"dir": way, "limit": 100, **more})
        for way in ("b", "f")
        for more in ({}, {"from": "t0"}, {"from": world.token}, {"from": "t999999"}, {"filter": LAZY})
    ]
    found += [
        ("GET", path(room, rest), None, query)
        for rest, query in (
            ("state", {}),
            ("state/m.room.topic", {}),
            ("state/m.room.topic/", {"format": "event"}),
            ("members", {}),
            ("members", {"at": "t999999"}),
            ("joined_members", {}),
            ("aliases", {}),
        )
    ]
    found += [
        ("GET", path(room, "threads", "v1"), None, {}),
        ("GET", path(room, "timestamp_to_event", "v1"), None, {"ts": 0, "dir": "f"}),
        ("GET", path(room, "timestamp_to_event", "v1"), None, {"ts": 2**50, "dir": "b"}),
        ("GET", "sync", None, {"filter": WITH_LEFT, "timeout": 0}),
        ("GET", "sync", None, {"since": "s1", "timeout": 0}),
        ("GET", "sync", None, {"full_state": "true", "timeout": 0}),
    ]
    for word in sorted(WORDS):
        request = {"search_term": word, "event_context": {}, "include_state": True}
        found.append(("POST", "search", {"search_categories": {"room_events": request}}, {}))
    for event_id in world.events:
        one = quote(event_id)
        found.append(("GET", path(room, f"event/{one}"), None, {}))
        found.append(("GET", path(room, f"context/{one}"), None, {"limit": 50}))
        found.append(("GET", path(room, f"relations/{one}", "v1"), None, {"recurse": "true", "limit": 50}))
    return found


LAZY = json.dumps({"lazy_load_members": True})
WITH_LEFT = json.dumps({"room": {"include_leave": True, "timeline": {"limit": 50}}})


@pytest.fixture
async def world(nobody: Client, alice: Client, server: Running, visibility: str) -> World:
    people = {name: await nobody.register(name) for name in ("outsider", "invited", "left", "banned")}
    people["guest"] = await nobody.guest()
    content = {"history_visibility": visibility}
    state = [{"type": "m.room.history_visibility", "content": content}]
    room_id = await create(alice, initial_state=state, topic="topicbefore")
    token = (await alice.call("GET", "sync"))["next_batch"]
    events = [await say(alice, room_id, "wordbefore")]
    for name in ("left", "banned"):
        await alice.call("POST", path(room_id, "invite"), body={"user_id": people[name].user_id})
        await people[name].call("POST", path(room_id, "join"), body={})
    await alice.call("PUT", path(room_id, "state/m.room.topic"), body={"topic": "topicduring"})
    events += [await say(alice, room_id, "wordduring"), await say(alice, room_id, "wordduring too")]
    await people["left"].call("POST", path(room_id, "leave"), body={})
    for what, name in (("ban", "banned"), ("invite", "invited")):
        await alice.call("POST", path(room_id, what), body={"user_id": people[name].user_id})
    events += await _aftermath(alice, room_id, events[1], events[2])
    await indexed(server)
    return World(room_id, alice, people, events, token)


async def _aftermath(alice: Client, room_id: str, target: str, other: str) -> list[str]:
    """What happens once nobody else is there, to what they saw too."""
    await alice.call("PUT", path(room_id, "state/m.room.topic"), body={"topic": "topicafter"})
    new = {"m.new_content": {"msgtype": "m.text", "body": "editafter"}}
    events = [
        await say(alice, room_id, "wordafter"),
        await say(alice, room_id, "* editafter", **new, **relates("m.replace", target)),
        await say(alice, room_id, "threadafter", **relates("m.thread", target)),
        await say(alice, room_id, "refafter", **relates("m.reference", target)),
    ]
    at = path(room_id, f"redact/{quote(other)}/1")
    await alice.call("PUT", at, body={"reason": "reasonafter"})
    return events


def relates(rel_type: str, event_id: str) -> dict[str, Any]:
    return {"m.relates_to": {"rel_type": rel_type, "event_id": event_id}}


@pytest.mark.parametrize("visibility", ALLOWED)
async def test_nobody_is_told_what_they_may_not_see(world: World, visibility: str) -> None:
    wanted = calls(world)
    seen_by_alice = "".join([(await told(world.alice, *one))[1] for one in wanted])
    assert {word for word in WORDS if word in seen_by_alice} == WORDS
    for name, client in world.people.items():
        allowed = ALLOWED[visibility][name]
        for method, at, body, query in wanted:
            _, text = await told(client, method, at, body, query)
            if "search_term" in json.dumps(body):  # an answer names the words that were looked for
                text = text.replace(json.dumps(body["search_categories"]["room_events"]["search_term"]), "")
            leaked = {word for word in WORDS - allowed if word in text}
            assert not leaked, f"{name} was told {leaked} by {method} {at} {query}: {text[:2000]}"
    nobody = Client(world.alice.session)
    for method, at, body, query in wanted:
        assert (await told(nobody, method, at, body, query))[0] == 401


@pytest.mark.parametrize("visibility", ["shared"])
@pytest.mark.both
async def test_others_tokens_open_nothing_of_ones_own(world: World) -> None:
    alice, room_id = world.alice, world.room_id
    owner, room = quote(alice.user_id), quote(room_id)
    await alice.call("PUT", f"user/{owner}/account_data/a.secret", body={"is": "secretword"})
    await alice.call("PUT", f"user/{owner}/rooms/{room}/account_data/a.secret", body={"is": "secretword"})
    await alice.call("PUT", f"user/{owner}/rooms/{room}/tags/u.secretword", body={})
    stored = await alice.call("POST", f"user/{owner}/filter", body={"event_fields": ["secretword"]})
    at = path(room_id, "state/a.later/key")
    delay = {"org.matrix.msc4140.delay": "100000"}
    await alice.call("PUT", at, body={"is": "secretword"}, params=delay)
    await alice.call("PUT", f"devices/{alice.device_id}", body={"display_name": "secretword"})
    secrets = [
        f"user/{owner}/account_data/a.secret",
        f"user/{owner}/rooms/{room}/account_data/a.secret",
        f"user/{owner}/rooms/{room}/tags",
        f"user/{owner}/filter/{stored['filter_id']}",
        f"devices/{alice.device_id}",
        "devices",
        "/_matrix/client/unstable/org.matrix.msc4140/delayed_events",
        "sync?timeout=0&full_state=true",
    ]
    for secret in secrets:
        assert "secretword" in (await told(alice, "GET", secret))[1] or "sync" in secret
        for client in world.people.values():
            assert "secretword" not in (await told(client, "GET", secret))[1], secret
    assert await alice.call("GET", f"user/{owner}/account_data/a.secret") == {"is": "secretword"}


@pytest.mark.parametrize("visibility", ["shared"])
async def test_nobody_acts_where_they_may_not(world: World) -> None:
    room_id = world.room_id
    owner, room = quote(world.alice.user_id), quote(room_id)
    for client in world.people.values():
        for method, place, body in (
            ("PUT", f"user/{owner}/account_data/a.secret", {"is": "mine"}),
            ("PUT", f"user/{owner}/rooms/{room}/tags/u.mine", {}),
            ("DELETE", f"user/{owner}/rooms/{room}/tags/u.secretword", None),
            ("PUT", path(room_id, f"typing/{owner}"), {"typing": True}),
            ("PUT", f"profile/{owner}/displayname", {"displayname": "mine"}),
            ("POST", path(room_id, f"receipt/m.read/{quote(world.events[0])}"), {}),
            ("PUT", path(room_id, "send/m.room.message/1"), {"body": "mine"}),
            ("PUT", path(room_id, "state/m.room.topic"), {"topic": "mine"}),
            ("PUT", path(room_id, f"redact/{quote(world.events[0])}/1"), {}),
            ("POST", path(room_id, f"report/{quote(world.events[0])}"), {"reason": "mine"}),
        ):
            status, text = await told(client, method, place, body)
            assert status in (403, 404), f"{method} {place}: {status} {text}"


@pytest.mark.parametrize("visibility", ["shared"])
async def test_private_receipts_stay_private(world: World, nobody: Client) -> None:
    bob = await nobody.register("bob")
    await world.alice.call("POST", path(world.room_id, "invite"), body={"user_id": bob.user_id})
    await bob.call("POST", path(world.room_id, "join"), body={})
    since = (await world.alice.call("GET", "sync"))["next_batch"]
    at = path(world.room_id, f"receipt/m.read.private/{quote(world.events[-1])}")
    await bob.call("POST", at, body={})
    await say(bob, world.room_id, "something else")
    for query in ({"since": since}, {}, {"full_state": "true", "since": since}):
        _, text = await told(world.alice, "GET", "sync", query={**query, "timeout": "0"})
        assert "m.read.private" not in text
    _, own = await told(bob, "GET", "sync", query={"timeout": "0"})
    assert "m.read.private" in own
