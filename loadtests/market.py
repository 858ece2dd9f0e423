"""A seller of the bench and the guests who ask, made through the marketplace's API as widgets would."""

import asyncio
from dataclasses import dataclass
from uuid import uuid4

from loadtests.wire import Connection
from loadtests.world import Person, World, connections

MARKET = "/api/chat"
_SETUP_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat of a guest with the seller, each about a listing of its own."""

    chat_id: int
    guest: str


async def open_chats(world: World, seller: Person, count: int) -> list[Chat]:
    """So many new guests, each with a chat in which they said something."""
    async with connections(world.server, _SETUP_CONNECTIONS) as opened:
        shares = [_open(one, seller, range(n, count, len(opened))) for n, one in enumerate(opened)]
        return [chat for share in await asyncio.gather(*shares) for chat in share]


async def _open(one: Connection, seller: Person, numbers: range) -> list[Chat]:
    chats = []
    for number in numbers:
        guest = str(uuid4())
        body = {"iphone_id": number + 1, "seller_id": seller.number, "buyer_id": guest}
        made = await one.ask("POST", f"{MARKET}/chats", body=body)
        said = {"message_text": f"Hello, is number {number} still for sale?", "sender_id": guest}
        await one.ask("POST", f"{MARKET}/chats/{made['id']}/messages", body=said)
        chats.append(Chat(made["id"], guest))
    return chats
