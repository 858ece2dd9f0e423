// Files: what the library uploads comes back to those with a token, and to nobody else.

import { MsgType } from "matrix-js-sdk";

import { assert, follow, inRoom, message, register, saw, story } from "./kit.mjs";

// A picture of one pixel.
const PNG =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYPgPAAEDAQAIicLsAAAAAElFTkSuQmCC";

async function fetched(client, mxc, ...size) {
    const address = client.mxcUrlToHttp(mxc, ...size, ...Array(3 - size.length).fill(undefined), false, true, true);
    const headers = { Authorization: `Bearer ${client.getAccessToken()}` };
    const [answer, forNobody] = await Promise.all([fetch(address, { headers }), fetch(address)]);
    assert.equal(forNobody.status, 401);
    assert.equal(answer.status, 200, address);
    return { type: answer.headers.get("content-type"), bytes: Buffer.from(await answer.arrayBuffer()) };
}

story(async () => {
    const [alice, bob] = await Promise.all([register("alice"), register("bob")]);
    await Promise.all([follow(alice), follow(bob)]);
    const { room_id: roomId } = await alice.createRoom({ invite: [bob.getUserId()] });
    await inRoom(bob, roomId, "invite");
    await bob.joinRoom(roomId);

    const picture = Buffer.from(PNG, "base64");
    const limit = await alice.getMediaConfig(true);
    assert.ok(limit["m.upload.size"] > picture.length);
    const progress = [];
    const { content_uri: mxc } = await alice.uploadContent(picture, {
        name: "dot.png",
        type: "image/png",
        progressHandler: ({ loaded }) => progress.push(loaded),
    });
    await alice.sendMessage(roomId, { msgtype: MsgType.Image, body: "dot.png", url: mxc });
    const event = await message(bob, roomId, "dot.png");
    const whole = await fetched(bob, event.getContent().url);
    assert.deepEqual(whole.bytes, picture);
    assert.equal(whole.type, "image/png");
    saw("a picture", mxc);
    const small = await fetched(bob, mxc, 32, 32, "scale");
    assert.match(small.type, /^image\//);
    saw("a thumbnail", small.type);
});
