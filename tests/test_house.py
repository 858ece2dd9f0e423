"""Rules of the house that no linter knows: sizes, tables that must be complete, files that must fit each other."""

import ast
import importlib
import pkgutil
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from sqlalchemy import create_engine
from sqlalchemy.engine import URL

from bridges.marketplace import BRIDGE
from homeserver import api, errors
from homeserver.app import build
from homeserver.faces import make_app, make_bridges
from homeserver.http.errors import PLAIN, ErrorTable
from homeserver.http.sockets import Hub
from homeserver.lifecycle import running
from homeserver.settings.load import load
from homeserver.settings.models import Settings
from homeserver.storage.schema import metadata
from tests.rows import rows
from tests.wording import avoided

ROOT = Path(__file__).parent.parent
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40

# Longer on purpose: a table with a line per row, or wiring with a line per part.
LONG_FUNCTIONS = {
    "bridges/marketplace/chats.py routes",
    "homeserver/app.py build",
    "homeserver/wiring/rooms.py build_rooms",
    "homeserver/api/matrix/accounts.py routes",
    "homeserver/api/matrix/keys.py routes",
    "homeserver/api/matrix/app.py _user_routes",
    "homeserver/api/messenger/chats.py routes",
    "homeserver/api/university/conversations.py routes",
    "tests/faces/odd.py states",
}
CONNECTS = re.compile(
    r"(requests|httpx|urllib3|urllib\.request|http\.client|smtplib|ftplib)(\..*)?"
    r"|aiohttp\.(ClientSession|TCPConnector|request)"
    r"|asyncio\.open_connection|(.*\.)?create_connection|socket\.(socket|create_connection)"
)
"""What opens connections to others."""

LONG_FOLDERS = ("migrations/versions/",)  # as long as the tables

# Only these know the settings as a whole; every other part gets its section.
KNOW_ALL_SETTINGS = (
    "homeserver/__main__.py",
    "homeserver/app.py",
    "homeserver/cli/",
    "homeserver/faces.py",
    "homeserver/wiring/",
    "homeserver/lifecycle.py",
    "homeserver/settings/",
)

READ_ONLY = {"JsonObject"}  # types that mypy lets nobody write to


def tracked() -> list[str]:
    """The files of the repository as they lie here, by their paths from the root."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no clone")
    return sorted(name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file())


def ours(*revocations: str) -> Iterator[tuple[str, str]]:
    """Path and text of each file that we wrote ourselves."""
    for name in tracked():
        if name.endswith(revocations) and "/vendor/" not in name and not name.startswith(LONG_FOLDERS):
            yield name, (ROOT / name).read_text(encoding="utf-8")


def test_no_file_is_long() -> None:
    lengths = {name: len(text.splitlines()) for name, text in ours(".py", ".js", ".css", ".sh")}
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef, text: str) -> int:
    """Lines of a function that are neither empty nor its docstring."""
    first = function.body[1] if ast.get_docstring(function) and len(function.body) > 1 else function.body[0]
    lines = text.splitlines()
    header = lines[function.lineno - 1 : function.body[0].lineno - 1]
    return sum(bool(line.strip()) for line in [*header, *lines[first.lineno - 1 : function.end_lineno]])


def test_no_function_is_long() -> None:
    long = set()
    for name, text in ours(".py"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                long |= {f"{name} {node.name}"} if code_lines(node, text) > MAX_FUNCTION_LINES else set()
    assert long - LONG_FUNCTIONS == set()


def test_only_the_top_knows_all_settings() -> None:
    know = {
        name
        for name, text in ours(".py")
        if name.startswith("homeserver/")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and any(alias.name == "Settings" for alias in node.names)
    }
    assert {name for name in know if not name.startswith(KNOW_ALL_SETTINGS)} == set()


def test_nothing_but_net_opens_outgoing_connections() -> None:
    """One client has the guard, the limits and the deadlines (homeserver/net/client.py)."""
    found = []
    for name, text in ours(".py"):
        if name.startswith("homeserver/net/") or not name.startswith(("homeserver/", "bridges/")):
            continue
        found += [f"{name}:{line} {what}" for line, what in outgoing(ast.parse(text))]
    assert found == []


def outgoing(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Where a module names something that opens connections: by import, or as an attribute of a module."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                named = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names):
                named = [module, *[f"{module}.{alias.name}" for alias in names]]
            case ast.Attribute():
                named = [ast.unparse(node)]
            case _:
                continue
        yield from ((node.lineno, name) for name in named if CONNECTS.fullmatch(name))


@pytest.mark.parametrize(
    "line",
    [
        "import requests",
        "import urllib.request",
        "from urllib.request import urlopen",
        "from urllib import request",
        "import http.client",
        "import aiohttp\nasync with aiohttp.ClientSession() as session: pass",
        "from aiohttp import ClientSession",
        "from aiohttp import TCPConnector as C",
        "import asyncio\nawait asyncio.open_connection('a', 1)",
        "import socket\nsocket.create_connection(('a', 1))",
        "from socket import create_connection",
    ],
)
def test_what_opens_connections_is_found(line: str) -> None:
    assert list(outgoing(ast.parse(line)))


def test_nothing_but_the_gate_makes_proofs() -> None:
    proof = re.compile(r"\b(OpenRoom|SeenMessage)\(")
    makers = [name for name, text in ours(".py") if proof.search(text) and not name.startswith("tests/")]
    assert makers == ["homeserver/services/events/access.py"]


def test_no_module_keeps_state() -> None:
    """An empty list or dict at the top of a module waits to be filled, and two servers would share it."""
    found = []
    for name, text in ours(".py"):
        if not name.startswith("homeserver/"):
            continue
        tree = ast.parse(text)
        found += [f"{name}:{node.lineno} global" for node in ast.walk(tree) if isinstance(node, ast.Global)]
        for statement in tree.body:
            if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.annotation) in READ_ONLY:
                continue
            if isinstance(statement, ast.Assign | ast.AnnAssign) and is_empty_container(statement.value):
                found.append(f"{name}:{statement.lineno}")
    assert found == []


def is_empty_container(value: ast.expr | None) -> bool:
    match value:
        case ast.List(elts=[]) | ast.Dict(keys=[]):
            return True
        case ast.Call(func=ast.Name(id="list" | "dict" | "set" | "deque" | "Counter"), args=[]):
            return True
        case ast.Call(func=ast.Name(id="defaultdict" | "WeakValueDictionary" | "WeakSet")):
            return True
    return False


def test_docstrings_and_comments_use_the_terms_of_the_field() -> None:
    """Phrases to avoid, and what they stand for: tests/wording.py."""
    found = []
    for name, text in ours(".py"):
        if name.startswith(("homeserver/", "bridges/")):
            found += [f"{name}:{line} {phrase!r}" for line, phrase in avoided(text)]
    assert found == []


async def test_two_servers_live_in_one_process(tmp_path: Path) -> None:
    sides = {name: quiet_settings(tmp_path / name, name) for name in ("one", "other")}
    async with (
        running(sides["one"]) as one,
        running(sides["other"]) as other,
        aiohttp.ClientSession() as http,
    ):
        body = {"email": "alice@example.org", "password": "correct horse battery", "display_name": "Alice"}
        tokens = []
        for server in (one, other):  # the same e-mail twice: each has people of its own
            async with http.post(f"{server.url}/api/v1/auth/register", json=body) as answer:
                assert answer.status == 201, await answer.text()
                tokens.append((await answer.json())["access_token"])
        for server, token, status in (
            (one, tokens[0], 200),
            (other, tokens[1], 200),
            (other, tokens[0], 401),
        ):
            headers = {"Authorization": f"Bearer {token}"}
            async with http.get(f"{server.url}/api/unet-chat/conversations/", headers=headers) as answer:
                assert answer.status == status
        assert one.hs.core.keys.signing.verify_key_base64 != other.hs.core.keys.signing.verify_key_base64
        routes = [server.hs.core.metrics.render().count(b"auth/register") for server in (one, other)]
        assert routes[0] == routes[1] > 0


def quiet_settings(data_dir: Path, name: str) -> Settings:
    return Settings.model_validate(
        {
            "server": {"name": f"{name}.example", "data_dir": data_dir},
            "listen": {"port": 0},
            "accounts": {"registration": True, "argon2_memory_kib": 8192, "argon2_time_cost": 1},
            "metrics": {"enabled": True, "port": 0},
        }
    )


def kinds(root: type[errors.HomeserverError]) -> list[type[errors.HomeserverError]]:
    """The error tree below `root`, as far as it is written in errors.py."""
    here = [child for child in root.__subclasses__() if child.__module__ == errors.__name__]
    return [kind for child in here for kind in (child, *kinds(child))]


def error_tables() -> dict[str, ErrorTable]:
    """The tables of all faces, found by looking into every package of homeserver.api."""
    tables = {"http": PLAIN}
    for face in pkgutil.iter_modules(api.__path__):
        name = f"{api.__name__}.{face.name}.errors"
        if importlib.util.find_spec(name):
            tables[face.name] = importlib.import_module(name).ERRORS
    return tables


def test_every_face_has_a_status_for_every_error() -> None:
    tables = error_tables()
    assert {"university", "messenger", "media"} <= set(tables)
    for face, table in tables.items():
        missing = [kind.__name__ for kind in kinds(errors.HomeserverError) if kind not in table.statuses]
        assert missing == [], face


async def test_every_documented_call_has_a_route(tmp_path: Path) -> None:
    async def check() -> None:
        """Never asked here."""

    hs = build(quiet_settings(tmp_path, "one").model_copy(update={"bridges": {"marketplace": {}}}))
    hub = Hub(hs.settings.sockets, hs.core.clock, hs.core.metrics)
    bridges = make_bridges(hs, hub, {"marketplace": BRIDGE}.__getitem__)
    app = make_app(hs, hub, check=check, bridges=list(bridges.values()))
    missing = []
    for method, path in rows():
        found = await app.router.resolve(make_mocked_request(method, path))
        if found.http_exception is not None:
            missing.append(f"{method} {path}: {found.http_exception.status}")
    await hs.core.db.close()
    hs.accounts.passwords.close()
    hs.media.store.close()
    hs.media.disk.close()
    assert missing == []


@pytest.mark.parametrize(
    "name", ["homeserver.yaml", "config/sqlite.yaml", "config/postgres.yaml", "config/reference.yaml"]
)
def test_sample_settings_load(name: str) -> None:
    load(ROOT / name, {})


def is_no_word_index(name: str | None, kind: str, _: object) -> bool:
    """Indexes of words are of one database: a virtual table on SQLite, with tables that it makes for itself."""
    return not (name or "").startswith("search_words" if kind == "table" else "ix_search_texts_words")


@pytest.mark.both
def test_revisions_make_the_tables_that_the_code_knows(database_url: URL) -> None:
    driver = "sqlite" if database_url.get_backend_name() == "sqlite" else "postgresql+psycopg"
    engine = create_engine(database_url.set(drivername=driver))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": is_no_word_index}
        )
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []


def pins(name: str) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+) \\$", (ROOT / name).read_text(), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


def test_locks_fit_pyproject() -> None:
    """If not: scripts/lock."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    runtime = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    development = [*runtime, *project["project"]["optional-dependencies"]["dev"]]
    for lock, wanted in (("requirements.lock", runtime), ("requirements-dev.lock", development)):
        pinned = pins(lock)
        for requirement in map(Requirement, wanted):
            version = pinned.get(canonicalize_name(requirement.name), "")
            assert version in requirement.specifier, f"{lock} does not have {requirement}"
        assert direct(lock) == {canonicalize_name(Requirement(line).name) for line in wanted}, lock
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


def test_no_dependency_stands_twice() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    lists = {
        "build-system": project["build-system"]["requires"],
        "project": project["project"]["dependencies"],
    }
    lists |= project["project"]["optional-dependencies"]
    named = {
        key: [canonicalize_name(Requirement(line).name) for line in lines] for key, lines in lists.items()
    }
    twice = {key: sorted({name for name in names if names.count(name) > 1}) for key, names in named.items()}
    assert {key: names for key, names in twice.items() if names} == {}


def direct(lock: str) -> set[str]:
    """What a lock says that the project itself asks for."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", (ROOT / lock).read_text(), flags=re.MULTILINE)[1:]
    asked = [block for block in blocks if re.search(r"^    #\s+(via )?homeserver\b", block, re.MULTILINE)]
    return {canonicalize_name(block.split("==")[0]) for block in asked}


def test_no_file_names_a_package_host_or_a_place_on_a_machine() -> None:
    hosts = ("py" + "pi.org", "pythonhosted", "npmjs", "--index-url", "--extra-index-url", "--find-links")
    places = (r"(?<![\w.$}~-])/(root|work)/", r"(?<![\w.$}~/-])/home/\w", r"/Users/\w")
    unwanted = re.compile("|".join((*map(re.escape, hosts), *places)))
    found = []
    for name in tracked():
        data = (ROOT / name).read_bytes()
        if b"\0" in data or "/vendor/" in name or name == "tests/test_house.py":
            continue
        found += [f"{name}: {match[0]}" for match in unwanted.finditer(data.decode("utf-8"))]
    assert found == []


def test_what_we_ship_of_others_has_its_licence() -> None:
    vendored = {Path(name).parts for name in tracked() if "/vendor/" in name}
    packages = {Path(*parts[: parts.index("vendor") + 2]) for parts in vendored}
    assert packages, "nothing is vendored any more; drop this test"
    for package in packages:
        names = {path.name for path in (ROOT / package).iterdir()}
        assert any(name.upper().startswith(("LICENSE", "LICENCE", "COPYING")) for name in names), package
    assert (ROOT / "LICENSE").is_file()


def test_every_change_note_has_a_known_kind() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        types = {kind["directory"] for kind in tomllib.load(file)["tool"]["towncrier"]["type"]}
    notes = [path.name for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    assert [name for name in notes if not re.fullmatch(rf"[\w-]+\.({'|'.join(types)})\.md", name)] == []


def test_documents_point_at_files_that_are_there() -> None:
    broken = []
    for name, text in ours(".md"):
        links = [path for path in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if "://" not in path]
        broken += [f"{name}: {path}" for path in links if not (ROOT / name).parent.joinpath(path).exists()]
        named = re.findall(r"`((?:homeserver|tests|scripts|migrations|config|docs)/[\w./-]*\w)`", text)
        broken += [f"{name}: {path}" for path in named if not (ROOT / path).exists()]
    assert broken == []
