"""Typing, as several connections of one person show it to several of another."""

import aiohttp

from homeserver.lifecycle import Running
from tests.api.driver import User
from tests.api.matrix.roomkit import path
from tests.api.messenger.wire import line, v1
from tests.bridges.marketplace.people import token
from tests.faces.hands import place
from tests.faces.matrix import Matrix
from tests.names import fresh_number


async def _person(client: aiohttp.ClientSession, name: str, number: int) -> User:
    user = User(client, token(number, username=name), number, name)
    await user.call("GET", "/api/v1/users/me")  # an account is there once it was used
    return user


async def test_one_types_in_two_tabs(client: aiohttp.ClientSession) -> None:
    """It goes on until neither does, and whoever comes into the group meanwhile sees it."""
    alice, bob, carol = [
        await _person(client, name, fresh_number(n)) for n, name in ((2, "Alice"), (3, "Bob"), (4, "Carol"))
    ]
    room = await alice.group(bob)
    here = {"conversation_id": room["id"], "user_id": bob.id}
    async with alice.socket(room) as hers, line(carol) as carols, bob.socket(room) as second:
        async with bob.socket(room) as first:
            for tab in (first, second):
                await tab.say("typing", is_typing=True)
            assert await hers.until("typing") == {**here, "is_typing": True}
            added = {"user_id": carol.id}
            await alice.chat("POST", f"conversations/{room['id']}/participants/", json=added)
            told = await carols.until("typing")
            assert told == {"chat_id": place(room["id"]), "user_id": bob.id, "is_typing": True}
        await alice.say(room, "the first tab is closed")
        await hers.until("message:new")
        assert [one["payload"]["is_typing"] for one in hers.seen if one["type"] == "typing"] == [True]
        await second.say("typing", is_typing=False)
        assert await hers.until("typing") == {**here, "is_typing": False}


async def test_one_types_on_and_is_removed(server: Running, client: aiohttp.ClientSession) -> None:
    alice, bob = [await _person(client, name, fresh_number(n)) for n, name in ((2, "Alice"), (3, "Bob"))]
    room = await alice.group(bob)
    hers, his = Matrix(alice, server.hs.core.db), Matrix(bob, server.hs.core.db)
    for hand in (hers, his):
        await hand.find(place(room["id"]))
    async with hers.listens() as ear, line(alice) as line_of_alice:
        typing = path(hers.room_id, f"typing/{his.client.user_id}")
        await his.client.call("PUT", typing, body={"typing": True, "timeout": 110_000})
        assert (await ear.news("typing")).is_on
        assert (await line_of_alice.until("typing"))["is_typing"]
        await v1(alice, "DELETE", f"chats/{place(room['id'])}/members/{bob.id}", 204)
        assert (await ear.news("typing")).is_on is False
        assert not (await line_of_alice.until("typing"))["is_typing"]
