"""Guests that become full accounts keep their id and their rooms."""

import asyncio
from typing import Any

import pytest

from tests.api.matrix.driver import PASSWORD, Client
from tests.api.matrix.roomkit import create, path, say
from tests.names import fresh

OPEN = {
    "preset": "public_chat",
    "initial_state": [{"type": "m.room.guest_access", "content": {"guest_access": "can_join"}}],
}


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"matrix": {"enabled": True}, "guest_accounts": {"enabled": True}}


def wish(guest: Client, **more: Any) -> dict[str, Any]:
    return {
        "username": guest.name,
        "password": PASSWORD,
        "guest_access_token": guest.token,
        "auth": {"type": "m.login.dummy"},
        **more,
    }


@pytest.mark.both
async def test_a_guest_becomes_an_account_and_keeps_id_and_rooms(nobody: Client, alice: Client) -> None:
    room = await create(alice, **OPEN)
    guest = await nobody.guest()
    await guest.call("POST", path(room, "join"), body={})
    await guest.call("PUT", f"profile/{guest.user_id}/displayname", body={"displayname": "Gast"})
    full = nobody.of(await nobody.call("POST", "register", body=wish(guest)))
    assert full.user_id == guest.user_id
    who = await full.call("GET", "account/whoami")
    assert (who["user_id"], who["is_guest"]) == (guest.user_id, False)
    assert (await full.call("GET", "joined_rooms"))["joined_rooms"] == [room]
    assert (await full.call("GET", f"profile/{full.user_id}"))["displayname"] == "Gast"
    assert await guest.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"
    forbidden = {"guest_access": "forbidden"}
    await alice.call("PUT", path(room, "state/m.room.guest_access"), body=forbidden)
    await say(full, room, "still here")
    own = await create(full, invite=[alice.user_id])  # what no guest may
    assert own in (await full.call("GET", "joined_rooms"))["joined_rooms"]
    again = await nobody.login(full.user_id)
    assert (await again.call("GET", "account/whoami"))["is_guest"] is False


@pytest.mark.both
async def test_one_of_two_at_once_upgrades_and_a_repeat_is_refused(nobody: Client) -> None:
    guest = await nobody.guest()

    async def status(body: dict[str, Any]) -> int:
        async with nobody.session.post("/_matrix/client/v3/register", json=body) as answer:
            return answer.status

    found = await asyncio.gather(*(status(wish(guest)) for _ in range(3)))
    assert sorted(found) == [200, 403, 403]
    assert await nobody.errcode("POST", "register", 403, body=wish(guest)) == "M_FORBIDDEN"
    assert await nobody.login(guest.user_id)


async def test_a_lost_answer_is_given_again(nobody: Client) -> None:
    guest = await nobody.guest()
    body = {**wish(guest), "auth": None}
    asked = await nobody.call("POST", "register", 401, body={**body, "auth": {}})
    body["auth"] = {"type": "m.login.dummy", "session": asked["session"]}
    first = await nobody.call("POST", "register", body=body)
    assert await nobody.call("POST", "register", body=body) == first


async def test_other_tokens_are_refused(nobody: Client, alice: Client) -> None:
    guest, other = await nobody.guest(), await nobody.guest()
    for bad in (
        {"guest_access_token": other.token},
        {"guest_access_token": alice.token},
        {"guest_access_token": alice.token, "username": alice.name},
        {"guest_access_token": "made up"},
        {"username": fresh("dave")},
        {"username": other.name},
    ):
        assert await nobody.errcode("POST", "register", 403, body=wish(guest, **bad)) == "M_FORBIDDEN", bad
    nameless = wish(guest)
    del nameless["username"]
    assert await nobody.errcode("POST", "register", 400, body=nameless) == "M_MISSING_PARAM"
    without = wish(guest)
    del without["guest_access_token"]
    assert await nobody.errcode("POST", "register", 400, body=without) == "M_INVALID_USERNAME"
    assert await nobody.errcode("POST", "register", 400, body=wish(guest, password="x")) == "M_WEAK_PASSWORD"
    assert (await guest.call("GET", "account/whoami"))["is_guest"] is True
    assert nobody.of(await nobody.call("POST", "register", body=wish(guest))).user_id == guest.user_id


@pytest.mark.parametrize(
    "overrides",
    [
        {
            "matrix": {"enabled": True},
            "guest_accounts": {"enabled": True},
            "accounts": {"registration": False},
        }
    ],
)
async def test_guests_stay_guests_where_registration_is_closed(nobody: Client) -> None:
    guest = await nobody.guest()
    assert await nobody.errcode("POST", "register", 403, body=wish(guest)) == "M_FORBIDDEN"
