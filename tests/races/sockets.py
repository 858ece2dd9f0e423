"""Frames that write: equal ones through several sockets of one person at once."""

import asyncio
import json
from typing import Any

import aiohttp

from tests.bridges.marketplace.people import API as MARKET
from tests.races.kit import TIMES, Answer, Person, Race, World, case
from tests.races.market import seen_of as market_seen
from tests.races.market import sending_chat as market_chat
from tests.races.product import CHAT, inside, listed, seen_in, sending_chat, sending_group

ANSWER_S = 30


async def _sockets(world: World, path: str, headers: dict[str, str] | None = None) -> list[Any]:
    """As many sockets as there will be calls; they end with the session."""
    return [await world.session.ws_connect(path, headers=headers) for _ in range(TIMES)]


async def _answer(socket: aiohttp.ClientWebSocketResponse, frame: Any, said: str) -> Answer:
    """Send a frame and wait for the one that tells of the message."""
    await socket.send_json(frame)
    async with asyncio.timeout(ANSWER_S):
        while True:
            heard = await socket.receive_json()
            is_error = "error" in str(heard.get("type") or heard.get("event"))
            assert not is_error, heard
            if said in json.dumps(heard):
                return Answer(200, "", heard)


def _race(sockets: list[Any], who: Person, frame: Any, **more: Any) -> Race:
    async def fire(_: Person, n: int) -> Answer:
        return await _answer(sockets[n], frame, '"once"')

    return Race([who], fire, **more)


@case("GET", f"{CHAT}/ws/conversations/{{conversation_id:uuid}}")
async def university_send(world: World) -> Race:
    alice, bob, made = await sending_group(world)
    sockets = await _sockets(world, f"{CHAT}/ws/conversations/{made['id']}/?token={alice.token}")
    frame = {"type": "message:new", "payload": {"text": "once", "client_id": "once"}}
    return _race(sockets, alice, frame, looks=inside(bob, made))


@case("GET", "/ws")
async def messenger_send(world: World) -> Race:
    alice, bob, chat = await sending_chat(world)
    sockets = await _sockets(world, f"/ws?token={alice.token}")
    data = {"chat_id": chat["id"], "type": "text", "content": "once", "client_id": "once"}
    return _race(sockets, alice, {"event": "message.send", "data": data}, looks=seen_in(bob, chat))


@case("GET", "/ws")
async def messenger_read(world: World) -> Race:
    alice, bob, chat = await sending_chat(world)
    body = {"chat_id": chat["id"], "type": "text", "content": "hello"}
    said = await bob.call("POST", "/api/v1/messages", 201, json=body)
    sockets = await _sockets(world, f"/ws?token={alice.token}")
    frame = {"event": "read", "data": {"chat_id": chat["id"], "message_id": said["id"]}}

    async def fire(_: Person, n: int) -> Answer:
        await sockets[n].send_json(frame)
        await sockets[n].send_json({"event": "ping", "data": {}})
        async with asyncio.timeout(ANSWER_S):
            while (heard := await sockets[n].receive_json())["event"] != "pong":
                assert heard["event"] != "error", heard
        return Answer(200, "", heard)

    return Race([alice], fire, looks=[*seen_in(bob, chat), *listed(alice)])


@case("GET", f"{MARKET}/ws/{{chat_id:int}}")
async def marketplace_send(world: World) -> Race:
    buyer, seller, chat = await market_chat(world)
    sockets = await _sockets(world, f"{MARKET}/ws/{chat['id']}?user_id={buyer.name}")
    frame = {"type": "message", "message_text": "once", "client_id": "once"}
    return _race(sockets, buyer, frame, looks=market_seen(seller, chat))
