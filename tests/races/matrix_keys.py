"""Matrix: keys of devices and people, backups, dehydrated devices, messages to devices."""

from typing import Any

from homeserver.protocol.ids import UserId
from homeserver.protocol.signing import SigningKey
from tests.api.matrix.driver import Client
from tests.e2ee.world import identity, signed
from tests.races.kit import Race, World, calls, case, sees
from tests.races.matrix_rooms import UNSTABLE, V3, synced

DEHYDRATED = f"{UNSTABLE}/org.matrix.msc3814.v1/dehydrated_device"


async def _one(world: World) -> Client:
    (alice,) = await world.people("alice")
    return alice


def _keys_of(one: Client) -> tuple[SigningKey, dict[str, Any]]:
    by = SigningKey.generate("test")
    return by, dict(identity(one.user_id, one.device_id, by))


@case("POST", f"{V3}/keys/upload")
async def upload_keys(world: World) -> Race:
    alice = await _one(world)
    by, device_keys = _keys_of(alice)
    once = {
        f"signed_curve25519:{n}": signed({"key": f"curve {n}"}, alice.user_id, alice.device_id, by)
        for n in range(3)
    }
    body = {"device_keys": device_keys, "one_time_keys": once}
    return calls([alice], "POST", f"{V3}/keys/upload", json=body, looks=synced(alice))


@case("POST", f"{V3}/keys/claim", several=True)
async def claim_keys(world: World) -> Race:
    alice, bob, carol = await world.people("alice", "bob", "carol")
    by, device_keys = _keys_of(alice)
    once = {
        f"signed_curve25519:{n}": signed({"key": f"curve {n}"}, alice.user_id, alice.device_id, by)
        for n in range(3)  # one less than are asked for
    }
    body: dict[str, Any] = {"device_keys": device_keys, "one_time_keys": once}
    await alice.call("POST", "keys/upload", body=body)
    wanted = {"one_time_keys": {alice.user_id: {alice.device_id: "signed_curve25519"}}}
    return calls([bob, carol], "POST", f"{V3}/keys/claim", json=wanted, looks=synced(alice))


def _cross_signing(one: Client) -> dict[str, Any]:
    master, other = SigningKey.generate("master"), SigningKey.generate("self")
    key_of = {
        usage: {
            "user_id": UserId(one.user_id),
            "usage": [usage],
            "keys": {f"ed25519:{key.verify_key_base64}": key.verify_key_base64},
        }
        for usage, key in (("master", master), ("self_signing", other))
    }
    by_master = signed(key_of["self_signing"], one.user_id, master.verify_key_base64, master)
    return {"master_key": key_of["master"], "self_signing_key": by_master}


@case("POST", f"{V3}/keys/device_signing/upload")
async def upload_signing_keys(world: World) -> Race:
    alice = await _one(world)
    return calls(
        [alice], "POST", f"{V3}/keys/device_signing/upload", json=_cross_signing(alice), looks=synced(alice)
    )


@case("POST", f"{V3}/keys/signatures/upload")
async def upload_signatures(world: World) -> Race:
    alice = await _one(world)
    by, device_keys = _keys_of(alice)
    await alice.call("POST", "keys/upload", body={"device_keys": device_keys})
    again = signed(dict(device_keys), alice.user_id, "other", by)
    body = {alice.user_id: {alice.device_id: again}}
    return calls([alice], "POST", f"{V3}/keys/signatures/upload", json=body, looks=synced(alice))


@case("PUT", f"{V3}/sendToDevice/{{type}}/{{txn_id}}", several=True)
async def send_to_device(world: World) -> Race:
    alice, bob, carol = await world.people("alice", "bob", "carol")
    body = {"messages": {alice.user_id: {"*": {"hello": 1}}}}
    return calls([bob, carol], "PUT", f"{V3}/sendToDevice/org.x/once", json=body, looks=synced(alice))


BACKUP = {"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {"public_key": "key"}}
SESSION = {"first_message_index": 1, "forwarded_count": 0, "is_verified": False, "session_data": {"a": "b"}}
INSIDE = {"sessions": {"one": SESSION}}


async def _backup(world: World, method: str, rest: str, body: Any = None, *, filled: bool = False) -> Race:
    """A call about a backup; `{}` in `rest` stands for its version."""
    alice = await _one(world)
    version = (await alice.call("POST", "room_keys/version", body=BACKUP))["version"]
    if filled:
        await alice.call("PUT", f"room_keys/keys?version={version}", body={"rooms": {"!a:b.c": INSIDE}})
    options = {} if body is None else {"json": body}
    looks = sees(alice, f"{V3}/room_keys/version", f"{V3}/room_keys/keys?version={version}")
    at = f"{V3}/room_keys/{rest.replace('{}', version)}"
    return calls([alice], method, at, looks=looks, **options)


@case("POST", f"{V3}/room_keys/version")
async def new_backup(world: World) -> Race:
    alice = await _one(world)
    return calls(
        [alice], "POST", f"{V3}/room_keys/version", json=BACKUP, looks=sees(alice, f"{V3}/room_keys/version")
    )


@case("PUT", f"{V3}/room_keys/version/{{version}}")
async def change_backup(world: World) -> Race:
    return await _backup(world, "PUT", "version/{}", {**BACKUP, "auth_data": {"public_key": "key", "x": 1}})


@case("DELETE", f"{V3}/room_keys/version/{{version}}")
async def delete_backup(world: World) -> Race:
    return await _backup(world, "DELETE", "version/{}")


@case("PUT", f"{V3}/room_keys/keys")
async def put_keys(world: World) -> Race:
    return await _backup(world, "PUT", "keys?version={}", {"rooms": {"!a:b.c": INSIDE}})


@case("DELETE", f"{V3}/room_keys/keys")
async def delete_keys(world: World) -> Race:
    return await _backup(world, "DELETE", "keys?version={}", filled=True)


@case("PUT", f"{V3}/room_keys/keys/{{room_id}}")
async def put_room_keys(world: World) -> Race:
    return await _backup(world, "PUT", "keys/%21a%3Ab.c?version={}", INSIDE)


@case("DELETE", f"{V3}/room_keys/keys/{{room_id}}")
async def delete_room_keys(world: World) -> Race:
    return await _backup(world, "DELETE", "keys/%21a%3Ab.c?version={}", filled=True)


@case("PUT", f"{V3}/room_keys/keys/{{room_id}}/{{session_id}}")
async def put_session(world: World) -> Race:
    return await _backup(world, "PUT", "keys/%21a%3Ab.c/one?version={}", SESSION)


@case("DELETE", f"{V3}/room_keys/keys/{{room_id}}/{{session_id}}")
async def delete_session(world: World) -> Race:
    return await _backup(world, "DELETE", "keys/%21a%3Ab.c/one?version={}", filled=True)


def _dehydrated(one: Client) -> dict[str, Any]:
    by = SigningKey.generate("test")
    keys = identity(one.user_id, "DEHYDRATED", by, dehydrated=True)
    return {
        "device_id": "DEHYDRATED",
        "device_data": {"algorithm": "org.matrix.msc3814.v1.olm", "device_pickle": "pickle"},
        "initial_device_display_name": "dehydrated",
        "device_keys": keys,
    }


@case("PUT", DEHYDRATED)
async def dehydrate(world: World) -> Race:
    alice = await _one(world)
    looks = sees(alice, DEHYDRATED, f"{V3}/devices")
    return calls([alice], "PUT", DEHYDRATED, json=_dehydrated(alice), looks=looks)


@case("DELETE", DEHYDRATED)
async def delete_dehydrated(world: World) -> Race:
    alice = await _one(world)
    await alice.call("PUT", DEHYDRATED, body=_dehydrated(alice))
    return calls([alice], "DELETE", DEHYDRATED, looks=sees(alice, DEHYDRATED, f"{V3}/devices"))
