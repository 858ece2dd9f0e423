"""What is measured: senders in a closed loop, and one busy room with many sockets."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import orjson

from loadtests.figures import Result, Round
from loadtests.procs import cpu_seconds, memory_mib
from loadtests.wire import ANSWER_TIMEOUT_S, Connection, WireError, connect, request
from loadtests.world import API, SENDERS, Person, Room, World, connections, counters

SOCKETS = 100
SOCKET_RATE = 50  # messages a second
SOCKET_SENDERS = 8
SETTLE_S = 0.6  # a new socket hears nothing for its first moment, in case it wants to catch up
_TEXT = "The seminar moves to room 214, please tell the others; slides are in the course folder. "


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure."""

    warm_up_s: float
    round_s: float
    rounds: int


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
        raw = message(room, self._person, _TEXT + str(self._count), f"{self._name}-{self._count}")
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

        await _measure(world, plan, result, work)
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
    listeners = [Listener() for _ in range(SOCKETS)]
    path = f"{API}/ws/conversations/{world.hall.conversation_id}/"
    async with connections(world.server, SOCKET_SENDERS) as opened:
        talk = Talk(world, opened, listeners)
        try:
            for listener, person in zip(listeners, world.people[1:], strict=False):
                await listener.open(world, path, person, talk)
            await asyncio.sleep(SETTLE_S)
            await _measure(world, plan, result, talk.run)
        finally:
            for listener in listeners:
                listener.close()
    history = await world.history(world.hall)
    expected = [talk.ids[message_id] for message_id in history if message_id in talk.ids]
    result.problems += talk.problems
    if len(expected) != talk.count:
        result.problems.append(f"{talk.count - len(expected)} messages are not in the history")
    lost = sum(len(set(expected) - set(one.seen)) for one in listeners)
    if lost:
        result.problems.append(f"{lost} frames did not arrive")
    elif any(one.seen != expected for one in listeners):
        result.problems.append("a socket saw another order than the log's, or a message twice")


class Talk:
    """Says numbered things at a steady pace, whatever the answers take."""

    def __init__(self, world: World, opened: Sequence[Connection], listeners: Sequence["Listener"]) -> None:
        self.count = 0
        self.ids: dict[str, int] = {}
        self.sent_at: list[float] = []
        self.latencies_ms: list[float] = []
        self.problems: list[str] = []
        self._world = world
        self._listeners = listeners
        self._speakers = list(zip(opened, world.people, strict=False))
        self._asked: list[list[int]] = [[] for _ in opened]
        self._moved = asyncio.Event()
        for n, one in enumerate(opened):
            one.on_answer = lambda status, body, n=n: self._answered(n, status, body)  # type: ignore[misc]  # n bound now

    async def run(self, seconds: float) -> list[float]:
        """Talk so long and wait until everybody has heard all of it; answers send-to-frame latencies."""
        self.latencies_ms = []
        began = time.perf_counter()
        for step in range(int(seconds * SOCKET_RATE)):
            await asyncio.sleep(max(0.0, began + step / SOCKET_RATE - time.perf_counter()))
            self._say()
        with contextlib.suppress(TimeoutError):  # what is missing then is told as lost
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                while not self._is_quiet():
                    self._moved.clear()
                    await self._moved.wait()
        return self.latencies_ms

    def heard(self, number: int, now: float) -> None:
        """A socket got the frame of a number."""
        self.latencies_ms.append((now - self.sent_at[number]) * 1000)
        self._moved.set()

    def _say(self) -> None:
        n = self.count % len(self._speakers)
        connection, person = self._speakers[n]
        raw = message(self._world.hall, person, f"{_TEXT}#{self.count}#", f"fan-{self.count}")
        self._asked[n].append(self.count)
        self.count += 1
        self.sent_at.append(time.perf_counter())
        connection.send(raw)

    def _answered(self, n: int, status: int, body: bytes) -> None:
        number = self._asked[n].pop(0)
        self._moved.set()
        if status in (200, 201):
            self.ids[orjson.loads(body)["id"]] = number
        else:
            self.problems.append(f"fan-out: {status} {body[:200].decode(errors='replace')}")

    def _is_quiet(self) -> bool:
        return not any(self._asked) and all(len(one.seen) >= self.count for one in self._listeners)


class Listener:
    """A socket that notes which numbers it heard."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self._connection: Connection | None = None
        self._talk: Talk | None = None

    async def open(self, world: World, path: str, person: Person, talk: Talk) -> None:
        """Connect as a person."""
        self._talk = talk
        self._connection = await connect(world.server.host, world.server.port)
        self._connection.on_frame = self._hear
        await self._connection.upgrade(path, person.token)

    def _hear(self, frame: bytes) -> None:
        now = time.perf_counter()
        if b'"message:new"' not in frame or self._talk is None:
            return
        number = int(frame.split(b"#", 2)[1])
        self.seen.append(number)
        self._talk.heard(number, now)

    def close(self) -> None:
        """Leave; a socket that the server closed is an error."""
        if self._connection is None:
            return
        if self._connection.is_lost or self._connection.close_code is not None:
            raise WireError(f"a socket was closed by the server: {self._connection.close_code}")
        self._connection.close()


async def _measure(
    world: World, plan: Plan, result: Result, work: Callable[[float], Awaitable[list[float]]]
) -> None:
    """Warm up, then the rounds; `work` answers the latencies of one."""
    server = world.server
    await work(plan.warm_up_s)
    before = await counters(server)
    for _ in range(plan.rounds):
        cpu, own, began = _cpu(world), time.process_time(), time.perf_counter()
        sent = (await counters(server))["homeserver_events_appended_total"]
        latencies = await work(plan.round_s)
        seconds = time.perf_counter() - began
        messages = int((await counters(server))["homeserver_events_appended_total"] - sent)
        result.rounds.append(
            Round(seconds, latencies, messages, _cpu(world) - cpu, time.process_time() - own)
        )
    after = await counters(server)

    def moved(name: str) -> float:
        return after[name] - before[name]

    result.events_per_transaction = moved("homeserver_batch_entries_sum") / max(
        1, moved("homeserver_batch_entries_count")
    )
    result.statements_per_message = moved("homeserver_db_statements_total") / max(
        1, moved("homeserver_batch_entries_sum")
    )
    result.memory_mib = memory_mib(server.pid)


def _cpu(world: World) -> float:
    server = world.server
    database = cpu_seconds(server.database_pid) if server.database_pid is not None else 0.0
    return cpu_seconds(server.pid) + database


SCENARIOS: dict[str, Callable[[World, Plan, Result], Awaitable[None]]] = {
    "send-1": lambda world, plan, result: send(world, plan, result, senders=1, many_rooms=False),
    "send-8": lambda world, plan, result: send(world, plan, result, senders=8, many_rooms=False),
    "send-64": lambda world, plan, result: send(world, plan, result, senders=64, many_rooms=False),
    "send-64-rooms": lambda world, plan, result: send(world, plan, result, senders=64, many_rooms=True),
    "fan-out": fan_out,
}
