// Alice has a device sleep, and logs her phone out, the only one. What Bob says meanwhile is read by her next device: it
// wakes the sleeping one with the recovery key. There is no backup, so the keys can come from nowhere else.

import { CryptoEvent } from "matrix-js-sdk/lib/crypto-api/index.js";

import { assert, follow, inRoom, login, message, password, register, saw, story, until } from "./kit.mjs";

const PATH = "/dehydrated_device";
const PREFIX = { prefix: "/_matrix/client/unstable/org.matrix.msc3814.v1" };
const ENCRYPTION = { type: "m.room.encryption", content: { algorithm: "m.megolm.v1.aes-sha2" } };

let recoveryKey;
const vault = {
    cryptoCallbacks: {
        getSecretStorageKey: async ({ keys }) => [Object.keys(keys)[0], recoveryKey.privateKey],
    },
};

async function withCrypto(making) {
    const client = await making;
    await client.initRustCrypto({ useIndexedDB: false });
    await follow(client);
    return client;
}

async function setUp(phone) {
    const crypto = phone.getCrypto();
    await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: password(phone) });
    recoveryKey = await crypto.createRecoveryKeyFromPassphrase();
    await crypto.bootstrapSecretStorage({ createSecretStorageKey: async () => recoveryKey });
    assert.ok(await crypto.isDehydrationSupported());
    await crypto.startDehydration();
    const sleeping = await phone.http.authedRequest("GET", PATH, undefined, undefined, PREFIX);
    assert.notEqual(sleeping.device_id, phone.getDeviceId());
    saw("a sleeping device", sleeping.device_id);
    return sleeping.device_id;
}

/** Wakes the sleeping device, and lays another to sleep. */
async function wake(tablet) {
    const seen = [];
    for (const kind of ["RehydrationStarted", "RehydrationProgress", "RehydrationCompleted", "RehydrationError"]) {
        tablet.on(CryptoEvent[kind], (...found) => {
            seen.push([kind, ...found.filter((one) => typeof one !== "object")]); // a client comes along
        });
    }
    await tablet.getCrypto().userHasCrossSigningKeys(tablet.getUserId(), true); // so that it knows the public ones
    await tablet.getCrypto().bootstrapCrossSigning({});
    await tablet.getCrypto().startDehydration();
    saw("waking", seen);
    return seen;
}

story(async () => {
    const phone = await withCrypto(register("alice", vault));
    const bob = await withCrypto(register("bob"));
    const first = await setUp(phone);
    const { room_id: roomId } = await bob.createRoom({ invite: [phone.getUserId()], initial_state: [ENCRYPTION] });
    await inRoom(phone, roomId, "invite");
    await phone.joinRoom(roomId);
    await inRoom(bob, roomId);
    await until("Alice is in", () => bob.getRoom(roomId).getMember(phone.getUserId())?.membership === "join");
    await bob.sendTextMessage(roomId, "before");
    await message(phone, roomId, "before");

    await phone.logout(true);
    for (const text of ["once", "twice", "thrice"]) {
        await bob.getCrypto().forceDiscardSession(roomId); // a key for each
        await bob.sendTextMessage(roomId, text);
    }

    const tablet = await withCrypto(login("alice", vault));
    await inRoom(tablet, roomId);
    const seen = await wake(tablet);
    assert.deepEqual(seen[0], ["RehydrationStarted"]);
    assert.deepEqual(seen.at(-1), ["RehydrationCompleted"]);
    const [, keys] = seen.at(-2);
    assert.equal(keys, 4);
    for (const text of ["before", "once", "twice", "thrice"]) {
        await message(tablet, roomId, text);
    }
    const second = await tablet.http.authedRequest("GET", PATH, undefined, undefined, PREFIX);
    assert.notEqual(second.device_id, first);
    saw("all is read");
});
