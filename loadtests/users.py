"""What a virtual user of the university chat does."""

import random
import secrets
from typing import Any

import gevent  # type: ignore[import-untyped]  # there are no stubs of this version
from locust import between, task
from locust.exception import StopUser

from loadtests.virtual import Caller, Wire, options_of

OPEN_COURSES = 3  # conversations that one user takes part in
_TEXTS = (
    "Hello!",
    "Is the lecture in room 214 or 216 today?",
    "Thank you, that helps a lot.",
    "The slides are in the course folder, the third chapter is what the exam will be about.",
    "👍",
)


def some_text() -> str:
    """Something to say; nobody says the very same again and again."""
    return f"{random.choice(_TEXTS)} ({random.randrange(10**6)})"


class Student(Caller):
    """Logs in once, keeps a socket on one conversation, and does what people do there."""

    wait_time = between(1, 5)

    def on_start(self) -> None:
        """Log in, come into a few courses, and open one."""
        self.socket: Talk | None = None
        options = options_of(self.environment)
        self.chat = options.chat_prefix
        if self.log_in() is None:
            raise StopUser
        courses = random.sample(range(options.courses), min(OPEN_COURSES, options.courses))
        made = [self._course(number) for number in courses]
        self.rooms = [room["id"] for room in made if room is not None]
        if not self.rooms:
            raise StopUser
        self.room = self.rooms[0]
        self.open_chat()

    def on_stop(self) -> None:
        """Leave."""
        if self.socket is not None:
            self.socket.close()

    @task(3)
    def list_conversations(self) -> None:
        """Look who wrote."""
        self.get(f"{self.chat}/conversations/?limit=50", "conversations/")

    @task(3)
    def open_chat(self) -> None:
        """Go to one of the conversations: its page of messages, its people, its socket; then it is read."""
        self.room = random.choice(self.rooms)
        self.get(f"{self.chat}/conversations/{self.room}", "conversations/{id}")
        page = self.get(f"{self.chat}/messages/{self.room}?limit=50", "messages/{id}") or []
        self.reconnect(page[-1]["id"] if page else None)
        self.mark_read()

    @task(4)
    def send_over_rest(self) -> None:
        """Write a message the plain way."""
        body = {"conversation_id": self.room, "text": some_text(), "client_id": secrets.token_hex(8)}
        self.post(f"{self.chat}/messages/", body)

    @task(6)
    def send_over_socket(self) -> None:
        """Type, then write; the socket measures how long the message takes to come back."""
        if self.socket is None or not self.socket.is_open:
            self.reconnect()
        if self.socket is not None:
            self.socket.frame("typing", {"is_typing": True})
            gevent.sleep(random.uniform(0.2, 1.0))
            self.socket.say(some_text())

    @task(2)
    def mark_read(self) -> None:
        """Everything here is read."""
        self.post(f"{self.chat}/conversations/{self.room}/read", {}, "conversations/{id}/read")

    @task(1)
    def find_people(self) -> None:
        """Look somebody up."""
        self.get(f"{self.chat}/users/chat-users/?search=a&limit=20", "users/chat-users/")

    @task(1)
    def lose_the_connection(self) -> None:
        """Come back after a moment and ask for what was missed."""
        last = self.socket.last_id if self.socket is not None else None
        if self.socket is not None:
            self.socket.close()
        gevent.sleep(random.uniform(0.5, 2.0))
        self.reconnect(last)

    def reconnect(self, after: str | None = None) -> None:
        """A socket on the current conversation; `after`: the last message known."""
        if self.socket is not None:
            self.socket.close()
        url = self.socket_url(f"{self.chat}/ws/conversations/{self.room}/")
        self.socket = Talk.open(self.environment, url, self.headers(), "conversation")
        if self.socket is not None and after is not None:
            self.socket.frame("sync", {"after": after})

    def _course(self, number: int) -> Any:
        body = {
            "type": "group",
            "title": f"Course {number}",
            "service": "course",
            "service_id": f"load-{number}",
        }
        return self.post(f"{self.chat}/conversations/", body)


class Talk(Wire):
    """The socket of one conversation."""

    last_id: str | None = None

    def say(self, text: str) -> None:
        """Send a message."""
        client_id = secrets.token_hex(8)
        self.expect(client_id)
        self.frame("message:new", {"text": text, "client_id": client_id})

    def frame(self, kind: str, payload: dict[str, Any]) -> None:
        """Send any frame."""
        self.send({"type": kind, "payload": payload})

    def take(self, frame: Any) -> None:
        """Note messages, own ones above all."""
        payload = frame["payload"]
        if frame["type"] == "message:new":
            self.last_id = payload["id"]
            self.heard(payload.get("client_id") or "", "message:new")
        elif frame["type"] == "error":
            self.refused(payload["code"])
