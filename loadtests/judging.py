"""How long it takes to judge an event for all who are in a large room: `python -m loadtests.judging`.

No server and no database: the evaluation alone, as the reader of the log does it.
"""

import asyncio
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from homeserver.model import LogPosition, Place
from homeserver.protocol.canonical import encode
from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.protocol.power import PowerLevels
from homeserver.protocol.pushrules.evaluate import Evaluation, Reader
from homeserver.protocol.pushrules.occasion import Occasion
from homeserver.protocol.pushrules.rules import Kind
from homeserver.protocol.pushrules.ruleset import UNCHANGED, Ruleset
from homeserver.protocol.versions import rules_for
from homeserver.services.push.notifications.audience import Audience
from homeserver.services.push.notifications.evaluate import EvaluatedBatch, EvaluatedEvent, mark
from homeserver.storage.events import StoredEvent

PEOPLE = 10_000
ROUNDS = 50
ROOM = RoomId("!room:example.org")
RULES = rules_for("11")


def event(number: int, text: str, **content: Any) -> StoredEvent:
    """A message of the first member."""
    pdu = {
        "type": "m.room.message",
        "sender": "@person0:example.org",
        "room_id": ROOM,
        "content": {"msgtype": "m.text", "body": text, **content},
        "origin_server_ts": 1,
        "depth": 1,
        "prev_events": [],
        "auth_events": [],
        "hashes": {},
        "signatures": {},
    }
    made = Event.from_parts(pdu, encode(pdu), RULES, EventId(f"$event{number}"))
    return StoredEvent(made, LogPosition(number), Place(number), 0, number, True, notify_seq=number)


def audience(silenced: int) -> Audience:
    """A room of which so many members have silenced it."""
    quiet = UNCHANGED.put(Kind.ROOM, ROOM, {"actions": []})
    readers = {}
    for number in range(PEOPLE):
        user_id = UserId(f"@person{number}:example.org")
        rules: Ruleset = quiet if number >= PEOPLE - silenced else UNCHANGED
        readers[user_id] = Reader(user_id, f"Person {number}", rules)
    own = {user_id: reader for user_id, reader in readers.items() if reader.rules is not UNCHANGED}
    return Audience(readers, own, {})


async def measure(name: str, silenced: int, make: Callable[[int], StoredEvent]) -> None:
    """Print the median of many events."""
    here, levels = audience(silenced), PowerLevels.from_state({}, RULES)
    taken = []
    for number in range(1, ROUNDS + 1):
        stored, found = make(number), EvaluatedBatch()
        start = time.perf_counter()
        occasion = Occasion(stored.event, PEOPLE, levels)
        await mark(EvaluatedEvent(occasion, LogPosition(number), Evaluation(occasion), here), stored, found)
        taken.append(time.perf_counter() - start)
    print(f"{name:<50} {median(taken) * 1000:8.2f} ms")


async def main() -> None:
    """All cases."""
    mentions = {"m.mentions": {"user_ids": ["@person9:example.org"]}}
    await measure("a message with m.mentions of nobody", 0, lambda n: event(n, "hi", **{"m.mentions": {}}))
    await measure("a mention of one", 0, lambda n: event(n, "hi", **mentions))
    await measure("a text in which names are looked for", 0, lambda n: event(n, "hello to all of you"))
    await measure("half of the people silenced the room", PEOPLE // 2, lambda n: event(n, "hi", **mentions))


if __name__ == "__main__":
    asyncio.run(main())
