"""Hands at the marketplace: a guest, who only ever is a buyer, and somebody with an account, seller or buyer.

Its widgets can only speak and read: a message is changed or deleted through another API, and a chat is read as a whole.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp

from tests.bridges.marketplace.people import Ear, Shopper
from tests.faces.hands import News, Seen, Verb

GUEST = "Guest"  # as whom the other APIs show one who has no account
_FRAMES = {
    "new": "message",
    "edited": "message_edited",
    "deleted": "message_deleted",
    "read": "messages_read",
}


class Marketplace:
    """The marketplace's API. A seller also listens to the inbox, which must tell what others say as well."""

    lacks: frozenset[Verb] = frozenset({"edit", "delete", "read up to"})

    def __init__(self, shopper: Shopper, name: str = GUEST) -> None:
        self.shopper = shopper
        self.name = name
        self.chat: Any = None
        self.names: dict[str, str] = {}

    async def find(self, room: int) -> None:
        self.chat = await self._info(room)
        self.names = {
            str(self.chat["seller_id"]): self.chat["seller_name"],
            self.chat["buyer_id"]: self.chat["buyer_name"] or GUEST,
        }

    async def says(self, text: str) -> Seen:
        return self.seen(await self.shopper.say(self.chat, text))

    async def sends_file(self, name: str, data: bytes) -> Seen:
        form = aiohttp.FormData()
        form.add_field("file", data, filename=name, content_type="image/png")
        path = f"upload-file?user_id={self.shopper.name}"
        stored = await self.shopper.call("POST", path, data=form)
        named = {"file_url": stored["public_url"], "file_name": name, "file_size": len(data)}
        return self.seen(await self.shopper.say(self.chat, "", message_type="image", **named))

    async def edits(self, seen: Seen, text: str) -> None:
        raise AssertionError("this API has no call for that: see `lacks`")

    async def deletes(self, seen: Seen) -> None:
        raise AssertionError("this API has no call for that: see `lacks`")

    async def reads(self, seen: Seen) -> None:
        """All of it, up to this message or beyond."""
        await self.shopper.post(self.chat, "read")

    async def page(self) -> list[Seen]:
        return [self.seen(one) for one in await self.shopper.messages(self.chat)]

    async def unread(self) -> int:
        return int((await self._info(self.chat["id"]))["unread_count"])

    async def last(self) -> str:
        return (await self._info(self.chat["id"]))["last_message"] or ""

    async def _info(self, room: int) -> Any:
        return await self.shopper.call("GET", f"chats/{room}/info?user_id={self.shopper.name}")

    def seen(self, message: Any) -> Seen:
        assert message["chat_id"] == self.chat["id"]
        files = (message["file_name"],) if message["file_name"] else ()
        text = message["message_text"] or (files[0] if files else "")
        return Seen(message["id"], self.names[message["sender_id"]], text, files)

    @asynccontextmanager
    async def listens(self) -> AsyncIterator["MarketplaceEar"]:
        async with AsyncExitStack() as stack:
            ear = await stack.enter_async_context(self.shopper.socket(self.chat))
            await ear.until("online_users")
            inbox: Ear | None = None
            if self.shopper.name == str(self.chat["seller_id"]):
                inbox = await stack.enter_async_context(self.shopper.inbox())
                await inbox.until("connected")
            yield MarketplaceEar(self, ear, inbox)


class MarketplaceEar:
    def __init__(self, hand: Marketplace, ear: Ear, inbox: Ear | None) -> None:
        self._hand = hand
        self._ear = ear
        self._inbox = inbox

    async def news(self, kind: str) -> News:
        if kind == "presence":
            return await self._presence()
        frame = await self._ear.until(_FRAMES.get(kind, kind))
        if kind in ("new", "edited"):
            seen = self._hand.seen(frame["message"])
            if kind == "new" and self._inbox is not None and seen.sender != self._hand.name:
                await self._inbox.until("message", lambda told: told["message"] == frame["message"])
            return News(kind, seen.place, seen.sender, seen.text, seen.files)
        who = self._hand.names[frame["user_id"]] if "user_id" in frame else ""
        return News(kind, frame.get("id", 0), who, is_on=frame.get("is_typing"))

    async def _presence(self) -> News:
        while True:
            frame = await self._ear.next()
            if frame["type"] in ("user_connected", "user_disconnected"):
                is_on = frame["type"] == "user_connected"
                return News("presence", 0, self._hand.names[frame["user_id"]], is_on=is_on)

    async def types(self) -> None:
        await self._ear.say("typing", is_typing=True)
