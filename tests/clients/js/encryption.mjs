// Alice sets up cross-signing, secret storage and a backup on her phone, verifies her laptop, and talks to Bob. A third
// device, with nothing but the recovery key, reads what was said before it was there.

import { CryptoEvent } from "matrix-js-sdk/lib/crypto-api/index.js";
import { VerificationPhase, VerifierEvent } from "matrix-js-sdk/lib/crypto-api/verification.js";
import { RustBackupManager } from "matrix-js-sdk/lib/rust-crypto/backup.js";

import { assert, follow, inRoom, login, message, password, register, saw, story, until, within } from "./kit.mjs";

const SAS = "m.sas.v1";
const V3 = "/_matrix/client/v3";

RustBackupManager.maxBackupLoopStartDelayMillis = 0; // it would wait for up to ten seconds

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
    await crypto.bootstrapSecretStorage({
        createSecretStorageKey: async () => recoveryKey,
        setupNewSecretStorage: true,
        setupNewKeyBackup: true,
    });
    assert.ok(await crypto.isCrossSigningReady());
    assert.ok(await crypto.isSecretStorageReady());
    saw("the backup", await until("a backup", () => crypto.getActiveSessionBackupVersion()));
}

/** `asking` and `asked` compare their emoji. */
async function verify(asking, asked, ask) {
    const received = new Promise((resolve) => asked.once(CryptoEvent.VerificationRequestReceived, resolve));
    const one = await ask();
    const other = await within("the request", received);
    await other.accept();
    await until("both ready", () => one.phase === VerificationPhase.Ready);
    const starter = await one.startVerification(SAS);
    const answerer = await until("the start", () => other.verifier);
    const shown = [starter, answerer].map(
        (verifier) => new Promise((resolve) => verifier.once(VerifierEvent.ShowSas, resolve)),
    );
    const done = Promise.all([starter.verify(), answerer.verify()]);
    const [here, there] = await within("the emoji", Promise.race([Promise.all(shown), done]));
    assert.deepEqual(here.sas, there.sas);
    await Promise.all([here.confirm(), there.confirm()]);
    await within("the end of it", done);
    saw("the emoji", here.sas.emoji.map(([, name]) => name));
}

async function isSigned(client, other) {
    const status = await client.getCrypto().getDeviceVerificationStatus(other.getUserId(), other.getDeviceId());
    return status?.crossSigningVerified;
}

story(async () => {
    const phone = await withCrypto(register("alice", vault));
    await setUp(phone);

    const laptop = await withCrypto(login("alice"));
    await verify(laptop, phone, () => laptop.getCrypto().requestOwnUserVerification());
    await until("the laptop is signed", () => isSigned(phone, laptop));
    await until("the laptop has the keys", () => laptop.getCrypto().isCrossSigningReady());
    await until("the laptop has the backup's key", () => laptop.getCrypto().getActiveSessionBackupVersion());
    saw("the laptop is verified");

    const bob = await withCrypto(register("bob"));
    await bob.getCrypto().bootstrapCrossSigning({ authUploadDeviceSigningKeys: password(bob) });
    const encryption = { type: "m.room.encryption", content: { algorithm: "m.megolm.v1.aes-sha2" } };
    const { room_id: roomId } = await phone.createRoom({ invite: [bob.getUserId()], initial_state: [encryption] });
    await inRoom(bob, roomId, "invite");
    await bob.joinRoom(roomId);
    await inRoom(phone, roomId);
    await until("Bob is in", () => phone.getRoom(roomId).getMember(bob.getUserId())?.membership === "join");
    saw("a room", roomId);

    await verify(phone, bob, () => phone.getCrypto().requestVerificationDM(bob.getUserId(), roomId));
    await until("Alice's laptop trusts Bob", () => isSigned(laptop, bob));
    await until("Bob trusts Alice's laptop", () => isSigned(bob, laptop));
    saw("Bob is verified");

    const { event_id: secret } = await phone.sendTextMessage(roomId, "a secret");
    for (const client of [bob, laptop, phone]) {
        const event = await message(client, roomId, "a secret");
        assert.equal(event.getId(), secret);
        assert.ok(event.isEncrypted());
    }
    await bob.sendTextMessage(roomId, "an answer");
    await message(phone, roomId, "an answer");
    await message(laptop, roomId, "an answer");
    saw("secrets are read");

    const tablet = await withCrypto(login("alice", vault));
    await inRoom(tablet, roomId);
    const unread = await until("the event", () => tablet.getRoom(roomId).findEventById(secret));
    assert.notEqual(unread.getContent().body, "a secret");
    await until("both keys are in the backup", async () => {
        const backup = await phone.http.authedRequest("GET", "/room_keys/version", {}, undefined, { prefix: V3 });
        return backup.count === 2;
    });
    await tablet.getCrypto().loadSessionBackupPrivateKeyFromSecretStorage();
    const restored = await tablet.getCrypto().restoreKeyBackup();
    saw("restored", restored);
    await message(tablet, roomId, "a secret");
    await message(tablet, roomId, "an answer");
    await tablet.getCrypto().bootstrapCrossSigning({});
    await until("the tablet is signed", () => isSigned(phone, tablet));
    saw("the tablet reads old secrets");

    const before = await bob.getCrypto().getCrossSigningKeyId();
    const asked = [];
    await bob.getCrypto().bootstrapCrossSigning({
        setupNewCrossSigning: true,
        authUploadDeviceSigningKeys: password(bob, asked),
    });
    assert.notEqual(await bob.getCrypto().getCrossSigningKeyId(), before);
    assert.deepEqual(asked, [[{ stages: ["m.login.password"] }]]);
    const trust = () => phone.getCrypto().getUserVerificationStatus(bob.getUserId());
    await until("Alice sees that Bob has new keys", async () => (await trust()).needsUserApproval);
    saw("Bob has new keys");
});
