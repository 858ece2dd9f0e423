"""What is measured: senders in a closed loop, a busy room with many sockets or long polls, many sockets, an inbox."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import orjson

from loadtests.figures import Result
from loadtests.following import follow
from loadtests.inbox import inbox
from loadtests.measuring import Plan, measure
from loadtests.sockets import sockets
from loadtests.talk import SETTLE_S, TEXT, Listener, Talk, faults, tagged
from loadtests.wire import ANSWER_TIMEOUT_S, Connection, request
from loadtests.world import API, SENDERS, Person, Room, World, connections

SOCKETS = 100
SOCKET_RATE = 50  # messages a second
SOCKET_SENDERS = 8


class Sender:
    """One person on one connection: sends, waits for the answer, sends again. Turns through the rooms given."""

    def __init__(self, connection: Connection, person: Person, rooms: Sequence[Room], name: str) -> None:
        self.sent: list[tuple[str, str]] = []  # (conversation id, message id) of what was answered
        self.latencies_ms: list[float] = []
        self.problem = ""
        self._connection = connection
        self._person = person
        self._rooms = rooms
        self._name = name
        self._count = 0
        self._began = self._until = 0.0
        self._done: asyncio.Future[None] | None = None
        connection.on_answer = self._take

    async def run(self, until: float) -> None:
        """Send until then (by `time.perf_counter`); returns after the last answer."""
        self._until, self.latencies_ms = until, []
        self._done = asyncio.get_running_loop().create_future()
        self._next()
        try:
            async with asyncio.timeout(until - time.perf_counter() + ANSWER_TIMEOUT_S):
                await self._done
        except TimeoutError:
            self.problem = f"{self._name}: a message was not answered in time"

    def _next(self) -> None:
        self._count += 1
        room = self._rooms[self._count % len(self._rooms)]
        raw = message(room, self._person, TEXT + str(self._count), f"{self._name}-{self._count}")
        self._began = time.perf_counter()
        self._connection.send(raw)

    def _take(self, status: int, body: bytes) -> None:
        now = time.perf_counter()
        if self._done is None or self._done.done():
            return
        if status not in (200, 201):
            self.problem = f"{self._name}: {status} {body[:200].decode(errors='replace')}"
            self._done.set_result(None)
            return
        self.latencies_ms.append((now - self._began) * 1000)
        made = orjson.loads(body)
        self.sent.append((made["conversation_id"], made["id"]))
        if now < self._until:
            self._next()
        else:
            self._done.set_result(None)


def message(room: Room, person: Person, text: str, client_id: str) -> bytes:
    """The request that sends a text."""
    body = {"conversation_id": room.conversation_id, "text": text, "client_id": client_id}
    return request("POST", f"{API}/messages/", person.token, orjson.dumps(body))


async def send(world: World, plan: Plan, result: Result, *, senders: int, many_rooms: bool) -> None:
    """So many senders at once, all in one room or each turning through its rooms of many."""
    rooms = await world.rooms() if many_rooms else [world.hall]
    async with connections(world.server, senders) as opened:
        crew = [
            Sender(one, person, [room for room in rooms if person in room.members], f"{result.scenario}-{n}")
            for n, (one, person) in enumerate(zip(opened, world.people[:SENDERS], strict=False))
        ]

        async def work(seconds: float) -> list[float]:
            until = time.perf_counter() + seconds
            await asyncio.gather(*(one.run(until) for one in crew))
            return [latency for one in crew for latency in one.latencies_ms]

        await measure(world, plan, result, work)
    result.problems += [one.problem for one in crew if one.problem]
    answered: dict[str, list[str]] = {}
    for one in crew:
        for conversation_id, message_id in one.sent:
            answered.setdefault(conversation_id, []).append(message_id)
    for room in rooms:
        if mine := answered.get(room.conversation_id):
            lost = set(mine) - set(await world.history(room))
            if lost or len(set(mine)) < len(mine):
                result.problems.append(f"{len(lost)} of {len(mine)} answered messages are not in the history")


async def fan_out(world: World, plan: Plan, result: Result) -> None:
    """SOCKETS sockets in one room that gets SOCKET_RATE messages a second; each must see all, in the log's order."""
    listeners = [Listener(b'"message:new"') for _ in range(SOCKETS)]
    path = f"{API}/ws/conversations/{world.hall.conversation_id}/"

    def compose(number: int, speaker: int) -> bytes:
        return message(world.hall, world.people[speaker], tagged(number), f"fan-{number}")

    async with connections(world.server, SOCKET_SENDERS) as opened:
        session = Talk(opened, SOCKET_RATE, compose, lambda _: listeners)
        try:
            for listener, person in zip(listeners, world.people[1:], strict=False):
                listener.session = session
                await listener.open(world.server, path, person.token)
            await asyncio.sleep(SETTLE_S)
            await measure(world, plan, result, session.run)
        finally:
            for listener in listeners:
                listener.close()
    history = await world.history(world.hall)
    expected = [session.ids[message_id] for message_id in history if message_id in session.ids]
    result.problems += session.problems
    if len(expected) != session.count:
        result.problems.append(f"{session.count - len(expected)} messages are not in the history")
    result.problems += {fault for one in listeners if (fault := faults(one, expected))}


SCENARIOS: dict[str, Callable[[World, Plan, Result], Awaitable[None]]] = {
    "send-1": lambda world, plan, result: send(world, plan, result, senders=1, many_rooms=False),
    "send-8": lambda world, plan, result: send(world, plan, result, senders=8, many_rooms=False),
    "send-64": lambda world, plan, result: send(world, plan, result, senders=64, many_rooms=False),
    "send-64-rooms": lambda world, plan, result: send(world, plan, result, senders=64, many_rooms=True),
    "fan-out": fan_out,
    "follow": follow,
    "sockets": sockets,
    "inbox-my": lambda world, plan, result: inbox(world, plan, result, grouped=False),
    "inbox-grouped": lambda world, plan, result: inbox(world, plan, result, grouped=True),
}
