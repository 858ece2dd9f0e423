"""Measure a whole server from outside: `python -m loadtests.bench`.

Starts a server of its own for each database, plays the scenarios against it over HTTP and WebSockets, and prints a
table. Status 1 means errors or lost messages; slowness is never a failure.
"""

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from loadtests import launch, profile, report
from loadtests.figures import Result
from loadtests.measuring import Plan
from loadtests.procs import machine, memory_mib
from loadtests.scenarios import SCENARIOS
from loadtests.wire import WireError
from loadtests.world import World, build

FULL = Plan(warm_up_s=2.0, round_s=4.0, rounds=5, sockets=2000, chats=5000)
QUICK = Plan(warm_up_s=0.5, round_s=1.5, rounds=2, sockets=200, chats=500)
_DATABASES = {"sqlite": ["sqlite"], "postgresql": ["postgresql"], "both": ["sqlite", "postgresql"]}


def main(
    database: Annotated[str, typer.Option(help="sqlite, postgresql or both.")] = "both",
    quick: Annotated[
        bool, typer.Option("--quick", help="A look in under a minute instead of a measurement.")
    ] = False,
    only: Annotated[str, typer.Option(metavar="NAME,...", help=f"Of: {', '.join(SCENARIOS)}.")] = "",
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures there too.")] = None,
    profile_into: Annotated[
        Path | None,
        typer.Option("--profile", metavar="DIR", help="Record stacks with py-spy while measuring."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Where databases are made: choose the real disk."),
    ] = None,
) -> None:
    """Messages per second, latencies, CPU and memory of a homeserver, with default durability."""
    names = [name for name in only.split(",") if name] or list(SCENARIOS)
    if unknown := set(names) - set(SCENARIOS):
        raise typer.BadParameter(f"no such scenario: {', '.join(sorted(unknown))}", param_hint="--only")
    if database not in _DATABASES:
        raise typer.BadParameter("sqlite, postgresql or both", param_hint="--database")
    here, results, idle_mib = machine(), list[Result](), dict[str, float]()
    try:
        for kind in _DATABASES[database]:
            with (
                tempfile.TemporaryDirectory(prefix="bench-", dir=folder) as made,
                launch.server(Path(made), kind) as server,
            ):
                idle_mib[kind] = memory_mib(server.pid)[0]
                results += uvloop.run(_play(server, kind, names, QUICK if quick else FULL, profile_into))
    except (launch.StartError, WireError) as error:
        typer.secho(str(error), err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from None
    report.show(here, results, idle_mib)
    if json is not None:
        report.write_json(json, here, results, idle_mib)
    if any(one.problems for one in results):
        raise typer.Exit(1)


async def _play(
    server: launch.Running, kind: str, names: list[str], plan: Plan, profile_into: Path | None
) -> list[Result]:
    async with asyncio.timeout(120 + len(names) * (120 + plan.warm_up_s + plan.rounds * (plan.round_s + 35))):
        world = await build(server)
        return [await _one(world, kind, name, plan, profile_into) for name in names]


async def _one(world: World, kind: str, name: str, plan: Plan, profile_into: Path | None) -> Result:
    result = Result(name, kind)
    print(f"{kind}: {name} ...", file=sys.stderr, flush=True)
    async with AsyncExitStack() as stack:
        if profile_into is not None:
            await stack.enter_async_context(
                profile.recorded(world.server.pid, profile_into / f"{kind}-{name}.txt")
            )
        await SCENARIOS[name](world, plan, result)
    return result


if __name__ == "__main__":
    typer.run(main)
