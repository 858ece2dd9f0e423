"""People who use the APIs in tests, each with a token, as their clients would."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import WSMsgType

from tests.names import fresh

CHAT = "/api/unet-chat"
API = "/api/v1"
PASSWORD = "correct horse battery"  # of a test's people
_names = itertools.count(1)


@dataclass
class User:
    """Somebody with a token. `call` fails the test when the status is another than expected."""

    session: aiohttp.ClientSession
    token: str
    id: int
    name: str = ""
    refresh_token: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    async def call(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        """The answer's JSON, None if it is empty."""
        headers = {**self.headers, **options.pop("headers", {})}
        async with self.session.request(method, path, headers=headers, **options) as answer:
            text = await answer.text()
            assert answer.status == status, f"{method} {path}: {answer.status} {text}"
            if status >= 400:
                body = await answer.json()
                assert body["detail"] == str(body["detail"]) != "", body
                assert body["code"] == str(body["code"]) != "", body
            return await answer.json() if text else None

    async def code(self, method: str, path: str, status: int, **options: Any) -> str:
        """The code of an error."""
        return str((await self.call(method, path, status, **options))["code"])

    async def chat(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        """A call of the university API."""
        return await self.call(method, f"{CHAT}/{path}", status, **options)

    async def group(self, *others: "User", title: str = "Group", **more: Any) -> Any:
        """A new group conversation with others."""
        body = {"type": "group", "title": title, "participant_ids": [one.id for one in others], **more}
        return await self.chat("POST", "conversations/", json=body)

    async def private(self, other: "User") -> Any:
        """The private conversation with somebody."""
        return await self.chat(
            "POST", "conversations/", json={"type": "private", "participant_ids": [other.id]}
        )

    async def say(self, conversation: Any, text: str, **more: Any) -> Any:
        """Send a message."""
        body = {"conversation_id": conversation["id"], "text": text, **more}
        return await self.chat("POST", "messages/", json=body)

    async def texts(self, conversation: Any, query: str = "") -> list[str]:
        """The texts of a page of messages."""
        page = await self.chat("GET", f"messages/{conversation['id']}{query}")
        return [message["text"] for message in page]

    @asynccontextmanager
    async def socket(self, conversation: Any, query: str = "") -> AsyncIterator["Ear"]:
        """The live socket of a conversation."""
        path = f"{CHAT}/ws/conversations/{conversation['id']}/?{query or f'token={self.token}'}"
        async with self.session.ws_connect(path) as ws:
            yield Ear(ws)


class Wire:
    """The client's side of a socket. Frames that a test does not ask for are kept in `seen`."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.seen: list[Any] = []

    async def frame(self) -> Any:
        """The next frame."""
        async with asyncio.timeout(30):
            message = await self.ws.receive()
        assert message.type is WSMsgType.TEXT, f"{message!r} after {self.seen}"
        self.seen.append(message.json())
        return self.seen[-1]

    async def closed(self) -> int | None:
        """The code the server closes with; frames before that are kept in `seen`."""
        async with asyncio.timeout(30):
            while True:
                message = await self.ws.receive()
                if message.type is WSMsgType.TEXT:
                    self.seen.append(message.json())
                else:
                    return message.data if message.type is WSMsgType.CLOSE else self.ws.close_code


class Ear(Wire):
    """The socket of a conversation."""

    async def say(self, kind: str, **payload: Any) -> None:
        await self.ws.send_json({"type": kind, "payload": payload})

    async def next(self, *, ignore: tuple[str, ...] = ("presence",)) -> Any:
        """The next frame, presence left out."""
        while True:
            frame = await self.frame()
            if frame["type"] not in ignore:
                return frame

    async def until(self, kind: str, condition: Callable[[Any], bool] = lambda _payload: True) -> Any:
        """The payload of the next frame of a kind that meets a condition."""
        while True:
            frame = await self.next(ignore=())
            if frame["type"] == kind and condition(frame["payload"]):
                return frame["payload"]


def email(name: str) -> str:
    """The address of somebody of this test."""
    return f"{fresh(name.lower())}@test.example"


async def register(session: aiohttp.ClientSession, name: str = "", **more: Any) -> User:
    """A new account, logged in. Its e-mail is of this test, its display name as given."""
    name = name or f"person{next(_names)}"
    body = {"email": email(name), "password": PASSWORD, "display_name": name, **more}
    async with session.post(f"{API}/auth/register", json=body) as answer:
        assert answer.status == 201, await answer.text()
        made = await answer.json()
    return User(session, made["access_token"], made["user"]["id"], name, made["refresh_token"])
