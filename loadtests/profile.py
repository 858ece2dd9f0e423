"""Where the server's time goes: stacks recorded by py-spy, summed by layer."""

import asyncio
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

RATE = 200  # samples a second, taken without stopping the server: a stopped one behaves otherwise
# The innermost frame that matches decides the layer of a sample; the first pattern that fits a frame counts.
LAYERS = (
    ("log lines", r"homeserver/logs\.py|logging/__init__\.py|requestlog\.py"),
    ("metrics", r"prometheus_client/|homeserver/metrics\.py"),
    ("signing and protocol", r"homeserver/protocol/|cryptography/"),
    (
        "publish, feed, sockets",
        r"timeline/live\.py|services/feed\.py|http/(pump|sockets)\.py|university/live\.py",
    ),
    ("storage and SQLAlchemy", r"sqlalchemy/|homeserver/storage/|aiosqlite/|psycopg|greenlet"),
    ("timeline", r"homeserver/timeline/"),
    ("services", r"homeserver/services/"),
    ("pydantic and bodies", r"pydantic/|http/body\.py|schemas\.py"),
    ("faces and kit", r"homeserver/(http|api)/"),
    ("aiohttp", r"aiohttp/|yarl/|multidict/"),
    ("event loop", r"asyncio/|uvloop/|homeserver/(running|tasks|cli)|threading\.py|concurrent/"),
)
_WAITING = re.compile(
    r"_connection_worker_thread|Condition\.wait|Queue\.get|_worker \(.*concurrent|select \("
)
_PATTERNS = [(name, re.compile(pattern)) for name, pattern in LAYERS]


@asynccontextmanager
async def recorded(pid: int, target: Path) -> AsyncIterator[None]:
    """Record the stacks of a process into `target` (py-spy's raw format) while the block runs."""
    target.parent.mkdir(parents=True, exist_ok=True)
    program = Path(sys.executable).with_name("py-spy")
    spy = await asyncio.create_subprocess_exec(
        str(program), "record", "--pid", str(pid), "--rate", str(RATE), "--format", "raw", "--full-filenames",
        "--threads", "--nonblocking", "--output", str(target),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        if spy.returncode is None:
            spy.send_signal(signal.SIGINT)
        await spy.wait()


def by_layer(lines: Iterable[str]) -> Counter[str]:
    """Samples per layer; those of other threads than the loop's are told apart."""
    found: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rstrip().rpartition(" ")
        frames = stack.split(";")
        if not _WAITING.search(frames[-1]):  # py-spy takes some threads that wait for busy ones
            found[_layer(frames)] += int(count)
    return found


def _layer(frames: list[str]) -> str:
    if frames and "MainThread" not in frames[0]:
        return "database thread" if any("aiosqlite" in frame for frame in frames) else "other threads"
    for frame in reversed(frames):
        for name, pattern in _PATTERNS:
            if pattern.search(frame):
                return name
    return "other"


def hottest(lines: Iterable[str], count: int) -> list[tuple[str, int]]:
    """The functions of the loop's thread in which most samples end."""
    found: Counter[str] = Counter()
    for line in lines:
        stack, _, samples = line.rstrip().rpartition(" ")
        frames = stack.split(";")
        if "MainThread" in frames[0]:
            found[frames[-1]] += int(samples)
    return found.most_common(count)


def main(
    files: list[Path], top: Annotated[int, typer.Option(help="How many functions to name.")] = 15
) -> None:
    """Sum up recorded stacks by layer."""
    for file in files:
        lines = file.read_text().splitlines()
        layers = by_layer(lines)
        total = max(1, sum(layers.values()))
        print(f"{file.name}: {total} samples")
        for name, count in layers.most_common():
            print(f"  {count / total:6.1%}  {name}")
        for name, count in hottest(lines, top):
            print(f"    {count / total:6.1%}  {name}")


if __name__ == "__main__":
    typer.run(main)
