"""The people and rooms of a measurement, made through the APIs as clients would make them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from loadtests.launch import Running
from loadtests.wire import Connection, WireError, connect

PEOPLE = 101
SENDERS = 64
ROOMS = 200
MEMBERS_PER_ROOM = 8
API = "/api/unet-chat"
ACCOUNTS = "/api/v1"
PAGE = 200
_SETUP_CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class Person:
    """A person with a token."""

    number: int
    token: str


@dataclass(frozen=True, slots=True)
class Room:
    """A conversation and who may speak in it."""

    conversation_id: str
    members: Sequence[Person]


class World:
    """A server with people, one room of all of them, and, once asked for, many small rooms."""

    def __init__(self, server: Running, people: Sequence[Person], hall: Room) -> None:
        self.server = server
        self.people = people
        self.hall = hall
        self.inbox = 0  # chats that the first of the people has as a seller
        self._rooms: list[Room] = []

    async def rooms(self) -> Sequence[Room]:
        """ROOMS rooms of MEMBERS_PER_ROOM senders each; every sender is in as many."""
        if not self._rooms:
            async with connections(self.server, _SETUP_CONNECTIONS) as open_ones:
                shares = [
                    self._make(open_ones[n], range(n, ROOMS, len(open_ones))) for n in range(len(open_ones))
                ]
                self._rooms = [room for share in await asyncio.gather(*shares) for room in share]
        return self._rooms

    async def history(self, room: Room) -> list[str]:
        """The ids of all messages of a room, oldest first, as a client reads them page by page."""
        reader, found = room.members[0], list[str]()
        async with connections(self.server, 1) as (one,):
            path = f"{API}/messages/{room.conversation_id}?limit={PAGE}"
            page = await one.ask("GET", path, reader.token)
            while page:
                found[:0] = [message["id"] for message in page]
                page = await one.ask("GET", f"{path}&before={page[0]['id']}", reader.token)
        return found

    async def _make(self, one: Connection, numbers: range) -> list[Room]:
        rooms = []
        for number in numbers:
            members = [self.people[(number + step) % SENDERS] for step in range(MEMBERS_PER_ROOM)]
            rooms.append(await _create(one, f"Room {number}", members))
        return rooms


@asynccontextmanager
async def connections(server: Running, count: int) -> AsyncIterator[list[Connection]]:
    """So many open connections."""
    opened = [await connect(server.host, server.port) for _ in range(count)]
    try:
        yield opened
    finally:
        for one in opened:
            one.close()


async def build(server: Running) -> World:
    """Register the people and open the room of all."""
    people = await register(server, PEOPLE, "person")
    async with connections(server, 1) as (one,):
        return World(server, people, await _create(one, "Hall", people))


async def register(server: Running, count: int, name: str) -> list[Person]:
    """So many new accounts, logged in."""
    async with connections(server, _SETUP_CONNECTIONS) as open_ones:
        shares = [_register(one, range(n, count, len(open_ones)), name) for n, one in enumerate(open_ones)]
        return [person for share in await asyncio.gather(*shares) for person in share]


async def counters(server: Running) -> dict[str, float]:
    """The server's own numbers without labels, from /metrics."""
    one = await connect(server.host, server.metrics_port)
    try:
        text = await one.ask("GET", "/metrics")
    finally:
        one.close()
    if not isinstance(text, bytes):
        raise WireError("/metrics is no text")
    lines = (line.rpartition(" ") for line in text.decode().splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in lines if "{" not in name}


async def _register(one: Connection, numbers: range, name: str) -> list[Person]:
    people = []
    for number in numbers:
        body = {
            "email": f"{name}{number}@bench.example",
            "password": "a long enough password",
            "display_name": f"{name.title()} {number}",
        }
        made = await one.ask("POST", f"{ACCOUNTS}/auth/register", body=body)
        people.append(Person(int(made["user"]["id"]), made["access_token"]))
    return people


async def _create(one: Connection, title: str, members: Sequence[Person]) -> Room:
    body = {"type": "group", "title": title, "participant_ids": [person.number for person in members[1:]]}
    made = await one.ask("POST", f"{API}/conversations/", members[0].token, body)
    return Room(made["id"], members)
