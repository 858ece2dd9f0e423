"""The socket of a person: stories with two people, and a third who is added later."""

import asyncio
from typing import Any

import aiohttp
import pytest

from homeserver.api.messenger import schemas, shape
from homeserver.lifecycle import Running
from tests.api.driver import API, User
from tests.api.messenger.test_chats import conforms
from tests.api.messenger.wire import contents, direct, group, line, say, v1
from tests.api.university.test_auth import PORTAL, student
from tests.http.kit import until

UNKNOWN = 10**9


async def test_both_sides_get_the_same_message_with_the_same_id(alice: User, bob: User) -> None:
    chat = await direct(alice, bob)
    async with line(alice) as hers, line(bob) as his:
        await hers.say("message.send", chat_id=chat["id"], type="text", content="Привет!", payload={"n": 0.5})
        heard = [await one.next() for one in (hers, his)]
        assert heard[0] == heard[1]
        event, message = heard[0]
        conforms(schemas.Message, message)
        facts = (event, message["content"], message["author_id"], message["payload"])
        assert facts == ("message.created", "Привет!", alice.id, {"n": 0.5})
    assert await v1(bob, "GET", f"chats/{chat['id']}/messages") == [message], "equal to what REST returns"


async def test_what_is_sent_by_rest_is_heard_too(alice: User, bob: User) -> None:
    chat = await direct(alice, bob)
    async with line(bob) as his:
        sent = await say(alice, chat, "by REST")
        assert await his.next() == ("message.created", sent)
        edited = await v1(alice, "PATCH", f"messages/{sent['id']}", json={"content": "edited"})
        assert await his.next() == ("message.updated", edited)
        await v1(alice, "DELETE", f"messages/{sent['id']}", 204)
        assert await his.next() == ("message.deleted", {"id": sent["id"], "chat_id": chat["id"]})


async def test_one_socket_hears_all_chats_of_its_person_and_no_others(
    alice: User, bob: User, carol: User
) -> None:
    pair, trio, other = await direct(alice, bob), await group(alice, bob, carol), await direct(alice, carol)
    async with line(bob) as his:
        for chat in (other, trio, other, pair):
            await say(alice, chat, chat["title"])
        told = [await his.next() for _ in range(2)]
        assert [data["chat_id"] for _, data in told] == [trio["id"], pair["id"]]


async def test_a_new_chat_is_told_before_its_first_message(alice: User, bob: User) -> None:
    async with line(alice) as hers, line(bob) as his:
        chat = await direct(alice, bob)
        sent = await say(alice, chat, "first")
        for one in (hers, his):
            event, created = await one.next()
            conforms(schemas.Chat, created)
            assert event == "chat.created"
            assert {**created, "last_message": None} == chat
            assert await one.next() == ("message.created", sent)
        await direct(bob, alice)  # it is there already
        await hers.settled()
        assert hers.seen[-1]["event"] == "pong"
        assert [one["event"] for one in hers.seen].count("chat.created") == 1


@pytest.mark.both
async def test_a_third_is_added_hears_everything_from_then_on_and_is_put_out(
    alice: User, bob: User, carol: User
) -> None:
    chat = await group(alice, bob)
    await say(alice, chat, "before")
    async with line(bob) as his, line(carol) as third, line(carol) as again:
        added = await v1(alice, "POST", f"chats/{chat['id']}/members/{carol.id}")
        for one in (third, again):
            event, created = await one.next()
            assert (event, created["id"], created["unread_count"]) == ("chat.created", chat["id"], 0)
            assert created["participants"] == added["participants"]
        event, updated = await his.next()
        assert event == "chat.updated"
        assert updated == {**added, "unread_count": 1}, "his own count"
        sent = await say(alice, chat, "welcome")
        for one in (his, third, again):
            assert await one.next() == ("message.created", sent)
        await third.say("message.send", chat_id=chat["id"], content="thanks")
        assert (await his.next())[1]["author_id"] == carol.id
        await third.next()
        await again.next()
        await v1(alice, "DELETE", f"chats/{chat['id']}/members/{carol.id}", 204)
        for one in (third, again):
            assert await one.next() == ("chat.deleted", {"id": chat["id"]})
        event, updated = await his.next()
        assert (event, len(updated["participants"])) == ("chat.updated", 2)
        await say(alice, chat, "without her")
        assert (await his.next())[1]["content"] == "without her"
        await third.say("typing", chat_id=chat["id"], is_typing=True)
        event, refused = await third.next()
        assert (event, refused["code"]) == ("error", "room_not_found"), "and nothing of it was heard before"


async def test_a_chat_that_is_closed_is_gone_for_all(alice: User, bob: User, carol: User) -> None:
    chat = await group(alice, bob, carol)
    conversation = (await alice.chat("GET", "conversations/"))[0]
    async with line(alice) as hers, line(bob) as his:
        await alice.chat("DELETE", f"conversations/{conversation['id']}", 204)
        for one in (hers, his):
            assert await one.next() == ("chat.deleted", {"id": chat["id"]})
            await one.settled()
            assert len([frame for frame in one.seen if frame["event"].startswith("chat.")]) == 1
    assert await v1(bob, "GET", "chats/") == []


async def test_a_new_title_is_news_with_everybodys_own_count(alice: User, bob: User, carol: User) -> None:
    chat = await group(alice, bob, carol)
    await say(alice, chat, "unread")
    await v1(carol, "POST", f"chats/{chat['id']}/read", 204, json={})
    conversation = (await alice.chat("GET", "conversations/"))[0]
    async with line(bob) as his, line(carol) as third:
        await alice.chat("PATCH", f"conversations/{conversation['id']}", json={"title": "New"})
        for one, person, unread in ((his, bob, 1), (third, carol, 0)):
            event, updated = await one.next()
            assert (event, updated["title"], updated["unread_count"]) == ("chat.updated", "New", unread)
            assert updated == await v1(person, "GET", f"chats/{chat['id']}")


async def test_typing_is_told_to_the_others_only_and_ends_with_the_socket(alice: User, bob: User) -> None:
    chat = await direct(alice, bob)
    here = {"chat_id": chat["id"], "user_id": alice.id}
    async with line(bob) as his:
        async with line(alice) as hers:
            await hers.say("typing", chat_id=chat["id"], is_typing=True)
            assert await his.next() == ("typing", {**here, "is_typing": True})
            await hers.settled()
            assert "typing" not in [frame["event"] for frame in hers.seen]
        assert await his.next() == ("typing", {**here, "is_typing": False})


async def test_reading_is_told_to_all(alice: User, bob: User) -> None:
    chat = await direct(alice, bob)
    sent = [await say(alice, chat, str(n)) for n in range(3)]
    async with line(alice) as hers, line(bob) as his:
        await his.say("read", chat_id=chat["id"], message_id=sent[0]["id"])
        await his.say("read", message_id=sent[1]["id"])
        await his.say("read", chat_id=chat["id"])
        for one in (hers, his):
            for message in sent:
                read = {"chat_id": chat["id"], "user_id": bob.id, "message_id": message["id"]}
                assert await one.next() == ("message.read", read)
    assert (await v1(bob, "GET", f"chats/{chat['id']}"))["unread_count"] == 0


async def test_presence_is_told_once_per_person_and_chat(alice: User, bob: User) -> None:
    chat = await direct(alice, bob)
    async with line(alice) as hers:
        here = {"chat_id": chat["id"], "user_id": bob.id}
        async with line(bob) as his, line(bob):
            assert await hers.until("presence") == {**here, "online": True}
            assert await his.until("presence") == {"chat_id": chat["id"], "user_id": alice.id, "online": True}
        assert await hers.until("presence") == {**here, "online": False}, "once, after the last socket"
        await hers.settled()
        assert [frame["event"] for frame in hers.seen].count("presence") == 2


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "bad_json"),
        ("[]", "invalid_param"),
        ('{"data": {}}', "missing_param"),
        ('{"event": "dance"}', "unknown_type"),
        ('{"event": "message.send"}', "missing_param"),
        ('{"event": "message.send", "data": {"chat_id": CHAT, "content": 1}}', "invalid_param"),
        ('{"event": "message.send", "data": {"chat_id": CHAT, "content": " "}}', "empty_text"),
        (
            '{"event": "message.send", "data": {"chat_id": CHAT, "content": "x", "type": "system"}}',
            "system_message",
        ),
        ('{"event": "message.send", "data": {"chat_id": 999999, "content": "x"}}', "room_not_found"),
        ('{"event": "message.send", "data": {"chat_id": CHAT, "content": "a\\u0000"}}', "invalid_param"),
        ('{"event": "typing", "data": {"chat_id": CHAT, "is_typing": "yes"}}', "invalid_param"),
        ('{"event": "typing", "data": {"chat_id": 999999}}', "room_not_found"),
        ('{"event": "read", "data": {}}', "invalid_param"),
        ('{"event": "read", "data": {"message_id": 999999}}', "message_not_found"),
        ('{"event": "read", "data": {"chat_id": 999999}}', "room_not_found"),
        ('{"event": "sync", "data": {}}', "missing_param"),
        ('{"event": "sync", "data": {"after": -1}}', "invalid_param"),
        ('{"event": "sync", "data": {"after": "1"}}', "invalid_param"),
    ],
)
async def test_a_refused_frame_is_answered_and_the_socket_stays_open(
    alice: User, bob: User, frame: str, code: str
) -> None:
    chat = await direct(alice, bob)
    async with line(alice) as hers:
        await hers.ws.send_str(frame.replace("CHAT", str(chat["id"])))
        event, refused = await hers.next()
        assert (event, refused["code"]) == ("error", code)
        assert refused["detail"]
        await hers.say("ping")
        assert await hers.next() == ("pong", {})


async def test_an_error_names_the_message_that_was_not_sent(alice: User, bob: User) -> None:
    chat = await direct(alice, bob)
    async with line(alice) as hers:
        await hers.say("message.send", chat_id=chat["id"], content="", client_id="c9")
        assert (await hers.next())[1]["client_id"] == "c9"


async def test_a_retry_over_a_new_socket_is_answered_though_nothing_is_sent(alice: User, bob: User) -> None:
    chat = await direct(alice, bob)
    async with line(alice) as hers:
        await hers.say("message.send", chat_id=chat["id"], content="once", client_id="c1")
        first = await hers.next()
    async with line(alice) as hers, line(bob) as his:
        await hers.say("message.send", chat_id=chat["id"], content="once", client_id="c1")
        assert await hers.next() == first
        await hers.say("message.send", chat_id=chat["id"], content="two", client_id="c2")
        assert (await his.next())[1]["content"] == "two"
    assert await contents(bob, chat) == ["once", "two"]


async def test_who_may_not_listen_is_told_by_1008(alice: User, nobody: User) -> None:
    forged = "eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjoxfQ."
    for path in (
        "/ws",
        "/ws?token=",
        "/ws?token=nonsense",
        f"/ws/?token={forged}",
        f"/ws?token={alice.refresh_token}",
    ):
        async with line(nobody, path) as ear:
            assert await ear.closed() == 1008
            assert ear.seen == []
    async with line(alice, f"/ws/?token=Bearer%20{alice.token}") as hers:
        await hers.settled()
    assert await alice.code("GET", f"/ws?token={alice.token}", 400) == "websocket_expected"
    await alice.call("GET", "/ws/nothing", 404)


async def test_logging_out_closes_the_sockets_of_the_session(alice: User) -> None:
    async with line(alice) as hers:
        await hers.settled()
        await alice.call("POST", f"{API}/auth/logout", 204)
        assert await hers.closed() == 1008
    async with line(alice) as hers:
        assert await hers.closed() == 1008


@pytest.mark.parametrize("overrides", [{"messenger": {"socket_path": "/api/v1/live"}}])
async def test_the_path_of_the_socket_is_a_setting(alice: User, bob: User) -> None:
    chat = await direct(alice, bob)
    async with line(alice, f"/api/v1/live?token={alice.token}") as hers:
        await say(bob, chat, "hello")
        assert (await hers.next())[1]["content"] == "hello"
    await alice.call("GET", f"{API}/users/me")
    await alice.call("GET", "/ws", 404)


@pytest.mark.own_server
async def test_nothing_is_left_behind_when_everybody_is_gone(server: Running, alice: User, bob: User) -> None:
    live: Any = next(one for one in server.hs.realtime.feed._followers)
    chat = await direct(alice, bob)
    async with line(alice) as hers, line(bob), line(bob):
        await hers.settled()
        await hers.say("typing", chat_id=chat["id"])
        await hers.settled()
        assert len(live._people) == 2
    await until(lambda: len(server.hub) == 0)
    assert (live._people, live._chats, live._audience._rooms) == ({}, {}, {})
    assert server.hs.realtime.connections._rooms == {}
    async with aiohttp.ClientSession(server.url) as again:
        assert (await again.get("/health")).status == 200


@pytest.mark.both
async def test_many_chats_at_once_reach_everybody_whole(alice: User, bob: User, carol: User) -> None:
    async with line(bob) as his, line(carol) as third:
        made = await asyncio.gather(*(group(alice, bob, carol, title=str(n)) for n in range(8)))
        await asyncio.gather(*(say(alice, chat, chat["title"]) for chat in made))
        for one in (his, third):
            frames = [await one.next(ignore=("presence", "chat.updated")) for _ in range(16)]
            created = {data["id"]: at for at, (event, data) in enumerate(frames) if event == "chat.created"}
            said = {
                data["chat_id"]: at for at, (event, data) in enumerate(frames) if event == "message.created"
            }
            assert set(created) == set(said) == {chat["id"] for chat in made}
            assert all(created[chat] < said[chat] for chat in created)


@pytest.mark.parametrize("overrides", [{"issuers": [PORTAL]}])
async def test_each_application_knows_its_own_people_by_its_own_numbers(
    client: aiohttp.ClientSession, alice: User
) -> None:
    """The portal's person 1 and our account 1 are two people; nobody takes one for the other."""
    ivan, olga = student(client, 1, "Иван"), student(client, 500, "Ольга")
    for one in (ivan, olga):
        await v1(one, "GET", "users/me")
    chat = await direct(ivan, olga)
    assert [one["id"] for one in chat["participants"]] == [1, 500]
    group_chat = await v1(ivan, "POST", "chats/group", json={"title": "Все", "user_ids": [500]})
    seen_by_ivan = {one["display_name"]: one["id"] for one in await v1(ivan, "GET", "users/?search=alice")}
    async with line(ivan) as his, line(olga) as hers, line(alice) as ours:
        added = await v1(ivan, "POST", f"chats/{group_chat['id']}/members/{seen_by_ivan['Alice']}")
        assert [one["id"] for one in added["participants"]] == [1, 500, seen_by_ivan["Alice"]]
        event, created = await ours.next()
        assert event == "chat.created"
        numbers = {one["display_name"]: one["id"] for one in created["participants"]}
        assert numbers["Alice"] == alice.id
        assert len(set(numbers.values())) == 3
        sent = await say(ivan, group_chat, "Привет")
        assert sent["author_id"] == 1
        assert await his.until("message.created") == await hers.until("message.created") == sent
        assert (await ours.until("message.created"))["author_id"] == numbers["Иван"] != 1


async def test_a_frame_is_made_once_for_all_sockets(
    monkeypatch: pytest.MonkeyPatch, alice: User, bob: User, carol: User
) -> None:
    chat = await group(alice, bob, carol)
    made: list[str] = []
    frame = shape.frame

    def counted(event: str, data: Any) -> bytes:
        made.append(event)
        return frame(event, data)

    async with line(alice) as one, line(bob) as two, line(bob) as three, line(carol) as four:
        await four.settled()
        monkeypatch.setattr(shape, "frame", counted)
        sent = await say(alice, chat, "to all")
        for ear in (one, two, three, four):
            assert await ear.next() == ("message.created", sent)
        assert made == ["message.created"]
