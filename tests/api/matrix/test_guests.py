"""Guest accounts: made without a password, let into rooms that take guests, and out again."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from homeserver.app import build
from homeserver.clock import FakeClock
from homeserver.lifecycle import Running, running, working
from homeserver.model import Draft
from homeserver.protocol.ids import RoomId, UserId
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


async def left(follower: Follower, *who: tuple[str, str]) -> None:
    """Wait until these have left, by room and id."""
    found: set[tuple[str, str]] = set()

    def all_of_them(answer: object) -> bool:
        found.update(one for one in who if membership(answer, *one) == "leave")
        return found == set(who)

    await follower.until(all_of_them)


async def test_registration_takes_a_device_name_and_nothing_else(nobody: Client) -> None:
    request = {
        "username": "alice",
        "password": "x",
        "device_id": "MINE",
        "inhibit_login": True,
        "refresh_token": True,
        "initial_device_display_name": "Kiosk",
    }
    made = await nobody.call("POST", "register?kind=guest", body=request)
    assert "refresh_token" not in made
    assert made["device_id"] != "MINE"
    assert "alice" not in made["user_id"]
    one = nobody.of(made)
    who = await one.call("GET", "account/whoami")
    assert who == {"user_id": one.user_id, "device_id": one.device_id, "is_guest": True}
    assert (await one.call("GET", f"devices/{one.device_id}"))["display_name"] == "Kiosk"
    other = await nobody.guest()
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
            "rate_limits": {
                "enabled": True,
                "guest_accounts": {"per_second": 0.02, "burst": 2},
                "send_guests": {"per_second": 0.02, "burst": 3},
            },
        }
    ],
)
async def test_an_address_makes_few_of_them_who_say_little(nobody: Client) -> None:
    guests = [await nobody.guest() for _ in range(2)]
    assert await nobody.errcode("POST", "register?kind=guest", 429, body={}) == "M_LIMIT_EXCEEDED"
    alice = await nobody.register("alice")
    room_id = await create(alice, *guests, initial_state=GUESTS)
    for one, text in ((guests[0], "one"), (guests[1], "two"), (guests[0], "three"), (alice, "four")):
        await say(one, room_id, text)
    at = path(room_id, "send/m.room.message/five")
    assert await guests[1].errcode("PUT", at, 429, body={"body": "five"}) == "M_LIMIT_EXCEEDED"


async def test_who_was_not_here_for_long_is_closed_and_leaves(
    server: Running, clock: FakeClock, nobody: Client
) -> None:
    alice, gone, here = await nobody.register("alice"), await nobody.guest(), await nobody.guest()
    rooms = [await create(alice, gone, here) for _ in range(2)]
    follower = Follower(alice)
    await follower.sync()
    clock.advance(31 * DAY_MS)
    alice.token = (await alice.login("alice")).token
    await here.call("GET", "account/whoami")
    await server.hs.auth.sessions.tidy()
    assert await server.hs.accounts.guest_accounts.sweep() == 1
    assert await server.hs.accounts.guest_accounts.sweep() == 0
    await left(follower, *((one, gone.user_id) for one in rooms))
    assert await gone.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"
    assert (await here.call("GET", "account/whoami"))["is_guest"]
    members = await alice.call("GET", path(rooms[0], "joined_members"))
    assert set(members["joined"]) == {alice.user_id, here.user_id}


@pytest.mark.both
async def test_guests_come_and_speak_where_the_room_takes_them(nobody: Client) -> None:
    alice, one = await nobody.register("alice"), await nobody.guest()
    open_to_all, members_only = (
        await create(alice, initial_state=GUESTS, room_alias_name="hall", **PUBLIC),
        await create(alice, **PUBLIC),
    )
    asked = await create(alice, invite=[one.user_id], initial_state=NO_GUESTS)
    for closed in (members_only, asked):
        assert await one.errcode("POST", f"join/{quote(closed)}", 403, body={}) == GUEST_REFUSED
        assert await one.errcode("POST", path(closed, "join"), 403, body={}) == GUEST_REFUSED
        own = path(closed, f"state/m.room.member/{quote(one.user_id)}")
        assert await one.errcode("PUT", own, 403, body={"membership": "join"}) == GUEST_REFUSED
    await one.call("POST", f"join/{quote('#hall:test.example')}", body={})
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
    members = await alice.call("GET", path(by_invite, "joined_members"))
    assert list(members["joined"]) == [alice.user_id]


async def test_guests_leave_when_the_room_takes_none_any_more(server: Running, nobody: Client) -> None:
    """Each in turn, so that what was written before is none of the reader's business any more."""
    alice, bob = await nobody.register("alice"), await nobody.register("bob")
    one, two = await nobody.guest(), await nobody.guest()
    kept, changed, redacted = [await create(alice, bob, one, two, initial_state=GUESTS) for _ in range(3)]
    raced = await create(alice, bob, **PUBLIC)
    follower = Follower(alice)
    await follower.sync()
    await set_state(alice, changed, "m.room.guest_access", {"guest_access": "forbidden"})
    await left(follower, (changed, one.user_id), (changed, two.user_id))
    event = await alice.call("GET", path(redacted, "state/m.room.guest_access?format=event"))
    await alice.call("PUT", path(redacted, f"redact/{quote(event['event_id'])}/1"), body={})
    await left(follower, (redacted, one.user_id), (redacted, two.user_id))
    own = UserId(
        one.user_id
    )  # their coming was checked before the room closed to guests, and is written after
    late = Draft("m.room.member", own, {"membership": "join"}, state_key=own)
    await server.hs.core.timeline.send(RoomId(raced), [late])
    await left(follower, (raced, own))
    for room_id in (changed, redacted, raced):
        members = await alice.call("GET", path(room_id, "joined_members"))
        assert set(members["joined"]) == {alice.user_id, bob.user_id}
        assert await one.errcode("POST", path(room_id, "join"), 403, body={}) == GUEST_REFUSED
    assert len((await alice.call("GET", path(kept, "joined_members")))["joined"]) == 4


@pytest.mark.both
async def test_exits_that_a_stop_cut_off_go_on(server: Running, nobody: Client) -> None:
    alice, one = await nobody.register("alice"), await nobody.guest()
    room_id = await create(alice, one, initial_state=GUESTS)
    follower = Follower(alice)
    await follower.sync()
    task = next(one for one, name in server.hs.core.tasks._running.items() if name == "guest exits")
    task.cancel()
    await set_state(alice, room_id, "m.room.guest_access", {"guest_access": "forbidden"})
    async with working(build(server.hs.settings, clock=server.hs.core.clock)):
        await left(follower, (room_id, one.user_id))
