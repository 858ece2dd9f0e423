"""A seller's inbox of very many chats, listed whole again and again."""

import time

from loadtests.figures import Result
from loadtests.market import MARKET, open_chats
from loadtests.measuring import Plan, measure
from loadtests.world import World, connections


async def inbox(world: World, plan: Plan, result: Result, *, grouped: bool) -> None:
    """One reader on one connection; the latency is that of the whole list, its transfer included."""
    seller = world.people[0]
    if world.inbox < plan.chats:
        await open_chats(world, seller, plan.chats - world.inbox)
        world.inbox = plan.chats
    path = f"{MARKET}/chats/my?user_id={seller.number}&is_seller=true"
    if grouped:
        path = f"{MARKET}/chats/seller/{seller.number}/grouped"
    async with connections(world.server, 1) as (one,):
        listed = await one.ask("GET", path, seller.token)
        found = sum(len(group) for group in listed.values()) if grouped else len(listed)
        if found != plan.chats:
            result.problems.append(f"{found} chats are listed, not {plan.chats}")

        async def work(seconds: float) -> list[float]:
            latencies: list[float] = []
            until = time.perf_counter() + seconds
            while (began := time.perf_counter()) < until:
                await one.fetch("GET", path, seller.token)
                latencies.append((time.perf_counter() - began) * 1000)
            return latencies

        await measure(world, plan, result, work)
    result.notes.append(f"{plan.chats:,} chats in the list")
