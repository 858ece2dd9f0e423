"""What somebody tries who wants into another's chat, and that nothing of it answers anything or changes anything.

One server for all: each attack tries every call that is about a chat, under both prefixes, and the database is the same
afterwards, row by row.
"""

import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from uuid import uuid4

import aiohttp
import jwt
import pytest
import pytest_asyncio
from sqlalchemy import select
from sqlalchemy.engine import URL

from bridges.marketplace import BRIDGE
from homeserver.lifecycle import Running, running
from homeserver.storage.schema.people import guests, successors, users
from homeserver.storage.schema.timeline import enquiries, events, log_head, members
from tests.api.driver import User, register
from tests.bridges.marketplace.conftest import ISSUER
from tests.bridges.marketplace.people import (
    API,
    BUYER,
    LISTING,
    SECRET,
    SELLER,
    Shopper,
    guest,
    registered,
    token,
)
from tests.bridges.marketplace.test_auth import unsigned
from tests.databases import POSTGRES, Databases
from tests.servers import make_settings

PREFIXES = (API, "/api/v1/chat")
OTHER_SECRET = "another secret that is as long as the first one"
STRANGER = 666
OTHER_HOST = {"name": "other", "namespace": 6, "secret": OTHER_SECRET}
BODIES: Mapping[str, dict[str, object]] = {
    "messages": {"message_text": "I was here"},
    "report": {"message_id": 1},
}


@dataclass(frozen=True)
class Victim:
    """Whose chat it is."""

    name: str
    chat_id: int


@dataclass(frozen=True)
class Intruder:
    """What an attack sends along: `named` goes for `user_id` and its like where a call has one."""

    victim: Victim
    named: str | None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """A server with three chats: of a registered buyer, of a guest with a bound cookie, of an account of ours."""

    server: Running
    client: aiohttp.ClientSession
    buyer: Victim
    guest: Victim
    eve: Victim
    alias: str
    spent: str
    ended: str
    calls: tuple[tuple[str, str], ...]


def bearer(shown: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {shown}"}


def signed(key: str, algorithm: str = "HS256", **claims: object) -> str:
    said = {"user_id": BUYER, "type": "access", "exp": int(time.time()) + 600, **claims}
    return jwt.encode(said, key, algorithm=algorithm)


def as_buyer(shown: str) -> Callable[[World], Intruder]:
    return lambda world: Intruder(world.buyer, world.buyer.name, bearer(shown))


def as_guest(headers: Callable[[World], Mapping[str, str]]) -> Callable[[World], Intruder]:
    return lambda world: Intruder(world.guest, world.guest.name, headers(world))


ATTACKS: Mapping[str, Callable[[World], Intruder]] = {
    "guessing ids": lambda world: Intruder(world.buyer, str(STRANGER), bearer(token(STRANGER))),
    "guessing ids of a guest": lambda world: Intruder(world.guest, str(STRANGER), bearer(token(STRANGER))),
    "a wrong user_id": as_buyer(token(STRANGER)),
    "a wrong user_id of a guest": as_guest(lambda _world: bearer(token(STRANGER))),
    "the number written otherwise": lambda world: Intruder(world.buyer, f"0{BUYER}", bearer(token(STRANGER))),
    "a digit of another script": lambda world: Intruder(world.buyer, "７", bearer(token(STRANGER))),
    "no credential": lambda world: Intruder(world.buyer, world.buyer.name),
    "nobody named": lambda world: Intruder(world.buyer, None),
    "a forged token": as_buyer(token(BUYER, key=OTHER_SECRET)),
    "an expired token": as_buyer(token(BUYER, exp=int(time.time()) - 3600)),
    "a token without an end": as_buyer(token(BUYER, exp=None)),
    "alg none": as_buyer(unsigned()),
    "alg nOnE": as_buyer(unsigned().replace("bm9uZSI", "bk9uRSI")),
    "another algorithm": as_buyer(signed(SECRET * 2, "HS512")),
    "a refresh token of the marketplace": as_buyer(token(BUYER, type="refresh")),
    "another host's token": as_buyer(signed(OTHER_SECRET)),
    "a replayed refresh token": lambda world: Intruder(world.eve, world.eve.name, bearer(world.spent)),
    "the access token of its session": lambda world: Intruder(world.eve, world.eve.name, bearer(world.ended)),
    "a guest's alias": lambda world: Intruder(world.guest, world.alias),
    "a guest's alias and a token": lambda world: Intruder(world.guest, world.alias, bearer(token(STRANGER))),
    "a bound guest's UUID": as_guest(lambda _world: {}),
    "a bound guest's UUID and a guess": as_guest(
        lambda world: {"Cookie": f"chat_guest={world.guest.name}.x"}
    ),
    "a bound guest's UUID and a token": as_guest(lambda _world: bearer(token(BUYER))),
    "a new guest": lambda world: Intruder(world.buyer, str(uuid4())),
    "a guessed service key": lambda world: Intruder(
        world.buyer, world.buyer.name, {"X-Service-Key": "hsk_1_guess"}
    ),
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    if request.param == "postgresql" and not POSTGRES:
        pytest.skip("HOMESERVER_TEST_POSTGRES is not set")
    return str(request.param)


@pytest.fixture(scope="module")
def lent(databases: Databases, database_kind: str) -> Iterator[URL]:
    url = databases.url(database_kind)
    yield url
    databases.take_back(url)


@pytest_asyncio.fixture(scope="module")
async def world(lent: URL, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    overrides = {"issuers": [ISSUER, OTHER_HOST], "bridges": {"marketplace": {"issuer": "market"}}}
    settings = make_settings(lent, tmp_path_factory.mktemp("intruders"), overrides)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            running(settings, find_bridge={"marketplace": BRIDGE}.__getitem__)
        )
        client, browser = [
            await stack.enter_async_context(aiohttp.ClientSession(server.url, cookie_jar=jar))
            for jar in (aiohttp.DummyCookieJar(), aiohttp.CookieJar(unsafe=True))
        ]
        yield await peopled(server, client, browser)


async def peopled(server: Running, client: aiohttp.ClientSession, browser: aiohttp.ClientSession) -> World:
    """Everybody was here before, the attackers too, so that an attack has nothing new to write."""
    seller, buyer, visitor = registered(client, SELLER), registered(client, BUYER), guest(browser)
    for known in (token(STRANGER), signed(OTHER_SECRET)):
        await Shopper(client, "", bearer(known)).call("GET", "me")
    eve = await register(client, "Eve")
    name = (await Shopper(client, "", eve.headers).call("GET", "me"))["user_id"]
    victims = []
    for who in (buyer, visitor, Shopper(client, name, eve.headers)):
        chat = await who.open()
        await seller.say(chat, "secret")
        victims.append(Victim(who.name, chat["id"]))
    assert len(await visitor.mine(is_seller=False)) == 1, "the cookie came back: the guest is bound"
    (shown,) = [one for one in await seller.mine(is_seller=True) if not one["buyer_is_registered"]]
    thief, spent = User(client, "", 0), {"refresh_token": eve.refresh_token}
    renewed = await thief.call("POST", "/api/v1/auth/refresh", json=spent)
    await User(client, renewed["access_token"], 0).call(
        "GET", "/api/v1/users/me"
    )  # from here on the old one is spent
    await thief.call("POST", "/api/v1/auth/refresh", 401, json=spent)
    return World(
        server=server,
        client=client,
        buyer=victims[0],
        guest=victims[1],
        eve=victims[2],
        alias=shown["buyer_id"],
        spent=eve.refresh_token,
        ended=renewed["access_token"],
        calls=await calls_about_chats(client),
    )


async def calls_about_chats(client: aiohttp.ClientSession) -> tuple[tuple[str, str], ...]:
    """Every documented call with a chat's id in its path: a new one is tried at once."""
    async with client.get("/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    return tuple(
        (method.upper(), path.removeprefix(API))
        for path, methods in paths.items()
        for method in methods
        if path.startswith(f"{API}/chats/{{chat_id}}")
    )


async def rows(server: Running) -> list[list[str]]:
    """All that an intruder could have changed."""
    async with server.hs.core.db.read() as conn:
        tables = (log_head, events, members, enquiries, successors, users, guests)
        return [sorted(str(row) for row in await conn.execute(select(table))) for table in tables]


@pytest.mark.parametrize("attack", ATTACKS)
async def test_nobody_gets_into_anothers_chat(world: World, attack: str) -> None:
    intruder = ATTACKS[attack](world)
    before = await rows(world.server)
    for prefix in PREFIXES:
        await try_calls(world, intruder, prefix)
        await try_lists(world, intruder, prefix)
        await try_sockets(world, intruder, prefix)
    assert await rows(world.server) == before


async def try_calls(world: World, intruder: Intruder, prefix: str) -> None:
    """The calls about one chat, those of the staff and of the marketplace's servers, and being the victim anew."""
    victim = intruder.victim
    who = {"user_id": intruder.named, "support_user_id": intruder.named} if intruder.named is not None else {}
    new = {"iphone_id": str(LISTING), "seller_id": str(SELLER), "buyer_id": victim.name}
    calls: list[tuple[str, str, Mapping[str, str], object]] = [
        (method, path.replace("{chat_id}", str(victim.chat_id)), who, BODIES.get(path.rpartition("/")[2], {}))
        for method, path in world.calls
    ]
    calls += [
        ("GET", "/chats/support/pending", who, None),
        ("POST", "/chats/hide-for-order", {"post_id": str(LISTING), "buyer_id": victim.name}, None),
        ("GET", "/chats/find", new, None),
        ("POST", "/chats", {}, {**new, "iphone_id": LISTING, "seller_id": SELLER}),
        ("POST", "/guests/claim", {}, {"guest_id": world.guest.name}),
    ]
    for method, path, query, body in calls:
        url = f"{prefix}{path}"
        sent = world.client.request(method, url, params=query, json=body, headers=intruder.headers)
        async with sent as answer:
            text = await answer.text()
            assert answer.status in (400, 401, 403, 404), f"{method} {url}: {answer.status} {text}"
            assert "secret" not in text


async def try_lists(world: World, intruder: Intruder, prefix: str) -> None:
    """One's own lists are nobody's business; nothing of another's stands in them."""
    named = intruder.named or intruder.victim.name
    for path in (
        f"/chats/my?user_id={named}&is_seller=false",
        f"/chats/my?user_id={named}&is_seller=true",
        f"/chats/my?user_id={SELLER}&is_seller=true",
        f"/chats/seller/{SELLER}/grouped",
    ):
        async with world.client.get(f"{prefix}{path}", headers=intruder.headers) as answer:
            text = await answer.text()
            assert (answer.status, text) == (200, "[]") or answer.status in (400, 401, 403), f"{path}: {text}"


async def try_sockets(world: World, intruder: Intruder, prefix: str) -> None:
    query = f"?user_id={intruder.named}" if intruder.named is not None else ""
    for path in (
        f"/ws/{intruder.victim.chat_id}{query}",
        f"/ws/seller/{SELLER}{query}",
        f"/ws/seller/{SELLER}",
    ):
        async with world.client.ws_connect(f"{prefix}{path}", headers=intruder.headers) as ws:
            frame = await ws.receive(10)
            assert (frame.type, frame.data) == (aiohttp.WSMsgType.CLOSE, 1008), path


@pytest.mark.both
async def test_every_call_about_a_chat_is_tried(world: World) -> None:
    tried = {re.sub(r".*\}/?", "", path) for _method, path in world.calls}
    assert tried >= {
        "",
        "info",
        "messages",
        "read",
        "hide",
        "invite-support",
        "join-support",
        "leave-support",
    }
    assert {method for method, _path in world.calls} >= {"GET", "POST", "DELETE"}
