"""People, rooms and messages that calls of every API are made with."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from homeserver.lifecycle import Running
from homeserver.protocol.ids import UserId
from tests.api.driver import User
from tests.api.matrix.driver import Client
from tests.api.matrix.mediakit import picture, upload
from tests.api.matrix.roomkit import create, say
from tests.bridges.marketplace.people import Shopper, registered, token
from tests.faces.hands import place
from tests.names import fresh, fresh_number

SECRET = "a secret for programs"
OVERRIDES: Mapping[str, object] = {
    "matrix": {"enabled": True, "shared_secret": SECRET},
    "notices": {"enabled": True},
}
SUPPORT = {"user_type": "support"}


@dataclass
class World:
    """Alice and Bob at every API, as host's people (`users`), shoppers, and Matrix clients."""

    server: Running
    session: aiohttp.ClientSession
    users: list[User]
    clients: list[Client]
    shoppers: list[Shopper]
    conversation: Any
    chat: Any
    room_id: str
    paths: dict[str, dict[str, str]]
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def support(self) -> Shopper:
        return registered(self.session, fresh_number(9), **SUPPORT)

    @property
    def someone(self) -> str:
        return fresh(f"somebody{next(self.numbers)}")

    async def room(self, *others: Client, **body: Any) -> dict[str, str]:
        """A new room of Alice's."""
        room_id = await create(self.clients[0], *others, **body)
        return {"room_id": room_id, "room": room_id}

    async def market_chat(self) -> dict[str, str]:
        """Another chat of Bob's, about another listing."""
        return {"chat_id": str((await self.shoppers[1].open(1000 + next(self.numbers)))["id"])}

    async def account(self) -> Client:
        return await Client(self.session).register(f"person{next(self.numbers)}")


async def make_world(server: Running, client: aiohttp.ClientSession) -> World:
    users = []
    for number, name in ((fresh_number(2), "Alice"), (fresh_number(7), "Bob")):
        users.append(User(client, token(number, username=name), number, name))
        await users[-1].call("GET", "/api/v1/users/me")
    clients = [await Client(client).register(name) for name in ("anna", "ben")]
    await server.hs.accounts.accounts.set_admin(UserId(clients[0].user_id), admin=True)
    shoppers = [registered(client, user.id, username=user.name) for user in users]
    chat = await shoppers[1].open(seller=users[0].id)
    said = await shoppers[0].say(chat, "from the seller")
    conversation = await users[0].group(users[1])
    message = await users[1].say(conversation, "from Bob")
    own = await users[0].say(conversation, "from Alice")
    room_id = await create(*clients)
    paths = {
        "/api/unet-chat": {
            "conversation_id": conversation["id"],
            "message_id": message["id"],
            "own": own["id"],
        },
        "/api/v1": {"chat_id": str(place(conversation["id"])), "message_id": str(place(message["id"]))},
        "/api/chat": {"chat_id": str(chat["id"]), "message_id": str(said["id"])},
        "/_matrix": await _matrix_paths(clients[0], room_id),
    }
    return World(server, client, users, clients, shoppers, conversation, chat, room_id, paths)


async def _matrix_paths(anna: Client, room_id: str) -> dict[str, str]:
    server_name, _, media_id = (await upload(anna, picture(8, 8), "image/png", "a.png")).partition("/")
    return {
        "room_id": room_id,
        "event_id": await say(anna, room_id, "hello"),
        "user_id": anna.user_id,
        "device_id": anna.device_id,
        "type": "m.room.message",
        "state_key": "",
        "server_name": server_name,
        "media_id": media_id,
        "file_name": "a.png",
        "kind": "override",
        "rule_id": "rule",
        "rel_type": "m.thread",
        "event_type": "m.room.message",
        "network_id": "network",
        "auth_type": "m.login.dummy",
        "tag": "m.favourite",
    }
