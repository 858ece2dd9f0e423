"""The live socket of a conversation: stories with two and three people."""

import asyncio
from typing import Any

import aiohttp
import pytest

from homeserver.api.university import schemas
from homeserver.lifecycle import Running
from tests.api.driver import CHAT, User
from tests.api.university.test_conversations import conforms
from tests.http.kit import until

UNKNOWN = "0190163d-8694-8390-9f4f-0a9b8c7d6e5f"


async def test_everybody_hears_a_message_the_sender_too(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    async with alice.socket(group) as ear_a, bob.socket(group) as ear_b:
        await ear_a.say("message:new", text="Привет!", reply_to=None, client_id="c1")
        heard = [(await ear.next())["payload"] for ear in (ear_a, ear_b)]
        conforms(schemas.Message, heard[0])
        assert heard[0] == heard[1]
        assert (heard[0]["text"], heard[0]["sender_id"], heard[0]["client_id"]) == ("Привет!", alice.id, "c1")
    assert await bob.chat("GET", f"messages/{group['id']}") == [heard[0]], "equal to what REST returns"


async def test_what_is_sent_by_rest_is_heard_too(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    async with bob.socket(group) as ear:
        sent = await alice.say(group, "by REST")
        assert await ear.next() == {"type": "message:new", "payload": sent}
        edited = await alice.chat("PUT", f"messages/{sent['id']}", json={"text": "edited"})
        assert await ear.next() == {"type": "message:edited", "payload": edited}
        await alice.chat("DELETE", f"messages/{sent['id']}", 204)
        gone = {"id": sent["id"], "conversation_id": group["id"]}
        assert await ear.next() == {"type": "message:deleted", "payload": gone}


async def test_other_conversations_are_not_heard(alice: User, bob: User) -> None:
    group, other = await alice.group(bob), await alice.group(bob)
    async with bob.socket(group) as ear:
        await alice.say(other, "elsewhere")
        await alice.say(group, "here")
        assert (await ear.next())["payload"]["text"] == "here"


@pytest.mark.parametrize("name", ["token", "Authorization", "WWW-Authenticate"])
async def test_the_token_may_stand_in_the_query(alice: User, name: str) -> None:
    group = await alice.group()
    value = alice.token if name == "token" else f"Bearer%20{alice.token}"
    async with alice.socket(group, f"{name}={value}") as ear:
        await ear.say("message:new", text="hello")
        assert (await ear.next())["payload"]["text"] == "hello"


@pytest.mark.parametrize("name", ["Authorization", "WWW-Authenticate"])
async def test_or_in_a_header(alice: User, name: str) -> None:
    group = await alice.group()
    path, headers = f"{CHAT}/ws/conversations/{group['id']}", {name: f"Bearer {alice.token}"}
    async with alice.session.ws_connect(path, headers=headers) as ws:
        await ws.send_json({"type": "message:new", "payload": {"text": "hello"}})
        assert (await ws.receive_json())["payload"]["text"] == "hello"


async def test_who_may_not_listen_is_told_by_1008(alice: User, bob: User) -> None:
    group = await alice.group()
    for person, conversation, query in (
        (alice, group, "token=nonsense"),
        (alice, group, "x=y"),
        (bob, group, ""),
        (alice, {"id": UNKNOWN}, ""),
        (alice, {"id": "nonsense"}, ""),
    ):
        async with person.socket(conversation, query) as ear:
            assert await ear.closed() == 1008
            assert ear.seen == []


async def test_a_plain_request_is_told_what_the_address_is_for(alice: User) -> None:
    group = await alice.group()
    assert await alice.code("GET", f"{CHAT}/ws/conversations/{group['id']}/", 400) == "websocket_expected"


async def test_typing_is_told_to_the_others_only(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    async with bob.socket(group) as ear_b:
        async with alice.socket(group) as ear_a:
            await ear_a.say("typing", is_typing=True)
            here = {"conversation_id": group["id"], "user_id": alice.id}
            assert (await ear_b.next())["payload"] == {**here, "is_typing": True}
            await ear_a.say("typing", is_typing=False)
            assert (await ear_b.next())["payload"] == {**here, "is_typing": False}
            await ear_a.say("typing", is_typing=True)
            await ear_b.next()
            await ear_a.say("message:new", text="done")
            assert (await ear_a.next())["type"] == "message:new", "she did not hear herself typing"
        await ear_b.until("typing", lambda payload: not payload["is_typing"])  # her socket is gone


async def test_reading_is_told_to_all(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    sent = await alice.say(group, "read me")
    async with alice.socket(group) as ear_a, bob.socket(group) as ear_b:
        await ear_b.say("message:read", message_id=sent["id"])
        read = {"conversation_id": group["id"], "user_id": bob.id, "message_id": sent["id"]}
        assert await ear_a.next() == {"type": "message:read", "payload": read}
        second = await alice.say(group, "and me")
        await bob.chat("POST", f"conversations/{group['id']}/read", 204)
        payload = await ear_a.until("message:read")
        assert payload["message_id"] == second["id"]
    assert (await bob.chat("GET", f"conversations/{group['id']}"))["unread_count"] == 0


async def test_presence(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    async with alice.socket(group) as ear_a:
        async with bob.socket(group) as ear_b, bob.socket(group):
            here = {"conversation_id": group["id"], "user_id": bob.id}
            assert await ear_a.until("presence") == {**here, "online": True}
            greeting = await ear_b.until("presence")
            assert greeting == {"conversation_id": group["id"], "user_id": alice.id, "online": True}
        assert await ear_a.until("presence") == {**here, "online": False}, "once, after the last socket"


async def test_people_come_and_go(alice: User, bob: User, carol: User) -> None:
    group = await alice.group(bob)
    people = f"conversations/{group['id']}/participants"
    async with bob.socket(group) as ear_b:
        added = await alice.chat("POST", people, json={"user_id": carol.id})
        frame = await ear_b.next()
        assert frame["type"] == "participant:added"
        assert frame["payload"] == {**added, "conversation_id": group["id"]}
        async with carol.socket(group) as ear_c:
            await alice.chat("DELETE", f"{people}/{carol.id}", 204)
            removed = {"conversation_id": group["id"], "user_id": carol.id}
            assert (await ear_b.next())["payload"] == removed
            assert await ear_c.closed() == 1008
            assert ear_c.seen[-1] == {"type": "participant:removed", "payload": removed}
        await alice.say(group, "without her")
        assert (await ear_b.next())["payload"]["text"] == "without her"


async def test_a_closed_conversation_closes_its_sockets(alice: User, bob: User, carol: User) -> None:
    group = await alice.group(bob)
    people = f"conversations/{group['id']}/participants"
    await alice.chat("POST", people, json={"user_id": carol.id, "role": "admin"})
    async with alice.socket(group) as ear_a, bob.socket(group) as ear_b, carol.socket(group) as ear_c:
        await alice.chat("DELETE", f"conversations/{group['id']}", 204)
        assert [await ear.closed() for ear in (ear_a, ear_b, ear_c)] == [1008, 1008, 1008]


async def test_a_new_title_is_news(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    async with bob.socket(group) as ear:
        await alice.chat("PATCH", f"conversations/{group['id']}", json={"title": "New"})
        assert await ear.next() == {
            "type": "conversation:updated",
            "payload": {"conversation_id": group["id"]},
        }


REFUSED = (
    ("{", "bad_json"),
    ("[]", "invalid_param"),
    ('{"payload": {}}', "missing_param"),
    ('{"type": "dance"}', "unknown_type"),
    ('{"type": "message:new"}', "missing_param"),
    ('{"type": "message:new", "payload": {"text": 1}}', "invalid_param"),
    ('{"type": "message:new", "payload": {"text": " "}}', "empty_text"),
    ('{"type": "message:new", "payload": {"text": "x", "reply_to": "x"}}', "invalid_param"),
    (
        f'{{"type": "message:new", "payload": {{"text": "x", "reply_to": "{UNKNOWN}"}}}}',
        "message_not_found",
    ),
    ('{"type": "message:new", "payload": {"text": "a\\u0000"}}', "invalid_param"),
    (f'{{"type": "message:new", "payload": {{"text": "{"x" * 10_001}"}}}}', "text_too_long"),
    ('{"type": "typing", "payload": {"is_typing": "yes"}}', "invalid_param"),
    ('{"type": "sync", "payload": {}}', "missing_param"),
    (f'{{"type": "sync", "payload": {{"after": "{UNKNOWN}"}}}}', "message_not_found"),
    (f'{{"type": "message:read", "payload": {{"message_id": "{UNKNOWN}"}}}}', "message_not_found"),
)


async def test_a_refused_frame_is_answered_and_the_socket_stays_open(alice: User) -> None:
    group = await alice.group()
    async with alice.socket(group) as ear:
        for frame, code in REFUSED:
            await ear.ws.send_str(frame)
            refused = await ear.next()
            assert (refused["type"], refused["payload"]["code"]) == ("error", code), frame
            assert refused["payload"]["detail"]
        await ear.say("message:new", text="still open")
        assert (await ear.next())["payload"]["text"] == "still open"


async def test_an_error_names_the_message_that_was_not_sent(alice: User) -> None:
    group = await alice.group()
    async with alice.socket(group) as ear:
        await ear.say("message:new", text="", client_id="c9")
        assert (await ear.next())["payload"]["client_id"] == "c9"


async def test_a_retry_over_a_new_socket_is_answered_though_nothing_is_sent(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    async with alice.socket(group) as ear:
        await ear.say("message:new", text="once", client_id="c1")
        first = (await ear.next())["payload"]
    async with alice.socket(group) as ear, bob.socket(group) as ear_b:
        await ear.say("message:new", text="once", client_id="c1")
        assert (await ear.next())["payload"] == first
        await ear.say("message:new", text="two", client_id="c2")
        assert (await ear_b.next())["payload"]["text"] == "two"
    assert await bob.texts(group) == ["once", "two"]


async def test_sync_brings_what_was_missed_in_order(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    seen = await alice.say(group, "seen")
    missed = [await alice.say(group, f"missed {n}") for n in range(5)]
    await alice.chat("DELETE", f"messages/{missed[2]['id']}", 204)
    async with bob.socket(group) as ear:
        await ear.say("sync", after=seen["id"])
        texts = [(await ear.next())["payload"]["text"] for _ in range(4)]
        assert texts == ["missed 0", "missed 1", "missed 3", "missed 4"]
        await alice.say(group, "live")
        assert (await ear.next())["payload"]["text"] == "live"
        await ear.say("sync", after=missed[4]["id"])
        gone = {"id": missed[2]["id"], "conversation_id": group["id"]}
        assert (await ear.next()) == {"type": "message:deleted", "payload": gone}, (
            "it was deleted after that one"
        )
        await alice.say(group, "more")
        assert (await ear.next())["payload"]["text"] == "more", (
            "no message that was heard already comes again"
        )


@pytest.mark.parametrize("overrides", [{"sockets": {"first_frame_wait_s": 10}}])
async def test_what_comes_before_the_client_can_ask_does_not_overtake(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    seen = await alice.say(group, "seen")
    missed = await alice.say(group, "missed")
    async with bob.socket(group) as ear:
        await alice.say(group, "between")
        await alice.chat("PUT", f"messages/{missed['id']}", json={"text": "missed!"})
        await ear.say("sync", after=seen["id"])
        frames = [await ear.next() for _ in range(3)]
    told = [(frame["type"], frame["payload"]["text"]) for frame in frames]
    assert told == [("message:new", "missed!"), ("message:new", "between"), ("message:edited", "missed!")]


@pytest.mark.parametrize("overrides", [{"sockets": {"first_frame_wait_s": 0}}])
async def test_a_late_sync_repeats_nothing(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    seen = await alice.say(group, "seen")
    await alice.say(group, "missed")
    async with bob.socket(group) as ear:
        await alice.say(group, "live")
        assert (await ear.next())["payload"]["text"] == "live"
        await ear.say("sync", after=seen["id"])
        assert (await ear.next())["payload"]["text"] == "missed"
        await alice.say(group, "end")
        assert (await ear.next())["payload"]["text"] == "end"


async def test_sync_after_a_message_that_was_deleted_since(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    seen = await alice.say(group, "seen")
    await alice.say(group, "missed")
    await alice.chat("DELETE", f"messages/{seen['id']}", 204)
    async with bob.socket(group) as ear:
        await ear.say("sync", after=seen["id"])
        assert (await ear.next())["payload"]["text"] == "missed"
        assert (await ear.next())["payload"] == {"id": seen["id"], "conversation_id": group["id"]}


@pytest.mark.parametrize("overrides", [{"rooms": {"max_page": 3}}])
@pytest.mark.both
async def test_sync_brings_what_became_of_known_messages(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    first, second, third, last = [await alice.say(group, text) for text in ("one", "two", "three", "four")]
    link = {"file_url": "https://x.example/a.pdf", "file_type": "file", "file_size": 5}
    for text in ("one!", "one!!"):
        await alice.chat("PUT", f"messages/{first['id']}", json={"text": text})
    await alice.chat("PUT", f"messages/{second['id']}", json={"text": "in vain"})
    await alice.chat("DELETE", f"messages/{second['id']}", 204)
    new = await alice.say(group, "five")
    await alice.chat("POST", "attachments/", json={"message_id": third["id"], **link})
    await alice.chat("PUT", f"messages/{new['id']}", json={"text": "five!"})
    async with bob.socket(group) as ear:
        await ear.say("sync", after=last["id"])
        await ear.say("no such frame")
        heard: list[Any] = []
        while not heard or heard[-1]["type"] != "error":
            heard.append(await ear.next())
    pages = [await bob.chat("GET", f"messages/{group['id']}?offset={offset}") for offset in (0, 3)]
    page = {one["id"]: one for each in pages for one in each}
    assert [(one["type"], one["payload"].get("id")) for one in heard[:-1]] == [
        ("message:edited", first["id"]),
        ("message:deleted", second["id"]),
        ("message:new", new["id"]),
        ("message:edited", third["id"]),
    ]
    assert [one["payload"] for one in heard if one["type"] in ("message:edited", "message:new")] == [
        page[one["id"]] for one in (first, new, third)
    ], "as they read now"


# The queue has room for all of it: a reader of a busy machine may be slow, and that is another story.
@pytest.mark.parametrize("overrides", [{"rooms": {"max_page": 7}, "sockets": {"queue_frames": 256}}])
@pytest.mark.both
async def test_reconnecting_again_and_again_while_others_write_loses_and_doubles_nothing(
    alice: User, bob: User
) -> None:
    group = await alice.group(bob)
    first = await alice.say(group, "first")
    total = 120

    async def write() -> None:
        for n in range(total):
            await alice.say(group, str(n))

    writing = asyncio.create_task(write())
    heard: list[Any] = [first]
    while len(heard) <= total:
        async with bob.socket(group) as ear:
            await ear.say("sync", after=heard[-1]["id"])
            for _ in range(9):
                if len(heard) > total:
                    break
                heard.append(await ear.until("message:new"))
    await writing
    assert [one["text"] for one in heard] == ["first", *map(str, range(total))]


@pytest.mark.both
async def test_two_write_at_once_and_all_hear_the_same_order(alice: User, bob: User, carol: User) -> None:
    group = await alice.group(bob, carol)
    async with alice.socket(group) as ear_a, bob.socket(group) as ear_b, carol.socket(group) as ear_c:

        async def session(ear: Any, name: str) -> None:
            for n in range(25):
                await ear.say("message:new", text=f"{name} {n}")

        await asyncio.gather(session(ear_a, "a"), session(ear_b, "b"))
        heard = [[(await ear.until("message:new"))["id"] for _ in range(50)] for ear in (ear_a, ear_b, ear_c)]
    assert heard[0] == heard[1] == heard[2]
    page = await carol.chat("GET", f"messages/{group['id']}")
    assert heard[2] == [one["id"] for one in page]


async def test_logging_out_closes_the_sockets_of_the_session(alice: User) -> None:
    group = await alice.group()
    async with alice.socket(group) as ear:
        await alice.call("POST", "/api/v1/auth/logout", 204)
        assert await ear.closed() == 1008


@pytest.mark.parametrize("overrides", [{"sockets": {"max_per_user": 2}}])
async def test_the_oldest_socket_of_too_many_goes(alice: User) -> None:
    group = await alice.group()
    async with alice.socket(group) as first, alice.socket(group) as second, alice.socket(group) as third:
        assert await first.closed() == 1000
        await alice.say(group, "hello")
        for ear in (second, third):
            assert (await ear.next())["payload"]["text"] == "hello"


@pytest.mark.parametrize("overrides", [{"sockets": {"frames_burst": 2, "max_frames_per_s": 0.001}}])
async def test_too_many_frames_are_refused_with_a_time_to_come_back(alice: User) -> None:
    group = await alice.group()
    async with alice.socket(group) as ear:
        for _ in range(3):
            await ear.say("typing", is_typing=True)
        refused = await ear.until("error")
        assert refused["code"] == "rate_limited"
        assert refused["retry_ms"] > 0


@pytest.mark.own_server
async def test_stopping_the_server_says_1001(server: Running, alice: User) -> None:
    group = await alice.group()
    async with alice.socket(group) as ear:
        await server.hub.stop(5)
        assert await ear.closed() == 1001


@pytest.mark.own_server
async def test_nothing_is_left_behind_when_everybody_is_gone(server: Running, alice: User, bob: User) -> None:
    group = await alice.group(bob)
    async with alice.socket(group), bob.socket(group):
        await until(lambda: len(server.hub) == 2)
    await until(lambda: len(server.hub) == 0)
    async with aiohttp.ClientSession(server.url) as again:
        assert (await again.get("/health")).status == 200
