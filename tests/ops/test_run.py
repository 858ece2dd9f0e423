"""A server in a process of its own, as an operator runs it."""

import contextlib
import signal
import socket
import sqlite3
import stat
from collections.abc import Callable

import pytest

from tests.ops.drivers import PASSWORD, Cli, Server


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_runs_until_it_is_told_to_stop(start: Callable[[], Server], number: int) -> None:
    server = start()
    assert server.post("/health") == (200, {"status": "healthy", "service": "chat"})
    assert server.stop(number) == 0
    assert server.log.rstrip().endswith("stopped")
    assert "Traceback" not in server.log


def test_a_password_reset_beside_a_running_server_logs_out_at_once(server: Server, cli: Cli) -> None:
    status, tokens = server.post("/api/v1/auth/login", email="a@example.org", password=PASSWORD)
    assert status == 200
    token = tokens["access_token"]
    server.read_log()
    assert server.post("/api/v1/auth/me", token)[0] == 200
    cli("user", "reset-password", "a@example.org", "--password-file", cli.password_file("another password"))
    while server.post("/api/v1/auth/me", token)[0] == 200:
        pass  # until the server has read the log; the test's time limit bounds it
    assert server.post("/api/v1/auth/login", email="a@example.org", password=PASSWORD)[0] == 401
    assert server.post("/api/v1/auth/login", email="a@example.org", password="another password")[0] == 200
    assert server.stop(signal.SIGTERM) == 0
    for secret in (token, tokens["refresh_token"], PASSWORD, "another password", "a@example.org"):
        assert secret not in server.log


def test_a_server_whose_log_nobody_reads_goes_on(start: Callable[[], Server]) -> None:
    server = start()
    for _ in range(700):  # their lines are more than a pipe holds
        assert server.post(f"/nowhere/{'x' * 200}")[0] == 404
    assert server.stop(signal.SIGTERM) == 0


def test_what_a_server_makes_is_for_nobody_else(cli: Cli, start: Callable[[], Server]) -> None:
    (cli.folder / "data").mkdir(mode=0o755)
    server = start()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (cli.folder / "data").rglob("*")}
    assert server.stop(signal.SIGTERM) == 0
    assert {"homeserver.db", "homeserver.db-wal", "signing.key"} <= modes.keys()
    assert [name for name, mode in modes.items() if mode & 0o077] == []


def test_a_port_that_is_taken_is_told_in_a_sentence(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = cli("run", status=1, HOMESERVER__LISTEN__PORT=str(taken.getsockname()[1]))
    assert "address already in use" in said
    assert "Traceback" not in said


def test_a_room_is_verified_and_a_forged_message_found(server: Server, cli: Cli) -> None:
    cli("user", "create", "--name", "Bob", "--email", "b@example.org", "--password-file", cli.password_file())
    _, tokens = server.post("/api/v1/auth/login", email="a@example.org", password=PASSWORD)
    token = tokens["access_token"]
    path = "/api/unet-chat"
    _, made = server.post(f"{path}/conversations/", token, type="group", title="Plans", participant_ids=[2])
    for text in ("one", "two"):
        assert server.post(f"{path}/messages/", token, conversation_id=made["id"], text=text)[0] == 200
    assert server.stop(signal.SIGTERM) == 0
    with contextlib.closing(sqlite3.connect(cli.folder / "data/homeserver.db")) as database, database:
        [[room_id]] = database.execute("SELECT room_id FROM rooms")
        assert cli("verify-room", room_id) == f"{room_id}: all is well\n"
        changed = database.execute(
            "UPDATE events SET pdu = CAST(replace(CAST(pdu AS TEXT), '\"two\"', '\"2!!\"') AS BLOB)"
            " WHERE CAST(pdu AS TEXT) LIKE '%\"two\"%'"
        )
        assert changed.rowcount == 1
    said = cli("verify-room", room_id, status=1)
    assert "the content hash does not fit the content" in said
    assert f"{room_id}: 1 fault\n" in said
