"""Null in a socket's frame is as good as absent, at every API that has sockets."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from bridges.marketplace import schemas as marketplace
from homeserver.api.messenger import schemas as messenger
from homeserver.api.university import schemas as university
from homeserver.http.body import Body
from homeserver.lifecycle import Running
from tests.api.messenger.wire import line
from tests.faces.hands import place
from tests.faces.walk import variants
from tests.faces.world import OVERRIDES, World, make_world


@pytest.fixture
def overrides(overrides: dict[str, object]) -> dict[str, object]:
    return {**overrides, **OVERRIDES, "sockets": {"frames_burst": 10_000}}


@pytest.fixture
async def world(server: Running, client: aiohttp.ClientSession) -> World:
    return await make_world(server, client)


def _messenger(kind: str, data: Any) -> dict[str, Any]:
    return {"event": kind, "data": data}


def _university(kind: str, data: Any) -> dict[str, Any]:
    return {"type": kind, "payload": data}


def _marketplace(kind: str, data: Any) -> dict[str, Any]:
    return {"type": kind, **(data or {})}


async def test_null_in_a_frame_of_the_university_is_as_good_as_absent(world: World) -> None:
    last = (await world.users[0].say(world.conversation, "last"))["id"]
    async with world.users[0].socket(world.conversation) as ear:
        talk = Talk(ear.ws, lambda kind, data: {"type": kind, "payload": data})
        await talk.compare("message:new", university.MessageFrame, text="x")
        await talk.compare("typing", university.TypingFrame)
        await talk.compare("message:read", university.ReadMark)
        await talk.compare("sync", university.SyncFrame, after=last)


async def test_null_in_a_frame_of_the_messenger_is_as_good_as_absent(world: World) -> None:
    chat_id = place(world.conversation["id"])
    async with line(world.users[0]) as ear:
        talk = Talk(ear.ws, lambda kind, data: {"event": kind, "data": data})
        await talk.compare("message.send", messenger.NewMessage, chat_id=chat_id, content="x")
        await talk.compare("typing", messenger.TypingData, chat_id=chat_id)
        await talk.compare("read", messenger.ReadData, chat_id=chat_id)
        await talk.compare("sync", messenger.SyncData, after=0)
        await talk.compare("ping", Body)


async def test_null_in_a_frame_of_the_marketplace_is_as_good_as_absent(world: World) -> None:
    async with world.shoppers[1].socket(world.chat) as ear:
        talk = Talk(ear.ws, lambda kind, data: {"type": kind, **(data or {})})
        await talk.compare("message", marketplace.NewMessage, message_text="x")
        await talk.compare("typing", marketplace.TypingFrame, is_typing=True)
        await talk.compare("read", Body)


@dataclass
class Talk:
    """A socket, and how its frames are made of their kind and data."""

    ws: aiohttp.ClientWebSocketResponse
    frame: Callable[[str, Any], dict[str, Any]]

    async def compare(self, kind: str, model: type[Body], **data: Any) -> None:
        """Each optional field null, and the data as a whole, are answered as if they were not there."""
        for one in variants(model, data):
            without = await _errors(self.ws, self.frame(kind, one.without))
            assert await _errors(self.ws, self.frame(kind, one.with_null)) == without, (kind, one)
        without = await _errors(self.ws, self.frame(kind, {}))
        assert await _errors(self.ws, self.frame(kind, None)) == without, kind


async def _errors(ws: aiohttp.ClientWebSocketResponse, frame: Any) -> list[str]:
    """The codes of the errors that answer a frame."""
    await ws.send_json(frame)
    await ws.send_json({"type": "no such", "event": "no such"})
    codes: list[str] = []
    while "unknown_type" not in codes:
        async with asyncio.timeout(10):
            message = await ws.receive()
        assert message.type is aiohttp.WSMsgType.TEXT, (message, frame, codes)
        said = message.json()
        if "error" in (said.get("type"), said.get("event")):
            codes.append((said.get("payload") or said.get("data") or said)["code"])
    return codes
