// What the stories share: clients of matrix-js-sdk, waiting for what must come, and telling what was seen.
//
// A story is run as `node story.mjs URL`. Each thing seen is a line of JSON on standard output; what the library says goes
// to standard error.

import assert from "node:assert/strict";
import { format } from "node:util";

import { createClient } from "matrix-js-sdk";

const url = process.argv[2];
const PASSWORD = "correct horse battery";
const PATIENCE_MS = 20_000;
const LOOK_EVERY_MS = 10;

for (const level of ["debug", "error", "info", "log", "trace", "warn"]) {
    const isLoud = level === "error" || level === "warn";
    console[level] = (...words) => isLoud && process.stderr.write(`${level}: ${format(...words)}\n`);
}
const running = [];

/** Tell what was seen. */
export function saw(what, found = true) {
    process.stdout.write(`${JSON.stringify({ saw: what, found })}\n`);
}

/** Run a story; whatever it leaves running ends with it. */
export async function story(tell) {
    try {
        await tell();
        saw("the end");
    } catch (error) {
        saw("a failure", { error: String(error), data: error.data, stack: error.stack });
        process.exitCode = 1;
    }
    for (const client of running) {
        client.stopClient();
    }
    process.exit();
}

/** What `probe` finds, as soon as it finds something; it looks so often. */
export async function until(what, probe, everyMs = LOOK_EVERY_MS) {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
        const found = await probe();
        if (found) {
            return found;
        }
        assert.ok(Date.now() < deadline, `it did not come: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
}

/** What a promise brings, which must come soon. */
export function within(what, promise) {
    const late = new Promise((_, reject) => {
        setTimeout(() => reject(new Error(`it did not come: ${what}`)), PATIENCE_MS);
    });
    return Promise.race([promise, late]);
}

/** A new account with its first device. */
export async function register(name, options) {
    const wish = { username: name, password: PASSWORD, auth: { type: "m.login.dummy" } };
    const made = await createClient({ baseUrl: url }).registerRequest(wish);
    return device(made, options);
}

/** Another device of somebody. */
export async function login(name, options) {
    const identifier = { type: "m.id.user", user: name };
    const wish = { type: "m.login.password", identifier, password: PASSWORD };
    return device(await createClient({ baseUrl: url }).loginRequest(wish), options);
}

function device(made, options = {}) {
    const client = createClient({
        baseUrl: url,
        accessToken: made.access_token,
        userId: made.user_id,
        deviceId: made.device_id,
        timelineSupport: true,
        ...options,
    });
    running.push(client);
    return client;
}

/** Follow the server; returns when the first sync is in. */
export async function follow(client, options = {}) {
    await client.startClient({ initialSyncLimit: 20, threadSupport: true, pollTimeout: 5_000, ...options });
    await until("the first sync", () => client.isInitialSyncComplete());
}

/** For calls that ask for the password, if they do; `asked` gets a line each time. */
export function password(client, asked = []) {
    return (makeRequest) =>
        makeRequest(null).catch((error) => {
            asked.push(error.data.flows);
            const { session } = error.data;
            const identifier = { type: "m.id.user", user: client.getUserId() };
            return makeRequest({ type: "m.login.password", identifier, password: PASSWORD, session });
        });
}

/** A room as the client knows it. */
export function inRoom(client, roomId, membership = "join") {
    return until(`${membership} of ${roomId}`, () => {
        const room = client.getRoom(roomId);
        return room?.getMyMembership() === membership && room;
    });
}

/** A message with this text, in the main timeline or a thread, decrypted where it was not plain. */
export function message(client, roomId, text) {
    return until(`"${text}" at ${client.getDeviceId()}`, () => {
        const room = client.getRoom(roomId);
        const threads = room?.getThreads().flatMap((one) => one.events) ?? [];
        const main = room?.getLiveTimeline().getEvents() ?? [];
        return [...main, ...threads].find((event) => event.getContent().body === text);
    });
}

export { assert };
