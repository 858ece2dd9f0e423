"""Very many open sockets on one process: one per person of the messenger, and one per guest of the marketplace."""

import asyncio
import resource
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from loadtests.figures import Result
from loadtests.market import MARKET, open_chats
from loadtests.measuring import Plan, measure
from loadtests.procs import memory_mib
from loadtests.talk import SETTLE_S, Listener, Talk, faults, tagged
from loadtests.wire import request
from loadtests.world import ACCOUNTS, Person, World, connections, register

RATE = 100  # messages a second over all of them
SPEAKERS = 8
GROUP = 10  # people in a group of the messenger
SELLER = 1  # which of the world's people; the first one has the long inbox
_AT_ONCE = 25  # sockets that are opened at the same time
_SPARE_FILES = 200


@dataclass(frozen=True, slots=True)
class Door:
    """Where a socket opens, and as whom."""

    path: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A chat: how something is said there, and the sockets that hear it."""

    path: str
    token: str
    text_key: str
    more: dict[str, object]
    doors: Sequence[Door]
    listeners: list[Listener] = field(default_factory=list)

    def request(self, number: int) -> bytes:
        """The request that says a number here."""
        body = {**self.more, self.text_key: tagged(number), "client_id": f"sockets-{number}"}
        return request("POST", self.path, self.token, orjson.dumps(body))


async def sockets(world: World, plan: Plan, result: Result) -> None:
    """Half the sockets on each API; RATE messages a second, to a group and to a guest in turns."""
    _raise_file_limit(plan.sockets + _SPARE_FILES)
    half = plan.sockets // 2
    groups = await _groups(world, await register(world.server, half, "socket"))
    chats = await _chats(world, plan.sockets - half)
    before_mib = memory_mib(world.server.pid)[0]

    def each_kib() -> str:
        return f"{(memory_mib(world.server.pid)[0] - before_mib) * 1024 / plan.sockets:.1f} KiB"

    try:
        await _open(world, b'"message.created"', groups)
        await _open(world, b'"type":"message"', chats)
        await asyncio.sleep(SETTLE_S)
        result.notes.append(f"{plan.sockets:,} open sockets, {each_kib()} resident for each while idle")
        session = await _session(world, plan, result, groups, chats)
        result.notes.append(f"{each_kib()} for each after the rounds")
    finally:
        for place in (*groups, *chats):
            for one in place.listeners:
                one.close()
    result.problems += session.problems
    expected: dict[int, list[int]] = {id(place): [] for place in (*groups, *chats)}
    for message_id in sorted(session.ids, key=int):  # positions of the log
        number = session.ids[message_id]
        expected[id(_place_of(number, groups, chats))].append(number)
    result.problems += {
        fault
        for place in (*groups, *chats)
        for one in place.listeners
        if (fault := faults(one, expected[id(place)]))
    }


def _place_of(number: int, groups: Sequence[Place], chats: Sequence[Place]) -> Place:
    """Where a number is said."""
    pool = chats if number % 2 else groups
    return pool[number // 2 % len(pool)]


async def _session(
    world: World, plan: Plan, result: Result, groups: Sequence[Place], chats: Sequence[Place]
) -> Talk:
    """Measure with all sockets open."""
    async with connections(world.server, SPEAKERS) as opened:
        session = Talk(
            opened,
            RATE,
            lambda number, _: _place_of(number, groups, chats).request(number),
            lambda number: _place_of(number, groups, chats).listeners,
        )
        _all_hear(session, [*groups, *chats])
        await measure(world, plan, result, session.run)
    return session


async def _groups(world: World, people: Sequence[Person]) -> list[Place]:
    """Everybody in a group of GROUP."""
    places = []
    async with connections(world.server, 1) as (one,):
        for start in range(0, len(people), GROUP):
            members = people[start : start + GROUP]
            body = {"title": f"Group {start}", "user_ids": [person.number for person in members[1:]]}
            made = await one.ask("POST", f"{ACCOUNTS}/chats/group", members[0].token, body)
            doors = [Door("/ws", person.token) for person in members]
            more = {"chat_id": made["id"], "type": "text"}
            places.append(Place(f"{ACCOUNTS}/messages", members[0].token, "content", more, doors))
    return places


async def _chats(world: World, count: int) -> list[Place]:
    """A chat of a guest and the seller, who speaks."""
    seller = world.people[SELLER]
    return [
        Place(
            f"{MARKET}/chats/{chat.chat_id}/messages",
            seller.token,
            "message_text",
            {},
            [Door(f"{MARKET}/ws/{chat.chat_id}?user_id={chat.guest}")],
        )
        for chat in await open_chats(world, seller, count)
    ]


async def _open(world: World, marker: bytes, places: Sequence[Place]) -> None:
    """All sockets of these places, some at a time."""
    wanted = [(place, authenticator) for place in places for authenticator in place.doors]

    async def open_one(place: Place, authenticator: Door) -> None:
        listener = Listener(marker)
        place.listeners.append(listener)
        await listener.open(world.server, authenticator.path, authenticator.token)

    for start in range(0, len(wanted), _AT_ONCE):
        await asyncio.gather(*(open_one(*each) for each in wanted[start : start + _AT_ONCE]))


def _all_hear(session: Talk, places: Sequence[Place]) -> None:
    for place in places:
        for listener in place.listeners:
            listener.session = session


def _raise_file_limit(wanted: int) -> None:
    """Let this process have so many files open, as far as the system lets it; servers started before keep theirs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
