"""The marketplace's API."""

import itertools
from io import BytesIO
from typing import Any

import aiohttp

from tests.bridges.marketplace.people import API, LISTING, Shopper, guest, registered
from tests.races.kit import Look, Race, World, calls, case, sees

CHAT = API + "/chats/{chat_id:int}"
_numbers = itertools.count(1_000_000)


def _account(world: World, name: str = "seller", **claims: Any) -> Shopper:
    return registered(world.session, next(_numbers), username=name, **claims)


def seen_of(who: Shopper, chat: Any) -> list[Look]:
    seller = str(who.name == str(chat["seller_id"])).lower()
    return sees(
        who,
        f"{API}/chats/my?user_id={who.name}&is_seller={seller}",
        f"{API}/chats/{chat['id']}/messages?user_id={who.name}",
    )


async def sending_chat(world: World) -> tuple[Shopper, Shopper, Any]:
    """A guest who asks a seller, and their chat."""
    buyer, seller = guest(world.session), _account(world)
    await seller.call("GET", f"chats/my?user_id={seller.name}&is_seller=true")  # is known by now
    chat = await buyer.open(seller=int(seller.name))
    await buyer.say(chat, "hello")
    return buyer, seller, chat


async def _race(world: World, method: str, verb: str, *, who: str = "buyer", **options: Any) -> Race:
    """A call about a chat, by the guest or by the seller."""
    buyer, seller, chat = await sending_chat(world)
    caller = buyer if who == "buyer" else seller
    at = f"{API}/chats/{chat['id']}{verb}?user_id={caller.name}"
    return calls([caller], method, at, looks=[*seen_of(seller, chat), *seen_of(buyer, chat)], **options)


@case("POST", f"{API}/chats")
async def open_chat(world: World) -> Race:
    buyer, seller = guest(world.session), _account(world)
    body = {"iphone_id": LISTING, "seller_id": int(seller.name), "buyer_id": buyer.name}
    look = f"{API}/chats/my?user_id={seller.name}&is_seller=true"
    return calls([buyer], "POST", f"{API}/chats", json=body, looks=sees(seller, look))


@case("POST", f"{CHAT}/read")
async def read(world: World) -> Race:
    return await _race(world, "POST", "/read", who="seller")


@case("POST", f"{CHAT}/hide")
async def hide(world: World) -> Race:
    return await _race(world, "POST", "/hide", who="seller")


@case("DELETE", CHAT)
async def delete(world: World) -> Race:
    return await _race(world, "DELETE", "", who="seller")


@case("POST", f"{API}/chats/hide-for-order", survives=False)  # its key is made in the process of the tests
async def hide_for_order(world: World) -> Race:
    buyer, seller = _account(world), _account(world)
    await seller.call("GET", f"chats/my?user_id={seller.name}&is_seller=true")
    chat = await buyer.open(listing=int(seller.name), seller=int(seller.name))
    backend = Shopper(world.session, "", {"X-Service-Key": world.service_key})
    at = f"{API}/chats/hide-for-order?post_id={seller.name}&buyer_id={buyer.name}"
    return calls([backend], "POST", at, looks=seen_of(seller, chat))


@case("POST", f"{API}/guests/claim")
async def claim(world: World) -> Race:
    buyer, seller, chat = await sending_chat(world)
    account = _account(world)
    body = {"guest_id": buyer.name}
    looks = [*seen_of(seller, chat), *seen_of(account, chat)]
    return calls([account], "POST", f"{API}/guests/claim", json=body, looks=looks)


@case("POST", f"{CHAT}/invite-support")
async def invite_support(world: World) -> Race:
    return await _race(world, "POST", "/invite-support")


async def _support(world: World, verb: str, *, joined: bool) -> Race:
    buyer, seller, chat = await sending_chat(world)
    await buyer.post(chat, "invite-support")
    one, two = [_account(world, user_type="support") for _ in range(2)]
    for each in (one, two):
        await each.call("GET", "chats/support/pending")
    if joined:
        await one.post(chat, "join-support", who="support_user_id")
    at = f"{API}/chats/{chat['id']}/{verb}"
    callers = [one] if joined else [one, two]
    return calls(callers, "POST", at, looks=[*seen_of(seller, chat), *seen_of(buyer, chat)])


@case("POST", f"{CHAT}/join-support", several=True)
async def join_support(world: World) -> Race:
    return await _support(world, "join-support", joined=False)


@case("POST", f"{CHAT}/leave-support")
async def leave_support(world: World) -> Race:
    return await _support(world, "leave-support", joined=True)


@case("POST", f"{CHAT}/block")
async def block(world: World) -> Race:
    return await _race(world, "POST", "/block", who="seller")


@case("DELETE", f"{CHAT}/block")
async def unblock(world: World) -> Race:
    _, seller, chat = await sending_chat(world)
    await seller.call("POST", f"chats/{chat['id']}/block?user_id={seller.name}")
    at = f"{API}/chats/{chat['id']}/block?user_id={seller.name}"
    return calls([seller], "DELETE", at, looks=seen_of(seller, chat))


@case("POST", f"{CHAT}/report")
async def report(world: World) -> Race:
    buyer, seller, chat = await sending_chat(world)
    said = await buyer.say(chat, "spam")
    at = f"{API}/chats/{chat['id']}/report?user_id={seller.name}"
    return calls([seller], "POST", at, json={"message_id": said["id"], "reason": "spam"})


@case("POST", f"{CHAT}/messages")
async def send(world: World) -> Race:
    buyer, seller, chat = await sending_chat(world)
    body = {"message_text": "once", "sender_id": buyer.name, "client_id": "once"}
    at = f"{API}/chats/{chat['id']}/messages"
    return calls([buyer], "POST", at, json=body, looks=seen_of(seller, chat))


def _file() -> aiohttp.FormData:
    data = aiohttp.FormData()
    data.add_field("file", BytesIO(b"%PDF-1.4"), filename="a.pdf", content_type="application/pdf")
    return data


@case("POST", f"{API}/upload-file")
async def upload(world: World) -> Race:
    buyer, _, _ = await sending_chat(world)
    return calls([buyer], "POST", f"{API}/upload-file?user_id={buyer.name}", data=_file)


@case("POST", f"{API}/upload-url")
async def upload_url(world: World) -> Race:
    buyer, _, _ = await sending_chat(world)
    at = f"{API}/upload-url?file_name=a.pdf&content_type=application/pdf&user_id={buyer.name}"
    return calls([buyer], "POST", at)


@case("POST", f"{API}/file-uploaded")
async def file_uploaded(world: World) -> Race:
    buyer, _, _ = await sending_chat(world)
    query = f"file_name=a.pdf&content_type=application/pdf&user_id={buyer.name}"
    place = await buyer.call("POST", f"upload-url?{query}")
    address = place["upload_url"].partition(API + "/")[2]
    await buyer.call("POST", address, data=_file())
    at = f"{API}/file-uploaded?file_id={place['id']}&file_name=a.pdf&file_size=8&user_id={buyer.name}"
    return calls([buyer], "POST", at)


def _subscription(world: World) -> dict[str, Any]:
    key = "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM"
    keys = {"p256dh": key, "auth": "tBHItJI5svbpez7KI4CCXg"}
    return {"endpoint": f"https://push.example.org/{world.name}", "keys": keys}


@case("POST", f"{API}/push/subscribe")
async def subscribe(world: World) -> Race:
    _, seller, _ = await sending_chat(world)
    at = f"{API}/push/subscribe?user_id={seller.name}"
    return calls([seller], "POST", at, json=_subscription(world))


@case("POST", f"{API}/push/unsubscribe")
async def unsubscribe(world: World) -> Race:
    _, seller, _ = await sending_chat(world)
    body = _subscription(world)
    await seller.call("POST", f"push/subscribe?user_id={seller.name}", json=body)
    at = f"{API}/push/unsubscribe?user_id={seller.name}"
    return calls([seller], "POST", at, json={"endpoint": body["endpoint"]})
