"""The examples of the marketplace's own documents, typed as they stand there, where bare ids are trusted."""

import json
import re
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from yarl import URL

from homeserver.lifecycle import Running
from tests.bridges.marketplace.people import Ear

TRUSTING = pytest.mark.parametrize("market", [{"trust_user_id": True}])

HEALTH = """
curl http://localhost:4000/health
# {"status":"healthy","service":"chat"}
"""
MAKE_A_CHAT = """
curl -X POST http://localhost:4000/api/chat/chats \\
  -H "Content-Type: application/json" \\
  -d '{
    "iphone_id": 1,
    "seller_id": 1,
    "buyer_id": "test-buyer-uuid",
    "buyer_is_registered": false
  }'
"""
IN_THE_BROWSER = """
const ws = new WebSocket('ws://localhost:4000/api/chat/ws/1?user_id=test');
ws.onopen = () => console.log('Connected!');
ws.onmessage = (e) => console.log('Message:', JSON.parse(e.data));
ws.send(JSON.stringify({
    type: 'message',
    message_text: 'Test message',
    sender_is_registered: false
}));
"""
NEW_CHAT = """
{
  "iphone_id": 1,
  "seller_id": 2,
  "buyer_id": "user_123",
  "buyer_is_registered": true
}
"""
CONNECT = "const ws = new WebSocket('ws://localhost:4000/api/chat/ws/1?user_id=user_123');"
SAY = """
{
  "type": "message",
  "message_text": "Привет, товар еще актуален?",
  "sender_is_registered": true
}
"""
TYPE = """
{
  "type": "typing",
  "is_typing": true
}
"""
READ = """
{
  "type": "read"
}
"""
SHOWN = """
{
  "type": "message",
  "message": {
    "id": 42,
    "sender_id": "seller_1",
    "message_text": "Да, актуален!",
    "created_at": "2025-11-30T10:05:00"
  }
}
"""


def here(server: Running, address: str) -> str:
    """An address of the documents, at the test's server."""
    base = URL(server.url)
    return str(URL(address).with_host(base.host or "").with_port(base.port))


async def curl(server: Running, command: str, jar: aiohttp.CookieJar | None = None) -> Any:
    """What a command line of curl answers, without curl. `jar`: where a browser would keep the cookies."""
    words = shlex.split(command.replace("\\\n", " "), comments=True)
    assert words.pop(0) == "curl"
    method, url, headers, data = "GET", "", {}, None
    while words:
        match words.pop(0):
            case "-X":
                method = words.pop(0)
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            case "-d":
                data = words.pop(0)
            case address:
                url = here(server, address)
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar() if jar is None else jar) as session,
        session.request(method, url, headers=headers, data=data) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def rest(
    server: Running, line: str, body: str | None = None, jar: aiohttp.CookieJar | None = None
) -> Any:
    """A call by its line in the documents, as curl makes it."""
    method, path = line.split(" ")
    sent = f"-H 'Content-Type: application/json' -d '{body}'" if body is not None else ""
    return await curl(server, f"curl -X {method} 'http://localhost:4000{path}' {sent}", jar)


@asynccontextmanager
async def browser(server: Running, script: str) -> AsyncIterator[Ear]:
    """The socket that a script opens; once it stands, what the script sends is sent."""
    (address,) = re.findall(r"new WebSocket\('([^']+)'\)", script)
    async with aiohttp.ClientSession() as session, session.ws_connect(here(server, address)) as ws:
        for literal in re.findall(r"JSON\.stringify\((\{.*?\})\)\)", script, re.DOTALL):
            quoted = re.sub(r"(\w+):", r'"\1":', literal).replace("'", '"')
            await ws.send_str(json.dumps(json.loads(quoted)))
        yield Ear(ws)


@TRUSTING
async def test_the_commands_of_the_section_on_testing(server: Running) -> None:
    said = re.findall(r"# (\{.*\})", HEALTH)
    assert await curl(server, HEALTH) == json.loads(said[0])
    made = await curl(server, MAKE_A_CHAT)
    assert (made["id"], made["iphone_id"], made["seller_id"]) == (1, 1, 1)
    assert (made["buyer_id"], made["buyer_is_registered"]) == ("test-buyer-uuid", False)
    assert await curl(server, MAKE_A_CHAT) == made
    async with browser(server, IN_THE_BROWSER) as ear:
        message = (await ear.until("message"))["message"]
        assert (message["chat_id"], message["sender_id"]) == (1, "test")
        assert (message["message_text"], message["sender_is_registered"]) == ("Test message", False)


@TRUSTING
@pytest.mark.both
async def test_the_calls_of_a_chat(server: Running) -> None:
    made = await rest(server, "POST /api/chat/chats", NEW_CHAT)
    assert (made["id"], made["seller_id"], made["buyer_id"]) == (1, 2, "user_123")
    async with browser(server, CONNECT) as ear, browser(server, CONNECT.replace("user_123", "2")) as other:
        await other.until("online_users")
        await ear.ws.send_str(SAY)
        for one in (ear, other):
            message = (await one.until("message"))["message"]
            assert message["message_text"] == json.loads(SAY)["message_text"]
            assert message["sender_id"] == "user_123"
        await ear.ws.send_str(TYPE)
        assert await other.until("typing") == {"type": "typing", "user_id": "user_123", "is_typing": True}
        await other.ws.send_str(READ)
        assert (await ear.until("messages_read"))["count"] == 1
    async with (
        browser(server, CONNECT) as ear,
        browser(server, CONNECT.replace("user_123", "seller_1")) as one,
    ):
        wanted = json.loads(SHOWN)
        await one.say("message", message_text=wanted["message"]["message_text"])
        shown = await ear.until("message")
        assert set(shown) == set(wanted)
        assert set(shown["message"]) >= set(wanted["message"])
        for name in ("sender_id", "message_text"):
            assert shown["message"][name] == wanted["message"][name]


@TRUSTING
async def test_the_other_calls(server: Running) -> None:
    """Those that name nobody ask the cookie who calls, as in a browser."""
    jar = aiohttp.CookieJar(unsafe=True)
    chat = await rest(server, "POST /api/chat/chats", NEW_CHAT, jar)
    async with browser(server, CONNECT) as ear:
        await ear.ws.send_str(SAY)
        await ear.until("message")
    text = json.loads(SAY)["message_text"]
    grouped = await rest(server, "GET /api/chat/chats/seller/2/grouped")
    assert list(grouped) == ["1"]
    (shown,) = grouped["1"]
    assert (shown["id"], shown["buyer_id"], shown["unread_count"]) == (chat["id"], "user_123", 1)
    assert (shown["last_message"], shown["last_message_time"][:2]) == (text, "20")
    for who, is_seller in (("user_123", "false"), ("2", "true")):
        (mine,) = await rest(server, f"GET /api/chat/chats/my?user_id={who}&is_seller={is_seller}")
        assert (mine["id"], mine["last_message"]) == (1, text)
    assert await rest(server, "POST /api/chat/chats/1/read?user_id=2") == {"marked_as_read": 1}
    page = await rest(server, "GET /api/chat/chats/1/messages?limit=100&offset=0", jar=jar)
    assert [one["message_text"] for one in page] == [text]
    assert await rest(server, "DELETE /api/chat/chats/1", jar=jar) == {"deleted": True}
    assert await rest(server, "GET /api/chat/chats/my?user_id=2&is_seller=true") == []


@TRUSTING
@pytest.mark.parametrize("more", [{"listen": {"port": 0, "trusted_proxies": ["127.0.0.1"]}}])
async def test_behind_a_proxy_a_made_up_name_gets_nobodys_chat(server: Running) -> None:
    await curl(server, MAKE_A_CHAT)
    async with browser(server, IN_THE_BROWSER) as ear:
        assert await ear.closed() == 1008
