"""One person at one API, with the same verbs for each: a story is told once and played on every pair of them.

Messages and rooms are named by their place in the log, which each API's ids can be traced to. What an API has no call
for stands in its hand's `lacks`; a story asks there before it uses the verb.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal, Protocol
from uuid import UUID

import aiohttp

from homeserver import publicids
from homeserver.model import LogPosition
from tests.api.driver import Ear, User
from tests.api.messenger.wire import Line, line, v1

Verb = Literal["edit", "delete", "read up to", "presence"]
NOTHING: frozenset[Verb] = frozenset()


@dataclass(frozen=True)
class Seen:
    """A message as an API shows it: its place, its sender's name, its text, and the names of its files."""

    place: LogPosition
    sender: str
    text: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class News:
    """What a socket told: `place` of the message, `who` by name. `is_on`: whether they type, or are there."""

    kind: str
    place: int = 0
    who: str = ""
    text: str = ""
    files: tuple[str, ...] = ()
    is_on: bool | None = None


class Listening(Protocol):
    async def news(self, kind: str) -> News:
        """The next news of a kind; others before it are passed over."""
        ...

    async def types(self) -> None: ...


class Hand(Protocol):
    """A person at an API, in one room. `name`: under which the others know them."""

    @property
    def name(self) -> str: ...

    @property
    def lacks(self) -> frozenset[Verb]: ...

    async def find(self, room: int) -> None: ...

    async def says(self, text: str) -> Seen: ...

    async def sends_file(self, name: str, data: bytes) -> Seen: ...

    async def edits(self, seen: Seen, text: str) -> None: ...

    async def deletes(self, seen: Seen) -> None: ...

    async def reads(self, seen: Seen) -> None: ...

    async def page(self) -> list[Seen]: ...

    async def unread(self) -> int: ...

    async def last(self) -> str: ...

    def listens(self) -> AbstractAsyncContextManager[Listening]: ...


class University:
    """The university API."""

    lacks = NOTHING

    def __init__(self, user: User) -> None:
        self.user = user
        self.name = user.name
        self.room: Any = None
        self.names: dict[int, str] = {}

    async def find(self, room: int) -> None:
        listed = await self.user.chat("GET", "conversations/")
        (found,) = [one for one in listed if place(one["id"]) == room]
        self.room = await self.user.chat("GET", f"conversations/{found['id']}")
        self.names = {one["user_id"]: one["first_name"] for one in self.room["participants"]}

    async def says(self, text: str) -> Seen:
        return self.seen(await self.user.say(self.room, text))

    async def sends_file(self, name: str, data: bytes) -> Seen:
        form = aiohttp.FormData()
        form.add_field("conversation_id", self.room["id"])
        form.add_field("file", BytesIO(data), filename=name, content_type="application/octet-stream")
        await self.user.chat("POST", "attachments/", data=form)
        return (await self.page())[-1]

    async def edits(self, seen: Seen, text: str) -> None:
        await self.user.chat("PUT", f"messages/{await self._id(seen)}", json={"text": text})

    async def deletes(self, seen: Seen) -> None:
        await self.user.chat("DELETE", f"messages/{await self._id(seen)}", 204)

    async def reads(self, seen: Seen) -> None:
        body = {"message_id": await self._id(seen)}
        await self.user.chat("POST", f"conversations/{self.room['id']}/read", 204, json=body)

    async def _id(self, seen: Seen) -> str:
        page = await self.user.chat("GET", f"messages/{self.room['id']}")
        return next(str(one["id"]) for one in page if place(one["id"]) == seen.place)

    async def page(self) -> list[Seen]:
        return [self.seen(one) for one in await self.user.chat("GET", f"messages/{self.room['id']}")]

    async def unread(self) -> int:
        return int((await self.user.chat("GET", f"conversations/{self.room['id']}"))["unread_count"])

    async def last(self) -> str:
        last = (await self.user.chat("GET", f"conversations/{self.room['id']}"))["last_message"]
        return str(last["text"]) if last else ""

    def seen(self, message: Any) -> Seen:
        files = tuple(one["name"] for one in message["attachments"])
        text = message["text"] or (files[0] if files else "")
        return Seen(place(message["id"]), self.names[message["sender_id"]], text, files)

    @asynccontextmanager
    async def listens(self) -> AsyncIterator["UniversityEar"]:
        async with self.user.socket(self.room) as ear:
            yield UniversityEar(self, ear)


class UniversityEar:
    def __init__(self, hand: University, ear: Ear) -> None:
        self._hand = hand
        self._ear = ear

    async def news(self, kind: str) -> News:
        event = {"new": "message:new", "edited": "message:edited", "deleted": "message:deleted"}.get(kind)
        payload = await self._ear.until(event or {"read": "message:read"}.get(kind, kind))
        if kind in ("new", "edited"):
            seen = self._hand.seen(payload)
            return News(kind, seen.place, seen.sender, seen.text, seen.files)
        who = self._hand.names[payload["user_id"]] if "user_id" in payload else ""
        named = payload.get("message_id") or payload.get("id")
        is_on = payload.get("is_typing", payload.get("online"))
        return News(kind, place(named) if named else 0, who, is_on=is_on)

    async def types(self) -> None:
        await self._ear.say("typing", is_typing=True)


class Messenger:
    """The messenger API. It takes in no files: its messages say where one lies."""

    lacks = NOTHING

    def __init__(self, user: User) -> None:
        self.user = user
        self.name = user.name
        self.room: Any = None
        self.names: dict[int, str] = {}

    async def find(self, room: int) -> None:
        (self.room,) = [one for one in await v1(self.user, "GET", "chats/") if one["id"] == room]
        self.names = {one["id"]: one["display_name"] for one in self.room["participants"]}

    async def says(self, text: str) -> Seen:
        body = {"chat_id": self.room["id"], "type": "text", "content": text}
        return self.seen(await v1(self.user, "POST", "messages", 201, json=body))

    async def sends_file(self, name: str, data: bytes) -> Seen:
        payload = {"url": f"https://files.example/{name}", "size": len(data)}
        body = {"chat_id": self.room["id"], "type": "file", "content": name, "payload": payload}
        return self.seen(await v1(self.user, "POST", "messages", 201, json=body))

    async def edits(self, seen: Seen, text: str) -> None:
        await v1(self.user, "PATCH", f"messages/{seen.place}", json={"content": text})

    async def deletes(self, seen: Seen) -> None:
        await v1(self.user, "DELETE", f"messages/{seen.place}", 204)

    async def reads(self, seen: Seen) -> None:
        await v1(self.user, "POST", f"chats/{self.room['id']}/read", 204, json={"message_id": seen.place})

    async def page(self) -> list[Seen]:
        return [self.seen(one) for one in await v1(self.user, "GET", f"chats/{self.room['id']}/messages")]

    async def unread(self) -> int:
        return int((await v1(self.user, "GET", f"chats/{self.room['id']}"))["unread_count"])

    async def last(self) -> str:
        last = (await v1(self.user, "GET", f"chats/{self.room['id']}"))["last_message"]
        return str(last["content"]) if last else ""

    def seen(self, message: Any) -> Seen:
        payload = message["payload"] or {}
        described = payload.get("attachments") or ([payload] if payload.get("url") else [])
        files = tuple(one.get("name") or one["url"].rpartition("/")[2] for one in described)
        return Seen(message["id"], self.names[message["author_id"]], message["content"], files)

    @asynccontextmanager
    async def listens(self) -> AsyncIterator["MessengerEar"]:
        async with line(self.user) as ear:
            yield MessengerEar(self, ear)


class MessengerEar:
    def __init__(self, hand: Messenger, ear: Line) -> None:
        self._hand = hand
        self._ear = ear

    async def news(self, kind: str) -> News:
        event = {"new": "message.created", "edited": "message.updated", "deleted": "message.deleted"}.get(
            kind
        )
        data = await self._ear.until(event or {"read": "message.read"}.get(kind, kind))
        assert data["chat_id"] == self._hand.room["id"]
        if kind in ("new", "edited"):
            seen = self._hand.seen(data)
            return News(kind, seen.place, seen.sender, seen.text, seen.files)
        who = self._hand.names[data["user_id"]] if "user_id" in data else ""
        is_on = data.get("is_typing", data.get("online"))
        return News(kind, data.get("message_id") or data.get("id") or 0, who, is_on=is_on)

    async def types(self) -> None:
        await self._ear.say("typing", chat_id=self._hand.room["id"], is_typing=True)


def place(public_id: str) -> LogPosition:
    """The place in the log that the UUID of a message or of a room is made of."""
    return LogPosition(publicids.position_of(UUID(public_id)))
