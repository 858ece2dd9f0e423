// A client that follows by sliding sync: a window of the list first, then what moves, and secrets by the same way.

import { EventType } from "matrix-js-sdk";
import { SlidingSync, SlidingSyncEvent, SlidingSyncState } from "matrix-js-sdk/lib/sliding-sync.js";

import { assert, inRoom, follow, login, message, register, saw, story, until } from "./kit.mjs";

const ROOMS = 6;
const WINDOW = 3;
const STATE = [["*", "*"]];

function slide(client, top) {
    const list = { ranges: [[0, top - 1]], timeline_limit: 5, required_state: STATE };
    const lists = new Map([["all", list]]);
    const subscription = { timeline_limit: 10, required_state: STATE };
    return new SlidingSync(client.baseUrl, lists, subscription, client, 5_000);
}

/** Follow by sliding sync; returns when the first answer is in. */
async function followSliding(client, sliding) {
    const first = new Promise((resolve, reject) => {
        sliding.on(SlidingSyncEvent.Lifecycle, (state, _answer, error) => {
            if (error) reject(error);
            if (state === SlidingSyncState.Complete) resolve();
        });
    });
    await client.startClient({ slidingSync: sliding, threadSupport: true });
    await first;
}

story(async () => {
    const bob = await register("bob");
    await bob.initRustCrypto({ useIndexedDB: false });
    await follow(bob);
    const computer = await register("alice");
    const roomIds = [];
    for (let number = 0; number < ROOMS; number++) {
        const { room_id: roomId } = await computer.createRoom({ name: `Room ${number}`, invite: [bob.getUserId()] });
        roomIds.push(roomId);
        await inRoom(bob, roomId, "invite");
        await bob.joinRoom(roomId);
    }

    const phone = await login("alice");
    await phone.initRustCrypto({ useIndexedDB: false });
    const sliding = slide(phone, WINDOW);
    await followSliding(phone, sliding);
    assert.equal(sliding.getListData("all").joinedCount, ROOMS);
    const names = await until("a window of rooms", () => {
        const rooms = phone.getRooms();
        return rooms.length >= WINDOW && rooms.map((room) => room.name).sort();
    });
    assert.deepEqual(names, ["Room 3", "Room 4", "Room 5"]);
    saw("a window", names);

    await bob.sendTextMessage(roomIds[0], "up");
    await message(phone, roomIds[0], "up");
    saw("a room that moved up");

    sliding.modifyRoomSubscriptions(new Set([roomIds[1]]));
    const asked = await inRoom(phone, roomIds[1]);
    assert.equal(asked.name, "Room 1");
    saw("a room that was asked for");

    sliding.setListRanges("all", [[0, ROOMS - 1]]);
    await until("all rooms", () => phone.getRooms().length === ROOMS);
    await bob.sendTyping(roomIds[1], true, 20_000);
    await until("typing", () => asked.getMember(bob.getUserId())?.typing);
    const { event_id: said } = await phone.sendTextMessage(roomIds[1], "read me");
    await bob.sendReadReceipt(await message(bob, roomIds[1], "read me"));
    await until("a receipt", () => asked.getEventReadUpTo(bob.getUserId(), true) === said);
    await phone.setAccountData("org.example.colour", { name: "teal" });
    await until("account data", () => phone.getAccountData("org.example.colour")?.getContent().name === "teal");
    saw("all rooms, and what goes on in them");

    const algorithm = "m.megolm.v1.aes-sha2";
    await phone.sendStateEvent(roomIds[1], EventType.RoomEncryption, { algorithm }, "");
    await until("encryption", () => bob.getRoom(roomIds[1]).hasEncryptionStateEvent());
    await until("encryption here", () => asked.hasEncryptionStateEvent());
    await bob.sendTextMessage(roomIds[1], "a secret");
    const secret = await message(phone, roomIds[1], "a secret");
    assert.ok(secret.isEncrypted());
    await phone.sendTextMessage(roomIds[1], "an answer");
    assert.ok((await message(bob, roomIds[1], "an answer")).isEncrypted());
    saw("secrets");
});
