"""What a virtual user of the messenger does."""

import random
import secrets
from collections import deque
from typing import Any

from locust import between, task
from locust.exception import StopUser

from loadtests.users import some_text
from loadtests.virtual import Caller, Wire, options_of

GROUP_SIZE = 6  # of the groups that a user makes; at the beginning there are fewer people
_known: deque[int] = deque(maxlen=1000)  # the people of this run


class Chatter(Caller):
    """Takes part in many groups over one socket."""

    wait_time = between(1, 5)

    def on_start(self) -> None:
        """Log in, come to the wanted number of groups, and open the socket."""
        options = options_of(self.environment)
        self.api = options.accounts_prefix
        self.socket: Line | None = None
        tokens = self.log_in()
        if tokens is None:
            raise StopUser
        _known.append(tokens["user"]["id"])
        self.chats = self._list()
        while len(self.chats) < options.groups:
            others = random.sample(_known, min(GROUP_SIZE, len(_known)))
            title = f"Group {secrets.token_hex(3)}"
            body = {"title": title, "user_ids": [one for one in others if one != tokens["user"]["id"]]}
            made = self.post(f"{self.api}/chats/group", body, "(setup) chats/group")
            if made is None:
                raise StopUser
            self.chats.append(made)
        self.connect()

    def on_stop(self) -> None:
        """Leave."""
        if self.socket is not None:
            self.socket.close()

    @task(2)
    def look_who_wrote(self) -> None:
        """The list of chats."""
        self.chats = self._list() or self.chats

    @task(3)
    def open_a_chat(self) -> None:
        """Its messages; then it is read."""
        chat_id = random.choice(self.chats)["id"]
        page = self.get(f"{self.api}/chats/{chat_id}/messages?limit=50", "chats/{id}/messages")
        if page:
            newest = max(message["id"] for message in page)
            self.post(f"{self.api}/chats/{chat_id}/read", {"message_id": newest}, "chats/{id}/read")

    @task(3)
    def send_over_rest(self) -> None:
        """Write a message the plain way."""
        body = {"chat_id": random.choice(self.chats)["id"], "type": "text", "content": some_text()}
        self.post(f"{self.api}/messages", {**body, "client_id": secrets.token_hex(8)})

    @task(5)
    def send_over_socket(self) -> None:
        """Type, then write; the socket measures how long the message takes to come back."""
        if self.socket is None or not self.socket.is_open:
            self.connect()
        if self.socket is not None:
            chat_id = random.choice(self.chats)["id"]
            self.socket.frame("typing", {"chat_id": chat_id, "is_typing": True})
            self.socket.say(chat_id, some_text())

    @task(1)
    def lose_the_connection(self) -> None:
        """Come back and ask for what was missed."""
        last = self.socket.last_id if self.socket is not None else 0
        self.connect()
        if self.socket is not None and last:
            self.socket.frame("sync", {"after": last})

    def connect(self) -> None:
        """The one socket."""
        if self.socket is not None:
            self.socket.close()
        url = self.socket_url(options_of(self.environment).socket_path)
        self.socket = Line.open(self.environment, url, self.headers(), "messenger")

    def _list(self) -> list[Any]:
        limit = options_of(self.environment).groups
        return self.get(f"{self.api}/chats/?limit={limit}", "chats/") or []


class Line(Wire):
    """The socket for all chats of a person."""

    last_id = 0

    def say(self, chat_id: int, text: str) -> None:
        """Send a message."""
        text = f"{text} {secrets.token_hex(8)}"
        self.expect(text)
        self.frame("message.send", {"chat_id": chat_id, "type": "text", "content": text})

    def frame(self, event: str, data: dict[str, Any]) -> None:
        """Send any frame."""
        self.send({"event": event, "data": data})

    def take(self, frame: Any) -> None:
        """Note messages, own ones above all."""
        data = frame["data"]
        if frame["event"] == "message.created":
            self.last_id = max(self.last_id, data["id"])
            self.heard(data["content"], "message.created")
        elif frame["event"] == "error":
            self.refused(data["code"])
