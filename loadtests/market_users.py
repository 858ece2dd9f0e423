"""What virtual users of the marketplace's chat do: guests who ask about a listing, and sellers with long inboxes."""

import itertools
import random
import secrets
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import gevent  # type: ignore[import-untyped]  # there are no stubs of this version
import jwt
from locust import between, task
from locust.exception import StopUser

from loadtests.users import some_text
from loadtests.virtual import Caller, Wire, options_of

_TOKEN_S = 3600
_sellers = itertools.count()


class Guest(Caller):
    """Opens a chat about a listing, says a few things, reads, and leaves; the next time it is somebody else."""

    wait_time = between(1, 5)

    @task
    def ask_about_a_listing(self) -> None:
        """As the widget does it: find, the messages, the socket, a few words, read, gone."""
        options = options_of(self.environment)
        self.market = options.market_prefix
        self.client.cookiejar.clear()
        self.name = str(uuid4())
        seller = random.randrange(options.sellers) + options.first_seller
        query = f"iphone_id={_listing(seller)}&seller_id={seller}&buyer_id={self.name}"
        chat = self.get(f"{self.market}/chats/find?{query}", "chats/find")
        if chat is None:
            return
        at = f"{self.market}/chats/{chat['id']}"
        self.get(f"{at}/messages?limit=100&user_id={self.name}", "chats/{id}/messages")
        url = self.socket_url(f"{self.market}/ws/{chat['id']}?user_id={self.name}")
        socket = Ear.open(self.environment, url, self._cookie(), "chat")
        if socket is None:
            return
        for _ in range(random.randint(1, 4)):
            socket.send({"type": "typing", "is_typing": True})
            gevent.sleep(random.uniform(0.3, 1.5))
            socket.say(some_text())
        gevent.sleep(random.uniform(0.5, 3.0))
        self.call("POST", f"{at}/read?user_id={self.name}", name="chats/{id}/read")
        socket.close()

    def _cookie(self) -> dict[str, str]:
        """What a browser would send along: once shown, it must be shown each time."""
        sent = "; ".join(f"{one.name}={one.value}" for one in self.client.cookiejar)
        return {"Cookie": sent} if sent else {}


class Seller(Caller):
    """Keeps the inbox open, looks through it, and answers."""

    wait_time = between(1, 5)

    def on_start(self) -> None:
        """Prove who it is; where the inbox is shorter than wanted, guests ask first."""
        options = options_of(self.environment)
        self.market = options.market_prefix
        self.number = next(_sellers) % options.sellers + options.first_seller
        self.token = _token(options.market_secret_file, self.number)
        self.inbox: Ear | None = None
        self.chats = self._mine()
        for _ in range(options.seller_chats - len(self.chats)):
            self._be_asked()
        self.open_inbox()

    def on_stop(self) -> None:
        """Leave."""
        if self.inbox is not None:
            self.inbox.close()

    @task(1)
    def open_inbox(self) -> None:
        """The page with the inbox is opened: the list by listing, and the socket of it all."""
        grouped = self.get(f"{self.market}/chats/seller/{self.number}/grouped", "chats/seller/{id}/grouped")
        self.chats = [chat for group in (grouped or {}).values() for chat in group]
        if self.inbox is not None:
            self.inbox.close()
        url = self.socket_url(f"{self.market}/ws/seller/{self.number}?user_id={self.number}")
        self.inbox = Ear.open(self.environment, url, self.headers(), "inbox")

    @task(2)
    def look_who_wrote(self) -> None:
        """The plain list."""
        self.chats = self._mine()

    @task(6)
    def answer_somebody(self) -> None:
        """Open a chat, read it, answer."""
        if not self.chats:
            return
        at = f"{self.market}/chats/{random.choice(self.chats)['id']}"
        self.get(f"{at}/messages?limit=100", "chats/{id}/messages")
        self.call("POST", f"{at}/read?user_id={self.number}", name="chats/{id}/read")
        body = {"message_text": some_text(), "sender_id": str(self.number)}
        self.post(f"{at}/messages", body, "chats/{id}/messages send")

    def _mine(self) -> list[Any]:
        path = f"{self.market}/chats/my?user_id={self.number}&is_seller=true"
        return self.get(path, "chats/my") or []

    def _be_asked(self) -> None:
        guest = str(uuid4())
        token, self.token = self.token, ""
        self.client.cookiejar.clear()
        body = {"iphone_id": _listing(self.number), "seller_id": self.number, "buyer_id": guest}
        chat = self.post(f"{self.market}/chats", body, "(setup) chats")
        if chat is not None:
            said = {"message_text": some_text(), "sender_id": guest}
            self.post(f"{self.market}/chats/{chat['id']}/messages", said, "(setup) chats/{id}/messages")
        self.client.cookiejar.clear()
        self.token = token


class Ear(Wire):
    """The socket of a chat, or of an inbox. A message of this API bears no name of its sender's: its text tells it."""

    def say(self, text: str) -> None:
        """Send a message."""
        text = f"{text} {secrets.token_hex(8)}"
        self.expect(text)
        self.send({"type": "message", "message_text": text, "sender_is_registered": False})

    def take(self, frame: Any) -> None:
        """Note own messages."""
        if frame["type"] == "message":
            self.heard(frame["message"]["message_text"], "message")
        elif frame["type"] == "error":
            self.refused(frame.get("code", frame["detail"]))


def _listing(seller: int) -> int:
    """One of a seller's listings."""
    return seller * 100 + random.randrange(100)


def _token(secret_file: str, number: int) -> str:
    """What the marketplace would give its seller."""
    if not secret_file:
        raise StopUser("give --market-secret-file: the secret that the marketplace signs its tokens with")
    claims = {
        "username": f"seller{number}",
        "user_id": number,
        "user_type": "user",
        "type": "access",
        "exp": int(time.time()) + _TOKEN_S,
    }
    return jwt.encode(claims, Path(secret_file).read_text().strip(), algorithm="HS256")
