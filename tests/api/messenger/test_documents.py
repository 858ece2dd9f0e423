"""The examples of the messenger's own documents, typed as they stand there."""

import json
import re
from typing import Any

import aiohttp
import pytest

from tests.api.driver import User
from tests.api.messenger.wire import line

pytestmark = pytest.mark.own_server

ALICE = """
{
  "email": "alice@test.com",
  "password": "password123",
  "display_name": "Alice"
}
"""
BOB = ALICE.replace("alice", "bob").replace("Alice", "Bob")
DIRECT = """
{
  "user_id": 2
}
"""
HELLO = """
{
  "chat_id": 1,
  "type": "text",
  "content": "Hello Bob!"
}
"""


async def post(
    client: aiohttp.ClientSession, path: str, body: str, token: str = "", status: int = 200
) -> Any:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    async with client.post(path, data=body, headers=headers) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def made(client: aiohttp.ClientSession, body: str) -> Any:
    return await post(client, "/api/v1/auth/register", body, status=201)


async def test_1_and_5_the_socket_opens_with_a_token_that_lives_long_enough(
    client: aiohttp.ClientSession,
) -> None:
    alice = await made(client, ALICE)
    assert alice["expires_in"] >= 15 * 60
    async with line(User(client, alice["access_token"], 1)) as hers:
        await hers.settled()
    async with line(User(client, "", 0), "/ws?token=YOUR_ACCESS_TOKEN_HERE") as refused:
        assert await refused.closed() == 1008


@pytest.mark.both
async def test_2_and_3_both_get_the_same_event(client: aiohttp.ClientSession) -> None:
    alice, bob = await made(client, ALICE), await made(client, BOB)
    chat = await post(client, "/api/v1/chats/direct", DIRECT, alice["access_token"])
    assert (chat["id"], chat["title"], chat["is_group"]) == (1, "Alice & Bob", False)
    names = ("id", "email", "display_name", "tag")
    assert [{name: one[name] for name in names} for one in chat["participants"]] == [
        {"id": 1, "email": "alice@test.com", "display_name": "Alice", "tag": "alice"},
        {"id": 2, "email": "bob@test.com", "display_name": "Bob", "tag": "bob"},
    ]
    hers, his = line(User(client, alice["access_token"], 1)), line(User(client, bob["access_token"], 2))
    async with hers as ws_alice, his as ws_bob:
        sent = await post(client, "/api/v1/messages", HELLO, alice["access_token"], 201)
        events = [await ws.next() for ws in (ws_alice, ws_bob)]
    assert events == [("message.created", sent)] * 2
    assert sent == {
        "id": sent["id"],
        "chat_id": 1,
        "author_id": 1,
        "type": "text",
        "content": "Hello Bob!",
        "payload": None,
        "ts": sent["ts"],
        "edited_at": None,
    }
    assert isinstance(sent["id"], int)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", sent["ts"])


async def test_4_who_one_is(client: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"Bearer {(await made(client, ALICE))['access_token']}"}
    async with client.get("/api/v1/users/me", headers=headers) as answer:
        assert answer.status == 200
        me = json.loads(await answer.text())
    assert me == {
        "id": 1,
        "email": "alice@test.com",
        "display_name": "Alice",
        "tag": "alice",
        "avatar_url": None,
        "created_at": me["created_at"],
    }
