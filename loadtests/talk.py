"""Numbered messages at a steady pace, and the sockets that hear them."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

import orjson

from loadtests.launch import Running
from loadtests.wire import ANSWER_TIMEOUT_S, Connection, WireError, connect

TEXT = "The seminar moves to room 214, please tell the others; slides are in the course folder. "
SETTLE_S = 0.6  # a new socket hears nothing for its first moment, in case it wants to catch up


class Talk:
    """Says numbered things, so many a second, whatever the answers take.

    `compose` makes the request of a number, for the speaker whose place is given; its text must have `tagged(number)`
    in it. `hearers` says who must hear it.
    """

    def __init__(
        self,
        opened: Sequence[Connection],
        rate: int,
        compose: Callable[[int, int], bytes],
        hearers: Callable[[int], Sequence["Listener"]],
    ) -> None:
        self.count = 0
        self.ids: dict[str | int, int] = {}  # numbers by the ids of their messages
        self.sent_at: list[float] = []
        self.latencies_ms: list[float] = []
        self.problems: list[str] = []
        self._speakers = opened
        self._rate = rate
        self._compose = compose
        self._hearers = hearers
        self._unheard = 0
        self._asked: list[list[int]] = [[] for _ in opened]
        self._moved = asyncio.Event()
        for n, one in enumerate(opened):
            one.on_answer = lambda status, body, n=n: self._answered(n, status, body)  # type: ignore[misc]  # n bound now

    async def run(self, seconds: float) -> list[float]:
        """Talk so long and wait until everybody has heard all of it; answers send-to-frame latencies."""
        self.latencies_ms = []
        began = time.perf_counter()
        for step in range(int(seconds * self._rate)):
            await asyncio.sleep(max(0.0, began + step / self._rate - time.perf_counter()))
            self._say()
        with contextlib.suppress(TimeoutError):  # what is missing then is told as lost
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                while self._unheard or any(self._asked):
                    self._moved.clear()
                    await self._moved.wait()
        return self.latencies_ms

    def heard(self, number: int, now: float) -> None:
        """A socket got the frame of a number."""
        self.latencies_ms.append((now - self.sent_at[number]) * 1000)
        self._unheard -= 1
        self._moved.set()

    def _say(self) -> None:
        number, n = self.count, self.count % len(self._speakers)
        raw = self._compose(number, n)
        self._asked[n].append(number)
        self._unheard += len(self._hearers(number))
        self.count += 1
        self.sent_at.append(time.perf_counter())
        self._speakers[n].send(raw)

    def _answered(self, n: int, status: int, body: bytes) -> None:
        number = self._asked[n].pop(0)
        self._moved.set()
        if status in (200, 201):
            made = orjson.loads(body)
            self.ids[made["id"] if "id" in made else made["event_id"]] = number
        else:
            self.problems.append(f"{status} {body[:200].decode(errors='replace')}")


class Listener:
    """A socket that notes which numbers it heard. `marker` stands in every frame of a new message."""

    def __init__(self, marker: bytes) -> None:
        self.seen: list[int] = []
        self.session: Talk | None = None
        self._marker = marker
        self._connection: Connection | None = None

    async def open(self, server: Running, path: str, token: str = "") -> None:
        """Connect."""
        self._connection = await connect(server.host, server.port)
        self._connection.on_frame = self._hear
        await self._connection.upgrade(path, token)

    def _hear(self, frame: bytes) -> None:
        now = time.perf_counter()
        if self._marker not in frame or self.session is None:
            return
        number = int(frame.split(b"#", 2)[1])
        self.seen.append(number)
        self.session.heard(number, now)

    def close(self) -> None:
        """Leave; a socket that the server closed is an error."""
        if self._connection is None:
            return
        if self._connection.is_lost or self._connection.close_code is not None:
            raise WireError(f"a socket was closed by the server: {self._connection.close_code}")
        self._connection.close()


def tagged(number: int) -> str:
    """A text by which a listener knows the number."""
    return f"{TEXT}#{number}#"


def faults(listener: Listener, expected: Sequence[int]) -> str:
    """What is wrong with what a socket heard, "" if nothing is. `expected`: the numbers in the log's order."""
    if lost := set(expected) - set(listener.seen):
        return f"{len(lost)} frames did not arrive at a socket"
    if listener.seen != list(expected):
        return "a socket saw another order than the log's, or a message twice"
    return ""
