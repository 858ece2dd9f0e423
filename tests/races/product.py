"""The university's and the messenger's APIs."""

from io import BytesIO
from typing import Any

import aiohttp

from tests.api.driver import User
from tests.races.kit import PASSWORD, Look, Person, Race, World, calls, case, sees

CHAT = "/api/unet-chat"
API = "/api/v1"
CONVERSATION = CHAT + "/conversations/{conversation_id:uuid}"


def listed(*users: User) -> list[Look]:
    """The lists of chats of both APIs, as these people see them."""
    return [look for one in users for look in sees(one, f"{CHAT}/conversations/", f"{API}/chats/")]


def inside(user: User, conversation: Any) -> list[Look]:
    """A conversation with its members and messages."""
    at = f"{CHAT}/conversations/{conversation['id']}"
    return sees(user, at, f"{at}/participants", f"{CHAT}/messages/{conversation['id']}")


async def sending_group(world: World, *, admins: bool = True) -> tuple[User, User, Any]:
    """Alice and Bob, both admins unless it is said otherwise, and their group."""
    alice, bob = await world.users("alice", "bob")
    made = await alice.group()
    body = {"user_id": bob.id, "role": "admin" if admins else "member"}
    await alice.chat("POST", f"conversations/{made['id']}/participants/", json=body)
    return alice, bob, made


@case("POST", f"{CHAT}/conversations")
async def new_group(world: World) -> Race:
    (alice,) = await world.users("alice")
    body = {"type": "group", "title": "Plans"}
    return calls([alice], "POST", f"{CHAT}/conversations/", json=body, looks=listed(alice))


@case("POST", f"{CHAT}/conversations", several=True)
async def group_of_an_object(world: World) -> Race:
    alice, bob = await world.users("alice", "bob")
    body = {"type": "group", "title": "Course", "service": "course", "service_id": world.name}
    return calls([alice, bob], "POST", f"{CHAT}/conversations/", json=body, looks=listed(alice))


@case("POST", f"{CHAT}/conversations", several=True)
async def private_conversation(world: World) -> Race:
    alice, bob = await world.users("alice", "bob")

    def body(who: Person, _: int) -> Any:
        return {"type": "private", "participant_ids": [bob.id if who is alice else alice.id]}

    return calls([alice, bob], "POST", f"{CHAT}/conversations/", json=body, looks=listed(alice, bob))


@case("PATCH", CONVERSATION, several=True)
async def change_conversation(world: World) -> Race:
    alice, bob, made = await sending_group(world)
    at = f"{CHAT}/conversations/{made['id']}"
    return calls([alice, bob], "PATCH", at, json={"title": "New"}, looks=inside(alice, made))


@case("DELETE", CONVERSATION, several=True)
async def leave_conversation(world: World) -> Race:
    alice, bob, made = await sending_group(world)
    at = f"{CHAT}/conversations/{made['id']}"
    return calls([alice, bob], "DELETE", at, looks=listed(alice, bob))


@case("DELETE", CONVERSATION)
async def leave_as_a_member(world: World) -> Race:
    alice, bob, made = await sending_group(world, admins=False)
    at = f"{CHAT}/conversations/{made['id']}"
    return calls([bob], "DELETE", at, looks=[*listed(bob), *inside(alice, made)])


@case("POST", f"{CONVERSATION}/participants", several=True)
async def add_participant(world: World) -> Race:
    alice, bob, made = await sending_group(world)
    (carol,) = await world.users("carol")
    at = f"{CHAT}/conversations/{made['id']}/participants/"
    looks = [*inside(alice, made), *listed(carol)]
    return calls([alice, bob], "POST", at, json={"user_id": carol.id}, looks=looks)


@case("POST", f"{CONVERSATION}/participants", survives=False)  # the end tells which was answered
async def add_many_admins(world: World) -> Race:
    """Four people at once: all are admins."""
    alice, _, made = await sending_group(world)
    others = await world.users(*(f"carol{n}" for n in range(4)))

    def body(_: Person, n: int) -> Any:
        return {"user_id": others[n].id, "role": "admin"}

    async def roles() -> Any:
        found = await alice.chat("GET", f"conversations/{made['id']}/participants")
        return sorted((one["role"], one["first_name"]) for one in found)

    at = f"{CHAT}/conversations/{made['id']}/participants/"
    return calls([alice], "POST", at, json=body, looks=[roles])


@case("DELETE", f"{CONVERSATION}/participants/{{user_id:int}}", several=True)
async def remove_participant(world: World) -> Race:
    alice, bob, made = await sending_group(world)
    (carol,) = await world.users("carol")
    await alice.chat("POST", f"conversations/{made['id']}/participants/", json={"user_id": carol.id})
    at = f"{CHAT}/conversations/{made['id']}/participants/{carol.id}"
    return calls([alice, bob], "DELETE", at, looks=[*inside(alice, made), *listed(carol)])


@case("DELETE", f"{CONVERSATION}/participants/{{user_id:int}}", several=True)
async def all_admins_leave(world: World) -> Race:
    """Both admins go at once: the third is left, as an admin."""
    alice, bob, made = await sending_group(world)
    (carol,) = await world.users("carol")
    await alice.chat("POST", f"conversations/{made['id']}/participants/", json={"user_id": carol.id})

    def at(who: Person, _: int) -> str:
        number = alice.id if who is alice else bob.id
        return f"{CHAT}/conversations/{made['id']}/participants/{number}"

    return calls([alice, bob], "DELETE", at, looks=inside(carol, made))


@case("POST", f"{CONVERSATION}/read", several=True)
async def read(world: World) -> Race:
    alice, bob, made = await sending_group(world)
    (carol,) = await world.users("carol")
    await alice.chat("POST", f"conversations/{made['id']}/participants/", json={"user_id": carol.id})
    await carol.say(made, "hello")
    at = f"{CHAT}/conversations/{made['id']}/read"
    return calls([alice, bob], "POST", at, json={}, looks=[*inside(carol, made), *listed(alice)])


@case("POST", f"{CHAT}/messages", several=True)
async def send(world: World) -> Race:
    alice, bob, made = await sending_group(world)
    body = {"conversation_id": made["id"], "text": "once", "client_id": "once"}
    return calls([alice, bob], "POST", f"{CHAT}/messages/", json=body, looks=inside(bob, made))


@case("PUT", f"{CHAT}/messages/{{message_id:uuid}}")
async def edit(world: World) -> Race:
    alice, bob, made = await sending_group(world)
    said = await alice.say(made, "hello")
    at = f"{CHAT}/messages/{said['id']}"
    return calls([alice], "PUT", at, json={"text": "hallo"}, looks=inside(bob, made))


@case("DELETE", f"{CHAT}/messages/{{message_id:uuid}}", several=True)
async def delete(world: World) -> Race:
    alice, bob, made = await sending_group(world)
    said = await alice.say(made, "hello")
    return calls([alice, bob], "DELETE", f"{CHAT}/messages/{said['id']}", looks=inside(bob, made))


@case("POST", f"{CHAT}/messages/{{message_id:uuid}}/report")
async def report(world: World) -> Race:
    alice, bob, made = await sending_group(world)
    said = await bob.say(made, "hello")
    return calls([alice], "POST", f"{CHAT}/messages/{said['id']}/report", json={"reason": "spam"})


@case("POST", f"{CHAT}/attachments")
async def attach(world: World) -> Race:
    alice, bob, made = await sending_group(world)

    def form() -> aiohttp.FormData:
        data = aiohttp.FormData()
        data.add_field("conversation_id", made["id"])
        data.add_field("file", BytesIO(b"hello"), filename="hello.txt", content_type="text/plain")
        return data

    return calls([alice], "POST", f"{CHAT}/attachments/", data=form, looks=inside(bob, made))


@case("POST", f"{CHAT}/users/{{user_id:int}}/block")
async def block(world: World) -> Race:
    alice, bob, _ = await sending_group(world)
    at = f"{CHAT}/users/{bob.id}/block"
    return calls([alice], "POST", at, looks=sees(alice, f"{CHAT}/users/blocked/"))


@case("DELETE", f"{CHAT}/users/{{user_id:int}}/block")
async def unblock(world: World) -> Race:
    alice, bob, _ = await sending_group(world)
    await alice.chat("POST", f"users/{bob.id}/block", 204)
    at = f"{CHAT}/users/{bob.id}/block"
    return calls([alice], "DELETE", at, looks=sees(alice, f"{CHAT}/users/blocked/"))


# --- messenger ---


@case("POST", f"{API}/auth/register")
async def register(world: World) -> Race:
    body = {"email": f"new.{world.name}@example.org", "password": PASSWORD, "display_name": "New"}
    return calls([User(world.session, "", 0)], "POST", f"{API}/auth/register", json=body)


@case("POST", f"{API}/auth/login")
async def login(world: World) -> Race:
    await world.users("alice")
    body = {"email": f"alice.{world.name}@example.org", "password": PASSWORD}
    return calls([User(world.session, "", 0)], "POST", f"{API}/auth/login", json=body)


@case("POST", f"{API}/auth/refresh")
async def refresh(world: World) -> Race:
    (alice,) = await world.users("alice")
    body = {"refresh_token": alice.refresh_token}
    return calls([User(world.session, "", 0)], "POST", f"{API}/auth/refresh", json=body)


@case("POST", f"{API}/auth/logout")
async def logout(world: World) -> Race:
    (alice,) = await world.users("alice")
    body = {"refresh_token": alice.refresh_token}
    return calls([alice], "POST", f"{API}/auth/logout", json=body, looks=sees(alice, f"{API}/users/me"))


@case("PATCH", f"{API}/users/me")
async def change_me(world: World) -> Race:
    (alice,) = await world.users("alice")
    body = {"display_name": "Al"}
    return calls([alice], "PATCH", f"{API}/users/me", json=body, looks=sees(alice, f"{API}/users/me"))


@case("POST", f"{API}/chats/direct", several=True)
async def direct(world: World) -> Race:
    alice, bob = await world.users("alice", "bob")

    def body(who: Person, _: int) -> Any:
        return {"user_id": bob.id if who is alice else alice.id}

    return calls([alice, bob], "POST", f"{API}/chats/direct", json=body, looks=listed(alice, bob))


@case("POST", f"{API}/chats/group")
async def group(world: World) -> Race:
    alice, bob = await world.users("alice", "bob")
    body = {"title": "Plans", "user_ids": [bob.id]}
    return calls([alice], "POST", f"{API}/chats/group", json=body, looks=listed(alice, bob))


async def sending_chat(world: World) -> tuple[User, User, Any]:
    """A group of which both are admins, as the messenger has it."""
    alice, bob, _ = await sending_group(world)
    (chat,) = await alice.call("GET", f"{API}/chats/")
    return alice, bob, chat


def seen_in(user: User, chat: Any) -> list[Look]:
    return sees(user, f"{API}/chats/{chat['id']}", f"{API}/chats/{chat['id']}/messages")


@case("POST", f"{API}/chats/{{chat_id:int}}/members/{{user_id:int}}", several=True)
async def add_member(world: World) -> Race:
    alice, bob, chat = await sending_chat(world)
    (carol,) = await world.users("carol")
    at = f"{API}/chats/{chat['id']}/members/{carol.id}"
    return calls([alice, bob], "POST", at, looks=[*seen_in(bob, chat), *listed(carol)])


@case("DELETE", f"{API}/chats/{{chat_id:int}}/members/{{user_id:int}}", several=True)
async def remove_member(world: World) -> Race:
    alice, bob, chat = await sending_chat(world)
    (carol,) = await world.users("carol")
    at = f"{API}/chats/{chat['id']}/members/{carol.id}"
    await alice.call("POST", at, 200)
    return calls([alice, bob], "DELETE", at, looks=[*seen_in(bob, chat), *listed(carol)])


@case("POST", f"{API}/messages", several=True)
async def send_message(world: World) -> Race:
    alice, bob, chat = await sending_chat(world)
    body = {"chat_id": chat["id"], "type": "text", "content": "once", "client_id": "once"}
    return calls([alice, bob], "POST", f"{API}/messages", json=body, looks=seen_in(bob, chat))


async def _said(who: User, chat: Any) -> str:
    body = {"chat_id": chat["id"], "type": "text", "content": "hello"}
    return f"{API}/messages/{(await who.call('POST', f'{API}/messages', 201, json=body))['id']}"


@case("PATCH", f"{API}/messages/{{message_id:int}}")
async def edit_message(world: World) -> Race:
    alice, bob, chat = await sending_chat(world)
    at = await _said(alice, chat)
    return calls([alice], "PATCH", at, json={"content": "hallo"}, looks=seen_in(bob, chat))


@case("DELETE", f"{API}/messages/{{message_id:int}}", several=True)
async def delete_message(world: World) -> Race:
    alice, bob, chat = await sending_chat(world)
    return calls([alice, bob], "DELETE", await _said(alice, chat), looks=seen_in(bob, chat))


@case("POST", f"{API}/messages/{{message_id:int}}/report")
async def report_message(world: World) -> Race:
    alice, bob, chat = await sending_chat(world)
    return calls([alice], "POST", f"{await _said(bob, chat)}/report", json={"reason": "spam"})


@case("POST", f"{API}/chats/{{chat_id:int}}/read")
async def read_chat(world: World) -> Race:
    alice, bob, chat = await sending_chat(world)
    await _said(bob, chat)
    at = f"{API}/chats/{chat['id']}/read"
    return calls([alice], "POST", at, json={}, looks=[*seen_in(alice, chat), *seen_in(bob, chat)])


@case("POST", f"{API}/users/{{user_id:int}}/block")
async def block_user(world: World) -> Race:
    alice, bob = await world.users("alice", "bob")
    at = f"{API}/users/{bob.id}/block"
    return calls([alice], "POST", at, looks=sees(alice, f"{API}/users/blocked"))


@case("DELETE", f"{API}/users/{{user_id:int}}/block")
async def unblock_user(world: World) -> Race:
    alice, bob = await world.users("alice", "bob")
    at = f"{API}/users/{bob.id}/block"
    await alice.call("POST", at, 204)
    return calls([alice], "DELETE", at, looks=sees(alice, f"{API}/users/blocked"))
