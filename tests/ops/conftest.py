"""What the tests here can ask for: `folder`, `cli`, and servers that `start`."""

import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ops.drivers import Cli, Folder, Server


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Cli(tmp_path)
    for handler in root.handlers[:]:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def start(cli: Cli) -> Iterator[Callable[[], Server]]:
    """Starts servers in the folder of `cli`; none outlives the test."""
    started: list[Server] = []

    def start() -> Server:
        started.append(Server(cli))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop(signal.SIGKILL)


@pytest.fixture
def server(cli: Cli, start: Callable[[], Server]) -> Server:
    """A server in which Alice has an account."""
    cli(
        "user",
        "create",
        "--name",
        "Alice",
        "--email",
        "a@example.org",
        "--password-file",
        cli.password_file(),
    )
    return start()
