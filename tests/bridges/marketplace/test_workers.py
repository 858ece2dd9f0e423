"""Two worker processes on one PostgreSQL: whichever of them is asked, a guest has one chat and one number."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy.engine import URL

from tests.bridges.marketplace.people import SECRET, SELLER, Shopper, guest, registered
from tests.databases import POSTGRES
from tests.process import ServerProcess

GUESTS = 6


@pytest.fixture
def database_kind() -> str:
    if not POSTGRES:
        pytest.skip("HOMESERVER_TEST_POSTGRES is not set")
    return "postgresql"


@pytest.fixture
async def sessions(database_url: URL, tmp_path: Path) -> AsyncIterator[list[aiohttp.ClientSession]]:
    """HTTP to each of the two processes."""
    plain = database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    settings = {
        "HOMESERVER__DATABASE__URL": plain,
        "HOMESERVER__RATE_LIMITS__ENABLED": "false",
        "HOMESERVER__LOGS__LEVEL": "warning",
        "HOMESERVER__ISSUERS__0__NAME": "market",
        "HOMESERVER__ISSUERS__0__NAMESPACE": "5",
        "HOMESERVER__ISSUERS__0__SECRET": SECRET,
        "HOMESERVER__BRIDGES": "{marketplace: {issuer: market}}",
    }
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(2):
            worker = ServerProcess(tmp_path, settings)
            stack.push_async_callback(worker.kill)
            await worker.start()  # one after the other: the first makes the keys that both use
            no_cookies = aiohttp.DummyCookieJar()
            made.append(
                await stack.enter_async_context(aiohttp.ClientSession(worker.url, cookie_jar=no_cookies))
            )
        yield made


async def test_guests_at_two_processes_at_once(sessions: list[aiohttp.ClientSession]) -> None:
    one, two = sessions
    visitor = guest(one)
    for listing in range(1, 4):
        chats = await asyncio.gather(
            *(Shopper(session, visitor.name).open(listing) for session in (one, two, one, two))
        )
        assert len({chat["id"] for chat in chats}) == 1
        assert {chat["anonymous_buyer_number"] for chat in chats} == {1}
    others = [guest(session) for session in (one, two) for _ in range(GUESTS // 2)]
    chats = await asyncio.gather(*(other.open(9) for other in others))
    assert len({chat["id"] for chat in chats}) == GUESTS
    assert sorted(chat["anonymous_buyer_number"] for chat in chats) == list(range(2, GUESTS + 2))
    for other, chat in zip(others, chats, strict=True):
        at_the_other = Shopper(two if other.session is one else one, other.name)
        assert (await at_the_other.open(9))["id"] == chat["id"]
    assert len(await registered(two, SELLER).mine(is_seller=True)) == GUESTS + 3
