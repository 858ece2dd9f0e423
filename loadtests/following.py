"""Matrix clients that follow one busy room by /sync: how long a message takes to each of them."""

import asyncio
import re
import time
from urllib.parse import quote

import orjson

from loadtests.figures import Result
from loadtests.launch import Running
from loadtests.measuring import Plan, measure
from loadtests.talk import SETTLE_S, Listener, Talk, faults, tagged
from loadtests.wire import connect, request
from loadtests.world import World, connections

FOLLOWERS = 50
RATE = 10  # messages a second
SENDERS = 4
_NUMBER = re.compile(rb"#(\d+)#")
_FILTER = orjson.dumps(
    {
        "presence": {"not_types": ["*"]},
        "room": {"state": {"lazy_load_members": True}, "timeline": {"limit": 50}},
    }
)
_SYNC = f"/_matrix/client/v3/sync?filter={quote(_FILTER)}"
_POLL_MS = 30_000


class Follower(Listener):
    """A client that asks for news again as soon as it has some."""

    def __init__(self) -> None:
        super().__init__(b"")
        self._token = ""

    async def open(self, server: Running, path: str, token: str = "") -> None:
        """Sync once, then wait for news."""
        self._token = token
        self._connection = await connect(server.host, server.port)
        first = await self._connection.ask("GET", path, token)
        self._connection.on_answer = self._take
        self._poll(first["next_batch"])

    def _poll(self, since: str) -> None:
        if self._connection is not None and not self._connection.is_lost:
            self._connection.send(request("GET", f"{_SYNC}&since={since}&timeout={_POLL_MS}", self._token))

    def _take(self, status: int, body: bytes) -> None:
        now = time.perf_counter()
        if self.session is None:
            return
        if status != 200:
            self.session.problems.append(f"sync: {status} {body[:200].decode(errors='replace')}")
            return
        for found in _NUMBER.finditer(body):
            number = int(found[1])
            self.seen.append(number)
            self.session.heard(number, now)
        self._poll(orjson.loads(body)["next_batch"])


async def follow(world: World, plan: Plan, result: Result) -> None:
    """FOLLOWERS long polls in one room that gets RATE messages a second; each must see all, in the log's order."""
    followers = [Follower() for _ in range(FOLLOWERS)]
    room_id = ""

    def compose(number: int, speaker: int) -> bytes:
        path = f"/_matrix/client/v3/rooms/{quote(room_id)}/send/m.room.message/{result.scenario}-{number}"
        body = orjson.dumps({"msgtype": "m.text", "body": tagged(number)})
        return request("PUT", path, world.people[speaker].token, body)

    async with connections(world.server, SENDERS) as opened:
        room_id = await _hall(world)
        session = Talk(opened, RATE, compose, lambda _: followers)
        try:
            for follower, person in zip(followers, world.people[SENDERS:], strict=False):
                follower.session = session
                await follower.open(world.server, _SYNC, person.token)
            await asyncio.sleep(SETTLE_S)
            await measure(world, plan, result, session.run)
        finally:
            for follower in followers:
                follower.close()
    result.problems += session.problems
    expected = followers[0].seen  # the log's order, as far as one of them says; the others must agree
    if sorted(expected) != list(range(session.count)):
        result.problems.append(f"{session.count - len(set(expected))} messages did not arrive")
    result.problems += {fault for one in followers if (fault := faults(one, expected))}


async def _hall(world: World) -> str:
    """The Matrix id of the room of all, in which its last person is in no other."""
    async with connections(world.server, 1) as (one,):
        found = await one.ask("GET", "/_matrix/client/v3/joined_rooms", world.people[-1].token)
    return str(found["joined_rooms"][0])
