"""How a scenario is measured: warm up, then rounds, with what they cost the server."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from loadtests.figures import Result, Round
from loadtests.procs import cpu_seconds, memory_mib
from loadtests.world import World, counters

_APPENDED = "homeserver_events_appended_total"


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure, and how many sockets are open or chats there are where it is about those."""

    warm_up_s: float
    round_s: float
    rounds: int
    sockets: int
    chats: int


async def measure(
    world: World, plan: Plan, result: Result, work: Callable[[float], Awaitable[list[float]]]
) -> None:
    """Warm up, then the rounds; `work` answers the latencies of one."""
    server = world.server
    await work(plan.warm_up_s)
    before = await counters(server)
    for _ in range(plan.rounds):
        cpu, own, began = _cpu(world), time.process_time(), time.perf_counter()
        sent = (await counters(server))[_APPENDED]
        latencies = await work(plan.round_s)
        seconds = time.perf_counter() - began
        # Where nothing is written it is the requests that count.
        done = int((await counters(server))[_APPENDED] - sent) or len(latencies)
        result.rounds.append(Round(seconds, latencies, done, _cpu(world) - cpu, time.process_time() - own))
    after = await counters(server)

    def moved(name: str) -> float:
        return after[name] - before[name]

    result.events_per_transaction = moved("homeserver_batch_entries_sum") / max(
        1, moved("homeserver_batch_entries_count")
    )
    result.statements_per_message = moved("homeserver_db_statements_total") / max(
        1, moved("homeserver_batch_entries_sum") or sum(one.messages for one in result.rounds)
    )
    result.memory_mib = memory_mib(server.pid)


def _cpu(world: World) -> float:
    server = world.server
    database = cpu_seconds(server.database_pid) if server.database_pid is not None else 0.0
    return cpu_seconds(server.pid) + database
