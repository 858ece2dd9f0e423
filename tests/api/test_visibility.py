"""Who may look whom up: strangers must not read the names of a host's people, number after number."""

from typing import Any

import aiohttp
import pytest

from tests.api.driver import API, CHAT, User, register
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path
from tests.api.matrix.test_keys import publish
from tests.api.university.test_auth import PORTAL, SECRET, host_token, student
from tests.names import fresh_number

SHOP_SECRET = SECRET + " too"
SHOP = {**PORTAL, "name": "shop", "namespace": 2, "secret": SHOP_SECRET}
HOSTS: dict[str, Any] = {"issuers": [PORTAL, SHOP], "matrix": {"enabled": True}}
ACCOUNT = 2**52  # what the portal's people add to the number of an account of this server


@pytest.fixture
def overrides() -> dict[str, Any]:
    return HOSTS


@pytest.fixture
async def ivan(client: aiohttp.ClientSession) -> User:
    return await enter(student(client, fresh_number(11), "Ivan"))


@pytest.fixture
async def olga(client: aiohttp.ClientSession) -> User:
    return await enter(student(client, fresh_number(12), "Olga"))


@pytest.fixture
async def mallory(client: aiohttp.ClientSession) -> User:
    return await register(client, "Mallory")


async def enter(one: User) -> User:
    """Their first call makes them known here."""
    await one.chat("GET", "conversations/")
    return one


def from_outside(student: User) -> int:
    """The number of somebody of the portal for everybody else."""
    return (1 << 32) + student.id


def profile(student: User) -> str:
    return f"profile/@portal_{student.id}:test.example"


async def on_matrix(client: aiohttp.ClientSession, student: User) -> Client:
    body = {"type": "org.matrix.login.jwt", "token": host_token(student.id, first_name=student.name)}
    nobody = Client(client)
    return nobody.of(await nobody.call("POST", "login", body=body))


@pytest.mark.both
async def test_a_stranger_reads_no_names_number_by_number(
    client: aiohttp.ClientSession, ivan: User, mallory: User
) -> None:
    nobody = Client(client)
    alice = await nobody.register("alice")
    for one in (nobody, alice, await nobody.login(alice.user_id)):
        for rest in ("", "/displayname", "/avatar_url", "/m.tz"):
            assert await one.errcode("GET", profile(ivan) + rest, 404) == "M_NOT_FOUND"
        assert await one.call("GET", f"profile/{alice.user_id}") == {"displayname": alice.name}
    number = from_outside(ivan)
    await mallory.call("GET", f"{API}/users/{number}", 404)
    await mallory.call("POST", f"{API}/users/{number}/block", 404)
    await mallory.chat("POST", f"users/{number}/block", 404)
    for listed in (f"{API}/users/", f"{API}/users/?search=ivan", f"{CHAT}/users/chat-users/?search=ivan"):
        assert number not in [one["id"] for one in await mallory.call("GET", listed)], listed
    assert await mallory.call("GET", f"{API}/users/blocked") == []


async def test_a_stranger_gets_nobody_of_a_host_into_a_room(ivan: User, mallory: User) -> None:
    number = from_outside(ivan)
    for call, status, body in (
        (f"{API}/chats/direct", 404, {"user_id": number}),
        (f"{API}/chats/group", 404, {"title": "x", "user_ids": [number]}),
        (f"{CHAT}/conversations/", 400, {"type": "private", "participant_ids": [number]}),
        (f"{CHAT}/conversations/", 400, {"type": "group", "title": "x", "participant_ids": [number]}),
    ):
        assert await mallory.code("POST", call, status, json=body) == "unknown_people", call
    group = await mallory.group()
    people = f"conversations/{group['id']}/participants"
    await mallory.chat("POST", people, 404, json={"user_id": number})
    chat = await mallory.call("POST", f"{API}/chats/group", json={"title": "x", "user_ids": []})
    await mallory.call("POST", f"{API}/chats/{chat['id']}/members/{number}", 404)


async def test_a_stranger_does_not_join_the_group_of_a_hosts_object(
    client: aiohttp.ClientSession, ivan: User, olga: User, mallory: User
) -> None:
    link = {"service": "course", "service_id": str(ivan.id)}
    group = await ivan.group(**link)
    body = {"type": "group", "title": "x", **link}
    assert await mallory.code("POST", f"{CHAT}/conversations/", 403, json=body) == "not_member"
    seller = User(client, host_token(ivan.id, key=SHOP_SECRET, first_name="Vera"), ivan.id)
    assert await seller.code("POST", f"{CHAT}/conversations/", 403, json=body) == "not_member"
    assert (await olga.chat("POST", "conversations/", json=body))["id"] == group["id"]


@pytest.mark.both
async def test_people_of_one_host_find_each_other_and_accounts(
    client: aiohttp.ClientSession, ivan: User, olga: User, mallory: User
) -> None:
    seller = User(client, host_token(olga.id, key=SHOP_SECRET, first_name="Olga the seller"), olga.id)
    await enter(seller)
    found = await ivan.chat("GET", "users/chat-users/?search=olga")
    assert olga.id in [one["id"] for one in found]
    assert (2 << 32) + olga.id not in [one["id"] for one in found], "people of another host are listed"
    assert (await ivan.call("GET", f"{API}/users/{olga.id}"))["display_name"] == "Olga"
    await ivan.call("GET", f"{API}/users/{(2 << 32) + olga.id}", 404)
    assert (await ivan.call("GET", f"{API}/users/{ACCOUNT + mallory.id}"))["display_name"] == "Mallory"
    on_phone = await on_matrix(client, ivan)
    assert (await on_phone.call("GET", profile(olga)))["displayname"] == "Olga"


@pytest.mark.both
async def test_who_shares_a_room_with_somebody_may_look_them_up(
    client: aiohttp.ClientSession, ivan: User, mallory: User
) -> None:
    number = from_outside(ivan)
    room = await ivan.chat(
        "POST",
        "conversations/",
        json={"type": "group", "title": "x", "participant_ids": [ACCOUNT + mallory.id]},
    )
    assert (await mallory.call("GET", f"{API}/users/{number}"))["display_name"] == "Ivan"
    assert number in [one["id"] for one in await mallory.chat("GET", "users/chat-users/?search=ivan")]
    await mallory.call("POST", f"{API}/chats/direct", json={"user_id": number})
    await mallory.chat("POST", f"users/{number}/block", 204)
    assert [one["id"] for one in await mallory.call("GET", f"{API}/users/blocked")] == [number]
    await mallory.chat("DELETE", f"conversations/{room['id']}", 204)


async def test_an_invite_by_id_does_not_tell_the_name(client: aiohttp.ClientSession, ivan: User) -> None:
    alice, guest = await Client(client).register("alice"), await on_matrix(client, ivan)
    member = f"state/m.room.member/{guest.user_id}"
    room = (await alice.call("POST", "createRoom", body={"invite": [guest.user_id]}))["room_id"]
    assert await alice.call("GET", path(room, member)) == {"membership": "invite"}
    other = await create(alice)
    await alice.call("POST", path(other, "invite"), body={"user_id": guest.user_id})
    assert await alice.call("GET", path(other, member)) == {"membership": "invite"}
    assert await alice.errcode("GET", profile(ivan), 404) == "M_NOT_FOUND"
    await guest.call("POST", path(room, "join"), body={})
    assert (await alice.call("GET", path(room, member)))["displayname"] == "Ivan"
    assert (await alice.call("GET", profile(ivan)))["displayname"] == "Ivan"


async def test_devices_do_not_tell_the_name(client: aiohttp.ClientSession, ivan: User, olga: User) -> None:
    alice, phone, colleague = (
        await Client(client).register("alice"),
        await on_matrix(client, ivan),
        await on_matrix(client, olga),
    )
    await phone.call("PUT", f"devices/{phone.device_id}", body={"display_name": "Ivan Petrov's phone"})
    await publish(phone)

    async def shown(reader: Client) -> dict[str, Any]:
        body: dict[str, Any] = {"device_keys": {phone.user_id: []}}
        found = await reader.call("POST", "keys/query", body=body)
        unsigned: dict[str, Any] = found["device_keys"][phone.user_id][phone.device_id]["unsigned"]
        return unsigned

    name = {"device_display_name": "Ivan Petrov's phone"}
    assert (await shown(phone), await shown(colleague), await shown(alice)) == (name, name, {})
    await create(alice, phone)
    assert await shown(alice) == name


@pytest.mark.parametrize("overrides", [{**HOSTS, "user_directory": {"all_users": True}}])
async def test_where_clients_find_everybody_that_is_the_accounts(
    client: aiohttp.ClientSession, ivan: User, olga: User
) -> None:
    alice, other = await Client(client).register("alice"), await Client(client).register("bob")
    search = {"search_term": f"portal_{olga.id}"}
    assert (await alice.call("POST", "user_directory/search", body=search))["results"] == []
    found = await alice.call("POST", "user_directory/search", body={"search_term": other.name})
    assert [one["user_id"] for one in found["results"]] == [other.user_id]
    on_phone = await on_matrix(client, ivan)
    assert len((await on_phone.call("POST", "user_directory/search", body=search))["results"]) == 1


@pytest.mark.parametrize(
    "overrides", [{**HOSTS, "user_directory": {"host_users": True, "profiles": "shared_rooms"}}]
)
async def test_what_the_settings_open_and_shut(
    client: aiohttp.ClientSession, ivan: User, mallory: User
) -> None:
    number, nobody = from_outside(ivan), Client(client)
    assert (await mallory.call("GET", f"{API}/users/{number}"))["display_name"] == "Ivan"
    alice, bob = await nobody.register("alice"), await nobody.register("bob")
    own = f"profile/{alice.user_id}"
    assert await alice.call("GET", own) == {"displayname": alice.name}
    for one in (bob, nobody):
        assert await one.errcode("GET", own, 404) == "M_NOT_FOUND"
    await create(alice, bob)
    assert await bob.call("GET", own) == {"displayname": alice.name}
    assert await nobody.errcode("GET", own, 404) == "M_NOT_FOUND"
