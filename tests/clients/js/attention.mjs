// What deserves attention: mentions, muted rooms and the list of both; finding words, people and days; reports; and the
// tokens by which others know who somebody is.

import { EventTimelineSet, MsgType, NotificationCountType, Preset } from "matrix-js-sdk";

import { assert, follow, inRoom, message, password, register, saw, story, until } from "./kit.mjs";

const server = process.argv[2];
let alice;
let bob;
let roomId;

const count = (kind) => bob.getRoom(roomId).getUnreadNotificationCount(kind);
const say = (text, more = {}) => alice.sendMessage(roomId, { msgtype: MsgType.Text, body: text, ...more });

async function meet() {
    [alice, bob] = await Promise.all([register("alice"), register("bob")]);
    await alice.setDisplayName("Alice of the Tea");
    await Promise.all([follow(alice), follow(bob)]);
    const made = await alice.createRoom({ name: "Tea", preset: Preset.PublicChat, invite: [bob.getUserId()] });
    roomId = made.room_id;
    await inRoom(bob, roomId, "invite");
    await bob.joinRoom(roomId);
    await inRoom(bob, roomId);
}

async function mention() {
    await say("plain");
    await until("a count", () => count(NotificationCountType.Total) === 1);
    assert.equal(count(NotificationCountType.Highlight), 0);
    await say("you", { "m.mentions": { user_ids: [bob.getUserId()] } });
    await until("a highlight", () => count(NotificationCountType.Highlight) === 1);
    await say("all of you", { "m.mentions": { room: true } });
    await until("another", () => count(NotificationCountType.Highlight) === 2);
    assert.equal(count(NotificationCountType.Total), 3);
    const event = await message(bob, roomId, "you");
    assert.ok(bob.getPushActionsForEvent(event).tweaks.highlight);
    saw("mentions");
}

async function mute() {
    await bob.setRoomMutePushRule("global", roomId, true);
    assert.deepEqual(bob.getRoomPushRule("global", roomId).actions, ["dont_notify"]);
    await say("unnoticed");
    await say("you again", { "m.mentions": { user_ids: [bob.getUserId()] } });
    await until("a highlight in a muted room", () => count(NotificationCountType.Highlight) === 3);
    assert.equal(count(NotificationCountType.Total), 4);
    await bob.setRoomMutePushRule("global", roomId, false);
    const { event_id: last } = await say("noticed");
    await until("a count again", () => count(NotificationCountType.Total) === 5);
    assert.equal(bob.getRoomPushRule("global", roomId), undefined);
    saw("a muted room");
    return last;
}

async function list(last) {
    const set = new EventTimelineSet(undefined, { timelineSupport: true }, bob);
    bob.setNotifTimelineSet(set);
    set.getLiveTimeline().setPaginationToken("", "b");
    while (await bob.paginateEventTimeline(set.getLiveTimeline(), { backwards: true, limit: 2 }));
    const listed = set.getLiveTimeline().getEvents();
    assert.deepEqual(
        listed.map((one) => one.getContent().body),
        ["you", "all of you", "you again"],
    );
    await bob.sendReadReceipt(await until("the last", () => bob.getRoom(roomId).findEventById(last)));
    await until("all read", () => count(NotificationCountType.Total) === 0);
    assert.equal(count(NotificationCountType.Highlight), 0);
    saw("a list of mentions");
}

async function find() {
    const texts = (found) => found.results.map((one) => one.context.getEvent().getContent().body);
    const look = async () => {
        const results = await bob.searchRoomEvents({ term: "noticed" });
        return results.results.length === 1 && results;
    };
    const found = await until("words", look, 3000); // searches are limited, as for people
    assert.deepEqual([texts(found), found.highlights], [["noticed"], ["noticed"]]);
    const people = await bob.searchUserDirectory({ term: "tea", limit: 5 });
    assert.deepEqual(
        people.results.map((one) => [one.user_id, one.display_name]),
        [[alice.getUserId(), "Alice of the Tea"]],
    );
    const plain = await message(bob, roomId, "plain");
    for (const way of ["f", "b"]) {
        const jump = await bob.timestampToEvent(roomId, plain.getTs(), way);
        assert.equal(jump.origin_server_ts, plain.getTs());
        const timeline = await bob.getEventTimeline(bob.getRoom(roomId).getUnfilteredTimelineSet(), jump.event_id);
        assert.ok(timeline.getEvents().some((one) => one.getId() === jump.event_id));
    }
    saw("words, people and a day");
    return plain;
}

async function report(event) {
    assert.deepEqual(await bob.reportEvent(roomId, event.getId(), -100, "it is rude"), {});
    assert.deepEqual(await bob.reportRoom(roomId, "all of it"), {});
    saw("reports");
}

async function vouch() {
    const token = await bob.getOpenIdToken();
    assert.deepEqual([token.token_type, token.matrix_server_name], ["Bearer", "test.example"]);
    const asked = `${server}/_matrix/federation/v1/openid/userinfo?access_token=${token.access_token}`;
    assert.deepEqual(await (await fetch(asked)).json(), { sub: bob.getUserId() });
    const { login_token: once } = await password(bob)((auth) => bob.requestLoginToken(auth ?? undefined));
    const other = await bob.loginWithToken(once);
    assert.equal(other.user_id, bob.getUserId());
    assert.notEqual(other.device_id, bob.getDeviceId());
    await assert.rejects(bob.loginWithToken(once), { httpStatus: 403 });
    assert.deepEqual(await bob.turnServer(), {});
    saw("tokens");
}

story(async () => {
    await meet();
    await mention();
    await list(await mute());
    await report(await find());
    await vouch();
});
