// A bot of matrix-bot-sdk, on which many bridges and moderation tools stand: it invites, answers, reacts and removes people,
// with the null values that its functions send where nothing was said.

import { randomBytes } from "node:crypto";
import Module, { createRequire } from "node:module";

import { assert, follow, inRoom, message, register, saw, story, until } from "./kit.mjs";

// Its encryption is a native library that is fetched from elsewhere when it is installed; this bot does not encrypt.
const load = Module._load;
Module._load = (name, ...rest) => (name === "@matrix-org/matrix-sdk-crypto-nodejs" ? {} : load(name, ...rest));
const { LogService, LogLevel, MatrixAuth, MatrixClient, MemoryStorageProvider } = createRequire(import.meta.url)("matrix-bot-sdk");

LogService.setLevel(LogLevel.ERROR);
const url = process.argv[2];
let bot;
let bob;
let botId;

async function start() {
    const password = "correct horse battery";
    const made = await new MatrixAuth(url).passwordRegister(`bot${randomBytes(4).toString("hex")}`, password);
    bot = new MatrixClient(url, made.accessToken, new MemoryStorageProvider());
    botId = await bot.getUserId();
    await bot.setDisplayName("Helper");
    await bot.start();
    bob = await register("bob");
    await follow(bob);
    saw("a bot", botId);
}

const membership = async (roomId, userId) => (await bot.getRoomStateEvent(roomId, "m.room.member", userId)).membership;

async function answer() {
    bot.on("room.message", async (roomId, event) => {
        if (event.sender !== botId) await bot.replyText(roomId, event, `you said: ${event.content.body}`);
    });
    const roomId = await bot.createRoom({ preset: "private_chat", name: "Help" });
    await bot.inviteUser(bob.getUserId(), roomId);
    await inRoom(bob, roomId, "invite");
    await bob.joinRoom(roomId);
    await inRoom(bob, roomId);
    const { event_id: asked } = await bob.sendTextMessage(roomId, "help");
    const reply = await until("an answer", () =>
        bob.getRoom(roomId).getLiveTimeline().getEvents().find((event) => event.getContent().body?.includes("you said: help")),
    );
    assert.equal(reply.getContent()["m.relates_to"]["m.in_reply_to"].event_id, asked);
    const reaction = { "m.relates_to": { rel_type: "m.annotation", event_id: asked, key: "👍" } };
    await bot.sendEvent(roomId, "m.reaction", reaction);
    const again = await bot.sendEvent(roomId, "m.reaction", reaction).catch((error) => error.body?.errcode);
    assert.equal(again, "M_DUPLICATE_ANNOTATION");
    saw("an answer");
    return roomId;
}

async function work(roomId) {
    const uri = await bot.uploadContent(Buffer.from("a file"), "text/plain", "a.txt");
    assert.ok(uri.startsWith("mxc://"));
    await bot.sendMessage(roomId, { msgtype: "m.file", body: "a.txt", url: uri });
    await message(bob, roomId, "a.txt");
    assert.equal((await bot.downloadContent(uri)).data.toString(), "a file");
    const eventId = await bot.sendNotice(roomId, "wrong");
    await bot.redactEvent(roomId, eventId);
    await bot.setUserPowerLevel(bob.getUserId(), roomId, 10);
    assert.ok(await bot.userHasPowerLevelFor(bob.getUserId(), roomId, "m.room.message", false));
    await bot.setTyping(roomId, true, 1000);
    saw("its work");
}

async function remove(roomId) {
    const bobId = bob.getUserId();
    await bot.kickUser(bobId, roomId);
    assert.equal(await membership(roomId, bobId), "leave");
    await bot.inviteUser(bobId, roomId);
    await bob.joinRoom(roomId);
    await bot.banUser(bobId, roomId);
    assert.equal(await membership(roomId, bobId), "ban");
    await bot.unbanUser(bobId, roomId);
    await bot.kickUser(botId, roomId).catch(() => null);
    const told = await bot.getRoomStateEvent(roomId, "m.room.member", bobId);
    assert.ok(!("reason" in told), JSON.stringify(told));
    await bot.leaveRoom(roomId);
    saw("removed", told.membership);
}

await story(async () => {
    await start();
    const roomId = await answer();
    await work(roomId);
    await remove(roomId);
    bot.stop();
});
