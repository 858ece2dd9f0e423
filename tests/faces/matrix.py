"""Hands at the Matrix API: somebody with any Matrix client, who logs in by the host application's token.

Events are called by ids that have nothing of their places in the log; those are looked up.
"""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from homeserver.model import LogPosition
from homeserver.protocol.ids import EventId, RoomId
from homeserver.storage import events, rooms
from homeserver.storage.db import Database
from tests.api.driver import User
from tests.api.matrix.driver import Client
from tests.api.matrix.mediakit import upload
from tests.api.matrix.roomkit import path, say
from tests.api.matrix.synckit import Follower
from tests.faces.hands import News, Seen, Verb

_FILES = ("m.image", "m.video", "m.file", "m.audio")


class Matrix:
    """The Matrix client-server API. Who is there it tells of the whole server, and not of one room."""

    lacks: frozenset[Verb] = frozenset({"presence"})

    def __init__(self, user: User, db: Database) -> None:
        self.user = user
        self.name = user.name
        self.client = Client(user.session)
        self.room_id = ""
        self.names: dict[str, str] = {}
        self._db = db

    async def find(self, room: int) -> None:
        async with self._db.read() as conn:
            self.room_id = str(await rooms.room_at(conn, LogPosition(room)))
        body = {"type": "org.matrix.login.jwt", "token": self.user.token}
        self.client = self.client.of(await self.client.call("POST", "login", body=body))
        assert self.room_id in (await self.client.call("GET", "joined_rooms"))["joined_rooms"]
        joined = (await self._call("GET", "joined_members"))["joined"]
        self.names = {user_id: one["display_name"] for user_id, one in joined.items()}

    async def says(self, text: str) -> Seen:
        return Seen(await self.place(await say(self.client, self.room_id, text)), self.name, text)

    async def sends_file(self, name: str, data: bytes) -> Seen:
        url = f"mxc://{await upload(self.client, data, 'image/png', name)}"
        more = {"msgtype": "m.image", "url": url, "filename": name, "info": {"size": len(data)}}
        event_id = await say(self.client, self.room_id, name, **more)
        return Seen(await self.place(event_id), self.name, name, (name,))

    async def edits(self, seen: Seen, text: str) -> None:
        new = {"msgtype": "m.text", "body": text}
        relation = {"rel_type": "m.replace", "event_id": await self._id(seen)}
        await say(self.client, self.room_id, f"* {text}", **{"m.new_content": new, "m.relates_to": relation})

    async def deletes(self, seen: Seen) -> None:
        await self._call("PUT", f"redact/{await self._id(seen)}/{seen.place}", body={})

    async def reads(self, seen: Seen) -> None:
        await self._call("POST", f"receipt/m.read/{await self._id(seen)}", body={})

    async def page(self) -> list[Seen]:
        chunk = (await self._call("GET", "messages?dir=b&limit=100"))["chunk"]
        return [await self.seen(one) for one in reversed(chunk) if is_shown(one)]

    async def unread(self) -> int:
        room = (await self.client.call("GET", "sync"))["rooms"]["join"][self.room_id]
        return int(room["unread_notifications"]["notification_count"])

    async def last(self) -> str:
        page = await self.page()
        return page[-1].text if page else ""

    async def seen(self, event: Any) -> Seen:
        edit = event.get("unsigned", {}).get("m.relations", {}).get("m.replace")
        content = edit["content"]["m.new_content"] if edit else event["content"]
        files = (content["filename"],) if "filename" in content else ()
        text = content["body"]
        if files:
            text, address = _text_and_address(content)
            assert address.startswith(("mxc://", "https://"))
        return Seen(await self.place(event["event_id"]), self.names[event["sender"]], text, files)

    async def place(self, event_id: str) -> LogPosition:
        async with self._db.read() as conn:
            found = await events.positions_of(conn, [EventId(event_id)])
        return found[RoomId(self.room_id), EventId(event_id)]

    async def _id(self, seen: Seen) -> str:
        async with self._db.read() as conn:
            return (await events.events_at(conn, [seen.place]))[seen.place].event.event_id

    async def _call(self, method: str, rest: str, **options: Any) -> Any:
        return await self.client.call(method, path(self.room_id, rest), **options)

    @asynccontextmanager
    async def listens(self) -> AsyncIterator["MatrixEar"]:
        ear = MatrixEar(self, Follower(self.client))
        await ear.starts()
        yield ear


class MatrixEar:
    def __init__(self, hand: Matrix, follower: Follower) -> None:
        self._hand = hand
        self._follower = follower
        self._waiting: deque[News] = deque()
        self._typing: set[str] = set()

    async def news(self, kind: str) -> News:
        for _ in range(20):
            while self._waiting:
                if (found := self._waiting.popleft()).kind == kind:
                    return found
            answer = await self._follower.sync(5000)
            room = answer.get("rooms", {}).get("join", {}).get(self._hand.room_id)
            if room is not None:
                await self._take_in(room)
        raise AssertionError(f"no {kind} came")

    async def starts(self) -> None:
        """The first sync; of what it tells, only who types is news."""
        room = (await self._follower.sync())["rooms"]["join"][self._hand.room_id]
        await self._take_in({**room, "timeline": {"events": []}})

    async def types(self) -> None:
        body = {"typing": True, "timeout": 10_000}
        at = path(self._hand.room_id, f"typing/{self._hand.client.user_id}")
        await self._hand.client.call("PUT", at, body=body)

    async def _take_in(self, room: Any) -> None:
        for told in room["ephemeral"]["events"]:
            if told["type"] == "m.typing":
                self._waiting.extend(self._of_typing(set(told["content"]["user_ids"])))
        for event in room["timeline"]["events"]:
            if (news := await self._of_event(event)) is not None:
                self._waiting.append(news)
        for told in room["ephemeral"]["events"]:
            if told["type"] == "m.receipt":
                self._waiting.extend(await self._of_receipts(told["content"]))

    async def _of_event(self, event: Any) -> News | None:
        content, sender = event["content"], self._hand.names[event["sender"]]
        if event["type"] == "m.room.redaction":
            return News("deleted", await self._hand.place(content["redacts"]))
        if event["type"] != "m.room.message" or not content:
            return None
        relation = content.get("m.relates_to", {})
        if relation.get("rel_type") == "m.replace":
            text = content["m.new_content"]["body"]
            return News("edited", await self._hand.place(relation["event_id"]), sender, text)
        seen = await self._hand.seen(event)
        return News("new", seen.place, seen.sender, seen.text, seen.files)

    async def _of_receipts(self, content: Any) -> list[News]:
        return [
            News("read", await self._hand.place(event_id), self._hand.names[user_id])
            for event_id, kinds in content.items()
            for user_id in kinds.get("m.read", {})
        ]

    def _of_typing(self, now: set[str]) -> list[News]:
        changed, self._typing = now ^ self._typing, now
        return [News("typing", 0, self._hand.names[one], is_on=one in now) for one in changed]


def _text_and_address(content: Any) -> tuple[str, str]:
    """Of a file; one that lies on another server is a text for Matrix clients, and its address the last line."""
    if content["msgtype"] in _FILES:
        return content["body"], content["url"]
    assert content["msgtype"] == "m.text"
    text, _, address = content["body"].rpartition("\n")
    return text, address


def is_shown(event: Any) -> bool:
    """Whether an event is a message that stands on its own and was not deleted."""
    relation = event["content"].get("m.relates_to", {})
    return event["type"] == "m.room.message" and bool(event["content"]) and "rel_type" not in relation
