"""Tokens: of ours and of a host application, in every place where clients put them."""

import time
from typing import Any

import aiohttp
import jwt
import pytest

from tests.api.driver import API, CHAT, PASSWORD, User, email

SECRET = "a secret that only the portal and we know"
PORTAL = {
    "name": "portal",
    "namespace": 1,
    "algorithms": ["HS256"],
    "secret": SECRET,
}


def host_token(user_id: int, *, key: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    full = {"user_id": user_id, "exp": int(time.time()) + 600, "type": "access", **claims}
    return jwt.encode(full, key, algorithm)


def student(client: aiohttp.ClientSession, user_id: int, first_name: str, **claims: Any) -> User:
    return User(client, host_token(user_id, first_name=first_name, **claims), user_id, first_name)


@pytest.mark.parametrize("name", ["Authorization", "WWW-Authenticate"])
async def test_both_headers_are_read(alice: User, nobody: User, name: str) -> None:
    assert await nobody.chat("GET", "conversations/", headers={name: f"Bearer {alice.token}"}) == []


async def test_a_query_is_for_sockets_only(alice: User, nobody: User) -> None:
    for name in ("token", "Authorization", "WWW-Authenticate"):
        await nobody.chat("GET", f"conversations/?{name}=Bearer%20{alice.token}", 401)


async def test_an_answer_401_says_how_to_log_in(client: aiohttp.ClientSession) -> None:
    async with client.get(f"{CHAT}/conversations/") as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("overrides", [{"issuers": [PORTAL]}])
@pytest.mark.both
async def test_students_of_the_portal_know_each_other_by_the_portals_numbers(
    client: aiohttp.ClientSession, alice: User
) -> None:
    """The portal has numbers of its own; an account made here may well have the same one."""
    ivan = student(client, 1, "Иван", last_name="Петров", group="ИВТ-1")
    olga = student(client, 500, "Ольга")
    assert await ivan.chat("GET", "conversations/") == []
    (found,) = await olga.chat("GET", "users/chat-users/?search=петров")
    assert (found["id"], found["first_name"], found["group"]) == (1, "Иван", "ИВТ-1")
    group = await ivan.group(olga)
    assert group["created_by"] == 1
    async with olga.socket(group) as ear_o, ivan.socket(group) as ear_i:
        await ear_i.say("message:new", text="Привет")
        assert (await ear_o.next())["payload"]["sender_id"] == 1
        # Alice of this server is number 1 as well, but not for them.
        (found,) = await ivan.chat("GET", "users/chat-users/?search=alice")
        assert found["id"] not in {1, 500}
        people = f"conversations/{group['id']}/participants"
        added = await ivan.chat("POST", people, json={"user_id": found["id"]})
        assert added["user_id"] == found["id"]
        async with alice.socket(group) as ear_a:
            await alice.chat(
                "POST", "messages/", json={"conversation_id": group["id"], "text": "x", "sender_id": alice.id}
            )
            heard_by_alice = await ear_a.until("message:new", lambda payload: payload["text"] == "x")
            heard_by_olga = await ear_o.until("message:new", lambda payload: payload["text"] == "x")
        assert heard_by_alice["sender_id"] == alice.id
        assert heard_by_olga["sender_id"] == found["id"]
        assert heard_by_alice["id"] == heard_by_olga["id"]
    assert (
        await ivan.code(
            "POST",
            f"{CHAT}/messages/",
            403,
            json={"conversation_id": group["id"], "text": "x", "sender_id": found["id"]},
        )
        == "wrong_sender"
    )


@pytest.mark.parametrize("overrides", [{"issuers": [PORTAL]}])
async def test_tokens_that_do_not_hold(client: aiohttp.ClientSession, alice: User) -> None:
    group = await alice.group()
    for token in (
        host_token(1, key="another secret that is long enough too"),
        host_token(1, exp=int(time.time()) - 3600),
        host_token(1, type="refresh"),
        jwt.encode({"user_id": 1, "exp": int(time.time()) + 600}, "", "none"),
        alice.refresh_token,
        alice.token[:-3] + "abc",
        "x" * 8100,
    ):
        person = User(client, token, 1)
        await person.chat("GET", "conversations/", 401)
        async with person.socket(group) as ear:
            assert await ear.closed() == 1008


async def test_a_suspended_person_is_out_at_once(server: Any, alice: User) -> None:
    group = await alice.group()
    person = next(iter((await server.hs.accounts.profiles.by_numbers([alice.id])).values()))
    async with alice.socket(group) as ear:
        await server.hs.accounts.accounts.suspend(person.user_id)
        assert await ear.closed() == 1008
    await alice.chat("GET", "conversations/", 401)
    login = {"email": email("Alice"), "password": PASSWORD}
    assert await alice.code("POST", f"{API}/auth/login", 403, json=login) == "suspended"
    async with alice.socket(group) as ear:
        assert await ear.closed() == 1008


@pytest.mark.parametrize(
    "overrides",
    [
        {
            "rate_limits": {"enabled": True, "address": {"per_second": 0.001, "burst": 5}},
            "accounts": {"registration": True},
        }
    ],
)
async def test_an_address_that_asks_too_often_is_told_when_to_come_back(nobody: User) -> None:
    for _ in range(5):
        await nobody.chat("GET", "conversations/", 401)
    refused = await nobody.chat("GET", "conversations/", 429)
    assert refused["code"] == "rate_limited"
    assert refused["retry_ms"] > 0
    await nobody.call("GET", "/health")
