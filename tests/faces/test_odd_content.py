"""Any member of a room may send any JSON in any field: that harms nobody but the event, whoever reads it and where."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from homeserver.lifecycle import Running
from homeserver.model import CALLED_KEY, PAYLOAD_KEY, LogPosition
from homeserver.storage import rooms
from tests.api.driver import API as MESSENGER
from tests.api.driver import CHAT, User
from tests.api.matrix.driver import CLIENT, Client
from tests.api.matrix.gateways import Gateway, push_gateway
from tests.api.matrix.roomkit import create, path, say
from tests.api.matrix.slidekit import ALL_STATE, a_list
from tests.api.matrix.slidekit import PATH as SLIDING
from tests.api.messenger.wire import Line, line
from tests.bridges.marketplace.people import API as MARKET
from tests.bridges.marketplace.people import Ear as MarketEar
from tests.bridges.marketplace.people import Shopper, guest, registered, token
from tests.chat.pushing import QUICK, PushService, push_service
from tests.faces.hands import place
from tests.faces.odd import LAST_STATES, ODD, TELLING, all_spoilt, sent, spoilt, states
from tests.http.kit import until

ALICE, BOB = 2, 7  # who also are seller and buyer
LAZY = '{"room":{"state":{"lazy_load_members":true},"timeline":{"lazy_load_members":true,"limit":50}}}'
LAZY_PAGE = '{"lazy_load_members":true}'
PROFILE = frozenset({"m.room.member"})
SHOWN = frozenset({"m.room.name", "m.room.topic", "m.room.avatar", "m.room.canonical_alias"})
LINKS = frozenset({"m.space.child", "m.space.parent", "m.room.join_rules", "m.room.history_visibility"})
ANYBODY = "@market_2:test.example"
LATEST = 8  # rooms that are looked at each time, of those that were made
AT_ONCE = 16  # requests


@pytest.fixture
def overrides(overrides: dict[str, object]) -> dict[str, object]:
    return {**overrides, "push": QUICK}


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    async with push_service() as made:
        yield made


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with push_gateway() as made:
        yield made


@dataclass
class Asking:
    """Requests of anybody at any API, some at once; what went wrong is gathered in `failures`."""

    session: aiohttp.ClientSession
    failures: list[str] = field(default_factory=list)
    during: str = ""
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    _room_for: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def ask(
        self, who: User | Client | Shopper, method: str, at: str, body: Any = None, refusable: bool = False
    ) -> Any:
        """The answer's JSON; None where it was refused. A refusal is a failure unless it is `refusable`."""
        headers = {"Authorization": f"Bearer {who.token}"} if not isinstance(who, Shopper) else who.headers
        async with (
            self._room_for,
            self.session.request(method, at, headers=headers, json=body) as answer,
        ):
            text = await answer.text()
            self.statuses[method, answer.status] += 1
            if answer.status < 300:
                return await answer.json() if text else {}
            if not refusable or answer.status >= 500:
                self.failures.append(f"{self.during}: {method} {at[:200]}: {answer.status} {text[:200]}")
        return None


async def together(requests: Iterable[Awaitable[Any]]) -> list[Any]:
    return list(await asyncio.gather(*requests))


@dataclass
class Story:
    """Alice and Bob, at every API; the rooms that they share, by id: of a product, of a market, of Matrix, a space."""

    asking: Asking
    users: list[User]
    clients: list[Client]
    shoppers: list[Shopper]
    product: str
    market: str
    plain: str
    space: str
    conversation: Any
    chat: Any
    since: dict[tuple[int, str], str] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def rooms(self) -> list[str]:
        return [self.product, self.market, self.plain]

    async def spoil(self, odd: Any, *, each: bool) -> None:
        """Bob, whom nobody has to trust, sends everything; Alice sets the state of what is hers.

        `each`: each field of a message by itself, where the products look too; else all fields of it at once.
        """
        alice, bob = self.clients
        for room_id in self.rooms:
            spoil = spoilt if each and room_id != self.plain else all_spoilt
            target = self.targets[room_id] = await say(alice, room_id, f"target {next(self._numbers)}")
            victim = await say(bob, room_id, f"victim {next(self._numbers)}")
            kinds = itertools.islice(sent(target, victim), 2 if room_id == self.market else None)
            await together(
                self._put(bob, path(room_id, f"send/{kind}/{next(self._numbers)}"), content)
                for kind, normal in kinds
                for content in spoil(normal, odd)
            )
        for who, room_id, wanted in (
            (bob, self.product, PROFILE),
            (bob, self.market, PROFILE),
            (alice, self.product, PROFILE | SHOWN),
            (alice, self.plain, None),
            (alice, self.space, SHOWN | LINKS),
        ):
            for kind, key, normal in states(who.user_id, self.plain):
                if wanted is None or kind in wanted:
                    at = path(room_id, f"state/{kind}/{quote(key, safe='')}")
                    stays = {"membership": "join"} if kind == "m.room.member" else {}
                    for content in all_spoilt(normal, odd):
                        await self._put(who, at, {**content, **stays})

    async def make(self, odd: Any) -> None:
        """Rooms of Bob's that begin with such state, where the rules let them; and one that ends with it."""
        alice, bob = self.clients
        for creation in (
            {"type": odd},
            {"predecessor": odd},
            {"predecessor": {"room_id": odd}},
            {"m.federate": odd},
        ):
            await self.open_room({"creation_content": creation})
        for levels in ({"users": {ANYBODY: odd}}, {"users_default": odd, "redact": odd, "events": odd}):
            await self.open_room({"power_level_content_override": levels, "room_version": "9"})
        await self.open_room({"creation_content": {"additional_creators": odd}})
        room_id = await create(bob, alice)
        for kind, normal in LAST_STATES:
            for content in all_spoilt(normal, odd):
                await self._put(bob, path(room_id, f"state/{kind}/"), content)

    async def open_room(self, body: dict[str, Any]) -> None:
        alice, bob = self.clients
        wanted = {**body, "preset": "public_chat"}
        made = await self.asking.ask(bob, "POST", f"{CLIENT}/createRoom", wanted, refusable=True)
        if made is not None:
            await self.asking.ask(alice, "POST", path(made["room_id"], "join"), {}, refusable=True)

    async def _put(self, who: Client, at: str, content: Any) -> Any:
        return await self.asking.ask(who, "PUT", at, content, refusable=True)

    async def read(self, at: int) -> None:
        """Alice (0) or Bob (1) reads everything."""
        listed = await self.asking.ask(self.users[at], "GET", f"{CHAT}/conversations/")
        joined = await self.asking.ask(self.clients[at], "GET", f"{CLIENT}/joined_rooms")
        self.listed = [one["id"] for one in listed[:LATEST]] if listed else []
        self.others = [one for one in joined["joined_rooms"] if one not in self.rooms] if joined else []
        await together(
            [self.asking.ask(self.clients[at], *request) for request in self._matrix()]
            + [self.asking.ask(self.users[at], *request) for request in self._products()]
            + [self.asking.ask(who, *request) for who in self.shoppers for request in self._market(who)]
            + [self._follow(at, query) for query in ("", f"&filter={quote(LAZY)}")]
            + [self._slide(at)]
        )

    def _matrix(self) -> Iterable[tuple[Any, ...]]:
        for who in self.clients:
            yield "GET", f"{CLIENT}/profile/{quote(who.user_id)}"
        room_events = {
            "search_term": "odd",
            "event_context": {"include_profile": True},
            "include_state": True,
            "groupings": {"group_by": [{"key": "room_id"}, {"key": "sender"}]},
        }
        yield "POST", f"{CLIENT}/search", {"search_categories": {"room_events": room_events}}
        within = {**room_events, "filter": {"rooms": [*self.rooms, *self.others]}}
        yield "POST", f"{CLIENT}/search", {"search_categories": {"room_events": within}}
        yield "POST", f"{CLIENT}/user_directory/search", {"search_term": "user"}
        yield "POST", f"{CLIENT}/publicRooms", {"filter": {"generic_search_term": "odd"}}
        yield "GET", f"{CLIENT}/publicRooms"
        yield "GET", f"{CLIENT}/notifications?limit=100"
        yield "GET", f"{CLIENT}/initialSync?limit=50"
        yield "GET", path(self.space, "hierarchy?limit=50", "v1")
        for room_id in self.rooms:
            for rest in (
                "messages?dir=b&limit=200",
                f"messages?dir=b&limit=100&filter={quote(LAZY_PAGE)}",
                f"context/{self.targets[room_id]}?limit=100",
                f"event/{self.targets[room_id]}",
                *("state", "members", "joined_members", "initialSync?limit=50", "aliases"),
            ):
                yield "GET", path(room_id, rest)
            for rest in (f"relations/{self.targets[room_id]}?recurse=true&limit=100", "threads"):
                yield "GET", path(room_id, rest, "v1")
            yield "GET", f"/_matrix/client/v1/room_summary/{quote(room_id)}"

    def _products(self) -> Iterable[tuple[Any, ...]]:
        one = self.conversation["id"]
        for rest in (
            *("conversations/?search=odd", f"conversations/{one}", "users/chat-users/"),
            *(f"conversations/{one}/participants", f"messages/{one}?limit=100"),
        ):
            yield "GET", f"{CHAT}/{rest}"
        for other in self.listed:
            yield "GET", f"{CHAT}/conversations/{other}"
            yield "GET", f"{CHAT}/conversations/{other}/participants"
            yield "GET", f"{MESSENGER}/chats/{place(other)}"
        number = place(one)
        for rest in ("chats/", "chats/?search=odd", f"chats/{number}", f"chats/{number}/messages?limit=100"):
            yield "GET", f"{MESSENGER}/{rest}"

    def _market(self, who: Shopper) -> Iterable[tuple[Any, ...]]:
        mine, one = f"user_id={who.name}", self.chat["id"]
        for rest in (
            f"chats/{one}?{mine}",
            f"chats/{one}/info?{mine}",
            f"chats/{one}/messages?{mine}&limit=100",
        ):
            yield "GET", f"{MARKET}/{rest}"
        for is_seller in ("true", "false"):
            yield "GET", f"{MARKET}/chats/my?{mine}&is_seller={is_seller}"
        if who.name == str(ALICE):
            yield "GET", f"{MARKET}/chats/seller/{ALICE}/grouped?{mine}"

    async def _follow(self, at: int, query: str) -> None:
        client, key = self.clients[at], (at, query)
        await self.asking.ask(client, "GET", f"{CLIENT}/sync?timeout=0{query}")
        since = f"&since={self.since[key]}" if key in self.since else ""
        answer = await self.asking.ask(client, "GET", f"{CLIENT}/sync?timeout=0{query}{since}")
        if answer is not None:
            self.since[key] = answer["next_batch"]

    async def _slide(self, at: int) -> None:
        everything = a_list(limit=50, state=ALL_STATE)
        lists = {
            "all": everything,
            "spaces": a_list(room_types=["m.space"]),
            "in": a_list(spaces=[self.space], room_name_like="odd"),
        }
        body = {"lists": lists, "extensions": {"e2ee": {"enabled": True}, "receipts": {"enabled": True}}}
        await self.asking.ask(self.clients[at], "POST", f"{SLIDING}?timeout=0", {**body, "conn_id": "new"})
        key = (at, "sliding")
        pos = f"&pos={self.since[key]}" if key in self.since else ""
        answer = await self.asking.ask(self.clients[at], "POST", f"{SLIDING}?timeout=0{pos}", body)
        if answer is not None:
            self.since[key] = answer["pos"]

    async def change(self) -> None:
        """Bob changes his messages of the last page by the product's API, reports one and takes one away."""
        bob = self.users[1]
        page = await self.asking.ask(bob, "GET", f"{CHAT}/messages/{self.conversation['id']}?limit=12") or []
        own = [f"{CHAT}/messages/{one['id']}" for one in page if one["sender_id"] == BOB]
        await together(self.asking.ask(bob, "PUT", at, {"text": "anew"}, True) for at in own)
        for at in own[-2:]:
            await self.asking.ask(self.users[0], "POST", f"{at}/report", {"reason": "odd"})
            await self.asking.ask(bob, "DELETE", at)


@dataclass
class Sockets:
    """What is open all the time."""

    university: Any
    messenger: Line
    chat: MarketEar
    inbox: MarketEar

    def hear(self, text: str) -> list[asyncio.Task[Any]]:
        """Wait for a text at each; what comes before it is read meanwhile."""
        return [
            asyncio.create_task(one)
            for one in (
                self.university.until("message:new", lambda one: one["text"] == text),
                self.messenger.until("message.created", lambda one: one["content"] == text),
                self.chat.until("message", lambda one: one["message"]["message_text"] == text),
                self.inbox.until("message", lambda one: one["message"]["message_text"] == text),
            )
        ]


@pytest.fixture
async def story(server: Running, client: aiohttp.ClientSession) -> Story:
    users, clients, shoppers = [], [], []
    for number, name in ((ALICE, "Alice"), (BOB, "Bob")):
        user = User(client, token(number, username=name), number, name)
        nobody = Client(client)
        body = {"type": "org.matrix.login.jwt", "token": user.token}
        clients.append(nobody.of(await nobody.call("POST", "login", body=body)))
        users.append(user)
        shoppers.append(registered(client, number, username=name))
    conversation = await users[0].group(users[1])
    chat = await shoppers[1].open()
    plain = await create(clients[0], clients[1], preset="public_chat", visibility="public")
    space = await create(clients[0], clients[1], creation_content={"type": "m.space"}, visibility="public")
    async with server.hs.core.db.read() as conn:
        product, market = [
            str(await rooms.room_at(conn, LogPosition(number)))
            for number in (place(conversation["id"]), chat["id"])
        ]
    asking = Asking(client)
    return Story(asking, users, clients, shoppers, product, market, plain, space, conversation, chat)


@pytest.mark.timeout(600)
async def test_no_event_harms_anybody_but_itself(
    server: Running, story: Story, service: PushService, gateway: Gateway
) -> None:
    asking, alice = story.asking, story.clients[0]
    seller = story.shoppers[0]
    browser = service.browser("seller")
    await seller.call("POST", f"push/subscribe?user_id={seller.name}", json=browser.subscription())
    await gateway.tell(alice)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        sockets = Sockets(
            await enter(story.users[0].socket(story.conversation)),
            await enter(line(story.users[0])),
            await enter(seller.socket(story.chat)),
            await enter(seller.inbox()),
        )
        for at, (name, odd) in enumerate(ODD.items()):
            asking.during = name
            hearing = sockets.hear(f"after {name}")
            await story.spoil(odd, each=name in TELLING)
            await story.make(odd)
            await story.read(at % 2)
            await story.change()
            await story.users[1].say(story.conversation, f"after {name}")
            await story.shoppers[1].say(story.chat, f"after {name}")
            await together(hearing)
    await until(lambda: not len(server.hub))
    await story.shoppers[1].say(story.chat, "the last")
    async with asyncio.timeout(30):
        while not any(browser.open(one)["body"] == "the last" for one in service.got):
            await service.delivered(len(service.got) + 1)
        while "the last" not in [one.get("content", {}).get("body") for one in gateway.got]:
            await gateway.told(len(gateway.got) + 1)
    assert not asking.failures, "\n".join(asking.failures)
    assert set_aside(server) == []
    refused = asking.statuses["PUT", 400] + asking.statuses["PUT", 403]
    assert asking.statuses["PUT", 200] > 3 * refused, "what is refused tests nobody who reads"


def set_aside(server: Running) -> list[Any]:
    """The readers of the log that passed over an entry."""
    values = server.hs.core.metrics.registry.collect()
    return [one for family in values for one in family.samples if "set_aside_total" in one.name and one.value]


async def test_levels_that_nobody_can_read_keep_nobody_from_reading(story: Story) -> None:
    story.asking.during = "levels"
    for odd in ("x", ["x"], {"x": 1}):
        for levels in ({"users_default": odd}, {"redact": odd}, {"events": {"m.room.name": odd}}):
            await story.open_room({"power_level_content_override": levels, "room_version": "9"})
    story.targets = {room_id: await say(story.clients[0], room_id, "target") for room_id in story.rooms}
    for at in (0, 1):
        await story.read(at)
    assert not story.asking.failures, "\n".join(story.asking.failures)


async def test_what_a_buyer_sends_keeps_no_seller_from_hearing(story: Story, service: PushService) -> None:
    seller, browser = story.shoppers[0], service.browser("seller")
    await seller.call("POST", f"push/subscribe?user_id={seller.name}", json=browser.subscription())
    for name in ("deep JSON", "deep object", "NUL", "list"):
        odd = {"msgtype": ODD[name], PAYLOAD_KEY: ODD[name], CALLED_KEY: ODD[name]}
        await say(story.clients[1], story.market, name, **odd)
    visitor = guest(seller.session)
    beside = await visitor.open()
    await visitor.say(beside, "is it still there?")
    assert sorted(await service.texts(browser, 5)) == sorted(
        ["deep JSON", "deep object", "NUL", "list", "is it still there?"]
    )
    assert len(await seller.mine(is_seller=True)) == len({story.chat["id"], beside["id"]}) == 2
    assert await seller.call("GET", f"chats/seller/{seller.name}/grouped?user_id={seller.name}")
    shown = await seller.call("GET", f"chats/{story.chat['id']}?user_id={seller.name}")
    assert [one["message_text"] for one in shown["messages"]][-1] == "list"
