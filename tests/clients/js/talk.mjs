// Alice and Bob in a plain room: all that people do to messages, and what they see of each other.

import { EventType, KnownMembership, MsgType, ReceiptType, RelationType, ThreadFilterType } from "matrix-js-sdk";

import { assert, follow, inRoom, login, message, register, saw, story, until } from "./kit.mjs";

let alice;
let bob;
let roomId;

const events = (client) => client.getRoom(roomId).getLiveTimeline().getEvents();

/** An event as the client has it, by its id. */
const known = (client, eventId) => until(eventId, () => client.getRoom(roomId).findEventById(eventId));

async function meet() {
    [alice, bob] = await Promise.all([register("alice"), register("bob")]);
    await Promise.all([follow(alice), follow(bob)]);
    const made = await alice.createRoom({ name: "Tea", topic: "Leaves", invite: [bob.getUserId()] });
    roomId = made.room_id;
    const invitation = await inRoom(bob, roomId, KnownMembership.Invite);
    assert.equal(invitation.name, "Tea");
    await bob.joinRoom(roomId);
    const room = await inRoom(bob, roomId);
    await until("both are in", () => room.getJoinedMemberCount() === 2);
    assert.equal(room.currentState.getStateEvents(EventType.RoomTopic, "").getContent().topic, "Leaves");
    saw("a room", roomId);
}

async function changeMessages() {
    const { event_id: first } = await alice.sendTextMessage(roomId, "helo");
    await message(bob, roomId, "helo");
    await alice.sendEvent(roomId, EventType.RoomMessage, {
        msgtype: MsgType.Text,
        body: "* hello",
        "m.new_content": { msgtype: MsgType.Text, body: "hello" },
        "m.relates_to": { rel_type: RelationType.Replace, event_id: first },
    });
    const edited = await message(bob, roomId, "hello");
    assert.equal(edited.getId(), first);
    saw("an edit");

    const relation = { rel_type: RelationType.Annotation, event_id: first, key: "👍" };
    await bob.sendEvent(roomId, EventType.Reaction, { "m.relates_to": relation });
    const reactions = await until("a reaction", () => {
        const kept = alice.getRoom(roomId).relations;
        return kept.getChildEventsForEvent(first, RelationType.Annotation, EventType.Reaction);
    });
    assert.deepEqual(
        reactions.getSortedAnnotationsByKey().map(([key, from]) => [key, from.size]),
        [["👍", 1]],
    );
    const found = await alice.relations(roomId, first, RelationType.Annotation, EventType.Reaction);
    assert.equal(found.events.length, 1);
    const again = bob.sendEvent(roomId, EventType.Reaction, { "m.relates_to": relation });
    await assert.rejects(again, { errcode: "M_DUPLICATE_ANNOTATION", httpStatus: 400 });
    await bob.sendEvent(roomId, EventType.Reaction, { "m.relates_to": { ...relation, key: "👎" } });
    const given = await alice.relations(roomId, first, RelationType.Annotation, EventType.Reaction);
    assert.deepEqual(
        given.events.map((one) => one.getRelation().key),
        ["👎", "👍"],
    );
    const started = bob.sendMessage(roomId, found.events[0].getId(), { msgtype: MsgType.Text, body: "below it" });
    await assert.rejects(started, { errcode: "M_UNKNOWN", httpStatus: 400 });
    saw("a reaction");

    const { event_id: wrong } = await bob.sendTextMessage(roomId, "a slip");
    await message(alice, roomId, "a slip");
    await bob.redactEvent(roomId, wrong, undefined, { reason: "typo" });
    await until("a redaction", () => alice.getRoom(roomId).findEventById(wrong).isRedacted());
    const raw = await alice.fetchRoomEvent(roomId, wrong);
    assert.deepEqual(raw.content, {});
    assert.equal(raw.unsigned.redacted_because.content.reason, "typo");
    saw("a redaction");
}

async function thread() {
    const { event_id: root } = await alice.sendTextMessage(roomId, "a root");
    await message(bob, roomId, "a root");
    const { event_id: leaf } = await bob.sendMessage(roomId, root, { msgtype: MsgType.Text, body: "a leaf" });
    const grown = await until("a thread", () => alice.getRoom(roomId).getThread(root));
    await until("its leaf", () => grown.replyToEvent?.getId() === leaf && grown.length === 1);
    const unread = () => alice.getRoom(roomId).getThreadUnreadNotificationCount(root);
    await until("a count of the thread", () => unread() === 1);
    await alice.sendReadReceipt(await until("the leaf", () => grown.findEventById(leaf)));
    await until("no count of the thread", () => unread() === 0);
    const listed = await alice.createThreadListMessagesRequest(roomId, null, 10, "b", ThreadFilterType.My);
    assert.deepEqual(
        listed.chunk.map((one) => one.event_id),
        [root],
    );
    await bob.sendMessage(roomId, root, {
        msgtype: MsgType.Text,
        body: "* a leaflet",
        "m.new_content": { msgtype: MsgType.Text, body: "a leaflet" },
        "m.relates_to": { rel_type: RelationType.Replace, event_id: leaf },
    });
    await until("an edit in the thread", () => grown.replyToEvent.getContent().body === "a leaflet");
    const late = await login("alice");
    await follow(late);
    const room = await inRoom(late, roomId);
    await room.createThreadsTimelineSets();
    await room.fetchRoomThreads();
    const seen = await until("the thread on another device", () => room.getThread(root));
    await until("its last words", () => seen.replyToEvent?.getContent().body === "a leaflet");
    saw("a thread");
}

async function read() {
    const { event_id: eventId } = await alice.sendTextMessage(roomId, "read me");
    const event = await message(bob, roomId, "read me");
    const room = bob.getRoom(roomId);
    await until("a count", () => room.getUnreadNotificationCount() > 0);
    await bob.sendReadReceipt(event, ReceiptType.ReadPrivate);
    await until("no count", () => room.getUnreadNotificationCount() === 0);
    const byBob = () => alice.getRoom(roomId).getEventReadUpTo(bob.getUserId(), true);
    assert.notEqual(byBob(), eventId);
    await bob.sendReadReceipt(event);
    await until("a receipt", () => byBob() === eventId);
    await bob.setRoomReadMarkers(roomId, eventId);
    await until("a marker", () => room.getAccountData(EventType.FullyRead)?.getContent().event_id === eventId);
    saw("receipts");
}

async function notice() {
    const member = () => bob.getRoom(roomId).getMember(alice.getUserId());
    await alice.sendTyping(roomId, true, 20_000);
    await until("typing", () => member().typing);
    await alice.sendTyping(roomId, false, 0);
    await until("no typing", () => !member().typing);
    await alice.setPresence({ presence: "unavailable", status_msg: "at lunch" });
    await until("presence", () => bob.getUser(alice.getUserId()).presenceStatusMsg === "at lunch");
    saw("typing and presence");
}

async function lookBack() {
    const late = await register("carol");
    await bob.invite(roomId, late.getUserId());
    await late.joinRoom(roomId);
    await follow(late, { initialSyncLimit: 2 });
    const room = await inRoom(late, roomId);
    while (await late.paginateEventTimeline(room.getLiveTimeline(), { backwards: true, limit: 5 }));
    const all = room.getLiveTimeline().getEvents();
    assert.equal(all[0].getType(), EventType.RoomCreate);
    assert.ok(all.some((one) => one.getContent().body === "hello"), "the edited text");
    const target = events(alice).find((one) => one.getContent().body === "read me").getId();
    const around = await late.getEventTimeline(room.getUnfilteredTimelineSet(), target);
    assert.ok(around.getEvents().some((one) => one.getId() === target));
    saw("events back to the beginning", all.length);
}

async function part() {
    await alice.kick(roomId, bob.getUserId(), "enough");
    await inRoom(bob, roomId, KnownMembership.Leave);
    await alice.ban(roomId, bob.getUserId());
    const himself = () => bob.getRoom(roomId).getMember(bob.getUserId());
    await until("the ban", () => himself().membership === KnownMembership.Ban);
    await assert.rejects(bob.joinRoom(roomId), { errcode: "M_FORBIDDEN" });
    await alice.unban(roomId, bob.getUserId());
    bob.stopClient();
    await bob.logout();
    await assert.rejects(bob.whoami(), { errcode: "M_UNKNOWN_TOKEN" });
    saw("parted");
}

story(async () => {
    await meet();
    await changeMessages();
    await thread();
    await read();
    await notice();
    await lookBack();
    await part();
});
