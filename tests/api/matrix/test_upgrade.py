"""Rooms that take the place of others."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, named, path, say, set_state, state, state_event
from tests.api.matrix.synckit import Follower
from tests.names import fresh, room_alias

TOMBSTONE = "m.room.tombstone"


async def upgrade(client: Client, room_id: str, version: str = "12", **more: Any) -> str:
    made = await client.call("POST", path(room_id, "upgrade"), body={"new_version": version, **more})
    return str(made["replacement_room"])


async def test_push_rules_go_along_for_all_who_are_here(alice: Client, bob: Client) -> None:
    """Whoever upgrades it: by the call for that, or by saying so in both rooms."""
    wanted: set[str] = set()
    for by_hand in (False, True):
        old = await create(alice, bob, room_version="11")
        for one in (alice, bob):
            await one.call("PUT", f"pushrules/global/room/{quote(old, safe='')}", body={"actions": []})
        if by_hand:
            await set_state(alice, old, TOMBSTONE, {"replacement_room": await create(alice)})
            new = await create(alice, creation_content={"predecessor": {"room_id": old}})
            await set_state(alice, old, TOMBSTONE, {"replacement_room": new})
        else:
            new = await upgrade(alice, old)
        wanted |= {old, new}
        for one in (alice, bob):
            rules = (await one.call("GET", "pushrules/"))["global"]["room"]
            assert {rule["rule_id"]: rule["actions"] for rule in rules} == {key: [] for key in wanted}


async def whole(client: Client, room_id: str) -> dict[tuple[str, str], Any]:
    found = await client.call("GET", path(room_id, "state"))
    return {(one["type"], one["state_key"]): one["content"] for one in found}


MORE: dict[str, Any] = {
    "m.room.avatar": {"url": "mxc://test.example/a"},
    "m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2"},
    "m.room.server_acl": {"allow": ["*"], "deny": ["evil.example"]},
    "m.room.history_visibility": {"history_visibility": "joined"},
    "m.room.guest_access": {"guest_access": "forbidden"},
    "m.room.join_rules": {"join_rule": "knock"},
}


@pytest.mark.both
@pytest.mark.own_server
async def test_what_goes_into_the_new_room(alice: Client, bob: Client, carol: Client) -> None:
    old = await create(
        alice,
        bob,
        carol,
        room_version="10",
        name="Old and new",
        topic="Both",
        room_alias_name=fresh("room"),
        visibility="public",
        creation_content={"type": "org.example.kind", "m.federate": False, "creator": "@x:y"},
        initial_state=[{"type": kind, "content": content} for kind, content in MORE.items()],
    )
    await set_state(alice, old, "org.example.other", {"left": "behind"})
    await alice.call("POST", path(old, "ban"), body={"user_id": carol.user_id, "reason": "noise"})
    levels = await state(alice, old, "m.room.power_levels")
    levels["users"][bob.user_id] = 50
    await set_state(alice, old, "m.room.power_levels", levels)

    new = await upgrade(alice, old, "11")
    tombstone = await state_event(alice, old, TOMBSTONE)
    assert tombstone["content"]["replacement_room"] == new
    found = await whole(alice, new)
    assert found["m.room.create", ""] == {
        "room_version": "11",
        "type": "org.example.kind",
        "m.federate": False,
        "predecessor": {"room_id": old, "event_id": tombstone["event_id"]},
    }
    assert {kind: found[kind, ""] for kind in MORE} == MORE
    assert found["m.room.name", ""] == {"name": "Old and new"}
    assert found["m.room.topic", ""]["topic"] == "Both"
    assert found["m.room.canonical_alias", ""] == {"alias": room_alias("room")}
    assert found["m.room.power_levels", ""] == levels
    assert found["m.room.member", carol.user_id] == {"membership": "ban", "reason": "noise"}
    assert ("m.room.member", bob.user_id) not in found
    assert ("org.example.other", "") not in found

    chunk = (await alice.call("GET", "publicRooms"))["chunk"]
    assert [one["room_id"] for one in chunk] == [new]
    quiet = await state(alice, old, "m.room.power_levels")
    assert (quiet["events_default"], quiet["invite"], quiet["users"]) == (50, 50, levels["users"])


async def test_names_move(alice: Client) -> None:
    old = await create(alice, room_alias_name=fresh("room"))
    await alice.call("PUT", named(room_alias("second")), body={"room_id": old})
    new = await upgrade(alice, old)
    assert await alice.call("GET", path(new, "aliases")) == {
        "aliases": [room_alias("room"), room_alias("second")]
    }
    assert await alice.call("GET", path(old, "aliases")) == {"aliases": []}
    assert await state(alice, old, "m.room.canonical_alias") == {}
    assert await state(alice, new, "m.room.canonical_alias") == {"alias": room_alias("room")}


async def test_who_may_upgrade(alice: Client, bob: Client, carol: Client) -> None:
    room_id = await create(alice, bob)
    before = await bob.call("GET", "joined_rooms")
    at, body = path(room_id, "upgrade"), {"new_version": "12"}
    assert await bob.errcode("POST", at, 403, body=body) == "M_FORBIDDEN"
    assert await carol.errcode("POST", at, 403, body=body) == "M_FORBIDDEN"
    unknown = {"new_version": "unheard.of"}
    assert await alice.errcode("POST", at, 400, body=unknown) == "M_UNSUPPORTED_ROOM_VERSION"
    assert await bob.errcode("POST", at, 400, body=unknown) == "M_UNSUPPORTED_ROOM_VERSION"
    assert await alice.errcode("POST", at, 400, body={}) == "M_MISSING_PARAM"
    bad = {**body, "additional_creators": ["nonsense"]}
    assert await alice.errcode("POST", at, 400, body=bad) == "M_INVALID_PARAM"
    nowhere = path("!unknown:test.example", "upgrade")
    assert await alice.errcode("POST", nowhere, 404, body=body) == "M_NOT_FOUND"
    assert await bob.call("GET", "joined_rooms") == before
    assert ("m.room.tombstone", "") not in await whole(alice, room_id)


async def test_to_version_12_by_an_admin_who_did_not_make_it(
    alice: Client, bob: Client, carol: Client
) -> None:
    levels = {alice.user_id: 100, bob.user_id: 100, carol.user_id: 50}
    old = await create(alice, bob, carol, power_level_content_override={"users": levels})
    new = await upgrade(bob, old, additional_creators=[alice.user_id, bob.user_id])
    assert len(new) == 44, "its name is a hash"
    found = await whole(bob, new)
    assert found["m.room.create", ""]["additional_creators"] == [alice.user_id]
    assert "creator" not in found["m.room.create", ""]
    power = found["m.room.power_levels", ""]
    assert (power["users"], power["events"]["m.room.tombstone"]) == ({carol.user_id: 50}, 150)
    assert ("m.room.member", bob.user_id) in found


async def test_from_version_12_to_12_and_down(alice: Client, bob: Client, carol: Client) -> None:
    old = await create(
        alice,
        bob,
        carol,
        room_version="12",
        creation_content={"additional_creators": [bob.user_id]},
    )
    levels = await state(alice, old, "m.room.power_levels")
    assert levels["events"]["m.room.tombstone"] == 150
    levels["users"] = {carol.user_id: 100}
    await set_state(alice, old, "m.room.power_levels", levels)
    assert await carol.errcode("POST", path(old, "upgrade"), 403, body={"new_version": "12"}) == "M_FORBIDDEN"
    new = await upgrade(bob, old, additional_creators=[carol.user_id])
    found = await whole(bob, new)
    assert found["m.room.create", ""]["additional_creators"] == [carol.user_id]
    assert found["m.room.power_levels", ""]["users"] == {}
    down = await upgrade(bob, new, "11")
    power = (await whole(bob, down))["m.room.power_levels", ""]
    assert power["users"] == {bob.user_id: 100, carol.user_id: 100}
    assert "m.room.tombstone" not in power["events"]


async def test_with_less_power_less_is_said_in_the_old_room(alice: Client, bob: Client) -> None:
    """Who may only upgrade leaves the old room's levels and names as they stand."""
    events = {"m.room.tombstone": 10, "m.room.power_levels": 100, "m.room.canonical_alias": 100}
    levels = {"users": {alice.user_id: 100, bob.user_id: 10}, "events": events}
    old = await create(
        alice, bob, power_level_content_override=levels, room_alias_name=fresh("kept"), room_version="11"
    )
    before = await state(alice, old, "m.room.power_levels")
    new = await upgrade(bob, old, "11")
    assert await state(alice, old, "m.room.power_levels") == before
    assert await state(alice, old, "m.room.canonical_alias") == {"alias": room_alias("kept")}
    assert await state(bob, new, "m.room.power_levels") == before


async def test_a_space_keeps_its_rooms(alice: Client) -> None:
    room_id = await create(alice)
    space = await create(alice, creation_content={"type": "m.space"})
    await set_state(alice, space, "m.space.child", {"via": ["test.example"]}, room_id)
    await set_state(alice, space, "m.space.child", {}, "!gone:test.example")
    found = await whole(alice, await upgrade(alice, space))
    assert found["m.space.child", room_id] == {"via": ["test.example"]}
    assert ("m.space.child", "!gone:test.example") not in found


async def test_what_people_keep_of_a_room_is_carried(alice: Client, bob: Client) -> None:
    old = await create(alice, bob, room_version="11")
    tags = f"user/{bob.user_id}/rooms/{old}/tags"
    await bob.call("PUT", f"{tags}/m.favourite", body={"order": 0.5})
    direct = f"user/{bob.user_id}/account_data/m.direct"
    await bob.call("PUT", direct, body={alice.user_id: [old], "@x:y.z": ["!other:test.example"]})
    await bob.call("PUT", f"pushrules/global/room/{old}", body={"actions": []})
    follower = Follower(bob)
    await follower.sync()
    new = await upgrade(alice, old)
    rules = (await bob.call("GET", "pushrules/"))["global"]["room"]
    assert [(one["rule_id"], one["actions"]) for one in rules] == [(new, []), (old, [])]
    kept = await bob.call("GET", f"user/{bob.user_id}/rooms/{new}/tags")
    assert kept == {"tags": {"m.favourite": {"order": 0.5}}}
    wanted = {alice.user_id: [old, new], "@x:y.z": ["!other:test.example"]}
    assert await bob.call("GET", direct) == wanted
    told = await follower.sync()
    assert wanted in [one["content"] for one in told["account_data"]["events"]]
    assert told["rooms"]["join"][old]["timeline"]["events"][0]["type"] == "m.room.tombstone"


async def test_rooms_of_applications_stay_as_they_are(alice: Client, bob: Client) -> None:
    number = (await bob.call("GET", "/api/v1/users/me"))["id"]
    await alice.call("POST", "/api/v1/chats/direct", body={"user_id": number})
    room_id = (await alice.call("GET", "joined_rooms"))["joined_rooms"][0]
    body = {"new_version": "12"}
    assert await alice.errcode("POST", path(room_id, "upgrade"), 403, body=body) == "M_FORBIDDEN"
    assert len(await alice.call("GET", "/api/v1/chats/")) == 1


@pytest.mark.parametrize("overrides", [{"matrix": {"enabled": True, "max_upgrade_events": 100}}])
async def test_a_room_with_too_much_state_is_not_upgraded(alice: Client) -> None:
    space = await create(alice, creation_content={"type": "m.space"})
    for at in range(100):
        await set_state(alice, space, "m.space.child", {"via": ["test.example"]}, f"!r{at}:test.example")
    body = {"new_version": "12"}
    assert await alice.errcode("POST", path(space, "upgrade"), 413, body=body) == "M_TOO_LARGE"
    assert len((await alice.call("GET", "joined_rooms"))["joined_rooms"]) == 1


TEXT_LEVELS: dict[str, Any] = {
    "users_default": " 7 ",
    "events_default": "-3",
    "state_default": "+50",
    "ban": "50",
    "kick": "1e3",
    "invite": "60",
    "redact": None,
    "notifications": {"room": "20", "other": ["x"]},
    "org.example": "as it is",
}


async def test_levels_of_old_rooms_are_integers_in_the_new_one(alice: Client, bob: Client) -> None:
    levels = {
        **TEXT_LEVELS,
        "users": {alice.user_id: "100", bob.user_id: "0050"},
        "events": {"org.example.a": "10", "org.example.b": "x", "org.example.c": None},
    }
    old = await create(alice, bob, room_version="9", power_level_content_override=levels)
    for version in ("10", "11", "12"):
        new = await upgrade(alice, old, version)
        found = await state(alice, new, "m.room.power_levels")
        own = {} if version == "12" else {alice.user_id: 100}
        assert found["users"] == {**own, bob.user_id: 50}, version
        assert found["events"]["org.example.a"] == 10
        assert not {"org.example.b", "org.example.c"} & set(found["events"])
        assert found["notifications"] == {"room": 20}
        assert found["org.example"] == "as it is"
        named = {name: found.get(name) for name in ("users_default", "events_default", "state_default")}
        assert named == {"users_default": 7, "events_default": -3, "state_default": 50}
        assert [found.get(name) for name in ("ban", "kick", "invite", "redact")] == [50, None, 60, None]
        await alice.call("POST", path(new, "invite"), body={"user_id": bob.user_id})
        assert (await state(alice, old, TOMBSTONE))["replacement_room"] == new
        kept = await state(alice, old, "m.room.power_levels")
        assert kept == {**kept, **levels}, "the rules let nobody change these"
        old = await create(alice, bob, room_version="9", power_level_content_override=levels)


async def test_the_old_room_is_not_opened_by_its_upgrade(alice: Client, bob: Client) -> None:
    levels = {"users": {alice.user_id: "100"}, "events_default": "70", "users_default": "60"}
    old = await create(alice, bob, room_version="9", power_level_content_override=levels)
    await upgrade(alice, old, "11")
    quiet = await state(alice, old, "m.room.power_levels")
    assert (quiet["events_default"], quiet["invite"]) == (70, 61)
    assert quiet["users"] == {alice.user_id: 100}


async def test_what_only_old_rooms_may_hold_stays_there(alice: Client) -> None:
    """The oldest versions take floats and integers of any size."""
    odd = {"allow": ["*"], "deny": [], "org.example": 1.5}
    old = await create(
        alice,
        room_version="5",
        creation_content={"org.example": 0.5, "type": "org.example.kind"},
        power_level_content_override={"users": {alice.user_id: 2**60}, "org.example": 1.5, "ban": 50.9},
        initial_state=[{"type": "m.room.server_acl", "content": odd}],
    )
    new = await upgrade(alice, old, "11")
    found = await whole(alice, new)
    assert found["m.room.create", ""]["type"] == "org.example.kind"
    assert found["m.room.server_acl", ""] == {"allow": ["*"], "deny": []}
    assert found["m.room.power_levels", ""]["ban"] == 50
    assert "org.example" not in found["m.room.power_levels", ""]
    await set_state(alice, new, "m.room.name", {"name": "she is in charge"})


@pytest.mark.parametrize("version", ["11", "12"])
async def test_who_upgrades_a_room_twice_at_once_gets_one_room(
    alice: Client, bob: Client, version: str
) -> None:
    levels = {"users": {alice.user_id: 100, bob.user_id: 60}}
    old = await create(alice, bob, room_version="11", power_level_content_override=levels)
    talk = (say(bob, old, f"meanwhile {number}") for number in range(5))
    made = [*await asyncio.gather(*(upgrade(alice, old, version) for _ in range(4)), *talk)][:4]
    assert len(set(made)) == 1
    tombstones = [
        one["event_id"]
        for one in (await alice.call("GET", path(old, "messages?dir=b&limit=50")))["chunk"]
        if one["type"] == TOMBSTONE
    ]
    assert len(tombstones) == 1
    before = (await whole(alice, made[0]))["m.room.create", ""]["predecessor"]
    assert before["room_id"] == old
    assert (before["event_id"] == tombstones[0]) == (version == "11"), (
        "from 12 on the tombstone names its hash"
    )
    again = await upgrade(alice, old, version)
    assert again not in made, "later is another upgrade"


async def test_of_upgrades_by_two_people_at_once_one_is_refused(alice: Client, bob: Client) -> None:
    levels = {"users": {alice.user_id: 100, bob.user_id: 100}}
    old = await create(alice, bob, room_version="10", power_level_content_override=levels)

    async def attempt(client: Client) -> tuple[int, str]:
        headers, body = {"Authorization": f"Bearer {client.token}"}, {"new_version": "11"}
        async with client.session.post(path(old, "upgrade"), json=body, headers=headers) as answer:
            found = await answer.json()
            return answer.status, found.get("errcode", "")

    found = sorted([*await asyncio.gather(attempt(alice), attempt(bob))])
    assert found[0] == (200, "")
    assert found[1] in ((409, "M_CONFLICT"), (403, "M_FORBIDDEN"), (200, ""))
    tombstones = [
        one
        for one in (await alice.call("GET", path(old, "messages?dir=b&limit=50")))["chunk"]
        if one["type"] == TOMBSTONE
    ]
    assert len(tombstones) == [status for status, _ in found].count(200)


async def test_the_new_room_names_the_tombstone_however_busy_the_old_one_is(
    alice: Client, bob: Client, carol: Client
) -> None:
    levels = {"users": {alice.user_id: 100, bob.user_id: 60}}
    old = await create(alice, bob, room_version="10", power_level_content_override=levels)
    for number in range(40):  # so many that others write while the new room is built
        await alice.call("POST", path(old, "ban"), body={"user_id": f"@banned{number}:test.example"})
    done = asyncio.Event()

    async def talk(name: str) -> None:
        number = 0
        while not done.is_set():
            await say(bob, old, f"{name} says {(number := number + 1)}")

    talking = [asyncio.create_task(talk(name)) for name in ("one", "another", "a third")]
    new = await upgrade(alice, old, "11")
    done.set()
    await asyncio.gather(*talking)
    found = await whole(alice, new)
    event_id = found["m.room.create", ""]["predecessor"]["event_id"]
    told = await alice.call("GET", path(old, f"event/{quote(event_id)}"))
    assert (told["type"], told["content"]["replacement_room"]) == (TOMBSTONE, new)
    assert len([key for kind, key in found if kind == "m.room.member"]) == 41
