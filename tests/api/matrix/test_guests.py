"""Guest accounts: made without a password, let into rooms that take guests, and out again."""

from collections.abc import AsyncIterator

import pytest

from homeserver.app import build
from homeserver.clock import FakeClock
from homeserver.running import Running, running
from homeserver.settings.models import Settings
from tests.api.matrix.driver import Client

DAY_MS = 86_400_000


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"matrix": {"enabled": True}, "guest_accounts": {"enabled": True}}


@pytest.fixture
async def server(settings: Settings, clock: FakeClock) -> AsyncIterator[Running]:
    """One whose time stands still until a test moves it."""
    async with running(settings, build(settings, clock=clock)) as one:
        yield one


async def guest(nobody: Client, **body: object) -> Client:
    """A new guest."""
    return nobody.of(await nobody.call("POST", "register?kind=guest", body=body))


async def test_registration_takes_a_device_name_and_nothing_else(nobody: Client) -> None:
    wish = {
        "username": 5,
        "password": "x",
        "device_id": "MINE",
        "inhibit_login": True,
        "refresh_token": True,
        "initial_device_display_name": "Kiosk",
    }
    made = await nobody.call("POST", "register?kind=guest", body=wish)
    assert "refresh_token" not in made
    assert made["device_id"] != "MINE"
    one = nobody.of(made)
    who = await one.call("GET", "account/whoami")
    assert who == {"user_id": one.user_id, "device_id": one.device_id, "is_guest": True}
    assert (await one.call("GET", f"devices/{one.device_id}"))["display_name"] == "Kiosk"
    other = await guest(nobody)
    assert other.user_id != one.user_id
    login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": one.user_id}}
    assert await nobody.errcode("POST", "login", 403, body={**login, "password": "x"}) == "M_FORBIDDEN"
    bad = {"initial_device_display_name": 5}
    assert await nobody.errcode("POST", "register?kind=guest", 400, body=bad) == "M_BAD_JSON"
    assert not (await (await nobody.register("alice")).call("GET", "account/whoami"))["is_guest"]


@pytest.mark.parametrize(
    "overrides",
    [
        {
            "matrix": {"enabled": True},
            "guest_accounts": {"enabled": True},
            "rate_limits": {"enabled": True, "guest_accounts": {"per_second": 0.02, "burst": 2}},
        }
    ],
)
async def test_an_address_makes_few_of_them(nobody: Client) -> None:
    for _ in range(2):
        await guest(nobody)
    assert await nobody.errcode("POST", "register?kind=guest", 429, body={}) == "M_LIMIT_EXCEEDED"
    await nobody.register("alice")


async def test_who_was_not_here_for_long_is_closed(server: Running, clock: FakeClock, nobody: Client) -> None:
    gone, here = await guest(nobody), await guest(nobody)
    clock.advance(31 * DAY_MS)
    await here.call("GET", "account/whoami")
    await server.hs.people.sessions.tidy()
    assert await server.hs.people.guest_accounts.sweep() == 1
    assert await server.hs.people.guest_accounts.sweep() == 0
    assert await gone.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"
    assert (await here.call("GET", "account/whoami"))["is_guest"]
