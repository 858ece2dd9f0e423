"""The second half of `scripts/run`: a server for looking at, with settings of its own in its data folder."""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import uvloop

from homeserver import logs
from homeserver.lifecycle import Running, serve
from homeserver.settings.load import load
from homeserver.settings.models import Settings
from homeserver.settings.tree import SettingsError

_DATA_DIR = "HOMESERVER__SERVER__DATA_DIR"
_PORT = "HOMESERVER__LISTEN__PORT"
_BAD_SETTINGS = 2

_SETTINGS_TEXT = """\
# Settings of a server for looking at, made by scripts/run; yours to change. For real use see docs/operations.md.
server:
  name: localhost
  data_dir: .
accounts:
  registration: true
web:
  demo: true
bridges:
  marketplace: {}  # chat.js and seller-chats.js, with the pages /product.html and /profile.html
push:
  subject: mailto:admin@localhost  # for real use yours: push services ask it when something is wrong
metrics:
  enabled: true
  port: 0  # any free one, so that two such servers can run
logs:
  level: warning
"""


def main() -> None:
    """Read the options, write the settings where there are none, serve until Ctrl-C."""
    options = _options()
    try:
        settings = _settings(options, os.environ)
    except SettingsError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        sys.exit(_BAD_SETTINGS)
    logs.setup(settings.logs)
    try:
        uvloop.run(serve(settings, lambda server: _announce(server, settings)))
    except OSError as error:
        sys.exit(f"cannot serve: {error.strerror or error}; `scripts/run --port N` takes another port")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/run", description="A server for looking at.")
    parser.add_argument("--port", type=_port, metavar="N")
    parser.add_argument("--data-dir", type=Path, metavar="DIR")
    return parser.parse_args()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


def _settings(options: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """An option wins over the environment, and that over the file. Raises SettingsError."""
    folder = _data_dir(options.data_dir, environ)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / "homeserver.yaml"
    if not file.exists():
        file.write_text(_SETTINGS_TEXT, encoding="utf-8")
    chosen = {_DATA_DIR: str(folder)}
    if options.port is not None:
        chosen[_PORT] = str(options.port)
    settings = load(file, {**environ, **chosen})
    if "public_url" in settings.server.model_fields_set:
        return settings
    url = f"http://127.0.0.1:{settings.listen.port}"
    return settings.model_copy(update={"server": settings.server.model_copy(update={"public_url": url})})


def _data_dir(option: Path | None, environ: Mapping[str, str]) -> Path:
    started_in = Path(environ.get("HOMESERVER_STARTED_IN", "."))
    if option is not None:
        return (started_in / option).absolute()
    if _DATA_DIR in environ:
        return (started_in / environ[_DATA_DIR]).absolute()
    return Path("data").absolute()


def _announce(server: Running, settings: Settings) -> None:
    """Say where the server is and who can log in."""
    print(f"\nThe server is ready: {server.url}")
    print(f"  chat      {server.url}/chat")
    if "marketplace" in settings.bridges:
        print(f"  a listing {server.url}/product.html")
        print(f"  a seller  {server.url}/profile.html")
    print(f"  API docs  {server.url}/docs")
    if server.metrics_port is not None:
        print(f"  numbers   http://{settings.metrics.host}:{server.metrics_port}/metrics")
    print(f"  data      {settings.server.data_dir}")
    demo = settings.server.data_dir / "demo.json"
    if settings.web.demo:
        print("Log in, in two windows if you like, as")
        for login in json.loads(demo.read_text(encoding="utf-8")):
            print(f"  {login['email']}  password {login['password']}")
    print("Ctrl-C stops it.", flush=True)


if __name__ == "__main__":
    main()
