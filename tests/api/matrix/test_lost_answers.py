"""Registrations whose answer was lost: the client repeats the last request and gets the same account and session."""

import asyncio
from typing import Any

import pytest

from tests.api.matrix.driver import PASSWORD, Client
from tests.names import fresh, user_id

DUMMY = "m.login.dummy"


async def last_request(nobody: Client, name: str, **more: Any) -> dict[str, Any]:
    """What completes a registration."""
    wish = {"username": fresh(name), "password": PASSWORD, **more}
    asked = await nobody.call("POST", "register", 401, body=wish)
    return {**wish, "auth": {"type": DUMMY, "session": asked["session"]}}


@pytest.mark.both
async def test_a_completed_registration_is_answered_again(nobody: Client) -> None:
    body = await last_request(nobody, "carol", device_id="PHONE", refresh_token=True)
    first = await nobody.call("POST", "register", body=body)
    assert await nobody.call("POST", "register", body=body) == first
    assert await nobody.call("POST", "register", body={**body, "auth": {"session": body["auth"]["session"]}})
    carol = nobody.of(first)
    assert (await carol.call("GET", "account/whoami"))["user_id"] == user_id("carol")
    assert len((await carol.call("GET", "devices"))["devices"]) == 1


@pytest.mark.both
async def test_two_at_once_are_one_account(nobody: Client) -> None:
    body = await last_request(nobody, "carol")
    found = await asyncio.gather(*(nobody.call("POST", "register", body=body) for _ in range(4)))
    assert [one == found[0] for one in found] == [True] * 4, found


async def test_nobody_else_gets_the_answer(nobody: Client) -> None:
    body = await last_request(nobody, "carol")
    await nobody.call("POST", "register", body=body)
    session = body["auth"]
    for other in (
        {"auth": session},
        {**body, "password": "another password"},
        {**body, "username": fresh("dave")},
        {**body, "password": None},
    ):
        assert await nobody.errcode("POST", "register", 400, body=other) in ("M_UNKNOWN", "M_USER_IN_USE")
    stage = f"auth/{DUMMY}/fallback/web?session={session['session']}"
    assert await nobody.errcode("POST", stage, 400, body={}) == "M_UNKNOWN"


async def test_a_registration_that_failed_is_not_answered(nobody: Client) -> None:
    body = await last_request(nobody, "carol")
    await nobody.register("carol")
    assert await nobody.errcode("POST", "register", 400, body=body) == "M_USER_IN_USE"
    weak = await last_request(nobody, "dave")
    weak = {**weak, "password": "x", "auth": weak["auth"]}
    assert await nobody.errcode("POST", "register", 403, body=weak) == "M_FORBIDDEN"
