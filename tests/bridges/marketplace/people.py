"""Buyers, sellers, guests and support of the tests, as the marketplace's widgets call us."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import jwt
from aiohttp import WSMsgType

SECRET = "the secret that the marketplace signs its tokens with"
API = "/api/chat"
LISTING, SELLER, BUYER, SUPPORT = 31, 2, 7, 900


def token(user_id: int, *, key: str = SECRET, **claims: Any) -> str:
    """What the marketplace gives its people: no `sub`, no `iat`."""
    said = {
        "username": f"user{user_id}",
        "user_id": user_id,
        "user_type": "user",
        "exp": int(time.time()) + 600,
        "type": "access",
        **claims,
    }
    return jwt.encode(
        {name: value for name, value in said.items() if value is not None}, key, algorithm="HS256"
    )


@dataclass
class Shopper:
    """Somebody at the API: `name` is what goes for `user_id`; headers hold what they are known by."""

    session: aiohttp.ClientSession
    name: str
    headers: dict[str, str] = field(default_factory=dict)
    prefix: str = API

    async def call(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        headers = {**self.headers, **options.pop("headers", {})}
        url = f"{self.prefix}/{path}"
        async with self.session.request(method, url, headers=headers, **options) as answer:
            text = await answer.text()
            assert answer.status == status, f"{method} {url}: {answer.status} {text}"
            if status >= 400:
                body = await answer.json()
                assert body["detail"], body
                return body["code"]
            return await answer.json()

    async def open(self, listing: int = LISTING, seller: int = SELLER, status: int = 200) -> Any:
        query = {"iphone_id": listing, "seller_id": seller, "buyer_id": self.name}
        return await self.call("GET", "chats/find", status, params=query)

    async def say(self, chat: Any, text: str, status: int = 200, **more: Any) -> Any:
        body = {"message_text": text, "sender_id": self.name, **more}
        return await self.call("POST", f"chats/{chat['id']}/messages", status, json=body)

    async def messages(self, chat: Any, **query: Any) -> list[Any]:
        found: list[Any] = await self.call(
            "GET", f"chats/{chat['id']}/messages", params={"user_id": self.name, **query}
        )
        return found

    async def mine(self, *, is_seller: bool) -> list[Any]:
        query = {"user_id": self.name, "is_seller": str(is_seller).lower()}
        found: list[Any] = await self.call("GET", "chats/my", params=query)
        return found

    async def post(self, chat: Any, verb: str, status: int = 200, who: str = "user_id") -> Any:
        return await self.call("POST", f"chats/{chat['id']}/{verb}", status, params={who: self.name})

    @asynccontextmanager
    async def socket(self, chat: Any, query: str | None = None) -> AsyncIterator["Ear"]:
        path = f"{self.prefix}/ws/{chat['id']}?{f'user_id={self.name}' if query is None else query}"
        async with self.session.ws_connect(path, headers=self.headers) as ws:
            yield Ear(ws)

    @asynccontextmanager
    async def inbox(self, seller: str = "") -> AsyncIterator["Ear"]:
        path = f"{self.prefix}/ws/seller/{seller or self.name}?user_id={self.name}"
        async with self.session.ws_connect(path, headers=self.headers) as ws:
            yield Ear(ws)


class Ear:
    """The client's side of a socket."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.seen: list[Any] = []

    async def say(self, kind: str, **fields: Any) -> None:
        await self.ws.send_json({"type": kind, **fields})

    async def next(self) -> Any:
        async with asyncio.timeout(30):
            message = await self.ws.receive()
        assert message.type is WSMsgType.TEXT, f"{message!r} after {self.seen}"
        self.seen.append(message.json())
        return self.seen[-1]

    async def until(self, kind: str, fits: Callable[[Any], bool] = lambda _frame: True) -> Any:
        while True:
            frame = await self.next()
            if frame["type"] == kind and fits(frame):
                return frame

    async def closed(self) -> int | None:
        async with asyncio.timeout(30):
            while True:
                message = await self.ws.receive()
                if message.type is not WSMsgType.TEXT:
                    return message.data if message.type is WSMsgType.CLOSE else self.ws.close_code
                self.seen.append(message.json())


def registered(session: aiohttp.ClientSession, number: int, **claims: Any) -> Shopper:
    return Shopper(session, str(number), {"Authorization": f"Bearer {token(number, **claims)}"})


def guest(session: aiohttp.ClientSession) -> Shopper:
    """With a UUID of their own, and no cookie unless the session has a jar."""
    return Shopper(session, str(uuid4()))
