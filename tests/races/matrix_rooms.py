"""Matrix: rooms, membership, events, state."""

from typing import Any
from urllib.parse import quote

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import path, say, set_state
from tests.races.kit import Look, Person, Race, World, calls, case, sees

V3 = "/_matrix/client/v3"
UNSTABLE = "/_matrix/client/unstable"
ROOM = V3 + "/rooms/{room_id}"
_FILTER = quote(
    '{"presence":{"types":["none"]},"room":{"include_leave":true,"timeline":{"limit":40},'
    '"ephemeral":{"not_types":["m.typing"]}}}'
)


def synced(*clients: Client) -> list[Look]:
    """All that /sync tells them at first, but presence and typing."""
    return [look for one in clients for look in sees(one, f"{V3}/sync?filter={_FILTER}")]


async def room_of(creator: Client, *others: Client, admins: bool = True, **body: Any) -> str:
    """A room that the others have joined; as admins, unless it is said otherwise."""
    levels = {one.user_id: 100 for one in (creator, *others)} if admins else {creator.user_id: 100}
    request = {
        "invite": [one.user_id for one in others],
        "power_level_content_override": {"users": levels},
        **body,
    }
    room_id = str((await creator.call("POST", "createRoom", body=request))["room_id"])
    for one in others:
        await one.call("POST", path(room_id, "join"), body={})
    return room_id


async def _two_and_a_room(world: World, **body: Any) -> tuple[Client, Client, str]:
    alice, bob = await world.people("alice", "bob")
    return alice, bob, await room_of(alice, bob, **body)


@case("POST", f"{V3}/createRoom")
async def create_room(world: World) -> Race:
    alice, bob = await world.people("alice", "bob")
    body = {"name": "Room", "invite": [bob.user_id], "preset": "private_chat"}
    return calls([alice], "POST", f"{V3}/createRoom", json=body, looks=synced(alice, bob))


@case("POST", f"{V3}/createRoom", several=True)
async def create_room_with_alias(world: World) -> Race:
    alice, bob = await world.people("alice", "bob")
    body = {"room_alias_name": f"one-{world.name}", "name": "Room"}
    return calls([alice, bob], "POST", f"{V3}/createRoom", json=body)


async def _join(world: World, at: str) -> Race:
    alice, bob, carol = await world.people("alice", "bob", "carol")
    room_id = await room_of(alice, preset="public_chat")
    where = f"{V3}/{at.format(quote(room_id, safe=''))}"
    return calls([bob, carol], "POST", where, json={}, looks=synced(alice, bob))


@case("POST", f"{V3}/join/{{room}}")
async def join(world: World) -> Race:
    return await _join(world, "join/{}")


@case("POST", f"{ROOM}/join", several=True)
async def join_by_id(world: World) -> Race:
    return await _join(world, "rooms/{}/join")


@case("POST", f"{V3}/knock/{{room}}")
async def knock(world: World) -> Race:
    alice, bob = await world.people("alice", "bob")
    state = [{"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}]
    room_id = await room_of(alice, initial_state=state)
    where = f"{V3}/knock/{quote(room_id, safe='')}"
    return calls([bob], "POST", where, json={"reason": "please"}, looks=synced(alice, bob))


@case("POST", f"{ROOM}/leave", several=True)
async def leave(world: World) -> Race:
    alice, bob, room_id = await _two_and_a_room(world)
    return calls([bob, alice], "POST", path(room_id, "leave"), json={}, looks=synced(bob, alice))


@case("POST", f"{ROOM}/forget")
async def forget(world: World) -> Race:
    _, bob, room_id = await _two_and_a_room(world)
    await bob.call("POST", path(room_id, "leave"), body={})
    return calls([bob], "POST", path(room_id, "forget"), json={}, looks=synced(bob))


@case("POST", f"{ROOM}/upgrade", several=True, refusals=[(409, "M_CONFLICT")])
async def upgrade(world: World) -> Race:
    alice, bob, room_id = await _two_and_a_room(world)
    body = {"new_version": "11"}

    async def tombstone() -> Any:
        return [
            one["type"] for one in await alice.call("GET", path(room_id, "state")) if "tomb" in one["type"]
        ]

    looks = [*sees(alice, path(room_id, "state/m.room.power_levels/")), tombstone]
    return calls([alice, bob], "POST", path(room_id, "upgrade"), json=body, looks=looks)


async def _others(world: World, verb: str, *, first: str = "") -> Race:
    """A change of Carol's membership by one admin or two."""
    alice, bob, carol = await world.people("alice", "bob", "carol")
    room_id = await room_of(alice, bob)
    await alice.call("POST", path(room_id, "invite"), body={"user_id": carol.user_id})
    if first != "invite":
        await carol.call("POST", path(room_id, "join"), body={})
    if first not in ("", "invite"):
        await alice.call("POST", path(room_id, first), body={"user_id": carol.user_id})
    body = {"user_id": carol.user_id, "reason": "as agreed"}
    return calls([alice, bob], "POST", path(room_id, verb), json=body, looks=synced(bob, carol))


@case("POST", f"{ROOM}/invite", several=True)
async def invite(world: World) -> Race:
    return await _others(world, "invite", first="kick")


@case("POST", f"{ROOM}/kick", several=True)
async def kick(world: World) -> Race:
    return await _others(world, "kick")


@case("POST", f"{ROOM}/kick", several=True)
async def kick_the_invited(world: World) -> Race:
    return await _others(world, "kick", first="invite")


@case("POST", f"{ROOM}/ban", several=True)
async def ban(world: World) -> Race:
    return await _others(world, "ban")


@case("POST", f"{ROOM}/unban", several=True)
async def unban(world: World) -> Race:
    return await _others(world, "unban", first="ban")


@case("PUT", f"{V3}/directory/room/{{alias}}", several=True)
async def set_alias(world: World) -> Race:
    alice, bob, room_id = await _two_and_a_room(world)
    at = f"{V3}/directory/room/{quote(f'#one-{world.name}:test.example', safe='')}"
    looks = sees(alice, at, path(room_id, "aliases"))
    return calls([alice, bob], "PUT", at, json={"room_id": room_id}, looks=looks)


@case("DELETE", f"{V3}/directory/room/{{alias}}", several=True)
async def delete_alias(world: World) -> Race:
    alice, bob, room_id = await _two_and_a_room(world, room_alias_name=f"one-{world.name}")
    at = f"{V3}/directory/room/{quote(f'#one-{world.name}:test.example', safe='')}"
    looks = [*sees(alice, at, path(room_id, "aliases")), *synced(alice)]
    return calls([alice, bob], "DELETE", at, looks=looks)


@case("PUT", f"{V3}/directory/list/room/{{room_id}}", several=True)
async def publish(world: World) -> Race:
    alice, bob, room_id = await _two_and_a_room(world)
    at = f"{V3}/directory/list/room/{quote(room_id, safe='')}"
    return calls([alice, bob], "PUT", at, json={"visibility": "public"}, looks=sees(alice, at))


@case("PUT", f"{ROOM}/send/{{type}}/{{txn_id}}", several=True)
async def send(world: World) -> Race:
    alice, bob, room_id = await _two_and_a_room(world)
    content = {"msgtype": "m.text", "body": "once"}
    at = path(room_id, "send/m.room.message/once")
    return calls([alice, bob], "PUT", at, json=content, looks=synced(bob))


@case("PUT", f"{ROOM}/send/{{type}}/{{txn_id}}")
async def react(world: World) -> Race:
    alice, bob, room_id = await _two_and_a_room(world)
    said = await say(bob, room_id, "hello")
    content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": said, "key": "+"}}

    def at(_: Person, n: int) -> str:
        return path(room_id, f"send/m.reaction/{n}")

    return calls([alice], "PUT", at, json=content, looks=synced(bob))


@case("POST", f"{ROOM}/send/{{type}}")
async def send_without_txn(world: World) -> Race:
    alice, bob, room_id = await _two_and_a_room(world)
    content = {"msgtype": "m.text", "body": "each"}
    at = path(room_id, "send/m.room.message")
    return calls([alice], "POST", at, json=content, looks=synced(bob))


@case("PUT", f"{ROOM}/state/{{type}}/{{state_key}}", several=True)
async def set_state_with_key(world: World) -> Race:
    alice, bob, room_id = await _two_and_a_room(world)
    at = path(room_id, "state/org.x/key")
    return calls([alice, bob], "PUT", at, json={"a": 1}, looks=synced(bob))


@case("PUT", f"{ROOM}/state/{{type}}", several=True)
async def set_state_of_type(world: World) -> Race:
    alice, bob, room_id = await _two_and_a_room(world)
    at = path(room_id, "state/m.room.topic")
    return calls([alice, bob], "PUT", at, json={"topic": "the same"}, looks=synced(bob))


@case("PUT", f"{ROOM}/redact/{{event_id}}/{{txn_id}}", several=True)
async def redact(world: World) -> Race:
    alice, bob, room_id = await _two_and_a_room(world)
    said = await say(bob, room_id, "hello")
    at = path(room_id, f"redact/{said}/once")
    return calls([alice, bob], "PUT", at, json={}, looks=synced(bob))


@case("POST", f"{ROOM}/redact/{{event_id}}")
async def redact_without_txn(world: World) -> Race:
    alice, bob, room_id = await _two_and_a_room(world)
    said = await say(bob, room_id, "hello")
    return calls([alice], "POST", path(room_id, f"redact/{said}"), json={}, looks=synced(bob))


@case("POST", f"{ROOM}/receipt/{{type}}/{{event_id}}", several=True)
async def receipt(world: World) -> Race:
    alice, bob, room_id = await _two_and_a_room(world)
    said = await say(bob, room_id, "hello")
    at = path(room_id, f"receipt/m.read/{said}")
    return calls([alice, bob], "POST", at, json={}, looks=synced(alice, bob))


@case("POST", f"{ROOM}/read_markers")
async def read_markers(world: World) -> Race:
    alice, bob, room_id = await _two_and_a_room(world)
    said = await say(bob, room_id, "hello")
    body = {"m.fully_read": said, "m.read": said}
    return calls([alice], "POST", path(room_id, "read_markers"), json=body, looks=synced(alice))


@case("PUT", f"{ROOM}/typing/{{user_id}}", survives=False)
async def typing(world: World) -> Race:
    alice, bob, room_id = await _two_and_a_room(world)
    at = path(room_id, f"typing/{quote(alice.user_id)}")
    return calls([alice], "PUT", at, json={"typing": True, "timeout": 30000}, looks=synced(bob))


@case("POST", f"{ROOM}/report")
async def report_room(world: World) -> Race:
    alice, _, room_id = await _two_and_a_room(world)
    return calls([alice], "POST", path(room_id, "report"), json={"reason": "spam"})


@case("POST", f"{ROOM}/report/{{event_id}}", several=True)
async def report_event(world: World) -> Race:
    alice, bob, room_id = await _two_and_a_room(world)
    said = await say(bob, room_id, "hello")
    return calls([alice, bob], "POST", path(room_id, f"report/{said}"), json={"reason": "spam"})


@case("POST", f"{V3}/users/{{user_id}}/report")
async def report_user(world: World) -> Race:
    alice, bob, _ = await _two_and_a_room(world)
    at = f"{V3}/users/{quote(bob.user_id)}/report"
    return calls([alice], "POST", at, json={"reason": "spam"})


async def _delayed(world: World, at: str, **options: Any) -> Race:
    """A delayed event, and a call about it. Without the look: nothing."""
    alice, bob, room_id = await _two_and_a_room(world)
    content = {"msgtype": "m.text", "body": "later"}
    where = path(room_id, "send/m.room.message/later") + "?org.matrix.msc4140.delay=3600000"
    made = await alice.call("PUT", where, body=content)
    path_of = f"{UNSTABLE}/org.matrix.msc4140/delayed_events/{made['delay_id']}{at}"
    looks = [*sees(alice, f"{UNSTABLE}/org.matrix.msc4140/delayed_events"), *synced(bob)]
    return calls([alice], "POST", path_of, looks=looks, **options)


@case("POST", f"{UNSTABLE}/org.matrix.msc4140/delayed_events/{{delay_id}}")
async def send_delayed(world: World) -> Race:
    return await _delayed(world, "", json={"action": "send"})


@case("POST", f"{UNSTABLE}/org.matrix.msc4140/delayed_events/{{delay_id}}/{{action}}")
async def cancel_delayed(world: World) -> Race:
    return await _delayed(world, "/cancel", json={})


@case("POST", f"{UNSTABLE}/org.matrix.msc4140/delayed_events/{{delay_id}}/{{action}}")
async def restart_delayed(world: World) -> Race:
    return await _delayed(world, "/restart", json={})


@case("PUT", f"{ROOM}/send/{{type}}/{{txn_id}}")
async def schedule(world: World) -> Race:
    alice, _, room_id = await _two_and_a_room(world)
    content = {"msgtype": "m.text", "body": "later"}
    at = path(room_id, "send/m.room.message/later") + "?org.matrix.msc4140.delay=3600000"
    looks = sees(alice, f"{UNSTABLE}/org.matrix.msc4140/delayed_events")
    return calls([alice], "PUT", at, json=content, looks=looks)


@case("PUT", f"{ROOM}/state/{{type}}/{{state_key}}", several=True)
async def step_down(world: World) -> Race:
    """Each gives up their own power: the second may not any more what the first still could."""
    alice, bob, room_id = await _two_and_a_room(world)
    await set_state(alice, room_id, "m.room.power_levels", {"users": {alice.user_id: 100, bob.user_id: 100}})

    def without(who: Person, _: int) -> Any:
        assert isinstance(who, Client)
        return {"users": {one.user_id: 100 for one in (alice, bob) if one.user_id != who.user_id}}

    at = path(room_id, "state/m.room.power_levels/")
    return calls([alice, bob], "PUT", at, json=without)
