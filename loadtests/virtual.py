"""What virtual users have in common: calls that tell locust of failures, sockets that time answers, accounts."""

import itertools
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import gevent  # type: ignore[import-untyped]  # there are no stubs of this version
import orjson
import websocket
from locust import FastHttpUser
from locust.env import Environment

SOCKET_TIMEOUT_S = 30


class Account(NamedTuple):
    """How a user logs in."""

    email: str
    password: str


class Caller(FastHttpUser):
    """Somebody who calls an API. A user with an account refreshes an expired token once, as clients do."""

    abstract = True
    token = refresh_token = login = ""
    account = Account("", "")

    def headers(self) -> dict[str, str]:
        """What every call carries."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def log_in(self) -> Any:
        """Register or log in; the answer, None where that failed."""
        options = options_of(self.environment)
        self.login = f"{options.accounts_prefix}/auth"
        self.account = next(_accounts(self.environment))
        verb, body = "login", self.account._asdict()
        if options.register:
            verb, body = "register", {**body, "display_name": self.account.email.partition("@")[0]}
        tokens = self.post(f"{self.login}/{verb}", body)
        if tokens is not None:
            self._take(tokens)
        return tokens

    def get(self, path: str, name: str) -> Any:
        """The JSON of the answer, None if it is no good. `name`: how locust counts it."""
        return self.call("GET", path, name=name)

    def post(self, path: str, body: Mapping[str, Any], name: str | None = None) -> Any:
        """The same with a body."""
        return self.call("POST", path, name=name or path, data=orjson.dumps(body))

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The same for any method."""
        headers = {"Content-Type": "application/json", **self.headers()}
        with self.client.request(method, path, headers=headers, catch_response=True, **options) as answer:
            if answer.status_code == 401 and self.refresh_token:
                answer.success()
                spent, self.refresh_token, self.token = self.refresh_token, "", ""
                if (tokens := self.post(f"{self.login}/refresh", {"refresh_token": spent})) is not None:
                    self._take(tokens)
                return None
            if answer.status_code >= 400 or answer.status_code == 0:
                answer.failure(f"{answer.status_code} {(answer.text or '')[:200]}")
                return None
            return orjson.loads(answer.content) if answer.content else None

    def socket_url(self, path: str) -> str:
        """The address of a WebSocket on the host."""
        return (self.host or "").rstrip("/").replace("http", "ws", 1) + path

    def _take(self, tokens: Mapping[str, Any]) -> None:
        self.token, self.refresh_token = tokens["access_token"], tokens["refresh_token"]


class Wire(ABC):
    """A socket; a greenlet reads it. Tells locust how long own messages take to come back."""

    def __init__(self, environment: Environment, connection: websocket.WebSocket) -> None:
        self.is_open = True
        self._environment = environment
        self._connection = connection
        self._said: dict[str, float] = {}
        self._reader = gevent.spawn(self._read)

    @classmethod
    def open(cls, environment: Environment, url: str, headers: Mapping[str, str], name: str) -> Any:
        """Connect; None if the server refuses, which locust is told."""
        began, error = time.perf_counter(), None
        try:
            connection = websocket.create_connection(
                url, timeout=SOCKET_TIMEOUT_S, header=[f"{key}: {value}" for key, value in headers.items()]
            )
        except (OSError, websocket.WebSocketException) as failed:
            error = failed
        report(environment, f"{name} connect", began, error)
        return cls(environment, connection) if error is None else None

    def send(self, frame: Mapping[str, Any]) -> None:
        """Send a frame; a connection that broke is noticed by the reader."""
        try:
            self._connection.send(orjson.dumps(frame).decode())
        except (OSError, websocket.WebSocketException):
            self.is_open = False

    def expect(self, key: str) -> None:
        """Something is on its way and will be heard again, by this key."""
        self._said[key] = time.perf_counter()

    def heard(self, key: str, name: str) -> None:
        """It came back, if it was this user's."""
        if (began := self._said.pop(key, None)) is not None:
            report(self._environment, name, began)

    def refused(self, code: str) -> None:
        """The server did not take a frame."""
        report(self._environment, "error frame", time.perf_counter(), RuntimeError(code))

    @abstractmethod
    def take(self, frame: Any) -> None:
        """What to do with a frame of the server."""

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
            except (OSError, websocket.WebSocketException) as error:
                self._broken(error)
                return
            if not frame:
                self._broken(ConnectionError("closed by the server"))
                return
            self.take(orjson.loads(frame))

    def _broken(self, error: Exception) -> None:
        if self.is_open:  # not by us
            report(self._environment, "socket lost", time.perf_counter(), error)
        self.is_open = False


def report(
    environment: Environment, name: str, began: float, error: Exception | None = None, kind: str = "WS"
) -> None:
    """Count something that happened on a socket, or in another way that is no call."""
    environment.events.request.fire(  # type: ignore[no-untyped-call]  # locust has types only here and there
        request_type=kind,
        name=name,
        response_time=(time.perf_counter() - began) * 1000,
        response_length=0,
        exception=error,
        context={},
    )


def options_of(environment: Environment) -> Any:
    """What was said on the command line."""
    return environment.parsed_options


@lru_cache(1)
def _accounts(environment: Environment) -> Iterator[Account]:
    """An account for each user; those of a file are used again when they run out."""
    options = options_of(environment)
    if options.register:
        run = secrets.token_hex(4)
        return (
            Account(f"load-{run}-{number}@{options.email_domain}", secrets.token_urlsafe(12))
            for number in itertools.count()
        )
    if not options.accounts:
        raise SystemExit("give --accounts FILE, or --register where the server lets anybody register")
    lines = Path(options.accounts).read_text().splitlines()
    return itertools.cycle([Account(*line.strip().split(",", 1)) for line in lines if "," in line])
