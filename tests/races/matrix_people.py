"""Matrix: accounts, devices, profiles, client data, media."""

from typing import Any
from urllib.parse import quote

from tests.api.matrix.driver import Client
from tests.api.matrix.mediakit import picture
from tests.api.matrix.roomkit import say
from tests.races.kit import PASSWORD, Look, Person, Race, World, calls, case, sees
from tests.races.matrix_rooms import UNSTABLE, V3, room_of, synced

MEDIA = "/_matrix/media"
FORGET_DATA = f"{UNSTABLE}/org.matrix.msc3391/user/{{user_id}}"


def user(one: Client, rest: str) -> str:
    """The path of a call about a person's own data."""
    return f"{V3}/user/{quote(one.user_id)}/{rest}"


async def _one(world: World) -> Client:
    (alice,) = await world.people("alice")
    return alice


async def with_password(one: Client, method: str, path: str, body: dict[str, Any], looks: list[Look]) -> Race:
    """A call that asks for the password: each is asked in a session of its own, and all answer at once."""
    stages = []
    for _ in range(8):
        asked = await one.call(method, path, 401, body=body)
        stages.append(one.password_stage(asked))
    return calls([one], method, path, json=lambda _, n: {**body, "auth": stages[n]}, looks=looks)


@case("POST", f"{V3}/register")
async def register(world: World) -> Race:
    body = {"username": f"new-{world.name}", "password": PASSWORD, "auth": {"type": "m.login.dummy"}}
    return calls([Client(world.session)], "POST", f"{V3}/register", json=body)


@case("POST", f"{V3}/login")
async def login(world: World) -> Race:
    alice = await _one(world)
    identifier = {"type": "m.id.user", "user": alice.user_id}
    body = {"type": "m.login.password", "identifier": identifier, "password": PASSWORD, "device_id": "PHONE"}
    nobody = Client(world.session)
    return calls([nobody], "POST", f"{V3}/login", json=body, looks=sees(alice, f"{V3}/devices"))


@case("POST", f"{V3}/refresh")
async def refresh(world: World) -> Race:
    alice = await _one(world)
    identifier = {"type": "m.id.user", "user": alice.user_id}
    body = {"type": "m.login.password", "identifier": identifier, "password": PASSWORD, "refresh_token": True}
    made = await alice.call("POST", "login", body={**body, "device_id": "PHONE"})
    token = {"refresh_token": made["refresh_token"]}
    return calls(
        [Client(world.session)], "POST", f"{V3}/refresh", json=token, looks=sees(alice, f"{V3}/devices")
    )


@case("POST", "/_matrix/client/v1/login/get_token")
async def get_login_token(world: World) -> Race:
    return await with_password(await _one(world), "POST", "/_matrix/client/v1/login/get_token", {}, [])


@case("POST", f"{V3}/logout")
async def logout(world: World) -> Race:
    alice = await _one(world)
    return calls([alice], "POST", f"{V3}/logout", json={}, looks=sees(alice, f"{V3}/account/whoami"))


@case("POST", f"{V3}/logout/all")
async def logout_all(world: World) -> Race:
    alice = await _one(world)
    return calls([alice], "POST", f"{V3}/logout/all", json={}, looks=sees(alice, f"{V3}/account/whoami"))


@case("POST", f"{V3}/user/{{user_id}}/openid/request_token")
async def openid(world: World) -> Race:
    alice = await _one(world)
    return calls([alice], "POST", user(alice, "openid/request_token"), json={})


@case("POST", f"{V3}/account/password")
async def change_password(world: World) -> Race:
    alice = await _one(world)
    body = {"new_password": "an other horse battery", "logout_devices": False}
    looks = sees(alice, f"{V3}/devices")
    return await with_password(alice, "POST", f"{V3}/account/password", body, looks)


@case("POST", f"{V3}/account/deactivate")
async def deactivate(world: World) -> Race:
    alice = await _one(world)
    looks = sees(alice, f"{V3}/account/whoami")
    return await with_password(alice, "POST", f"{V3}/account/deactivate", {}, looks)


@case("PUT", f"{V3}/devices/{{device_id}}")
async def rename_device(world: World) -> Race:
    alice = await _one(world)
    at = f"{V3}/devices/{alice.device_id}"
    return calls([alice], "PUT", at, json={"display_name": "phone"}, looks=sees(alice, f"{V3}/devices"))


async def _with_phone(world: World) -> Client:
    alice = await _one(world)
    await alice.login(alice.user_id, device_id="PHONE")
    return alice


@case("DELETE", f"{V3}/devices/{{device_id}}")
async def delete_device(world: World) -> Race:
    alice = await _with_phone(world)
    return await with_password(alice, "DELETE", f"{V3}/devices/PHONE", {}, sees(alice, f"{V3}/devices"))


@case("POST", f"{V3}/delete_devices")
async def delete_devices(world: World) -> Race:
    alice = await _with_phone(world)
    body = {"devices": ["PHONE"]}
    return await with_password(alice, "POST", f"{V3}/delete_devices", body, sees(alice, f"{V3}/devices"))


@case("PUT", f"{V3}/profile/{{user_id}}/{{field}}")
async def set_profile(world: World) -> Race:
    alice = await _one(world)
    at = f"{V3}/profile/{quote(alice.user_id)}/displayname"
    return calls([alice], "PUT", at, json={"displayname": "Al"}, looks=sees(alice, at))


@case("DELETE", f"{V3}/profile/{{user_id}}/{{field}}")
async def delete_profile_field(world: World) -> Race:
    alice = await _one(world)
    at = f"{V3}/profile/{quote(alice.user_id)}/org.x"
    await alice.call("PUT", at, body={"org.x": 1})
    return calls([alice], "DELETE", at, looks=sees(alice, at))


@case("PUT", f"{V3}/user/{{user_id}}/account_data/{{type}}")
async def set_account_data(world: World) -> Race:
    alice = await _one(world)
    return calls([alice], "PUT", user(alice, "account_data/org.x"), json={"a": 1}, looks=synced(alice))


@case("DELETE", f"{FORGET_DATA}/account_data/{{type}}")
async def delete_account_data(world: World) -> Race:
    alice = await _one(world)
    await alice.call("PUT", user(alice, "account_data/org.x"), body={"a": 1})
    at = f"{FORGET_DATA}/account_data/org.x".replace("{user_id}", quote(alice.user_id))
    return calls([alice], "DELETE", at, looks=synced(alice))


async def _about_a_room(world: World, method: str, rest: str, *, first: Any = None, **options: Any) -> Race:
    alice = await _one(world)
    room_id = quote(await room_of(alice), safe="")
    at = user(alice, f"rooms/{room_id}/{rest}")
    if first is not None:
        await alice.call("PUT", at, body=first)
    if rest.startswith("account_data") and method == "DELETE":
        at = FORGET_DATA.replace("{user_id}", quote(alice.user_id)) + f"/rooms/{room_id}/{rest}"
    return calls([alice], method, at, looks=synced(alice), **options)


@case("PUT", f"{V3}/user/{{user_id}}/rooms/{{room_id}}/account_data/{{type}}")
async def set_room_data(world: World) -> Race:
    return await _about_a_room(world, "PUT", "account_data/org.x", json={"a": 1})


@case("DELETE", f"{FORGET_DATA}/rooms/{{room_id}}/account_data/{{type}}")
async def delete_room_data(world: World) -> Race:
    return await _about_a_room(world, "DELETE", "account_data/org.x", first={"a": 1})


@case("PUT", f"{V3}/user/{{user_id}}/rooms/{{room_id}}/tags/{{tag}}")
async def set_tag(world: World) -> Race:
    return await _about_a_room(world, "PUT", "tags/m.favourite", json={"order": 0.5})


@case("DELETE", f"{V3}/user/{{user_id}}/rooms/{{room_id}}/tags/{{tag}}")
async def delete_tag(world: World) -> Race:
    return await _about_a_room(world, "DELETE", "tags/m.favourite", first={"order": 0.5})


@case("POST", f"{V3}/user/{{user_id}}/filter")
async def make_filter(world: World) -> Race:
    alice = await _one(world)
    return calls([alice], "POST", user(alice, "filter"), json={"room": {"timeline": {"limit": 3}}})


RULE = {"actions": ["notify"], "pattern": "word"}


async def _rule(world: World, method: str, rest: str = "", body: Any = None, *, first: bool = False) -> Race:
    alice = await _one(world)
    at = f"{V3}/pushrules/global/content/word"
    if first:
        await alice.call("PUT", at, body=RULE)
    options = {} if body is None else {"json": body}
    return calls([alice], method, at + rest, looks=sees(alice, f"{V3}/pushrules/"), **options)


@case("PUT", f"{V3}/pushrules/global/{{kind}}/{{rule_id}}")
async def set_rule(world: World) -> Race:
    return await _rule(world, "PUT", body=RULE)


@case("DELETE", f"{V3}/pushrules/global/{{kind}}/{{rule_id}}")
async def delete_rule(world: World) -> Race:
    return await _rule(world, "DELETE", first=True)


@case("PUT", f"{V3}/pushrules/global/{{kind}}/{{rule_id}}/enabled")
async def disable_rule(world: World) -> Race:
    return await _rule(world, "PUT", "/enabled", {"enabled": False}, first=True)


@case("PUT", f"{V3}/pushrules/global/{{kind}}/{{rule_id}}/actions")
async def change_rule(world: World) -> Race:
    return await _rule(world, "PUT", "/actions", {"actions": []}, first=True)


@case(
    "PUT", f"{V3}/pushrules/global/{{kind}}/{{rule_id}}", survives=False
)  # the end tells which was answered
async def many_rules(world: World) -> Race:
    """Four rules at once, each another one: all are kept."""
    alice = await _one(world)

    def at(_: Person, n: int) -> str:
        return f"{V3}/pushrules/global/content/word"[:-4] + f"word{n}"

    async def names() -> Any:
        shown = await alice.call("GET", "pushrules/global/content/word0")
        rules = (await alice.call("GET", "pushrules/"))["global"]["content"]
        return [shown["pattern"], sorted(one["rule_id"] for one in rules)]

    return calls([alice], "PUT", at, json=RULE, looks=[names])


@case("POST", f"{V3}/pushers/set", several=True)
async def set_pusher(world: World) -> Race:
    alice, bob = await world.people("alice", "bob")
    body = {
        "kind": "http",
        "app_id": "org.x",
        "pushkey": f"key-{world.name}",
        "app_display_name": "X",
        "device_display_name": "phone",
        "lang": "en",
        "data": {"url": "https://push.example.org/_matrix/push/v1/notify"},
        "append": True,
    }
    return calls([alice, bob], "POST", f"{V3}/pushers/set", json=body, looks=sees(alice, f"{V3}/pushers"))


@case("PUT", f"{V3}/presence/{{user_id}}/status", survives=False)
async def set_presence(world: World) -> Race:
    alice = await _one(world)
    at = f"{V3}/presence/{quote(alice.user_id)}/status"
    return calls([alice], "PUT", at, json={"presence": "online", "status_msg": "here"}, looks=sees(alice, at))


async def _upload(world: World, version: str) -> Race:
    alice = await _one(world)
    at = f"{MEDIA}/{version}/upload?filename=one.png"
    return calls([alice], "POST", at, data=lambda: picture(4, 4))


@case("POST", f"{MEDIA}/v3/upload")
async def upload(world: World) -> Race:
    return await _upload(world, "v3")


@case("POST", f"{MEDIA}/v1/upload")
async def upload_v1(world: World) -> Race:
    return await _upload(world, "v1")


@case("POST", f"{MEDIA}/v1/create")
async def create_media(world: World) -> Race:
    return calls([await _one(world)], "POST", f"{MEDIA}/v1/create")


@case("PUT", f"{MEDIA}/v3/upload/{{server_name}}/{{media_id}}")
async def fill_media(world: World) -> Race:
    alice = await _one(world)
    made = await alice.call("POST", f"{MEDIA}/v1/create")
    name = made["content_uri"].removeprefix("mxc://")
    return calls([alice], "PUT", f"{MEDIA}/v3/upload/{name}", data=lambda: picture(4, 4))


@case("PUT", f"{V3}/user/{{user_id}}/rooms/{{room_id}}/account_data/{{type}}")
async def mark_unread(world: World) -> Race:
    alice = await _one(world)
    room_id = await room_of(alice)
    await say(alice, room_id, "hello")
    at = user(alice, f"rooms/{quote(room_id, safe='')}/account_data/m.marked_unread")
    return calls([alice], "PUT", at, json={"unread": True}, looks=synced(alice))
