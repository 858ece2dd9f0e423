"""What every test can ask for: a migrated database of either kind, a clock, a whole homeserver.

SQLite is always there; PostgreSQL when HOMESERVER_TEST_POSTGRES names a server where databases may be made. Tests of
what depends on the database run on both (the folders of `BOTH`, and what is marked `both`); the others on PostgreSQL
only with `--both`.
"""

import gc
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import aiohttp
import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright
from sqlalchemy.engine import URL, make_url

from homeserver.app import Homeserver, build
from homeserver.clock import FakeClock
from homeserver.lifecycle import Running, running, working
from homeserver.settings.models import DatabaseSettings, Settings
from homeserver.storage.db import Database
from homeserver.storage.migrate import _upgrade
from homeserver.storage.schema import metadata
from tests import thrift

CHROMIUM = os.environ.get("HOMESERVER_TEST_CHROMIUM", "/usr/bin/chromium")
POSTGRES = os.environ.get("HOMESERVER_TEST_POSTGRES", "")
BOTH = ("chat", "e2ee", "services", "storage", "timeline")
"""The folders whose tests always run on both databases."""
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
QUIET: dict[str, object] = {
    "timeline": {"follow_interval_ms": 60_000},
    "push": {"poll_interval_s": 60},
    "matrix": {"enabled": False},
}
"""Settings of a server that does nothing of its own accord: for tests that count statements."""
_HERE = Path(__file__).parent
_names = itertools.count(1)
# As the migrations leave them: no rows, but the head of the log.
_EMPTY = "; ".join(
    [
        *(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)),
        "INSERT INTO log_head (row_id, position) VALUES (1, 0)",
        "SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'",
    ]
)


class Databases:
    """Lends empty, migrated databases.

    SQLite's are copies of one that was migrated once, deleted afterwards. PostgreSQL's are lent again and again, and
    emptied in between: making and dropping one takes longer than most tests.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
        self._template = folder / "template.db"
        _upgrade(make_url(f"sqlite:///{self._template}"), True)
        self._admin = psycopg.connect(POSTGRES, autocommit=True) if POSTGRES else None
        self._made: list[str] = []
        self._lent: list[str] = []
        self._free: list[str] = []
        self._files: list[Path] = []

    def url(self, kind: str) -> URL:
        """The URL of a fresh database."""
        if kind == "sqlite":
            path = self._folder / f"{self._name()}.db"
            shutil.copyfile(self._template, path)
            self._files.append(path)
            return make_url(f"sqlite+aiosqlite:///{path}")
        if not self._free:
            name = self._create()
            _upgrade(make_url(POSTGRES).set(database=name), True)
            self._free.append(name)
        name = self._free.pop()
        self._lent.append(name)
        return make_url(POSTGRES).set(drivername="postgresql+psycopg", database=name)

    def empty(self) -> URL:
        """The URL of a PostgreSQL database without any table; it is not lent again."""
        return make_url(POSTGRES).set(database=self._create())

    def take_back(self) -> None:
        """Empty the databases that were lent since the last call. Nothing of the test is connected then."""
        while self._files:
            path = self._files.pop()
            for one in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
                one.unlink(missing_ok=True)
        while self._lent:
            name = self._lent.pop()
            self._run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", name)
            with psycopg.connect(POSTGRES, dbname=name, autocommit=True) as conn:
                conn.execute(_EMPTY)
            self._free.append(name)

    def close(self) -> None:
        for name in self._made:
            self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        if self._admin is not None:
            self._admin.close()

    def _create(self) -> str:
        name = self._name()
        self._run(f'CREATE DATABASE "{name}"')
        self._made.append(name)
        return name

    def _name(self) -> str:
        return f"test_{self._worker}_{os.getpid()}_{next(_names)}"

    def _run(self, statement: str, *values: str) -> None:
        assert self._admin is not None, "HOMESERVER_TEST_POSTGRES is not set"
        self._admin.execute(statement, values or None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--both", action="store_true", help="run every test on both databases, not only those that need it"
    )


def pytest_configure() -> None:
    thrift.share_statements()


def pytest_runtest_teardown() -> None:
    thrift.forget_servers()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes minutes begins first, or one worker would do it while the others have nothing left."""
    left_out = [] if config.getoption("both") else [item for item in items if not _is_wanted(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if _is_wanted(item)]
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)


def _is_wanted(item: pytest.Item) -> bool:
    """False for a test on PostgreSQL that runs there only with `--both`."""
    kind = item.callspec.params.get("database_kind") if hasattr(item, "callspec") else None
    if kind != "postgresql" or item.get_closest_marker("both"):
        return True
    return any(item.path.is_relative_to(_HERE / folder) for folder in BOTH)


def pytest_collection_finish() -> None:
    """What is loaded now stays: without this the collector looks through all of it at every start of a server."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    made = Databases(tmp_path_factory.mktemp("databases"))
    yield made
    made.close()


@pytest_asyncio.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for all tests of a worker; each opens pages in contexts of its own."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM}")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    if request.param == "postgresql" and not POSTGRES:
        pytest.skip("HOMESERVER_TEST_POSTGRES is not set")
    return str(request.param)


@pytest.fixture
def database_url(databases: Databases, database_kind: str) -> Iterator[URL]:
    yield databases.url(database_kind)
    databases.take_back()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def db(database_url: URL) -> AsyncIterator[Database]:
    database = Database(database_url, DatabaseSettings())
    yield database
    await database.close()


@pytest.fixture
def overrides() -> dict[str, object]:
    """Settings that a test wants otherwise: override this fixture, or parametrize it; {section: {key: value}}."""
    return {}


@pytest.fixture
def settings(database_url: URL, tmp_path: Path, overrides: dict[str, dict[str, object]]) -> Settings:
    """Settings of a server of its own."""
    return make_settings(database_url, tmp_path, overrides)


def make_settings(database: URL, folder: Path, overrides: Mapping[str, object]) -> Settings:
    """Settings of a server of its own: cheap passwords, no rate limits, any free port."""
    url = database.set(drivername=database.get_backend_name())
    values: dict[str, dict[str, object]] = {
        "server": {"name": "test.example", "data_dir": folder / "data"},
        "listen": {"port": 0, "shutdown_grace_s": 5},
        "database": {"url": url.render_as_string(hide_password=False), "pool_size": 4},
        "accounts": {
            "registration": True,
            "argon2_time_cost": 1,
            "argon2_memory_kib": 8192,
            "argon2_parallelism": 1,
        },
        "rate_limits": {"enabled": False},
        "metrics": {"enabled": False},
    }
    given: dict[str, object] = {**values}
    for section, wanted in overrides.items():
        given[section] = {**values.get(section, {}), **wanted} if isinstance(wanted, dict) else wanted
    return Settings.model_validate(given)


@pytest.fixture
async def hs(settings: Settings) -> AsyncIterator[Homeserver]:
    """A server at work without its faces: for tests of services."""
    built = build(settings)
    async with working(built):
        yield built


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    """A whole server that listens: for tests through the APIs. `server.hs` has its parts, `server.url` its address."""
    async with running(settings) as one:
        yield one


@pytest.fixture
async def client(server: Running) -> AsyncIterator[aiohttp.ClientSession]:
    """HTTP to the server; paths begin with a slash."""
    async with aiohttp.ClientSession(server.url) as session:
        yield session
