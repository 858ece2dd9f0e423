"""What the tests here speak through: a folder with settings, the command line, a server in its own process."""

import json
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from homeserver.__main__ import app
from homeserver.settings.load import load
from homeserver.settings.models import Settings
from homeserver.settings.tree import SettingsError

SECRET = "s" * 32
PASSWORD = "correct horse battery"
FAST_HASH = {"HOMESERVER__ACCOUNTS__ARGON2_MEMORY_KIB": "8192", "HOMESERVER__ACCOUNTS__ARGON2_TIME_COST": "1"}


class Folder:
    """A folder with a homeserver.yaml that is written and loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / "homeserver.yaml"

    def load(self, text: str, **environ: str) -> Settings:
        self.file.write_text(text, encoding="utf-8")
        return load(self.file, environ)

    def problems(self, text: str, **environ: str) -> list[str]:
        """What is said about settings that do not load; the path of the file is left out."""
        with pytest.raises(SettingsError) as caught:
            self.load(text, **environ)
        return str(caught.value).replace(str(self.file), "FILE").splitlines()


def issuer(**keys: object) -> str:
    """The text of settings with one issuer."""
    pairs = {"name": "a", "namespace": 1, **keys}
    return "issuers:\n- " + "\n  ".join(f"{key}: {value}" for key, value in pairs.items()) + "\n"


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


class Server:
    """A server in a process of its own, as an operator starts it."""

    def __init__(self, cli: Cli) -> None:
        # A test that asks until something has happened asks faster than people may.
        unlimited = {"HOMESERVER__LISTEN__PORT": "0", "HOMESERVER__RATE_LIMITS__ENABLED": "false"}
        environ = {**os.environ, **FAST_HASH, **unlimited}
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

    def post(self, path: str, token: str = "", **body: Any) -> tuple[int, Any]:
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
