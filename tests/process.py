"""A server as a process of its own, for tests that kill it."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import aiohttp

START_S = 120.0  # on a busy machine; a quiet one needs a second or two


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerProcess:
    """`homeserver run` on a port of its own; can be killed and started again on the same data."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "server.log"
        self._folder = folder
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HOMESERVER__")},
            "HOMESERVER__SERVER__DATA_DIR": str(folder / "data"),
            "HOMESERVER__LISTEN__PORT": str(self.port),
            "HOMESERVER__METRICS__ENABLED": "false",
            **settings,
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and return when it is ready to work."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "homeserver",
                "run",
                env=self._env,
                cwd=Path(__file__).parent.parent,
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(START_S):
            await self._until_ready(self._process)

    async def kill(self) -> None:
        """SIGKILL: no last word."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM; answers the exit status."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.send_signal(number)
        status = await self._process.wait()
        self._process = None
        return status

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                if process.returncode is not None:
                    raise AssertionError(f"the server ended: {self._log.read_text()[-3000:]}")
                try:
                    async with session.get(f"{self.url}/ready") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.02)  # polling another process; the deadline is above


class ForkedProcess(ServerProcess):
    """The same, forked from a process that has loaded everything: for tests that start it very often."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        super().__init__(folder, settings)
        self._mother: asyncio.subprocess.Process | None = None
        self._pid = 0

    async def start(self) -> None:
        """Start it and return when it is ready to work."""
        if self._mother is None:
            with self._log.open("ab") as log:
                self._mother = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "tests.mother",
                    env=self._env,
                    cwd=Path(__file__).parent.parent,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                )
        assert self._mother.stdin is not None
        self._mother.stdin.write(b"start\n")
        self._pid = int(await self._said())
        async with asyncio.timeout(START_S):
            await self._until_ready(self._mother)

    async def close(self) -> None:
        """Kill it, and end the process that it was forked from."""
        await self.kill()
        if self._mother is not None:
            self._mother.kill()
            await self._mother.wait()

    async def _end(self, number: signal.Signals) -> int:
        if not self._pid:
            return 0
        with suppress(ProcessLookupError):
            os.kill(self._pid, number)
        self._pid = 0
        return int(await self._said())

    async def _said(self) -> bytes:
        assert self._mother is not None
        assert self._mother.stdout is not None
        async with asyncio.timeout(START_S):
            line = await self._mother.stdout.readline()
        assert line, f"the process ended: {self._log.read_text()[-3000:]}"
        return line
