"""The examples of the messenger's own documents, typed as they stand there."""

import json
import re
from typing import Any

import aiohttp

from tests.api.driver import User
from tests.api.messenger.wire import line

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


async def test_the_five_tests_of_the_guide(client: aiohttp.ClientSession) -> None:
    alice, bob = [await post(client, "/api/v1/auth/register", body, status=201) for body in (ALICE, BOB)]

    # 5: tokens live for 15 minutes at least
    assert alice["expires_in"] >= 15 * 60

    # 1: the socket opens with a token, and a wrong one is told by 1008
    wrong = User(client, "", 0)
    async with line(wrong, "/ws?token=YOUR_ACCESS_TOKEN_HERE") as refused:
        assert await refused.closed() == 1008

    # 2: a chat of the two, with both as participants
    chat = await post(client, "/api/v1/chats/direct", DIRECT, alice["access_token"])
    assert (chat["id"], chat["title"], chat["is_group"]) == (1, "Alice & Bob", False)
    people = [
        {name: one[name] for name in ("id", "email", "display_name", "tag")} for one in chat["participants"]
    ]
    assert people == [
        {"id": 1, "email": "alice@test.com", "display_name": "Alice", "tag": "alice"},
        {"id": 2, "email": "bob@test.com", "display_name": "Bob", "tag": "bob"},
    ]

    # 2 and 3: both get the same event, in the form of the guide
    hers = line(User(client, alice["access_token"], 1))
    his = line(User(client, bob["access_token"], 2))
    async with hers as ws_alice, his as ws_bob:
        sent = await post(client, "/api/v1/messages", HELLO, alice["access_token"], 201)
        events = [await ws.next() for ws in (ws_alice, ws_bob)]
    assert events[0] == events[1]
    event, data = events[0]
    assert event == "message.created"
    assert data == sent
    assert {name: data[name] for name in ("chat_id", "author_id", "type", "content", "payload")} == {
        "chat_id": 1,
        "author_id": 1,
        "type": "text",
        "content": "Hello Bob!",
        "payload": None,
    }
    assert isinstance(data["id"], int)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", data["ts"])

    # 4: who one is
    headers = {"Authorization": f"Bearer {alice['access_token']}"}
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
