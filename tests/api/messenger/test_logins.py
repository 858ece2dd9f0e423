"""Accounts and sessions over REST."""

import aiohttp
import pytest
from pydantic import TypeAdapter

from homeserver.api.messenger import schemas
from tests.api.driver import API, PASSWORD, User, email, register

pytestmark = pytest.mark.own_server

ALICE = {"email": "alice@test.com", "password": "password123", "display_name": "Alice"}


@pytest.mark.both
async def test_the_story_of_an_account(nobody: User) -> None:
    made = await nobody.call("POST", f"{API}/auth/register", 201, json=ALICE)
    TypeAdapter(schemas.Tokens).validate_python(made, strict=True, extra="forbid")
    assert (made["token_type"], made["expires_in"]) == ("bearer", 900)
    user = made["user"]
    assert (user["email"], user["display_name"], user["tag"]) == ("alice@test.com", "Alice", "alice")
    alice = User(nobody.session, made["access_token"], user["id"])
    assert await alice.call("GET", f"{API}/users/me") == user
    assert await alice.call("GET", f"{API}/auth/me/") == user
    login = {"email": " ALICE@test.com ", "password": "password123"}
    again = await nobody.call("POST", f"{API}/auth/login/", json=login)
    assert again["user"] == user
    assert again["access_token"] != made["access_token"]
    await alice.call("POST", f"{API}/auth/logout", 204)
    assert await alice.code("GET", f"{API}/users/me", 401) == "unknown_token"
    second = User(nobody.session, again["access_token"], user["id"])
    await second.call("GET", f"{API}/users/me")
    body = {"refresh_token": made["refresh_token"]}
    await nobody.call("POST", f"{API}/auth/refresh", 401, json=body)


async def test_a_refresh_token_used_after_the_new_tokens_ends_the_session(alice: User, nobody: User) -> None:
    first = {"refresh_token": alice.refresh_token}
    made = await nobody.call("POST", f"{API}/auth/refresh", json=first)
    TypeAdapter(schemas.Tokens).validate_python(made, strict=True, extra="forbid")
    renewed = User(alice.session, made["access_token"], alice.id)
    await renewed.call("GET", f"{API}/users/me")
    assert await nobody.code("POST", f"{API}/auth/refresh", 401, json=first) == "refresh_token_reused"
    for person in (alice, renewed):
        await person.call("GET", f"{API}/users/me", 401)
    await nobody.call("POST", f"{API}/auth/refresh", 401, json={"refresh_token": made["refresh_token"]})


REFUSED = (
    ({"email": None}, 422, "invalid_param"),
    ({"email": "no address"}, 400, "bad_email"),
    ({"email": 5}, 422, "invalid_param"),
    ({"password": "short"}, 400, ""),
    ({"password": "x" * 10_001}, 422, "invalid_param"),
    ({"display_name": ""}, 400, ""),
    ({"display_name": "a\x00b"}, 422, "invalid_param"),
    ({"tag": "НЕТ"}, 400, "bad_tag"),
)


async def test_accounts_that_are_not_made(alice: User, nobody: User) -> None:
    tag = (await alice.call("GET", f"{API}/users/me"))["tag"]
    taken = (
        ({"email": email("Alice")}, 409, "email_in_use"),
        ({"email": email("Alice").upper()}, 409, "email_in_use"),
        ({"tag": tag}, 409, "tag_in_use"),
    )
    for change, status, code in (*REFUSED, *taken):
        body = {**ALICE, "email": "new@test.example", **change}
        given = await nobody.code("POST", f"{API}/auth/register", status, json=body)
        assert code in ("", given), change


async def test_fields_that_are_missing(nobody: User) -> None:
    for path in ("register", "login", "refresh"):
        assert await nobody.code("POST", f"{API}/auth/{path}", 422, json={}) == "missing_param"
        assert await nobody.code("POST", f"{API}/auth/{path}", 400, data=b"{") == "bad_json"


async def test_wrong_passwords_and_unknown_people_look_alike(alice: User, nobody: User) -> None:
    answers = [
        await nobody.call("POST", f"{API}/auth/login", 401, json={"email": address, "password": password})
        for address, password in (
            (email("Alice"), "wrong password"),
            ("nobody@test.example", PASSWORD),
            ("no address", PASSWORD),
            (email("Alice"), "x" * 5000),
        )
    ]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["code"] == "bad_credentials"


async def test_tags_are_made_unique(client: aiohttp.ClientSession) -> None:
    first = await register(client, "Eve", email="eve@one.example")
    second = await register(client, "Eve", email="eve@two.example")
    tags = [(await one.call("GET", f"{API}/users/me"))["tag"] for one in (first, second)]
    assert tags[0] == "eve"
    assert tags[1] != "eve"
    assert tags[1].startswith("eve")


@pytest.mark.parametrize("overrides", [{"accounts": {"registration": False}}])
async def test_registration_is_closed_unless_the_settings_open_it(nobody: User) -> None:
    given = await nobody.code("POST", f"{API}/auth/register", 403, json=ALICE)
    assert given == "registration_closed"


async def test_logging_out_needs_a_token(nobody: User) -> None:
    await nobody.call("POST", f"{API}/auth/logout", 401)


async def test_refresh_tokens_that_are_none(nobody: User) -> None:
    for junk in ("x", "a.b", "é", "x" * 1000, "a.b.c"):
        await nobody.call("POST", f"{API}/auth/refresh", 401, json={"refresh_token": junk})
    for wrong in ("", "x" * 1001, 5, None):
        await nobody.call("POST", f"{API}/auth/refresh", 422, json={"refresh_token": wrong})
