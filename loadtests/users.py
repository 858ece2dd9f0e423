"""What a virtual user of the university chat does."""

import itertools
import random
import secrets
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import gevent  # type: ignore[import-untyped]  # there are no stubs of this version
import orjson
import websocket
from locust import FastHttpUser, between, task
from locust.env import Environment
from locust.exception import StopUser

SOCKET_TIMEOUT_S = 30
OPEN_COURSES = 3  # conversations that one user takes part in
_TEXTS = (
    "Hello!",
    "Is the lecture in room 214 or 216 today?",
    "Thank you, that helps a lot.",
    "The slides are in the course folder, the third chapter is what the exam will be about.",
    "👍",
)


class Account(NamedTuple):
    """How a user logs in."""

    email: str
    password: str


class Student(FastHttpUser):
    """Logs in once, keeps a socket on one conversation, and does what people do there."""

    wait_time = between(1, 5)

    def on_start(self) -> None:
        """Log in, come into a few courses, and open one."""
        self.socket: Talk | None = None
        self.token = self.refresh_token = ""
        options = _options(self.environment)
        self.chat, self.login = options.chat_prefix, f"{options.accounts_prefix}/auth"
        account = next(_accounts(self.environment))
        if options.register:
            body = {**account._asdict(), "display_name": account.email.partition("@")[0]}
            tokens = self._post(f"{self.login}/register", body)
        else:
            tokens = self._post(f"{self.login}/login", account._asdict())
        if tokens is None:
            raise StopUser
        self._take(tokens)
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
        self._get(f"{self.chat}/conversations/?limit=50", "conversations/")

    @task(3)
    def open_chat(self) -> None:
        """Go to one of the conversations: its page of messages, its people, its socket; then it is read."""
        self.room = random.choice(self.rooms)
        self._get(f"{self.chat}/conversations/{self.room}", "conversations/{id}")
        page = self._get(f"{self.chat}/messages/{self.room}?limit=50", "messages/{id}") or []
        self.reconnect(page[-1]["id"] if page else None)
        self.mark_read()

    @task(4)
    def send_over_rest(self) -> None:
        """Write a message the plain way."""
        body = {
            "conversation_id": self.room,
            "text": random.choice(_TEXTS),
            "client_id": secrets.token_hex(8),
        }
        self._post(f"{self.chat}/messages/", body)

    @task(6)
    def send_over_socket(self) -> None:
        """Type, then write; the socket measures how long the message takes to come back."""
        if self.socket is None or not self.socket.is_open:
            self.reconnect()
        if self.socket is not None:
            self.socket.send("typing", {"is_typing": True})
            gevent.sleep(random.uniform(0.2, 1.0))
            self.socket.say(random.choice(_TEXTS))

    @task(2)
    def mark_read(self) -> None:
        """Everything here is read."""
        self._post(f"{self.chat}/conversations/{self.room}/read", {}, "conversations/{id}/read")

    @task(1)
    def find_people(self) -> None:
        """Look somebody up."""
        self._get(f"{self.chat}/users/chat-users/?search=a&limit=20", "users/chat-users/")

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
        address = (self.host or "").rstrip("/").replace("http", "ws", 1)
        url = f"{address}{self.chat}/ws/conversations/{self.room}/"
        self.socket = Talk.open(self.environment, url, self.token)
        if self.socket is not None and after is not None:
            self.socket.send("sync", {"after": after})

    def _course(self, number: int) -> dict[str, Any] | None:
        body = {
            "type": "group",
            "title": f"Course {number}",
            "service": "course",
            "service_id": f"load-{number}",
        }
        made: dict[str, Any] | None = self._post(f"{self.chat}/conversations/", body)
        return made

    def _take(self, tokens: dict[str, Any]) -> None:
        self.token, self.refresh_token = tokens["access_token"], tokens["refresh_token"]

    def _get(self, path: str, name: str) -> Any:
        return self._call("GET", path, name=name)

    def _post(self, path: str, body: dict[str, Any], name: str | None = None) -> Any:
        return self._call("POST", path, name=name or path, data=orjson.dumps(body))

    def _call(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of the answer, None if it is no good. An expired token is refreshed once, as clients do."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        with self.client.request(method, path, headers=headers, catch_response=True, **options) as answer:
            if answer.status_code == 401 and self.refresh_token:
                answer.success()
                spent, self.refresh_token, self.token = self.refresh_token, "", ""
                if (tokens := self._post(f"{self.login}/refresh", {"refresh_token": spent})) is not None:
                    self._take(tokens)
                return None
            if answer.status_code >= 400 or answer.status_code == 0:
                answer.failure(f"{answer.status_code} {(answer.text or '')[:200]}")
                return None
            return orjson.loads(answer.content) if answer.content else None


class Talk:
    """The socket of one conversation; a greenlet reads it. Tells locust how long own messages take to come back."""

    def __init__(self, environment: Environment, connection: websocket.WebSocket) -> None:
        self.is_open = True
        self.last_id: str | None = None
        self._environment = environment
        self._connection = connection
        self._said: dict[str, float] = {}
        self._reader = gevent.spawn(self._read)

    @classmethod
    def open(cls, environment: Environment, url: str, token: str) -> "Talk | None":
        """Connect; None if the server refuses, which locust is told."""
        began, error = time.perf_counter(), None
        try:
            connection = websocket.create_connection(
                url, timeout=SOCKET_TIMEOUT_S, header=[f"Authorization: Bearer {token}"]
            )
        except (OSError, websocket.WebSocketException) as failed:
            error = failed
        _report(environment, "connect", began, error)
        return cls(environment, connection) if error is None else None

    def say(self, text: str) -> None:
        """Send a message."""
        client_id = secrets.token_hex(8)
        self._said[client_id] = time.perf_counter()
        self.send("message:new", {"text": text, "client_id": client_id})

    def send(self, kind: str, payload: dict[str, Any]) -> None:
        """Send a frame; a connection that broke is noticed by the reader."""
        try:
            self._connection.send(orjson.dumps({"type": kind, "payload": payload}).decode())
        except (OSError, websocket.WebSocketException):
            self.is_open = False

    def close(self) -> None:
        """Hang up. What was said and did not come back is left out: nobody waited for it."""
        self.is_open = False
        self._reader.kill()
        self._connection.close()

    def _read(self) -> None:
        while self.is_open:
            try:
                frame = self._connection.recv()
            except websocket.WebSocketTimeoutException:
                continue
            except (OSError, websocket.WebSocketException):
                frame = ""
            if not frame:
                self.is_open = False
                return
            self._take(orjson.loads(frame))

    def _take(self, frame: dict[str, Any]) -> None:
        payload = frame["payload"]
        if frame["type"] == "message:new":
            self.last_id = payload["id"]
            if (began := self._said.pop(payload.get("client_id") or "", None)) is not None:
                _report(self._environment, "message:new", began)
        elif frame["type"] == "error":
            _report(self._environment, "error frame", time.perf_counter(), RuntimeError(payload["code"]))


def _report(environment: Environment, name: str, began: float, error: Exception | None = None) -> None:
    environment.events.request.fire(  # type: ignore[no-untyped-call]  # locust has types only here and there
        request_type="WS",
        name=name,
        response_time=(time.perf_counter() - began) * 1000,
        response_length=0,
        exception=error,
        context={},
    )


def _options(environment: Environment) -> Any:
    """What was said on the command line."""
    return environment.parsed_options


@lru_cache(1)
def _accounts(environment: Environment) -> Iterator[Account]:
    """An account for each user; those of a file are used again when they run out."""
    options = _options(environment)
    if options.register:
        run = secrets.token_hex(4)
        return (
            Account(f"student-{run}-{number}@{options.email_domain}", secrets.token_urlsafe(12))
            for number in itertools.count()
        )
    if not options.accounts:
        raise SystemExit("give --accounts FILE, or --register where the server lets anybody register")
    lines = Path(options.accounts).read_text().splitlines()
    return itertools.cycle([Account(*line.strip().split(",", 1)) for line in lines if "," in line])
