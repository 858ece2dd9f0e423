"""A client that follows by sliding sync, and keeps what it was told as real clients do."""

from dataclasses import dataclass, field
from typing import Any

from tests.api.matrix.driver import Client
from tests.api.matrix.synckit import WAIT_MS, sync_until

PATH = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
ALL_STATE = [["*", "*"]]


@dataclass
class Slider:
    """What one connection of a device knows: `events`, `state`, and the last that was said of each room."""

    client: Client
    body: dict[str, Any] = field(default_factory=dict)
    pos: str = ""
    events: dict[str, list[Any]] = field(default_factory=dict)
    state: dict[str, dict[tuple[str, str], Any]] = field(default_factory=dict)
    rooms: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def sync(self, timeout: int = 0, status: int = 200, **more: Any) -> Any:
        """One call, taken in."""
        params = {"timeout": str(timeout), **({"pos": self.pos} if self.pos else {})}
        answer = await self.client.call("POST", PATH, status, body={**self.body, **more}, params=params)
        if status != 200:
            return answer
        self.pos = answer["pos"]
        for room_id, room in answer["rooms"].items():
            self._take(room_id, room)
        return answer

    async def until(self, wanted: Any, **more: Any) -> Any:
        """Sync on until an answer has what is wanted: the first that is true of `wanted(answer)`."""
        return await sync_until(lambda: self.sync(WAIT_MS, **more), wanted)

    def _take(self, room_id: str, room: Any) -> None:
        if room.get("initial"):
            self.events[room_id], self.state[room_id], self.rooms[room_id] = [], {}, {}
        self.rooms[room_id].update(room)
        for event in room.get("required_state", []):
            self.state[room_id][event["type"], event["state_key"]] = event
        new = room.get("timeline", [])
        known = {one["event_id"] for one in new} if room.get("unstable_expanded_timeline") else set()
        if room.get("limited"):  # what is before the gap, real clients show apart
            self.events[room_id] = []
        self.events[room_id] = [one for one in self.events[room_id] if one["event_id"] not in known]
        self.events[room_id] += new


def a_list(*ranges: list[int], limit: int = 10, state: Any = (), **filters: Any) -> dict[str, Any]:
    """A list of a request; without ranges all of it."""
    request: dict[str, Any] = {"timeline_limit": limit, "required_state": [*state], "filters": filters}
    return {**request, "ranges": [*ranges]} if ranges else request


def ids(events: Any) -> list[str]:
    return [one["event_id"] for one in events]
