"""Alice and Bob in a plain room: all that people do to messages, and what they see of each other."""

from typing import Any

import nio

from tests.clients.python.kit import Device, Devices, must, saw, story, until


async def tell(devices: Devices) -> None:
    alice = await devices.register("alice")
    bob = await devices.register("bob")
    room_id = await _meet(alice, bob)
    await _change_messages(alice, bob, room_id)
    await _thread(alice, bob, room_id)
    await _look_back(bob, room_id)
    await _read(alice, bob, room_id)
    await _notice_each_other(alice, bob, room_id)
    await _part(alice, bob, room_id)


async def _meet(alice: Device, bob: Device) -> str:
    made = await must(alice.client.room_create(name="Tea", topic="Leaves", invite=[bob.user_id]))
    room_id = str(made.room_id)
    await bob.invited(room_id)
    invitation = bob.client.invited_rooms[room_id]
    await until("who asks", lambda: (invitation.inviter, invitation.name) == (alice.user_id, "Tea"))
    await must(bob.client.join(room_id))
    await until("both are in", lambda: bob.knows(room_id, {alice.user_id, bob.user_id}))
    room = bob.client.rooms[room_id]
    await until("a topic", lambda: (room.name, room.topic) == ("Tea", "Leaves"))
    assert room.power_levels.get_user_level(alice.user_id) == 100
    saw("a room", room_id)
    return room_id


async def _change_messages(alice: Device, bob: Device, room_id: str) -> None:
    first = await alice.say(room_id, "helo")
    assert (await bob.text(room_id, "helo")).event_id == first

    edit = {
        "msgtype": "m.text",
        "body": "* hello",
        "m.new_content": {"msgtype": "m.text", "body": "hello"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": first},
    }
    await alice.send(room_id, edit)
    await bob.text(room_id, "* hello")
    shown = (await must(bob.client.room_get_event(room_id, first))).event
    latest = shown.source["unsigned"]["m.relations"]["m.replace"]
    assert latest["content"]["m.new_content"]["body"] == "hello", shown.source
    saw("an edit")

    key = {"m.relates_to": {"rel_type": "m.annotation", "event_id": first, "key": "👍"}}
    await bob.send(room_id, key, "m.reaction")
    reaction = await alice.event(room_id, lambda one: isinstance(one, nio.ReactionEvent))
    assert (reaction.reacts_to, reaction.key, reaction.sender) == (first, "👍", bob.user_id)
    found = [one async for one in bob.client.room_get_event_relations(room_id, first)]
    assert sorted(type(one).__name__ for one in found) == ["ReactionEvent", "RoomMessageText"], found
    saw("a reaction")

    wrong = await bob.say(room_id, "a slip")
    await alice.text(room_id, "a slip")
    await must(bob.client.room_redact(room_id, wrong, reason="typo"))
    redaction = await alice.event(room_id, lambda one: isinstance(one, nio.RedactionEvent))
    assert (redaction.redacts, redaction.reason) == (wrong, "typo")
    gone = (await must(alice.client.room_get_event(room_id, wrong))).event
    assert isinstance(gone, nio.RedactedEvent), gone
    assert (gone.redacter, gone.reason) == (bob.user_id, "typo")
    saw("a redaction")


async def _thread(alice: Device, bob: Device, room_id: str) -> None:
    root = await alice.say(room_id, "a root")
    relation = {
        "rel_type": "m.thread",
        "event_id": root,
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": root},
    }
    reply = await bob.say(room_id, "a leaf", **{"m.relates_to": relation})
    await alice.text(room_id, "a leaf")
    roots = [one async for one in alice.client.room_get_threads(room_id)]
    assert [one.event_id for one in roots] == [root]
    summary = roots[0].source["unsigned"]["m.relations"]["m.thread"]
    assert (summary["count"], summary["latest_event"]["event_id"]) == (1, reply), summary
    kind = nio.api.RelationshipType.thread
    leaves = [one async for one in alice.client.room_get_event_relations(room_id, root, kind)]
    assert [one.event_id for one in leaves] == [reply]
    saw("a thread")


async def _look_back(bob: Device, room_id: str) -> None:
    start, seen = "", []
    while True:
        page = await must(bob.client.room_messages(room_id, start=start, limit=5))
        seen += page.chunk
        if not page.end:
            break
        start = page.end
    assert [type(one).__name__ for one in seen][-1] == "RoomCreateEvent", seen
    assert not [one for one in seen if isinstance(one, nio.BadEvent | nio.UnknownBadEvent)]
    around = await must(bob.client.room_context(room_id, seen[3].event_id, limit=4))
    assert around.events_before[0].event_id == seen[4].event_id
    assert around.events_after[0].event_id == seen[2].event_id
    held = {one["type"] for one in (await must(bob.client.room_get_state(room_id))).events}
    assert {"m.room.create", "m.room.name", "m.room.member", "m.room.power_levels"} <= held
    topic = await must(bob.client.room_get_state_event(room_id, "m.room.topic"))
    assert topic.content["topic"] == "Leaves"
    saw("events back to the beginning", len(seen))


async def _read(alice: Device, bob: Device, room_id: str) -> None:
    event_id = await alice.say(room_id, "read me")
    await bob.text(room_id, "read me")
    await until("Bob's count", lambda: bob.client.rooms[room_id].unread_notifications)
    private = nio.api.ReceiptType.read_private
    await must(bob.client.update_receipt_marker(room_id, event_id, private, thread_id=None))
    await until("no count", lambda: not bob.client.rooms[room_id].unread_notifications)
    await must(bob.client.update_receipt_marker(room_id, event_id, thread_id=None))

    def of_bob(note: Any) -> Any:
        return [one for one in note.receipts if one.user_id == bob.user_id]

    seen = of_bob(await alice.note(nio.ReceiptEvent, of_bob))
    assert [(one.event_id, one.receipt_type) for one in seen] == [(event_id, "m.read")], seen

    await must(bob.client.room_read_markers(room_id, event_id, event_id))
    marker = await bob.note(nio.FullyReadEvent)
    assert marker.event_id == event_id
    saw("receipts")


async def _notice_each_other(alice: Device, bob: Device, room_id: str) -> None:
    await must(alice.client.room_typing(room_id, True, 20_000))
    await bob.note(nio.TypingNoticeEvent, lambda one: one.users == [alice.user_id])
    await must(alice.client.room_typing(room_id, False))
    await until("Alice stops", lambda: bob.client.rooms[room_id].typing_users == [])
    await must(alice.client.set_presence("unavailable", "at lunch"))
    # A poll of Alice's that was under way may have called her online once more; her next one does not.
    seen = await bob.note(
        nio.PresenceEvent, lambda one: (one.presence, one.status_msg) == ("unavailable", "at lunch")
    )
    assert seen.user_id == alice.user_id
    assert (await must(bob.client.get_presence(alice.user_id))).status_msg == "at lunch"
    await must(alice.client.set_displayname("Alice L."))
    assert (await must(bob.client.get_displayname(alice.user_id))).displayname == "Alice L."
    saw("typing, presence and a name")


async def _part(alice: Device, bob: Device, room_id: str) -> None:
    await must(alice.client.room_kick(room_id, bob.user_id, "enough"))
    last = (await until("Bob is out", lambda: bob.left.get(room_id)))[-1]
    assert (last.sender, last.membership, last.content["reason"]) == (alice.user_id, "leave", "enough"), last
    await must(alice.client.room_ban(room_id, bob.user_id))
    assert isinstance(await bob.client.join(room_id), nio.JoinError)
    await must(alice.client.room_unban(room_id, bob.user_id))
    await must(alice.client.room_invite(room_id, bob.user_id))
    await bob.invited(room_id)
    await must(bob.client.room_leave(room_id))
    assert (await must(bob.client.joined_rooms())).rooms == []
    await bob.rest()
    token = bob.client.access_token
    await must(bob.client.logout())
    bob.client.access_token = token
    assert isinstance(await bob.client.whoami(), nio.WhoamiError)
    saw("parted")


story(tell)
