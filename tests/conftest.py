"""What every test can ask for: a migrated database of either kind, a clock, a whole homeserver.

SQLite is always there; PostgreSQL when HOMESERVER_TEST_POSTGRES names a server where databases may be made. Tests of
what depends on the database run on both (the folders of `BOTH`, and what is marked `both`); the others on PostgreSQL
only with `--both`.
"""

import gc
import os
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright
from sqlalchemy.engine import URL

from homeserver.app import Homeserver, build
from homeserver.bridges import Bridge, find
from homeserver.clock import FakeClock
from homeserver.lifecycle import Running, running, working
from homeserver.settings.models import DatabaseSettings, Settings
from homeserver.storage.db import Database
from tests import names
from tests.databases import POSTGRES, Databases
from tests.servers import Servers, forget_handlers, make_settings

CHROMIUM = os.environ.get("HOMESERVER_TEST_CHROMIUM", "/usr/bin/chromium")
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
_OWN = frozenset({"settings", "database_url", "db", "hs"})
"""A test that asks for one of these has its server to itself: they are of no other."""
_failed = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--both", action="store_true", help="run every test on both databases, not only those that need it"
    )


def pytest_runtest_setup() -> None:
    names.next_test()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what failed, for the fixtures that clean up after it."""
    report = yield
    if report.failed:
        item.stash[_failed] = True
    return report


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
async def servers(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    made = Servers(databases, tmp_path_factory.mktemp("servers"))
    yield made
    await made.close()


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
    url = databases.url(database_kind)
    yield url
    databases.take_back(url)


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
def settings(database_url: URL, tmp_path: Path, overrides: Mapping[str, object]) -> Settings:
    """Settings of a server of its own."""
    return make_settings(database_url, tmp_path, overrides)


@pytest.fixture
async def hs(settings: Settings) -> AsyncIterator[Homeserver]:
    """A server at work without its faces: for tests of services."""
    built = build(settings)
    async with working(built):
        yield built


@pytest.fixture
def bridges() -> Mapping[str, Bridge] | None:
    """The bridges that a server finds, by name; None: those that are installed."""
    return None


@pytest.fixture
async def server(
    request: pytest.FixtureRequest,
    servers: Servers,
    database_kind: str,
    overrides: Mapping[str, object],
    bridges: Mapping[str, Bridge] | None,
) -> AsyncIterator[Running]:
    """A whole server that listens: for tests through the APIs. `server.hs` has its parts, `server.url` its address.

    Others used it before: who is there and what was said are theirs. A test that looks at the server as a whole, or
    changes it, is marked `own_server`.
    """
    if request.node.get_closest_marker("own_server") or not _OWN.isdisjoint(request.fixturenames):
        settings: Settings = request.getfixturevalue("settings")
        async with running(settings, find_bridge=find if bridges is None else bridges.__getitem__) as one:
            yield one
        forget_handlers()
        return
    lent = await servers.lend(database_kind, overrides, bridges)
    yield lent
    if request.node.stash.get(_failed, False):
        await servers.drop(lent)


@pytest.fixture
async def client(server: Running) -> AsyncIterator[aiohttp.ClientSession]:
    """HTTP to the server; paths begin with a slash."""
    async with aiohttp.ClientSession(server.url) as session:
        yield session
