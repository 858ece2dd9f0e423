"""Starting what is measured, each as processes of their own: the server, and a private PostgreSQL for it.

Durability is never touched: SQLite as the server sets it up (WAL, synchronous=FULL), PostgreSQL as it comes.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from homeserver.settings.models import BucketSettings, RateLimitSettings

START_S = 60.0
STOP_S = 20.0
_NO_LIMIT = {"per_second": 1_000_000, "burst": 1_000_000}  # counted as always, refused never


@dataclass(frozen=True, slots=True)
class Running:
    """A server under measurement. `database_pid`: of PostgreSQL; None where the server itself holds SQLite."""

    host: str
    port: int
    metrics_port: int
    pid: int
    database_pid: int | None
    log: Path


class StartError(Exception):
    """Something could not be started; the text says why."""


@contextmanager
def server(folder: Path, database: str, *, python: tuple[str, ...] = ()) -> Iterator[Running]:
    """A fresh server on `database` ("sqlite" or "postgresql"), its files in `folder`."""
    with ExitStack() as stack:
        url, database_pid = "", None
        if database == "postgresql":
            url, database_pid = stack.enter_context(postgres(folder / "pg"))
        port, metrics_port = free_port(), free_port()
        config = folder / "homeserver.yaml"
        config.write_text(yaml.safe_dump(_settings(folder, url, port, metrics_port)))
        log = folder / "server.log"
        command = [*(python or (sys.executable,)), "-m", "homeserver", "run", "-c", str(config)]
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        stack.callback(_stop, process, signal.SIGTERM)
        _wait_for("127.0.0.1", port, process, log)
        yield Running("127.0.0.1", port, metrics_port, process.pid, database_pid, log)


@contextmanager
def postgres(folder: Path) -> Iterator[tuple[str, int]]:
    """A PostgreSQL with its default settings; yields the URL of an empty database and the process id."""
    initdb, program = _program("initdb"), _program("postgres")
    owner: dict[str, Any] = {}
    folder.mkdir()
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        folder.parent.chmod(0o755)
        owner = {"user": "postgres", "group": account.pw_gid, "extra_groups": []}
    made = subprocess.run(
        [initdb, "-D", str(folder / "data"), "-A", "trust", "-U", "bench", "-E", "UTF8", "--locale=C.UTF-8"],
        capture_output=True,
        text=True,
        timeout=START_S,
        cwd="/",
        check=False,
        **owner,
    )
    if made.returncode:
        raise StartError(f"initdb: {made.stderr.strip()}")
    port, log = free_port(), folder.parent / "postgres.log"
    command = [program, "-D", str(folder / "data"), "-p", str(port), "-k", str(folder), "-h", "127.0.0.1"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd="/", **owner
        )
    try:
        _wait_for("127.0.0.1", port, process, log)
        yield f"postgresql://bench@127.0.0.1:{port}/postgres", process.pid
    finally:
        _stop(process, signal.SIGINT)  # "fast": cuts the connections


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _settings(folder: Path, url: str, port: int, metrics_port: int) -> dict[str, Any]:
    """Defaults, but for what a bench must have: many accounts fast, and no refusals for being busy."""
    return {
        "server": {"name": "bench.example", "data_dir": str(folder / "data")},
        "listen": {"port": port},
        "database": {"url": url},
        "accounts": {
            "registration": True,
            "argon2_time_cost": 1,
            "argon2_memory_kib": 8192,
            "argon2_parallelism": 1,
        },
        "tokens": {"access_ttl_s": 86_400},
        "rate_limits": dict.fromkeys(_buckets(), _NO_LIMIT),
        "metrics": {"enabled": True, "port": metrics_port},
        "bridges": {"marketplace": {}},
        "matrix": {"enabled": True},
    }


def _buckets() -> list[str]:
    """What is limited."""
    fields = RateLimitSettings.model_fields.items()
    return [name for name, field in fields if field.annotation is BucketSettings]


def _program(name: str) -> str:
    found = shutil.which(name) or next(
        (str(one) for one in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None
    )
    if found is None:
        raise StartError(f"{name} is not installed")
    return found


def _wait_for(host: str, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
            return
        time.sleep(0.05)
    raise StartError(f"{process.args!r} did not start:\n{log.read_text(errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes], politely: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(politely)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_S)
