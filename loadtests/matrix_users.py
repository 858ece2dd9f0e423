"""What a virtual user with a Matrix client does."""

import random
import secrets
import time
from typing import Any
from urllib.parse import quote

import gevent  # type: ignore[import-untyped]  # there are no stubs of this version
import orjson
from locust import between, task
from locust.exception import StopUser

from loadtests.users import OPEN_COURSES, some_text
from loadtests.virtual import Caller, options_of, report

_ROOT = "/_matrix/client/v3"
_POLL_MS = 20_000
_FILTER = orjson.dumps({"room": {"state": {"lazy_load_members": True}, "timeline": {"limit": 20}}}).decode()


class MatrixClient(Caller):
    """Follows the groups of a few courses by /sync, in which `Student`s may talk, too."""

    wait_time = between(1, 5)

    def on_start(self) -> None:
        """Come into the courses, log in, and follow."""
        self.reader: Any = None
        self.since = ""
        self.newest: dict[str, str] = {}  # by room
        self._said: dict[str, float] = {}
        if self.log_in() is None:
            raise StopUser
        options = options_of(self.environment)
        for number in random.sample(range(options.courses), min(OPEN_COURSES, options.courses)):
            course = {"type": "group", "title": f"Course {number}", "service": "course"}
            body = {**course, "service_id": f"load-{number}"}
            self.post(f"{options.chat_prefix}/conversations/", body, "(setup) conversations/")
        identifier = {"type": "m.id.thirdparty", "medium": "email", "address": self.account.email}
        login = {"type": "m.login.password", "identifier": identifier, "password": self.account.password}
        made = self.post(f"{_ROOT}/login", login, "login")
        if made is None:
            raise StopUser
        self.token, self.refresh_token, self.user_id = made["access_token"], "", made["user_id"]
        self.start_the_client()
        if not self.newest:
            raise StopUser

    def on_stop(self) -> None:
        """Leave."""
        if self.reader is not None:
            self.reader.kill()

    @task(1)
    def start_the_client(self) -> None:
        """An initial sync, and long polls from there."""
        if self.reader is not None:
            self.reader.kill()
        self.since = ""
        answer = self.get(f"{_ROOT}/sync?filter={quote(_FILTER)}", "sync (initial)")
        if answer is not None:
            self._take_in(answer)
            self.reader = gevent.spawn(self._follow)

    @task(8)
    def send(self) -> None:
        """Type, then write; how long the message takes to come back by sync is measured."""
        room = self._room()
        typing = f"{room}/typing/{quote(self.user_id)}"
        self._put(typing, {"typing": True, "timeout": 20_000}, "rooms/{id}/typing")
        gevent.sleep(random.uniform(0.2, 1.0))
        txn_id = secrets.token_hex(8)
        self._said[txn_id] = time.perf_counter()
        body = {"msgtype": "m.text", "body": some_text()}
        self._put(f"{room}/send/m.room.message/{txn_id}", body, "rooms/{id}/send")
        self._put(typing, {"typing": False}, "rooms/{id}/typing")

    @task(4)
    def read(self) -> None:
        """Everything in a room is read."""
        room_id, event_id = random.choice(list(self.newest.items()))
        at = f"{_ROOT}/rooms/{quote(room_id)}/receipt/m.read/{quote(event_id)}"
        self.post(at, {}, "rooms/{id}/receipt")

    @task(2)
    def scroll_back(self) -> None:
        """A page of history."""
        self.get(f"{self._room()}/messages?dir=b&limit=50", "rooms/{id}/messages")

    @task(1)
    def react(self) -> None:
        """Under what was said last."""
        room_id, event_id = random.choice(list(self.newest.items()))
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": secrets.choice("👍🎉👀")}
        at = f"{_ROOT}/rooms/{quote(room_id)}/send/m.reaction/{secrets.token_hex(8)}"
        self._put(at, {"m.relates_to": relation}, "rooms/{id}/send reaction")

    def _room(self) -> str:
        return f"{_ROOT}/rooms/{quote(random.choice(list(self.newest)))}"

    def _put(self, path: str, body: dict[str, Any], name: str) -> None:
        self.call("PUT", path, name=name, data=orjson.dumps(body))

    def _follow(self) -> None:
        while True:
            query = f"filter={quote(_FILTER)}&since={self.since}&timeout={_POLL_MS}"
            answer = self.get(f"{_ROOT}/sync?{query}", "sync (long poll)")
            if answer is None:
                gevent.sleep(1)
            else:
                self._take_in(answer)

    def _take_in(self, answer: Any) -> None:
        self.since = answer["next_batch"]
        for room_id, room in answer.get("rooms", {}).get("join", {}).items():
            for event in room["timeline"]["events"]:
                self.newest[room_id] = event["event_id"]
                txn_id = event.get("unsigned", {}).get("transaction_id", "")
                if (began := self._said.pop(txn_id, None)) is not None:
                    report(self.environment, "own message by sync", began, kind="SYNC")
