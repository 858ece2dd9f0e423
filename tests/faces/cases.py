"""What each call must be given to be answered: people, rooms and messages that are there, and the least of bodies."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import aiohttp

from homeserver.protocol.ids import UserId
from homeserver.storage.e2ee.crosssigning import Usage
from tests.api.matrix.driver import PASSWORD, Client
from tests.api.matrix.mediakit import picture
from tests.api.matrix.roomkit import path, say
from tests.api.matrix.test_dehydrated import sleeper
from tests.api.university.test_attachments import form
from tests.bridges.marketplace.people import registered
from tests.e2ee.world import Crossed
from tests.faces.world import SECRET, World
from tests.names import fresh_number

KNOCK = {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}


@dataclass
class Ask:
    """A request. `path`: parameters that are other than usual; `form`: instead of the body."""

    body: dict[str, Any] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    form: aiohttp.FormData | None = None
    data: bytes | None = None


Case: TypeAlias = Callable[[World], Awaitable[Ask]]
M, U, V1, K = "/_matrix/client/v3", "/api/unet-chat", "/api/v1", "/api/chat"
CASES: dict[str, Case] = {}


def case(*calls: str) -> Callable[[Case], Case]:
    """These calls are made so. Of a call that is not named the body and the query are empty."""

    def keep(made: Case) -> Case:
        CASES.update(dict.fromkeys(calls, made))
        return made

    return keep


def _plain(part: str, table: Mapping[str, Callable[[World], dict[str, Any]]]) -> None:
    """Calls that need nothing but a body, or a query."""
    for call, content in table.items():

        async def made(w: World, content: Callable[[World], dict[str, Any]] = content) -> Ask:
            return Ask(**{part: content(w)})  # type: ignore[arg-type]  # the part is a dict

        CASES[call] = made


LISTS = {"a": {"ranges": [[0, 1]], "timeline_limit": 1, "filters": {"is_dm": False}}}
SCREEN = {"app_display_name": "App", "device_display_name": "Phone", "lang": "en"}
_plain(
    "body",
    {
        f"POST {U}/messages": lambda w: {"conversation_id": w.conversation["id"], "text": "x"},
        f"POST {U}/conversations": lambda w: {
            "type": "group",
            "title": "x",
            "participant_ids": [w.users[1].id],
        },
        f"POST {U}/conversations/{{conversation_id}}/participants": lambda w: {"user_id": w.users[1].id},
        f"POST {U}/attachments": lambda w: {
            "message_id": w.paths[U]["own"],
            "file_url": "https://x.example/a.png",
        },
        f"POST {V1}/messages": lambda w: {"chat_id": int(w.paths[V1]["chat_id"]), "content": "x"},
        f"POST {V1}/auth/register": lambda w: {
            "email": f"{w.someone}@test.example",
            "password": PASSWORD,
            "display_name": "x",
        },
        f"POST {K}/chats": lambda w: {
            "iphone_id": 1,
            "seller_id": w.users[0].id,
            "buyer_id": w.shoppers[1].name,
        },
        f"POST {K}/chats/{{chat_id}}/messages": lambda _: {"message_text": "x"},
        f"POST {K}/chats/{{chat_id}}/report": lambda w: {"message_id": int(w.paths[K]["message_id"])},
        f"POST {K}/push/subscribe": lambda _: {
            "endpoint": "https://push.example/1",
            "keys": {"p256dh": "x", "auth": "y"},
        },
        f"POST {K}/push/unsubscribe": lambda _: {"endpoint": "https://push.example/1"},
        f"POST {M}/login": lambda w: {"type": "m.login.password", **_who(w.clients[1])},
        f"POST {M}/register": lambda w: {
            "username": w.someone,
            "password": PASSWORD,
            "auth": {"type": "m.login.dummy"},
        },
        f"POST {M}/keys/query": lambda w: {"device_keys": {w.clients[0].user_id: []}},
        f"POST {M}/keys/claim": lambda _: {"one_time_keys": {}},
        f"POST {M}/keys/device_signing/upload": lambda w: {
            "master_key": Crossed(UserId(w.clients[0].user_id)).body(Usage.MASTER)
        },
        f"POST {M}/pushers/set": lambda _: {
            **SCREEN,
            "kind": "http",
            "app_id": "a",
            "pushkey": "k",
            "data": {"url": "https://push.example/_matrix/push/v1/notify"},
        },
        f"PUT {M}/pushrules/global/{{kind}}/{{rule_id}}": lambda _: {"actions": []},
        "POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync": lambda w: {
            "lists": LISTS,
            "room_subscriptions": {w.room_id: {"timeline_limit": 1}},
        },
        f"PUT {M}/presence/{{user_id}}/status": lambda _: {"presence": "online"},
        f"PUT {M}/rooms/{{room_id}}/typing/{{user_id}}": lambda _: {"typing": True},
        f"POST {M}/search": lambda _: {"search_categories": {"room_events": {"search_term": "hello"}}},
        f"POST {M}/user_directory/search": lambda _: {"search_term": "x"},
        f"POST {M}/user/{{user_id}}/filter": lambda _: {"room": {"timeline": {"limit": 1}}},
    },
)
_plain(
    "query",
    {
        f"GET {M}/keys/changes": lambda _: {"from": "s1"},
        f"GET {M}/rooms/{{room_id}}/messages": lambda _: {"dir": "b"},
        "GET /_matrix/client/v1/mutual_rooms": lambda w: {"user_id": w.clients[1].user_id},
        "GET /_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms": lambda w: {
            "user_id": w.clients[1].user_id
        },
        **{
            f"GET {prefix}/thumbnail/{{server_name}}/{{media_id}}": lambda _: {"width": "8", "height": "8"}
            for prefix in ("/_matrix/client/v1/media", "/_matrix/media/v3", "/_matrix/media/v1")
        },
        **{
            f"GET {prefix}/preview_url": lambda _: {"url": "https://x.example/"}
            for prefix in ("/_matrix/client/v1/media", "/_matrix/media/v3", "/_matrix/media/v1")
        },
        f"GET {K}/chats/my": lambda w: {"user_id": w.shoppers[1].name},
        f"POST {K}/upload-url": lambda _: {"file_name": "a.png"},
    },
)


def _who(client: Client) -> dict[str, Any]:
    return {"identifier": {"type": "m.id.user", "user": client.user_id}, "password": PASSWORD}


def _auth(client: Client) -> dict[str, Any]:
    return {"type": "m.login.password", **_who(client)}


@case(
    "POST /_synapse/admin/v1/send_server_notice",
    "PUT /_synapse/admin/v1/send_server_notice/{txn_id}",
)
async def notice(w: World) -> Ask:
    return Ask({"user_id": w.clients[1].user_id, "content": {"msgtype": "m.text", "body": "x"}})


@case(f"POST {M}/account/password")
async def password(w: World) -> Ask:
    who = await w.account()
    return Ask({"new_password": f"{PASSWORD}!", "auth": _auth(who)}, token=who.token)


@case(f"POST {M}/account/deactivate")
async def deactivate(w: World) -> Ask:
    who = await w.account()
    return Ask({"auth": _auth(who)}, token=who.token)


@case(f"DELETE {M}/devices/{{device_id}}")
async def delete_device(w: World) -> Ask:
    other = await w.clients[0].login(w.clients[0].user_id)
    return Ask({"auth": _auth(w.clients[0])}, path={"device_id": other.device_id})


@case(f"POST {M}/delete_devices")
async def delete_devices(w: World) -> Ask:
    return Ask({"devices": ["gone"], "auth": _auth(w.clients[0])})


@case("POST /_matrix/client/v1/login/get_token")
async def get_token(w: World) -> Ask:
    return Ask({"auth": _auth(w.clients[0])})


@case("PUT /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device")
async def dehydrate(w: World) -> Ask:
    return Ask(sleeper(w.clients[0], "dry"))


@case("GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events")
@case("POST /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events")
async def events_of_the_dehydrated(w: World) -> Ask:
    root = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"
    await w.clients[0].call("PUT", root, body=sleeper(w.clients[0], "dry"))
    return Ask(path={"device_id": "dry"})


@case(f"PUT {M}/room_keys/version/{{version}}")
async def backup(w: World) -> Ask:
    made = {"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {}}
    version = (await w.clients[0].call("POST", "room_keys/version", body=made))["version"]
    return Ask(made, path={"version": version})


@case(f"POST {M}/join/{{room}}", f"POST {M}/rooms/{{room_id}}/join")
async def join(w: World) -> Ask:
    return Ask(path=await w.room(preset="public_chat"), token=w.clients[1].token)


@case(f"POST {M}/knock/{{room}}")
async def knock(w: World) -> Ask:
    return Ask(path=await w.room(initial_state=[KNOCK]), token=w.clients[1].token)


@case(f"POST {M}/rooms/{{room_id}}/leave")
async def leave(w: World) -> Ask:
    return Ask(path=await w.room(w.clients[1]), token=w.clients[1].token)


@case(f"POST {M}/rooms/{{room_id}}/kick", f"POST {M}/rooms/{{room_id}}/ban")
async def remove(w: World) -> Ask:
    return Ask({"user_id": w.clients[1].user_id}, path=await w.room(w.clients[1]))


@case(f"POST {M}/rooms/{{room_id}}/unban")
async def unban(w: World) -> Ask:
    at, body = await w.room(w.clients[1]), {"user_id": w.clients[1].user_id}
    await w.clients[0].call("POST", path(at["room_id"], "ban"), body=body)
    return Ask(body, path=at)


@case(f"POST {M}/rooms/{{room_id}}/invite")
async def invite(w: World) -> Ask:
    return Ask({"user_id": w.clients[1].user_id}, path=await w.room())


@case(f"POST {M}/rooms/{{room_id}}/upgrade")
async def upgrade(w: World) -> Ask:
    return Ask({"new_version": "11"}, path=await w.room())


@case(
    f"PUT {M}/rooms/{{room_id}}/redact/{{event_id}}/{{txn_id}}",
    f"POST {M}/rooms/{{room_id}}/redact/{{event_id}}",
)
async def redact(w: World) -> Ask:
    return Ask(path={"event_id": await say(w.clients[0], w.room_id, f"x{next(w.numbers)}")})


@case(f"POST {M}/rooms/{{room_id}}/receipt/{{type}}/{{event_id}}")
async def receipt(_w: World) -> Ask:
    return Ask(path={"type": "m.read"})


@case(f"GET {M}/rooms/{{room_id}}/state/{{type}}/{{state_key}}", f"GET {M}/rooms/{{room_id}}/state/{{type}}")
async def state(_w: World) -> Ask:
    return Ask(path={"type": "m.room.create"})


@case(f"PUT {M}/rooms/{{room_id}}/state/{{type}}/{{state_key}}", f"PUT {M}/rooms/{{room_id}}/state/{{type}}")
async def set_state(_w: World) -> Ask:
    return Ask({"topic": "x"}, path={"type": "m.room.topic"})


@case(f"POST {M}/users/{{user_id}}/report")
async def report_user(w: World) -> Ask:
    return Ask(path={"user_id": w.clients[1].user_id})


@case("POST /_matrix/media/v3/upload", "POST /_matrix/media/v1/upload")
async def upload_file(_w: World) -> Ask:
    return Ask(data=b"x")


@case("PUT /_matrix/media/v3/upload/{server_name}/{media_id}")
async def upload_later(w: World) -> Ask:
    made = await w.clients[0].call("POST", "/_matrix/media/v1/create")
    return Ask(data=b"x", path={"media_id": made["content_uri"].rpartition("/")[2]})


@case("POST /_synapse/admin/v1/register")
async def shared_secret(w: World) -> Ask:
    nonce = (await Client(w.session).call("GET", "/_synapse/admin/v1/register"))["nonce"]
    name = w.someone
    text = "\0".join([nonce, name, PASSWORD, "notadmin"])
    mac = hmac.new(SECRET.encode(), text.encode(), "sha1").hexdigest()
    return Ask({"nonce": nonce, "username": name, "password": PASSWORD, "mac": mac})


@case(f"POST {K}/upload-file")
async def market_upload(_w: World) -> Ask:
    return Ask(form=form(picture(8, 8), "a.png"))


@case(f"POST {K}/file-uploaded")
async def market_uploaded(w: World) -> Ask:
    made = await w.shoppers[1].call("POST", "upload-file", data=form(picture(8, 8), "a.png"))
    return Ask(query={"file_id": made["file_id"]})


@case(f"POST {K}/chats/{{chat_id}}/invite-support", f"DELETE {K}/chats/{{chat_id}}")
async def another_chat(w: World) -> Ask:
    return Ask(path=await w.market_chat())


@case(f"POST {K}/chats/{{chat_id}}/join-support")
async def join_support(w: World) -> Ask:
    at = await w.market_chat()
    await w.shoppers[1].call("POST", f"chats/{at['chat_id']}/invite-support")
    return Ask(path=at, token=w.support.headers["Authorization"].removeprefix("Bearer "))


@case(f"POST {K}/chats/{{chat_id}}/leave-support")
async def leave_support(w: World) -> Ask:
    asked = await join_support(w)
    await w.support.call("POST", f"chats/{asked.path['chat_id']}/join-support")
    return asked


@case(f"GET {K}/chats/support/pending")
async def pending(w: World) -> Ask:
    return Ask(token=w.support.headers["Authorization"].removeprefix("Bearer "))


@case(f"POST {K}/chats/{{chat_id}}/block", f"DELETE {K}/chats/{{chat_id}}/block")
async def market_block(w: World) -> Ask:
    """By the seller, of a buyer whom nobody needs any more."""
    number = fresh_number(100 + next(w.numbers))
    made = await registered(w.session, number).open(seller=w.users[0].id)
    return Ask(path={"chat_id": str(made["id"])}, token=w.users[0].token)


@case(f"POST {M}/rooms/{{room_id}}/report/{{event_id}}")
async def report_event(w: World) -> Ask:
    return Ask(path={"event_id": await say(w.clients[1], w.room_id, f"x{next(w.numbers)}")})
