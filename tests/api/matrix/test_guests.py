"""Guest accounts: made without a password, let into rooms that take guests, and out again."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from homeserver.app import build
from homeserver.clock import FakeClock
from homeserver.running import Running, running, working
from homeserver.settings.models import Settings
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, set_state, state
from tests.api.matrix.synckit import Follower
from tests.api.matrix.test_farewells import membership

DAY_MS = 86_400_000
GUEST_REFUSED = "M_GUEST_ACCESS_FORBIDDEN"
PUBLIC = {"preset": "public_chat"}
GUESTS, NO_GUESTS = (
    [{"type": "m.room.guest_access", "content": {"guest_access": word}}] for word in ("can_join", "forbidden")
)


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


async def test_who_was_not_here_for_long_is_closed_and_leaves(
    server: Running, clock: FakeClock, nobody: Client
) -> None:
    alice, gone, here = await nobody.register("alice"), await guest(nobody), await guest(nobody)
    rooms = [await create(alice, gone, here) for _ in range(2)]
    follower = Follower(alice)
    await follower.sync()
    clock.advance(31 * DAY_MS)
    alice.token = (await alice.login("alice")).token
    await here.call("GET", "account/whoami")
    await server.hs.people.sessions.tidy()
    assert await server.hs.people.guest_accounts.sweep() == 1
    assert await server.hs.people.guest_accounts.sweep() == 0
    left: set[str] = set()

    def both(answer: object) -> bool:
        left.update(one for one in rooms if membership(answer, one, gone.user_id) == "leave")
        return left == set(rooms)

    await follower.until(both)
    assert await gone.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"
    assert (await here.call("GET", "account/whoami"))["is_guest"]
    members = await alice.call("GET", path(rooms[0], "joined_members"))
    assert set(members["joined"]) == {alice.user_id, here.user_id}


async def test_guests_come_and_speak_where_the_room_takes_them(nobody: Client) -> None:
    alice, one = await nobody.register("alice"), await guest(nobody)
    open_to_all, members_only = (
        await create(alice, initial_state=GUESTS, **PUBLIC),
        await create(alice, **PUBLIC),
    )
    asked = await create(alice, invite=[one.user_id], initial_state=NO_GUESTS)
    for closed in (members_only, asked):
        assert await one.errcode("POST", path(closed, "join"), 403, body={}) == GUEST_REFUSED
        own = path(closed, f"state/m.room.member/{quote(one.user_id)}")
        assert await one.errcode("PUT", own, 403, body={"membership": "join"}) == GUEST_REFUSED
    by_invite = await create(alice, initial_state=GUESTS)
    assert await one.errcode("POST", path(by_invite, "join"), 403, body={}) == "M_FORBIDDEN"
    await alice.call("POST", path(by_invite, "invite"), body={"user_id": one.user_id})
    for room_id in (by_invite, open_to_all):
        await one.call("POST", path(room_id, "join"), body={})
        await say(one, room_id, "hello")
        assert await one.errcode("PUT", path(room_id, "state/m.room.topic"), 403, body={}) == "M_FORBIDDEN"
    levels = await state(alice, open_to_all, "m.room.power_levels")
    levels["users"] = {**levels["users"], one.user_id: 50}
    await set_state(alice, open_to_all, "m.room.power_levels", levels)
    await set_state(one, open_to_all, "m.room.topic", {"topic": "ours"})
    await one.call("PUT", f"profile/{quote(one.user_id)}/displayname", body={"displayname": "Gus"})
    follower = Follower(one)
    await follower.sync()
    await say(alice, open_to_all, "welcome")
    await follower.until_text(open_to_all, "welcome")
    await one.call("POST", path(by_invite, "leave"), body={})
    left = await alice.call("GET", path(by_invite, "joined_members"))
    assert list(left["joined"]) == [alice.user_id]


async def test_guests_leave_when_the_room_takes_none_any_more(server: Running, nobody: Client) -> None:
    alice, bob = await nobody.register("alice"), await nobody.register("bob")
    guests = [await guest(nobody) for _ in range(2)]
    kept, changed, redacted = [await create(alice, bob, *guests, initial_state=GUESTS) for _ in range(3)]
    follower = Follower(alice)
    await follower.sync()
    task = next(one for one, name in server.hs.core.tasks._running.items() if name == "guest exits")
    task.cancel()  # what comes while nobody looks is done by the next server
    await set_state(alice, changed, "m.room.guest_access", {"guest_access": "forbidden"})
    event = await alice.call("GET", path(redacted, "state/m.room.guest_access?format=event"))
    await alice.call("PUT", path(redacted, f"redact/{quote(event['event_id'])}/1"), body={})
    left: set[tuple[str, str]] = set()
    wanted = {(room_id, one.user_id) for room_id in (changed, redacted) for one in guests}

    def all_of_them(answer: object) -> bool:
        left.update(one for one in wanted if membership(answer, *one) == "leave")
        return left == wanted

    async with working(build(server.hs.settings, clock=server.hs.core.clock)):
        await follower.until(all_of_them)
    for room_id in (changed, redacted):
        members = await alice.call("GET", path(room_id, "joined_members"))
        assert set(members["joined"]) == {alice.user_id, bob.user_id}
        assert await guests[0].errcode("POST", path(room_id, "join"), 403, body={}) == GUEST_REFUSED
    members = await alice.call("GET", path(kept, "joined_members"))
    assert len(members["joined"]) == 4
