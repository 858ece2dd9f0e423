"""What a message costs from the request to the answer, at each product API: a fixed number of SQL statements."""

from collections.abc import Awaitable

import aiohttp
import pytest

from homeserver.lifecycle import Running
from tests.api.driver import User
from tests.api.messenger.wire import direct, v1
from tests.api.messenger.wire import say as say_in_chat
from tests.bridges.marketplace.conftest import ISSUER
from tests.bridges.marketplace.people import Shopper, token
from tests.conftest import QUIET


@pytest.fixture
def overrides() -> dict[str, object]:
    """Nothing else is at work meanwhile: its statements would be counted too."""
    return {"issuers": [ISSUER], "bridges": {"marketplace": {"issuer": "market"}}, **QUIET}


@pytest.fixture
async def alice(client: aiohttp.ClientSession) -> User:
    return await person(client, 2, "Alice")


@pytest.fixture
async def bob(client: aiohttp.ClientSession) -> User:
    return await person(client, 7, "Bob")


async def person(client: aiohttp.ClientSession, number: int, name: str) -> User:
    made = User(client, token(number, username=name), number, name)
    await made.call("GET", "/api/v1/users/me")  # an account is there once it was used
    return made


class Cost:
    """Counts statements, the BEGIN left out by which a write on SQLite starts."""

    def __init__(self, server: Running) -> None:
        self._db = server.hs.core.db

    async def of_read(self, work: Awaitable[object]) -> int:
        before = self._db.statements
        await work
        return self._db.statements - before

    async def of(self, work: Awaitable[object]) -> int:
        return await self.of_read(work) - (1 if self._db.is_sqlite else 0)


async def test_university(server: Running, alice: User, bob: User) -> None:
    room, cost = await alice.group(bob), Cost(server)
    first = await alice.say(room, "warm")
    path = f"messages/{first['id']}"
    assert await cost.of(alice.say(room, "plain")) == 6
    assert await cost.of(alice.say(room, "with id", client_id="a")) == 8
    assert await cost.of(alice.say(room, "an answer", reply_to=first["id"])) == 7
    assert await cost.of(alice.chat("PUT", path, json={"text": "edited"})) == 10
    assert await cost.of_read(alice.chat("GET", f"messages/{room['id']}")) == 4
    assert await cost.of(alice.chat("DELETE", path, 204)) == 15


async def test_messenger(server: Running, alice: User, bob: User) -> None:
    chat, cost = await direct(alice, bob), Cost(server)
    first = await say_in_chat(alice, chat, "warm")
    path = f"messages/{first['id']}"
    assert await cost.of(say_in_chat(alice, chat, "plain")) == 6
    assert await cost.of(say_in_chat(alice, chat, "with id", client_id="a")) == 8
    assert await cost.of(v1(alice, "PATCH", path, json={"content": "edited"})) == 10
    assert await cost.of(v1(alice, "DELETE", path, 204)) == 15


async def test_marketplace(server: Running, alice: User, bob: User) -> None:
    buyer, cost = Shopper(alice.session, str(alice.id), alice.headers), Cost(server)
    chat = await buyer.open(seller=bob.id)
    await buyer.say(chat, "warm")
    assert await cost.of(buyer.say(chat, "plain")) == 7
    assert await cost.of(buyer.say(chat, "with id", client_id="a")) == 9
    assert await cost.of_read(buyer.messages(chat)) == 4
    assert await cost.of(buyer.post(chat, "hide")) == 2
