"""What Matrix clients may not do to rooms of the products, and that these rooms go on as the products know them."""

from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from homeserver.lifecycle import Running
from homeserver.model import (
    CALLED_KEY,
    CLOSED_EVENT,
    ENQUIRY_EVENT,
    FILE_URL_KEY,
    KIND_KEY,
    LINK_EVENT,
    LogPosition,
)
from homeserver.storage import events, rooms
from tests.api.driver import User
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, texts
from tests.api.matrix.slidekit import Slider, a_list
from tests.api.messenger.wire import v1
from tests.bridges.marketplace.people import Shopper, guest, registered, token
from tests.faces.hands import place
from tests.names import fresh_number

pytestmark = pytest.mark.both

ALICE, BOB, CAROL = 2, 7, 9


@dataclass
class People:
    """Three people, each at the products and with a Matrix client."""

    server: Running
    users: dict[int, User]
    clients: dict[int, Client]

    async def room(self, product_id: int) -> str:
        async with self.server.hs.core.db.read() as conn:
            return str(await rooms.room_at(conn, LogPosition(product_id)))

    async def group(self) -> tuple[Any, str]:
        """Alice's, with Bob."""
        made = await self.users[ALICE].group(self.users[BOB])
        return made, await self.room(place(made["id"]))

    async def private(self) -> tuple[Any, str]:
        made = await self.users[ALICE].private(self.users[BOB])
        return made, await self.room(place(made["id"]))


@pytest.fixture
async def people(server: Running, client: aiohttp.ClientSession) -> People:
    users, clients = {}, {}
    for who, name in ((ALICE, "Alice"), (BOB, "Bob"), (CAROL, "Carol")):
        number = fresh_number(who)
        users[who] = User(client, token(number, username=name), number, name)
        body = {"type": "org.matrix.login.jwt", "token": users[who].token}
        nobody = Client(client)
        clients[who] = nobody.of(await nobody.call("POST", "login", body=body))
    return People(server, users, clients)


def state(room_id: str, kind: str, key: str = "") -> str:
    return path(room_id, f"state/{kind}/{key}")


async def refused(client: Client, method: str, at: str, body: Any) -> None:
    assert await client.errcode(method, at, 403, body=body) == "M_FORBIDDEN", at


PRIVATE_STATE = [
    ("m.room.name", {"name": "Ours"}),
    ("m.room.topic", {"topic": "Ours"}),
    ("m.room.power_levels", {"users": {}}),
    ("m.room.join_rules", {"join_rule": "public"}),
    ("m.room.history_visibility", {"history_visibility": "world_readable"}),
    ("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"}),
    ("m.room.tombstone", {"body": "moved", "replacement_room": "!x:test.example"}),
    (LINK_EVENT, {"service": "course", "service_id": "1"}),
    (CLOSED_EVENT, {"closed_by": "@market_2:test.example"}),
    (ENQUIRY_EVENT, {"service": "iphone"}),
]


async def test_a_private_conversation_stays_between_its_two(people: People) -> None:
    made, room_id = await people.private()
    alice, bob, carol = (people.clients[one] for one in (ALICE, BOB, CAROL))
    for verb in ("invite", "ban"):
        await refused(alice, "POST", path(room_id, verb), {"user_id": carol.user_id})
    for verb in ("kick", "ban"):
        await refused(alice, "POST", path(room_id, verb), {"user_id": bob.user_id})
    invite, away = {"membership": "invite"}, {"membership": "leave"}
    await refused(alice, "PUT", state(room_id, "m.room.member", carol.user_id), invite)
    await refused(alice, "PUT", state(room_id, "m.room.member", bob.user_id), away)
    await refused(alice, "PUT", state(room_id, "m.room.member", alice.user_id), away)
    for kind, content in PRIVATE_STATE:
        await refused(alice, "PUT", state(room_id, kind), content)
    for event in await alice.call("GET", path(room_id, "state")):
        await refused(alice, "PUT", path(room_id, f"redact/{event['event_id']}/{event['type']}"), {})
    found = await people.users[BOB].chat("GET", f"conversations/{made['id']}")
    assert [one["user_id"] for one in found["participants"]] == [people.users[one].id for one in (ALICE, BOB)]


async def test_who_leaves_by_matrix_can_begin_anew_at_the_product(people: People) -> None:
    made, room_id = await people.private()
    await people.clients[BOB].call("POST", path(room_id, "leave"), body={})
    anew = await people.users[ALICE].private(people.users[BOB])
    assert anew["id"] != made["id"]


async def test_a_reason_for_leaving_a_group_is_kept(people: People) -> None:
    _, room_id = await people.group()
    alice, bob = people.clients[ALICE], people.clients[BOB]
    await bob.call("POST", path(room_id, "leave"), body={"reason": "the course is over"})
    gone = await alice.call("GET", state(room_id, "m.room.member", bob.user_id))
    assert gone == {"membership": "leave", "reason": "the course is over"}


async def test_a_group_stays_the_products(people: People) -> None:
    made, room_id = await people.group()
    alice, bob, carol = (people.clients[one] for one in (ALICE, BOB, CAROL))
    for kind, content in PRIVATE_STATE[3:]:
        await refused(alice, "PUT", state(room_id, kind), content)
    await refused(alice, "PUT", state(room_id, "m.room.power_levels"), {"users": {}})
    await refused(bob, "POST", path(room_id, "invite"), {"user_id": carol.user_id})
    await alice.call("PUT", state(room_id, "m.room.name"), body={"name": "Chess"})
    await alice.call("POST", path(room_id, "invite"), body={"user_id": carol.user_id})
    found = await people.users[CAROL].chat("GET", f"conversations/{made['id']}")
    assert (found["title"], len(found["participants"])) == ("Chess", 3)
    await alice.call("POST", path(room_id, "kick"), body={"user_id": carol.user_id})
    assert await people.users[CAROL].chat("GET", "conversations/") == []
    await alice.call("POST", path(room_id, "leave"), body={})
    assert await people.users[BOB].chat("GET", "conversations/")
    levels = await bob.call("GET", state(room_id, "m.room.power_levels"))
    assert levels["users"][bob.user_id] == 50


async def test_nobody_sets_up_a_room_as_if_a_product_had(people: People) -> None:
    alice = people.clients[ALICE]
    for kind in (LINK_EVENT, ENQUIRY_EVENT, CLOSED_EVENT):
        request = {"initial_state": [{"type": kind, "content": {"service": "course", "service_id": "1"}}]}
        await refused(alice, "POST", "createRoom", request)
    room_id = await create(alice, creation_content={KIND_KEY: "private"})
    assert KIND_KEY not in await alice.call("GET", state(room_id, "m.room.create"))
    await alice.call("PUT", state(room_id, "m.room.join_rules"), body={"join_rule": "public"})


async def test_what_is_said_by_matrix_speaks_for_its_sender_only(people: People) -> None:
    made, room_id = await people.group()
    alice, bob = people.clients[ALICE], people.clients[BOB]
    said = await say(alice, room_id, "hello")
    part = {"rel_type": "chat.homeserver.attachment", "event_id": said}
    send = path(room_id, "send/m.room.message/1")
    await refused(bob, "PUT", send, {"msgtype": "m.file", "body": "x", "m.relates_to": part})
    await refused(bob, "PUT", send, {"msgtype": "m.notice", "body": "The support has come"})
    await refused(bob, "PUT", path(room_id, "send/m.room.encrypted/1"), {"ciphertext": "x"})
    evil = {CALLED_KEY: "file", FILE_URL_KEY: "javascript:alert(1)", "filename": "x"}
    await say(bob, room_id, "look", **evil)
    shown = (await people.users[ALICE].chat("GET", f"messages/{made['id']}"))[-1]
    assert (shown["text"], shown["attachments"]) == ("look", [])


async def test_a_deleted_message_takes_its_edits_along(people: People) -> None:
    made, room_id = await people.group()
    bob = people.clients[BOB]
    sent = await people.users[ALICE].say(made, "a secret")
    await people.users[ALICE].chat("PUT", f"messages/{sent['id']}", json={"text": "nothing"})
    page = (await bob.call("GET", path(room_id, "messages?dir=b")))["chunk"]
    assert texts(page) == ["* nothing", "a secret"]
    original = page[1]["event_id"]
    await refused(bob, "PUT", path(room_id, f"redact/{original}/1"), {})
    await people.clients[ALICE].call("PUT", path(room_id, f"redact/{original}/1"), body={"reason": "no"})
    page = (await bob.call("GET", path(room_id, "messages?dir=b")))["chunk"]
    assert texts(page) == ["", ""]
    assert not [one for one in page if "m.relations" in one["unsigned"]]
    assert await people.users[BOB].texts(made) == []


async def test_a_block_and_the_end_of_a_chat_hold_for_matrix(people: People) -> None:
    session = people.users[ALICE].session
    buyer, seller = registered(session, people.users[BOB].id), people.clients[ALICE]
    chat = await buyer.open(seller=people.users[ALICE].id)
    room_id = await people.room(chat["id"])
    await people.clients[BOB].call("PUT", path(room_id, "send/m.room.message/1"), body=text("hello"))
    await seller.call("PUT", path(room_id, "send/m.room.message/1"), body=text("good day"))
    await v1(people.users[ALICE], "POST", f"users/{people.users[BOB].id}/block", 204)
    for client in (seller, people.clients[BOB]):
        await refused(client, "PUT", path(room_id, "send/m.room.message/2"), text("again"))
        await refused(client, "PUT", path(room_id, f"typing/{client.user_id}"), {"typing": True})
    await close(buyer, chat)
    assert room_id not in (await seller.call("GET", "joined_rooms"))["joined_rooms"]
    await refused(seller, "PUT", path(room_id, "send/m.room.message/3"), text("still there?"))
    await refused(seller, "POST", path(room_id, "join"), {})


async def test_a_guest_and_a_seller_with_a_matrix_client(people: People) -> None:
    visitor = guest(people.users[ALICE].session)
    chat = await visitor.open(seller=people.users[ALICE].id)
    room_id, seller = await people.room(chat["id"]), people.clients[ALICE]
    question = await visitor.say(chat, "is it new?")
    first = await seller.call("GET", "sync")
    room = first["rooms"]["join"][room_id]
    assert room["summary"]["m.joined_member_count"] == 2
    asked = room["timeline"]["events"][-1]
    members = (await seller.call("GET", path(room_id, "joined_members")))["joined"]
    assert members[asked["sender"]]["display_name"] == "Guest"
    linked = await seller.call("GET", state(room_id, ENQUIRY_EVENT))
    assert (linked["owner"], linked["service_id"]) == (seller.user_id, str(chat["iphone_id"]))
    reply = {"m.in_reply_to": {"event_id": asked["event_id"]}}
    await say(seller, room_id, "as new", **{"m.relates_to": reply})
    answer = (await visitor.messages(chat))[-1]
    assert (answer["message_text"], answer["sender_id"]) == ("as new", str(people.users[ALICE].id))
    assert (await visitor.messages(chat))[0]["id"] == question["id"]


async def test_private_conversations_are_direct_chats(people: People) -> None:
    alice, bob, carol = (people.clients[one] for one in (ALICE, BOB, CAROL))
    _, with_bob = await people.private()
    await people.group()
    before = await alice.call("GET", "sync")
    assert direct(before) == {bob.user_id: [with_bob]}
    chat = await registered(people.users[ALICE].session, people.users[CAROL].id).open(
        seller=people.users[ALICE].id
    )
    with_carol = await people.room(chat["id"])
    after = await alice.call("GET", "sync", params={"since": before["next_batch"], "timeout": 5000})
    assert direct(after) == {bob.user_id: [with_bob], carol.user_id: [with_carol]}
    own = {bob.user_id: "of any form", "more": [1]}
    await alice.call("PUT", f"user/{alice.user_id}/account_data/m.direct", body=own)
    again = await alice.call("GET", "sync")
    assert direct(again) == {**own, bob.user_id: [with_bob], carol.user_id: [with_carol]}
    assert direct(await alice.call("GET", "sync", params={"since": again["next_batch"]})) is None


async def test_sliding_clients_hear_of_direct_chats_too(people: People) -> None:
    _, with_bob = await people.private()
    await people.group()
    slider = Slider(people.clients[ALICE], {"lists": {"all": a_list([0, 9]), "direct": a_list(is_dm=True)}})
    lists = (await slider.sync())["lists"]
    assert (lists["all"]["count"], lists["direct"]["count"]) == (2, 1)
    assert slider.rooms[with_bob]["is_dm"] is True


def direct(answer: Any) -> Any:
    """What a sync says of direct chats."""
    told = answer.get("account_data", {}).get("events", [])
    return next((one["content"] for one in told if one["type"] == "m.direct"), None)


def text(body: str) -> dict[str, str]:
    return {"msgtype": "m.text", "body": body}


async def close(shopper: Shopper, chat: Any) -> None:
    await shopper.call("DELETE", f"chats/{chat['id']}", params={"user_id": shopper.name})


async def test_a_message_answers_nothing_of_another_room(people: People) -> None:
    """Over Matrix anybody may write any id into an event: what is of another room is taken for nothing."""
    made, _ = await people.private()
    said = await people.users[ALICE].say(made, "for Bob alone")
    async with people.server.hs.core.db.read() as conn:
        event_id = (await events.events_at(conn, [place(said["id"])]))[place(said["id"])].event.event_id
    user, client = people.users[CAROL], people.clients[CAROL]
    hers = await create(client)
    own = await say(client, hers, "her own")
    for text, target in (("no answer", event_id), ("an answer", own)):
        await say(client, hers, text, **{"m.relates_to": {"m.in_reply_to": {"event_id": target}}})
    [here] = await user.chat("GET", "conversations/")
    first, *answers = await user.chat("GET", f"messages/{here['id']}")
    told = [(one["text"], one["reply_to"]) for one in answers]
    assert told == [("no answer", None), ("an answer", first["id"])]
    async with user.socket(here) as ear:
        edit = {"m.relates_to": {"rel_type": "m.replace", "event_id": event_id}}
        await say(client, hers, "no edit", **edit, **{"m.new_content": {"msgtype": "m.text", "body": "x"}})
        await say(client, hers, "the last")
        last = await ear.until("message:new")
        assert last["text"] == "the last"
        assert [frame for frame in ear.seen if frame["type"] == "message:edited"] == []


async def test_what_edits_nothing_is_no_news(people: People) -> None:
    """An m.replace by somebody else, of an edit, or without new content: the message stays, and nobody is told."""
    made, room_id = await people.group()
    alice, bob = people.clients[ALICE], people.clients[BOB]
    said = await say(alice, room_id, "first")
    new = {"m.new_content": {"msgtype": "m.text", "body": "changed"}}

    def replaces(event_id: str) -> dict[str, Any]:
        return {"m.relates_to": {"rel_type": "m.replace", "event_id": event_id}}

    async with people.users[BOB].socket(made) as ear:
        edit = await say(alice, room_id, "* edited", **new, **replaces(said))
        assert (await ear.until("message:edited"))["text"] == "changed"
        told = len(ear.seen)
        await say(bob, room_id, "* by another", **new, **replaces(said))
        await say(alice, room_id, "* of an edit", **new, **replaces(edit))
        await say(alice, room_id, "* empty", **replaces(said))
        await say(alice, room_id, "the last")
        await ear.until("message:new", lambda one: one["text"] == "the last")
        kinds = [frame["type"] for frame in ear.seen[told:]]
        assert "message:edited" not in kinds, kinds
    assert await people.users[BOB].texts(made) == ["changed", "the last"]
