"""A client that follows by /sync, and keeps what it was told as real clients do."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from homeserver.lifecycle import Running
from homeserver.protocol.ids import UserId
from homeserver.timeline.entries import profile_changed
from tests.api.matrix.driver import Client

WAIT_MS = 5000
UNTIL_S = 60
_SHOWN = 10


async def sync_until(sync: Callable[[], Awaitable[Any]], wanted: Callable[[Any], Any]) -> Any:
    """Sync on until an answer has what is wanted: the first that is true of `wanted(answer)`.

    Fails after UNTIL_S seconds and says what was seen instead.
    """
    seen: deque[Any] = deque(maxlen=_SHOWN)
    count, end_s = 0, time.monotonic() + UNTIL_S
    while time.monotonic() < end_s:
        answer = await sync()
        if found := wanted(answer):
            return found
        seen.append(answer)
        count += 1
    shown = "\n".join(json.dumps(one, ensure_ascii=False) for one in seen)
    raise AssertionError(f"not in {count} answers in {UNTIL_S} s; the last of them:\n{shown}")


@dataclass
class Follower:
    """What one device knows: `events` and `state` by room, `seen` are all answers."""

    client: Client
    token: str = ""
    query: dict[str, Any] = field(default_factory=dict)
    events: dict[str, list[Any]] = field(default_factory=dict)
    state: dict[str, dict[tuple[str, str], Any]] = field(default_factory=dict)

    async def sync(self, timeout: int = 0, **query: Any) -> Any:
        """One call, taken in."""
        params = {"timeout": timeout, **self.query, **query}
        if self.token:
            params["since"] = self.token
        answer = await self.client.call("GET", "sync", params=params)
        self.token = answer["next_batch"]
        for room_id, room in answer.get("rooms", {}).get("join", {}).items():
            state = self.state.setdefault(room_id, {})
            told = room.get("state") or room["state_after"]
            for event in [*told["events"], *room["timeline"]["events"]]:
                if "state_key" in event:
                    state[event["type"], event["state_key"]] = event
            self.events.setdefault(room_id, []).extend(room["timeline"]["events"])
        return answer

    async def until(self, wanted: Any) -> Any:
        """Sync on until an answer has what is wanted: the first that is true of `wanted(answer)`."""
        return await sync_until(lambda: self.sync(WAIT_MS), wanted)

    async def until_text(self, room_id: str, text: str) -> Any:
        """The event of a message."""

        def find(answer: Any) -> Any:
            room = answer.get("rooms", {}).get("join", {}).get(room_id)
            events = [] if room is None else room["timeline"]["events"]
            return next((one for one in events if one["content"].get("body") == text), None)

        return await self.until(find)


def joined(answer: Any, room_id: str) -> Any:
    return answer["rooms"]["join"][room_id]


def types(part: Any) -> list[str]:
    return [one["type"] for one in part["events"]]


def spent(server: Running, path: str = "/_matrix/client/v3/sync", method: str = "GET") -> int:
    """How many statements the requests of one route have sent to the database so far."""
    metrics = server.hs.core.metrics
    return int(metrics.value("homeserver_http_request_statements_total", route=path, method=method))


async def judged(server: Running) -> None:
    """Return once all events were looked at, and what came of them is written."""
    end = server.hs.core.live.position
    async with asyncio.timeout(30):
        while server.hs.notifications.position < end:
            await server.hs.core.timeline.append([profile_changed(UserId("@nobody:test.example"))])
