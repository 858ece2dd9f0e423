"""The command line: each verb through the program's own entry, and one real server with its signals."""

import json
import logging
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from homeserver.__main__ import app
from homeserver.settings import reference
from homeserver.settings.secrets import open_keys

PASSWORD = "correct horse battery"
FAST_HASH = {"HOMESERVER__ACCOUNTS__ARGON2_MEMORY_KIB": "8192", "HOMESERVER__ACCOUNTS__ARGON2_TIME_COST": "1"}


class Cli:
    """Runs verbs in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "homeserver.yaml"
        self.config.write_text("server:\n  data_dir: data\n", encoding="utf-8")
        self._runner = CliRunner()

    def __call__(self, *words: str, keyboard: str | None = None, status: int = 0, **environ: str) -> str:
        """The output of a verb (and its errors), which must end with `status`."""
        needs_config = words[0] not in {"generate-config", "--help", "--version"}
        args = [*words, "-c", str(self.config)] if needs_config else [*words]
        result = self._runner.invoke(app, args, input=keyboard, env=FAST_HASH | environ)
        assert result.exit_code == status, result.output
        return result.output

    def password_file(self, text: str = PASSWORD) -> str:
        path = self.folder / "password"
        path.write_text(f"{text}\n", encoding="utf-8")
        return str(path)


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Cli(tmp_path)
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def test_help_names_all_verbs(cli: Cli) -> None:
    text = cli("--help")
    for verb in ("run", "migrate", "check-config", "generate-config", "verify-room", "user", "keys"):
        assert re.search(rf"\b{verb}\b", text)
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", cli("--version"))


def test_good_settings_are_called_good(cli: Cli) -> None:
    assert cli("check-config") == "the settings are good\n"


def test_bad_settings_are_told_with_their_line_by_every_verb(cli: Cli) -> None:
    cli.config.write_text("listen:\n  prot: 1\n")
    for verb in (
        ["check-config"],
        ["run"],
        ["migrate"],
        ["user", "list"],
        ["keys", "show"],
        ["verify-room", "!x:y"],
    ):
        said = cli(*verb, status=2)
        assert said == f"{cli.config}:2:3: listen.prot: is not a known key; did you mean port?\n"


def test_settings_that_raise_questions_are_good_but_questioned(cli: Cli) -> None:
    cli.config.write_text("listen: {host: 0.0.0.0}\naccounts: {registration: true}\n")
    said = cli("check-config")
    assert "look again: accounts.registration is true" in said
    assert said.endswith("the settings are good\n")


def test_generated_files_are_those_of_the_reference(cli: Cli) -> None:
    assert cli("generate-config", "--all") == reference.reference_yaml()
    assert cli("generate-config", "--schema") == reference.schema_json()
    small = cli(
        "generate-config", "--server-name", "chat.example.org", "--public-url", "https://chat.example.org"
    )
    cli.config.write_text(small)
    assert "chat.example.org" in small
    assert cli("check-config").endswith("the settings are good\n")


def test_generating_never_writes_over_a_file(cli: Cli) -> None:
    path = cli.folder / "new.yaml"
    cli("generate-config", "-o", str(path))
    assert path.read_text() == reference.smallest_yaml("localhost", "http://127.0.0.1:8008")
    said = cli("generate-config", "--all", "-o", str(path), status=1)
    assert "cannot be written: File exists" in said
    cli("generate-config", "--all", "--schema", status=1)


def test_migrate_makes_the_tables_once(cli: Cli) -> None:
    assert "are at revision None" in cli("migrate", "--check", status=1)
    assert cli("migrate") == "the tables are now up to date\n"
    assert cli("migrate") == "the tables were up to date\n"
    assert cli("migrate", "--check") == "the tables were up to date\n"


def test_an_account_is_made_with_a_password_from_a_file(cli: Cli) -> None:
    said = cli(
        "user",
        "create",
        "--name",
        "Alice",
        "--email",
        "alice@example.org",
        "--password-file",
        cli.password_file(),
    )
    assert said == "@alice:localhost (number 1, tag alice)\n"
    assert PASSWORD not in said


def test_a_password_is_typed_twice_and_not_shown(cli: Cli) -> None:
    args = ("user", "create", "--name", "Bob", "--email", "bob@example.org")
    said = cli(*args, keyboard=f"{PASSWORD}\nother\n{PASSWORD}\n{PASSWORD}\n")
    assert "do not match" in said
    assert "@bob:localhost" in said
    assert PASSWORD not in said


def test_a_password_comes_from_standard_input(cli: Cli) -> None:
    args = ("user", "create", "--name", "Bob", "--email", "bob@example.org", "--password-file", "-")
    assert "@bob:localhost" in cli(*args, keyboard=f"{PASSWORD}\n")
    cli("user", "reset-password", "bob@example.org", "--password-file", "-", keyboard="", status=1)


def test_no_password_is_taken_from_the_command_line(cli: Cli) -> None:
    said = cli(
        "user", "create", "--name", "Bob", "--email", "b@example.org", "--password", PASSWORD, status=2
    )
    assert "No such option" in said
    assert "--password-file" in cli("user", "create", "--help")


@pytest.mark.parametrize(
    ("args", "password", "said"),
    [
        (["--email", "no e-mail"], PASSWORD, "e-mail"),
        (["--email", "a@example.org"], "short", "the password must have at least 8 characters"),
        (["--email", "taken@example.org"], PASSWORD, "there is an account with this e-mail already"),
        (["--email", "a@example.org", "--tag", "?"], PASSWORD, "tag"),
    ],
)
def test_what_the_service_refuses_is_told_without_a_trace(
    cli: Cli, args: list[str], password: str, said: str
) -> None:
    cli(
        "user",
        "create",
        "--name",
        "T",
        "--email",
        "taken@example.org",
        "--password-file",
        cli.password_file(),
    )
    output = cli(
        "user", "create", "--name", "A", *args, "--password-file", cli.password_file(password), status=1
    )
    assert said in output
    assert "Traceback" not in output
    assert output.count("\n") == 1


def test_an_account_without_e_mail_needs_no_password(cli: Cli) -> None:
    assert cli("user", "create", "--name", "Robot") == "@robot:localhost (number 1, tag robot)\n"


def test_people_are_listed_for_people_and_for_programs(cli: Cli) -> None:
    for name in ("Alice", "Боб"):
        cli("user", "create", "--name", name, "--tag", "alice" if name == "Alice" else "bob")
    lines = cli("user", "list").splitlines()
    assert lines[0].split() == ["number", "user", "id", "name", "tag", "e-mail", "created", "standing"]
    assert lines[1].split()[:3] == ["1", "@alice:localhost", "Alice"]
    assert lines[2].split()[-1] == "active"
    rows = [json.loads(line) for line in cli("user", "list", "--json").splitlines()]
    assert [row["display_name"] for row in rows] == ["Alice", "Боб"]
    assert [json.loads(cli("user", "list", "--json", "--limit", "1", "--offset", "1"))["number"]] == [2]


def test_suspending_and_closing_show_in_the_list(cli: Cli) -> None:
    cli("user", "create", "--name", "Alice")

    def standing() -> str:
        return str(json.loads(cli("user", "list", "--json"))["standing"])

    assert cli("user", "suspend", "@alice:localhost") == "@alice:localhost is suspended\n"
    assert standing() == "suspended"
    cli("user", "unsuspend", "@alice:localhost")
    assert standing() == "active"
    cli("user", "deactivate", "@alice:localhost", keyboard="n\n", status=1)
    assert standing() == "active"
    cli("user", "deactivate", "@alice:localhost", "--yes")
    assert standing() == "closed"


def test_a_person_who_is_not_there_is_not_found(cli: Cli) -> None:
    for who in ("@nobody:localhost", "nobody@example.org"):
        said = cli("user", "reset-password", who, "--password-file", cli.password_file(), status=1)
        assert said == "no such account\n"


def test_a_password_file_that_cannot_be_read_is_named(cli: Cli) -> None:
    absent = str(cli.folder / "absent")
    said = cli("user", "reset-password", "@a:localhost", "--password-file", absent, status=1)
    assert said == f"{absent} cannot be read: No such file or directory\n"


def test_keys_show_only_their_public_halves(cli: Cli) -> None:
    said = cli("keys", "show")
    keys = open_keys(cli.folder / "data")
    assert said == f"{keys.signing.key_id} {keys.signing.verify_key_base64} (signs)\n"
    for secret in (
        keys.signing.to_text().split()[2],
        (cli.folder / "data/keys/media_url.key").read_text().strip(),
    ):
        assert secret not in said


def test_a_key_is_replaced_after_a_question(cli: Cli) -> None:
    first = open_keys(cli.folder / "data")
    cli("keys", "rotate", "signing", keyboard="n\n", status=1)
    assert open_keys(cli.folder / "data") == first
    said = cli("keys", "rotate", "signing", "--yes")
    second = open_keys(cli.folder / "data")
    assert second.old_signing == (first.signing,)
    assert f"{second.signing.key_id} {second.signing.verify_key_base64} (signs)\n" in said
    assert f"{first.signing.key_id} {first.signing.verify_key_base64} (old)\n" in said
    cli("keys", "rotate", "access-token", "--yes")
    cli("keys", "rotate", "media-url", "--yes")
    third = open_keys(cli.folder / "data")
    assert third.access_token != second.access_token
    assert third.media_url != second.media_url
    assert third.signing == second.signing


def test_keys_open_to_others_are_refused(cli: Cli) -> None:
    cli("keys", "show")
    (cli.folder / "data/keys/signing.key").chmod(0o644)
    assert "chmod 0600 it" in cli("keys", "show", status=1)
    assert "chmod 0600 it" in cli("user", "list", status=1)
    assert "chmod 0600 it" in cli("run", status=1)


def test_an_unknown_room_cannot_be_verified(cli: Cli) -> None:
    assert "are at revision None" in cli("verify-room", "!x:localhost", status=1)
    cli("migrate")
    assert cli("verify-room", "!x:localhost", status=1) == "no such room\n"


def test_a_database_that_is_away_is_told_without_its_password(cli: Cli) -> None:
    said = cli(
        "user", "list", status=1, HOMESERVER__DATABASE__URL="postgresql://chat:s3cretword@127.0.0.1:1/chat"
    )
    assert said.startswith("the database cannot be used: ")
    assert "s3cretword" not in said
    assert "Traceback" not in said


class Server:
    """A server in a process of its own, as an operator starts it."""

    def __init__(self, cli: Cli) -> None:
        environ = {**os.environ, **FAST_HASH, "HOMESERVER__LISTEN__PORT": "0"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "homeserver", "run", "-c", str(cli.config)],
            stderr=subprocess.PIPE,
            env=environ,
            text=True,
        )
        self.lines: list[str] = []
        self.url = self._wait_for(r"listening at (\S+)")
        self._reader: threading.Thread | None = None

    def read_log(self) -> None:
        """Go on reading the log beside the test, as whatever keeps it would."""

        def read() -> None:
            assert self.process.stderr
            with self.process.stderr as log:
                self.lines.extend(log)

        self._reader = threading.Thread(target=read)
        self._reader.start()

    def _wait_for(self, pattern: str) -> str:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError(f"ended without {pattern}: {''.join(self.lines)}")

    def stop(self, number: int) -> int:
        """Send a signal, wait for the end, return the status."""
        self.process.send_signal(number)
        if self._reader is None:
            self.read_log()
        status = self.process.wait(30)
        assert self._reader
        self._reader.join(30)
        return status

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def post(self, path: str, token: str = "", **body: str) -> tuple[int, Any]:
        headers = {
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {token}"} if token else {}),
        }
        request = urllib.request.Request(
            self.url + path, data=json.dumps(body).encode() if body else None, headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


@pytest.fixture
def server(cli: Cli) -> Iterator[Server]:
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
    server = Server(cli)
    yield server
    if server.process.poll() is None:
        server.stop(signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_runs_until_it_is_told_to_stop(server: Server, number: int) -> None:
    assert server.post("/health") == (200, {"status": "healthy", "service": "chat", "version": "0.1.0"})
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


def test_a_server_whose_log_nobody_reads_goes_on(server: Server) -> None:
    for _ in range(700):  # their lines are more than a pipe holds
        assert server.post(f"/nowhere/{'x' * 200}")[0] == 404
    assert server.stop(signal.SIGTERM) == 0


def test_what_a_server_makes_is_for_nobody_else(cli: Cli) -> None:
    (cli.folder / "data").mkdir(mode=0o755)
    server = Server(cli)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (cli.folder / "data").rglob("*")}
    assert server.stop(signal.SIGTERM) == 0
    assert {"homeserver.db", "homeserver.db-wal", "signing.key"} <= modes.keys()
    assert [name for name, mode in modes.items() if mode & 0o077] == []


def test_a_port_that_is_taken_is_told_in_a_sentence(server: Server, cli: Cli) -> None:
    port = server.url.rpartition(":")[2]
    other = subprocess.run(
        [sys.executable, "-m", "homeserver", "run", "-c", str(cli.config)],
        capture_output=True,
        env={**os.environ, "HOMESERVER__LISTEN__PORT": port},
        text=True,
        timeout=60,
        check=False,
    )
    assert other.returncode == 1
    assert "address already in use" in other.stderr
    assert "Traceback" not in other.stderr
