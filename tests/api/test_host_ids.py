"""Ids of a host's users are those of the host, as far as JavaScript's numbers go, in every call that has one."""

import time
from typing import Any

import aiohttp
import jwt
import pytest

from homeserver.lifecycle import Running
from tests.api.driver import API, CHAT, User, register
from tests.api.matrix.driver import Client
from tests.api.university.test_auth import PORTAL, SECRET, host_token
from tests.names import fresh_number

LARGEST = 2**53 - 1
LARGE = (2**31, 2**31 + 1, 2**32, 2**32 + 5, 2**33 + 1, 7_000_000_001, 2**52 - 1, LARGEST)
SETTINGS: dict[str, Any] = {
    "issuers": [PORTAL],
    "matrix": {"enabled": True},
    "university": {"service_key_issuer": "portal"},
}

pytestmark = pytest.mark.parametrize("overrides", [SETTINGS])


def student(client: aiohttp.ClientSession, user_id: int, name: str) -> User:
    return User(client, host_token(user_id, first_name=name), user_id, name)


def with_text(client: aiohttp.ClientSession, user_id: object, name: str) -> User:
    claims = {"user_id": user_id, "first_name": name, "exp": int(time.time()) + 600}
    return User(client, jwt.encode(claims, SECRET, "HS256"), 0, name)


@pytest.mark.both
@pytest.mark.parametrize("number", LARGE)
async def test_a_large_id_is_the_same_in_every_call(client: aiohttp.ClientSession, number: int) -> None:
    own = fresh_number(12)
    anna, bert = student(client, number, "Anna"), student(client, own, "Bert")
    assert (await anna.call("GET", f"{API}/users/me"))["id"] == number
    assert (await bert.call("GET", f"{API}/users/{number}"))["display_name"] == "Anna"
    assert number in [one["id"] for one in await bert.chat("GET", "users/chat-users/?search=anna")]
    group = await bert.group(anna)
    assert {one["user_id"] for one in group["participants"]} == {own, number}
    sent = await anna.say(group, "hello", sender_id=number)
    assert sent["sender_id"] == number
    assert (await bert.chat("GET", f"messages/{group['id']}"))[0]["sender_id"] == number
    other = {"conversation_id": group["id"], "text": "x", "sender_id": own}
    assert await anna.code("POST", f"{CHAT}/messages/", 403, json=other) == "wrong_sender"
    async with bert.socket(group) as ear, anna.socket(group) as mouth:
        await mouth.say("typing", is_typing=True)
        assert (await ear.until("typing"))["user_id"] == number


@pytest.mark.both
@pytest.mark.parametrize("number", LARGE)
async def test_a_large_id_is_found_wherever_it_is_given(client: aiohttp.ClientSession, number: int) -> None:
    own = fresh_number(12)
    anna, bert = student(client, number, "Anna"), student(client, own, "Bert")
    await anna.chat("GET", "conversations/")
    group = await bert.group(anna)
    people = f"conversations/{group['id']}/participants"
    await anna.chat("DELETE", f"{people}/{number}", 204)
    assert (await bert.chat("POST", people, json={"user_id": number}))["user_id"] == number
    await bert.chat("DELETE", f"{people}/{number}", 204)
    chat = await bert.call("POST", f"{API}/chats/direct", json={"user_id": number})
    assert {one["id"] for one in chat["participants"]} == {own, number}
    await bert.chat("POST", f"users/{number}/block", 204)
    assert [one["id"] for one in await bert.call("GET", f"{API}/users/blocked")] == [number]
    await bert.chat("DELETE", f"users/{number}/block", 204)
    nobody = Client(client)
    login = {"type": "org.matrix.login.jwt", "token": anna.token}
    on_phone = nobody.of(await nobody.call("POST", "login", body=login))
    assert on_phone.user_id == f"@portal_{number}:test.example"
    with_session = User(client, on_phone.token, number)
    assert (await with_session.call("GET", f"{API}/users/me"))["id"] == number


@pytest.mark.own_server
async def test_nobody_is_taken_for_somebody_else(client: aiohttp.ClientSession) -> None:
    """Texts and large numbers have no numbers of their own in the order in which they come."""
    local = await register(client, "Local")
    others = [with_text(client, one, f"Text{n}") for n, one in enumerate(("anna", "007", "б"))]
    texts = [(await one.call("GET", f"{API}/users/me"))["id"] for one in others]
    numbered = [student(client, one, f"Number{one}") for one in (*LARGE, 5)]
    found = [(await one.call("GET", f"{API}/users/me"))["id"] for one in numbered]
    assert found == [*LARGE, 5]
    everybody = await numbered[0].chat("GET", "users/chat-users/?limit=100")
    listed = {one["id"]: one["first_name"] for one in everybody}
    assert len(listed) == len(everybody) == len(texts) + len(found), listed
    assert all(2**52 < one <= LARGEST for one in texts), texts
    for number, name in listed.items():
        shown = await numbered[0].call("GET", f"{API}/users/{number}")
        assert (shown["id"], shown["display_name"].startswith(name)) == (number, True), shown
    assert listed[2**52 + local.id] == "Local"
    assert (await others[0].chat("GET", "users/chat-users/?search=text1"))[0]["id"] == texts[1]
    assert (await with_text(client, "5", "x").call("GET", f"{API}/users/me"))["id"] == 5


@pytest.mark.parametrize(
    "bad", [0, -1, 2**53, 2**63, 2**64, 5.0, 1.5, True, "0", "-7", str(2**53), " 5", "5 ", "", None, [5]]
)
async def test_other_ids_are_refused(client: aiohttp.ClientSession, bad: object) -> None:
    one = with_text(client, bad, "x")
    assert await one.code("GET", f"{API}/users/me", 401) == "unknown_token"
    assert await one.code("GET", f"{CHAT}/conversations/", 401) == "unknown_token"
    nobody = Client(client)
    login = {"type": "org.matrix.login.jwt", "token": one.token}
    assert await nobody.errcode("POST", "login", 403, body=login) == "M_FORBIDDEN"


async def test_lists_of_people_take_whole_numbers_only(client: aiohttp.ClientSession) -> None:
    anna = student(client, 2**40, "Anna")
    for bad, status in (
        (0, 422),
        (-1, 422),
        (2**53, 422),
        (2**40 + 1, 400),
        (2.5, 422),
        (True, 422),
        ("5 ", 422),
    ):
        body = {"type": "group", "title": "x", "participant_ids": [bad]}
        await anna.chat("POST", "conversations/", status, json=body)
    own = await anna.chat(
        "POST", "conversations/", json={"type": "group", "title": "x", "participant_ids": [2**40]}
    )
    assert [one["user_id"] for one in own["participants"]] == [2**40]


@pytest.mark.both
async def test_servers_act_for_large_ids(server: Running, client: aiohttp.ClientSession) -> None:
    key = (await server.hs.auth.service_keys.create("portal", "university")).secret
    for number in (2**31, LARGEST):
        headers = {"X-Service-Key": key, "X-Act-For": str(number)}
        nobody = User(client, "", number)
        body = {"type": "group", "title": "x"}
        made = await nobody.chat("POST", "conversations/", json=body, headers=headers)
        assert made["created_by"] == number
        mine = await student(client, number, "x").chat("GET", "conversations/")
        assert made["id"] in [one["id"] for one in mine]
    for number in (0, 2**52 + 1, 2**53):
        await nobody.chat(
            "GET", "conversations/", 404, headers={"X-Service-Key": key, "X-Act-For": str(number)}
        )
