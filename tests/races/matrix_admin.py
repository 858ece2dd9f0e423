"""Matrix: what admins of the server and tools with the shared secret do."""

import hmac
from typing import Any
from urllib.parse import quote

from tests.api.matrix.driver import Client
from tests.races.kit import PASSWORD, Race, World, calls, case, sees
from tests.races.matrix_rooms import synced

ADMIN = "/_matrix/client/v1/admin"
REGISTER = "/_synapse/admin/v1/register"
NOTICE = "/_synapse/admin/v1/send_server_notice"
SECRET = "sixteen characters and more"


async def _registration(world: World, name: str, *, admin: bool) -> dict[str, Any]:
    """The body of a registration with the shared secret; it can be used once."""
    nonce = (await Client(world.session).call("GET", REGISTER))["nonce"]
    user = f"{name}-{world.name}"
    text = "\0".join([nonce, user, PASSWORD, "admin" if admin else "notadmin"])
    mac = hmac.new(SECRET.encode(), text.encode(), "sha1").hexdigest()
    return {"nonce": nonce, "username": user, "password": PASSWORD, "mac": mac, "admin": admin}


async def _admins(world: World) -> tuple[Client, Client, Client]:
    """Two admins, and Bob."""
    nobody = Client(world.session)
    made = [
        nobody.of(await nobody.call("POST", REGISTER, body=await _registration(world, name, admin=True)))
        for name in ("root", "toor")
    ]
    (bob,) = await world.people("bob")
    return made[0], made[1], bob


@case("POST", REGISTER)
async def register_with_secret(world: World) -> Race:
    body = await _registration(world, "new", admin=False)
    return calls([Client(world.session)], "POST", REGISTER, json=body)


@case("PUT", f"{ADMIN}/suspend/{{user_id}}", several=True)
async def suspend(world: World) -> Race:
    root, toor, bob = await _admins(world)
    at = f"{ADMIN}/suspend/{quote(bob.user_id)}"
    return calls([root, toor], "PUT", at, json={"suspended": True}, looks=sees(root, at))


@case("PUT", f"{ADMIN}/lock/{{user_id}}", several=True)
async def lock(world: World) -> Race:
    root, toor, bob = await _admins(world)
    at = f"{ADMIN}/lock/{quote(bob.user_id)}"
    return calls([root, toor], "PUT", at, json={"locked": True}, looks=sees(root, at))


def _notice(to: Client) -> dict[str, Any]:
    return {"user_id": to.user_id, "content": {"msgtype": "m.text", "body": "the server sleeps"}}


@case("PUT", f"{NOTICE}/{{txn_id}}", several=True)
async def notice_once(world: World) -> Race:
    root, toor, bob = await _admins(world)
    return calls([root, toor], "PUT", f"{NOTICE}/once", json=_notice(bob), looks=synced(bob))


@case("POST", NOTICE, several=True)
async def notice_each(world: World) -> Race:
    root, toor, bob = await _admins(world)
    return calls([root, toor], "POST", NOTICE, json=_notice(bob), looks=synced(bob))
