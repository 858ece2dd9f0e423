"""Chats and the socket of the messenger, as its clients use them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.api.driver import API, User, Wire


async def v1(user: User, method: str, path: str, status: int = 200, **options: Any) -> Any:
    """A call of the messenger API."""
    return await user.call(method, f"{API}/{path}", status, **options)


async def direct(user: User, other: User) -> Any:
    """The chat of two people."""
    return await v1(user, "POST", "chats/direct", json={"user_id": other.id})


async def group(user: User, *others: User, title: str = "Group") -> Any:
    """A new group."""
    body = {"title": title, "user_ids": [one.id for one in others]}
    return await v1(user, "POST", "chats/group", json=body)


async def say(user: User, chat: Any, content: str, **more: Any) -> Any:
    """Send a message."""
    body = {"chat_id": chat["id"], "type": "text", "content": content, **more}
    return await v1(user, "POST", "messages", 201, json=body)


async def contents(user: User, chat: Any, query: str = "") -> list[str]:
    """What the messages of a page say."""
    return [one["content"] for one in await v1(user, "GET", f"chats/{chat['id']}/messages{query}")]


class Line(Wire):
    """The socket of a person."""

    async def say(self, event: str, **data: Any) -> None:
        await self.ws.send_json({"event": event, "data": data})

    async def next(self, *, ignore: tuple[str, ...] = ("presence",)) -> tuple[str, Any]:
        """Name and data of the next frame, presence left out."""
        while True:
            frame = await self.frame()
            assert set(frame) == {"event", "data"}
            if frame["event"] not in ignore:
                return frame["event"], frame["data"]

    async def until(self, event: str, condition: Callable[[Any], bool] = lambda _data: True) -> Any:
        """The data of the next frame of a kind that meets a condition."""
        while True:
            name, data = await self.next(ignore=())
            if name == event and condition(data):
                return data

    async def settled(self) -> None:
        """Everything that was sent here before now has arrived."""
        await self.say("ping")
        await self.until("pong")


@asynccontextmanager
async def line(user: User, path: str = "") -> AsyncIterator[Line]:
    """The live socket of a person."""
    async with user.session.ws_connect(path or f"/ws?token={user.token}") as ws:
        yield Line(ws)
