"""Rooms that can be found, spaces, knocking and upgrades; and what a person sets for themselves."""

import nio

from tests.clients.python.kit import PASSWORD, Device, Devices, must, saw, story, until


async def tell(devices: Devices) -> None:
    alice = await devices.register("alice")
    bob = await devices.register("bob")
    room_id = await _publish(alice, bob)
    await _group(alice, bob, room_id)
    await _knock(alice, bob)
    await _upgrade(alice, bob, room_id)
    await _set_rules(alice)
    await _tidy_devices(devices, alice)


async def _publish(alice: Device, bob: Device) -> str:
    public, preset = nio.RoomVisibility.public, nio.RoomPreset.public_chat
    made = await must(alice.client.room_create(public, alias="tea", name="Tea room", preset=preset))
    room_id = str(made.room_id)
    assert (await must(bob.client.room_get_visibility(room_id))).visibility == "public"
    found = await must(bob.client.list_public_rooms(filter_generic_search_term="tea"))
    assert [(one.room_id, one.name, one.canonical_alias) for one in found.public_rooms] == [
        (room_id, "Tea room", "#tea:test.example")
    ]
    assert (await must(bob.client.list_public_rooms(filter_generic_search_term="coffee"))).public_rooms == []
    assert (await must(bob.client.room_resolve_alias("#tea:test.example"))).room_id == room_id
    await must(bob.client.join("#tea:test.example"))
    await until("Bob is in", lambda: alice.knows(room_id, {alice.user_id, bob.user_id}))
    await must(alice.client.room_put_alias("#chai:test.example", room_id))
    assert (await must(bob.client.room_resolve_alias("#chai:test.example"))).room_id == room_id
    await must(alice.client.room_delete_alias("#chai:test.example"))
    assert isinstance(await bob.client.room_resolve_alias("#chai:test.example"), nio.RoomResolveAliasError)
    saw("a public room", room_id)
    return room_id


async def _group(alice: Device, bob: Device, room_id: str) -> None:
    preset = nio.RoomPreset.public_chat
    space_id = str((await must(alice.client.room_create(name="House", space=True, preset=preset))).room_id)
    await must(
        alice.client.room_put_state(space_id, "m.space.child", {"via": ["test.example"]}, state_key=room_id)
    )
    await must(bob.client.join(space_id))
    tree = await must(bob.client.space_get_hierarchy(space_id))
    assert [one["room_id"] for one in tree.rooms] == [space_id, room_id], tree
    saw("a space", [one["name"] for one in tree.rooms])


async def _knock(alice: Device, bob: Device) -> None:
    room_id = str((await must(alice.client.room_create(name="Study"))).room_id)
    await must(alice.client.room_enable_knocking(room_id))
    await must(bob.client.room_knock(room_id, reason="a question"))
    knock = await alice.event(room_id, lambda one: getattr(one, "membership", "") == "knock")
    assert (knock.sender, knock.content["reason"]) == (bob.user_id, "a question")
    await must(alice.client.room_invite(room_id, bob.user_id))
    await bob.invited(room_id)
    await must(bob.client.join(room_id))
    await until("Bob is in", lambda: alice.knows(room_id, {alice.user_id, bob.user_id}))
    saw("let in after a knock")
    await must(bob.client.room_leave(room_id))
    await must(bob.client.room_forget(room_id))
    assert room_id not in (await must(bob.client.joined_rooms())).rooms
    saw("left and forgotten")


async def _upgrade(alice: Device, bob: Device, room_id: str) -> None:
    newer = await must(alice.client.room_upgrade(room_id, "11"))
    stone = await bob.event(room_id, lambda one: one.source["type"] == "m.room.tombstone")
    replacement = stone.source["content"]["replacement_room"]
    assert replacement == newer.room_id, newer
    await must(bob.client.join(replacement))
    await until("Bob is in", lambda: bob.knows(replacement, {alice.user_id, bob.user_id}))
    assert bob.client.rooms[replacement].name == "Tea room"
    saw("an upgrade")


async def _set_rules(alice: Device) -> None:
    where = ("global", nio.api.PushRuleKind.content, "tea")
    await must(alice.client.set_pushrule(*where, actions=[nio.PushNotify()], pattern="tea"))
    await must(
        alice.client.set_pushrule_actions(*where, [nio.PushNotify(), nio.PushSetTweak("sound", "default")])
    )
    await must(alice.client.enable_pushrule(*where, False))

    def shown() -> list[tuple[bool, int]]:
        """How the rule is by what was told last: whether it is in force, and the number of its actions."""
        told = [one for one in alice.notes if isinstance(one, nio.PushRulesEvent)]
        rules = told[-1].global_rules.content if told else []
        return [(one.enabled, len(one.actions)) for one in rules if one.id == "tea"]

    await until("a rule that is off", lambda: shown() == [(False, 2)])
    await must(alice.client.delete_pushrule(*where))
    await until("no rule", lambda: not shown())
    saw("rules for notifications")


async def _tidy_devices(devices: Devices, alice: Device) -> None:
    other = await devices.login("alice", encrypted=True)
    mine = await devices.login("alice", encrypted=True)
    await must(mine.client.update_device(other.client.device_id, {"display_name": "An old phone"}))
    listed = {one.id: one.display_name for one in (await must(mine.client.devices())).devices}
    assert listed[other.client.device_id] == "An old phone", listed
    await other.rest()
    ids = [other.client.device_id]
    asked = await mine.client.delete_devices(ids)
    assert isinstance(asked, nio.DeleteDevicesAuthResponse), asked
    auth = {"type": "m.login.password", "user": mine.user_id, "password": PASSWORD, "session": asked.session}
    await must(mine.client.delete_devices(ids, auth))
    assert isinstance(await other.client.whoami(), nio.WhoamiError)
    saw("one device less")


story(tell)
