"""The second half of `scripts/test`: pytest beside the static checks, and a PostgreSQL that lives as long as it."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_MOST_WORKERS = 3
_START_S = 60
_INTERRUPTED = 130
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
_ROOM_BYTES = 4 * 2**30


def main() -> int:
    """0 if everything is right. What the static checks say stands below the tests."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _checks() as finish_checks, _postgres() as url, _scratch() as scratch:
            required = {"HOMESERVER_TEST_POSTGRES": url, "HOMESERVER_TEST_CLIENTS": "required"}
            tests = _pytest([*scratch, *sys.argv[1:]], {**_keeping_bytecode(), **required})
            checks = finish_checks()
    except KeyboardInterrupt:
        return _INTERRUPTED
    if checks:
        print("scripts/check failed, see above", file=sys.stderr)
    if tests:
        print("the tests failed, see above the static checks", file=sys.stderr)
    return tests or checks


@contextmanager
def _checks() -> Iterator[Callable[[], int]]:
    """Run `scripts/check` in the background. Calling what is yielded waits for it, prints its output and answers its
    exit code. Leaving ends it if it still runs."""
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(
            [_ROOT / "scripts" / "check"],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its children can be ended with it
        ) as process,
    ):

        def finish() -> int:
            code = process.wait()
            output.seek(0)
            print(output.read().decode(errors="replace"), end="", flush=True)
            return code

        try:
            yield finish
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)


def _pytest(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run it; who is told to stop in the meantime waits until pytest has cleaned up."""
    # One more than there are cores: tests wait for the database, for browsers and for pauses that are part of stories.
    workers = min(_MOST_WORKERS, (os.cpu_count() or 1) + 1)
    # Who is done takes over work of the other.
    sharing = [f"--numprocesses={workers}", "--dist=worksteal"]
    command = [sys.executable, "-m", "pytest", *sharing, *arguments]
    with subprocess.Popen(command, cwd=_ROOT, env=environ, stdin=subprocess.DEVNULL) as process:
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C reaches pytest by itself
        signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGINT))
        code = process.wait()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    return code


def _keeping_bytecode() -> Mapping[str, str]:
    """The environment, in which Python keeps what it compiled: the tests start the server a hundred times, and
    containers often forbid it, to stay small."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@contextmanager
def _scratch() -> Iterator[Sequence[str]]:
    """The option that puts the tests' files into memory, where there is room: SQLite waits for the disk at each
    commit, and the tests would do little else. The folder goes at the end."""
    if not _MEMORY.is_dir() or shutil.disk_usage(_MEMORY).free < _ROOM_BYTES:
        yield ()
        return
    with tempfile.TemporaryDirectory(prefix="homeserver-tests-", dir=_MEMORY) as folder:
        yield (f"--basetemp={folder}/pytest",)


@contextmanager
def _postgres() -> Iterator[str]:
    """A PostgreSQL in a folder and on a port of its own; yields its URL.

    It does not wait for the disk, as the tests make and drop a thousand databases; the crash test switches that on.
    """
    binaries = _postgres_binaries()
    owner = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
    port, password = _free_port(), secrets.token_hex(16)
    folder = Path(tempfile.mkdtemp(prefix="homeserver-postgres-"))
    data, password_file = folder / "data", folder / "password"
    initdb: list[str | Path] = [
        binaries / "initdb",
        "--pgdata",
        data,
        "--username=postgres",
        "--encoding=UTF8",
    ]
    initdb += ["--locale=C", "--auth=scram-sha-256", "--pwfile", password_file]
    control: list[str | Path] = [binaries / "pg_ctl", "--pgdata", data, "--silent", "--wait"]
    control += ["--timeout", str(_START_S)]
    options = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='{folder}'"
    try:
        password_file.write_text(password)
        if owner:
            for path in (folder, password_file):
                shutil.chown(path, owner)
        _quietly(owner, folder, initdb)
        with (data / "postgresql.conf").open("a") as conf:
            conf.write("fsync = off\n")
        _quietly(owner, folder, [*control, "--log", folder / "log", "--options", options, "start"])
        try:
            yield f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
        finally:
            _quietly(owner, folder, [*control, "--mode=immediate", "stop"])
    finally:
        shutil.rmtree(folder)


def _quietly(owner: str | None, folder: Path, command: Sequence[str | Path]) -> None:
    """Run a command as `owner` (None: as ourselves), out of reach of Ctrl-C; its words only when it fails."""
    log = folder / "output"
    with log.open("wb") as output:
        done = subprocess.run(
            command,
            cwd=folder,
            user=owner,
            group=owner,
            extra_groups=[] if owner else None,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            check=False,
        )
    if done.returncode:
        words = "".join(path.read_text() for path in (log, folder / "log") if path.exists())
        sys.exit(f"{command[0]} failed:\n{words}")


def _postgres_binaries() -> Path:
    """The newest version that Debian has installed, else the one on the path."""
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    if versions:
        return max(versions, key=lambda path: int(path.parent.name))
    found = shutil.which("initdb")
    if found is None:
        sys.exit("PostgreSQL is missing (initdb)")
    return Path(found).resolve().parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
