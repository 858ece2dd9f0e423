"""A bot of simplematrixbotlib answers commands in an encrypted room, and goes on after it was started anew."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nio
import simplematrixbotlib as botlib

from tests.clients.python.kit import ENCRYPTED, PASSWORD, Devices, must, saw, story, until


async def tell(devices: Devices) -> None:
    alice = await devices.register("alice", encrypted=True)
    account = await devices.register("echo")
    os.chdir(devices.folder)  # the library keeps its session and its keys there

    async with _bot(devices.url):
        made = await must(alice.client.room_create(invite=[account.user_id], initial_state=[ENCRYPTED]))
        room_id = str(made.room_id)
        everybody = {alice.user_id, account.user_id}
        await until("the bot comes in", lambda: alice.knows(room_id, everybody))
        saw("the bot came in by itself")
        await alice.say(room_id, "!echo once")
        answer = await alice.text(room_id, "you said: once")
        assert answer.decrypted
        assert answer.sender == account.user_id
        saw("an answer", answer.body)

    async with _bot(devices.url):
        await alice.say(room_id, "!echo twice")
        answer = await alice.text(room_id, "you said: twice")
        saw("an answer after a start", answer.body)
    held = await must(account.client.devices())
    names = [one.display_name for one in held.devices]
    assert len([one for one in names if one and "Bot" in one]) == 1, names
    saw("it is the same device still")


@asynccontextmanager
async def _bot(url: str) -> AsyncIterator[None]:
    config = botlib.Config()
    config.encryption_enabled = True
    config.timeout = 1  # ms that its first sync waits for news, which it then passes over
    bot = botlib.Bot(botlib.Creds(url, "echo", PASSWORD), config)
    config.allowlist = [re.escape("@alice:") + ".*"]

    async def echo(room: nio.MatrixRoom, event: nio.Event) -> None:
        match = botlib.MessageMatch(room, event, bot, "!")
        if match.is_not_from_this_bot() and match.prefix() and match.command("echo"):
            await bot.api.send_text_message(room.room_id, f"you said: {' '.join(match.args())}")

    bot.listener.on_message_event(echo)
    running = asyncio.create_task(bot.main())
    try:
        await until(
            "the bot follows", lambda: running.done() or (bot.callbacks and bot.async_client.next_batch)
        )
        assert not running.done(), running.exception()
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])
        if bot.async_client is not None:
            await bot.async_client.close()


story(tell)
