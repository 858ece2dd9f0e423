// Rooms that can be found, what is in them, and what a person sets for themselves.

import { ConditionKind, EventType, Method, Preset, PushRuleActionName, PushRuleKind, Visibility } from "matrix-js-sdk";

import { assert, follow, inRoom, message, register, saw, story, until } from "./kit.mjs";

let alice;
let bob;

async function publish() {
    const { room_id: roomId } = await alice.createRoom({
        name: "Tea room",
        room_alias_name: "tea",
        visibility: Visibility.Public,
        preset: Preset.PublicChat,
    });
    const found = await bob.publicRooms({ limit: 10, filter: { generic_search_term: "tea" } });
    assert.deepEqual(
        found.chunk.map((one) => [one.room_id, one.name, one.canonical_alias, one.num_joined_members]),
        [[roomId, "Tea room", "#tea:test.example", 1]],
    );
    const summary = await bob.getRoomSummary("#tea:test.example");
    assert.deepEqual([summary.room_id, summary.membership ?? "leave"], [roomId, "leave"]);
    await bob.joinRoom("#tea:test.example");
    await inRoom(bob, roomId);
    saw("a public room", roomId);
    return roomId;
}

async function group(roomId) {
    const { room_id: spaceId } = await alice.createRoom({
        name: "House",
        preset: Preset.PublicChat,
        creation_content: { type: "m.space" },
    });
    await alice.sendStateEvent(spaceId, EventType.SpaceChild, { via: ["test.example"] }, roomId);
    await bob.joinRoom(spaceId);
    const tree = await bob.getRoomHierarchy(spaceId);
    assert.deepEqual(
        tree.rooms.map((one) => one.name),
        ["House", "Tea room"],
    );
    saw("a space");
}

/** As matrix-bot-sdk asks: of a reason that nobody gave it sends null. */
async function moderate(roomId) {
    const ask = (what) =>
        alice.http.authedRequest(Method.Post, `/rooms/${encodeURIComponent(roomId)}/${what}`, undefined, {
            user_id: bob.getUserId(),
            reason: null,
        });
    await ask("kick");
    await inRoom(bob, roomId, "leave");
    await ask("invite");
    await inRoom(bob, roomId, "invite");
    await bob.joinRoom(roomId);
    await inRoom(bob, roomId);
    await ask("ban");
    const room = await inRoom(bob, roomId, "ban");
    await ask("unban");
    await inRoom(bob, roomId, "leave");
    const removal = room.currentState.getStateEvents(EventType.RoomMember, bob.getUserId());
    assert.ok(!("reason" in removal.getContent()), removal.getContent());
    await bob.joinRoom(roomId);
    await inRoom(bob, roomId);
    saw("removals without a reason");
}

async function setRules(roomId) {
    await bob.addPushRule("global", PushRuleKind.Override, "no.tea", {
        conditions: [{ kind: ConditionKind.EventMatch, key: "room_id", pattern: roomId }],
        actions: [PushRuleActionName.DontNotify],
    });
    const rule = () => bob.pushRules.global.override.find((one) => one.rule_id === "no.tea");
    await until("a rule", () => rule()?.enabled);
    await bob.setPushRuleEnabled("global", PushRuleKind.Override, "no.tea", false);
    await until("no such rule", () => !rule().enabled);
    await bob.setPushRuleActions("global", PushRuleKind.Underride, ".m.rule.message", [
        PushRuleActionName.Notify,
        { set_tweak: "sound", value: "default" },
    ]);
    await until("a sound", () => bob.pushRules.global.underride.some((one) => one.actions.length === 2));
    await bob.deletePushRule("global", PushRuleKind.Override, "no.tea");
    await until("no rule", () => !rule());
    saw("rules for notifications");
}

async function setUp(roomId) {
    await bob.setRoomTag(roomId, "m.favourite", { order: 0.5 });
    await until("a tag", () => bob.getRoom(roomId).tags["m.favourite"]?.order === 0.5);
    await bob.setIgnoredUsers([alice.getUserId()]);
    await until("nobody", () => bob.isUserIgnored(alice.getUserId()));
    await alice.sendTextMessage(roomId, "unheard");
    await bob.sendTextMessage(roomId, "silence");
    await message(bob, roomId, "silence");
    const texts = bob
        .getRoom(roomId)
        .getLiveTimeline()
        .getEvents()
        .map((one) => one.getContent().body);
    assert.ok(!texts.includes("unheard"), texts);
    saw("a tag, and silence");
}

async function upgrade(roomId) {
    const { replacement_room: newer } = await alice.upgradeRoom(roomId, "11");
    await until("a tombstone", () => bob.getRoom(roomId).currentState.getStateEvents(EventType.RoomTombstone, ""));
    await bob.joinRoom(newer);
    const room = await inRoom(bob, newer);
    assert.equal(room.findPredecessor().roomId, roomId);
    await bob.leave(newer);
    await inRoom(bob, newer, "leave");
    await bob.forget(newer);
    assert.ok(!(await bob.getJoinedRooms()).joined_rooms.includes(newer));
    saw("an upgrade");
}

story(async () => {
    [alice, bob] = await Promise.all([register("alice"), register("bob")]);
    await Promise.all([follow(alice), follow(bob)]);
    const roomId = await publish();
    await group(roomId);
    await moderate(roomId);
    await setRules(roomId);
    await setUp(roomId);
    await upgrade(roomId);
});
